"""What a teacher says of every token of a split: written once, read by the samples' places."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from phinery.data import Mixture, MixtureSampler, Sampler, TokenShards
from phinery.model import Phi
from phinery.text import Tokenizer
from phinery.train import (
    Callback,
    EndpointSource,
    ModelSource,
    StepMetrics,
    StoredDistillation,
    TaughtSampler,
    TeacherStore,
    teacher_store,
    write_teacher_logprobs,
)
from training_help import SEQUENCE_LENGTH, TrainerMaker, make_model

TOP_K = 5
WINDOW, OVERLAP = 24, 16


@pytest.fixture
def shards(shards_directory: Path) -> TokenShards:
    return TokenShards.open(shards_directory, "heldout")


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_store, "_FILE_TOKENS", 700)
    monkeypatch.setattr(teacher_store, "_MOST_LOADED", 2)


class Watched(ModelSource):
    """Counts the windows that it is asked for, and may fail."""

    def __init__(self, *arguments: Any, last: float = math.inf, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.calls = 0
        self.last = last

    def __call__(self, input_ids: NDArray[np.int64], eos_token_id: int) -> Any:
        self.calls += 1
        if self.calls > self.last:
            raise KeyboardInterrupt
        return super().__call__(input_ids, eos_token_id)


def teacher() -> Phi:
    model = make_model(hidden_size=48, num_attention_heads=3)
    with torch.no_grad():
        model.lm_head.weight.mul_(3)
    return model


def write(shards: TokenShards, source: Any, directory: Path) -> TeacherStore:
    write_teacher_logprobs(
        shards, source, directory, sequence_length=WINDOW, overlap=OVERLAP, batch_size=3
    )
    return TeacherStore.open(directory, shards)


@pytest.mark.parametrize("apart", [False, True])
def test_every_token_has_the_teachers_likeliest_next(
    shards: TokenShards, tmp_path: Path, apart: bool
) -> None:
    model = teacher()
    store = write(shards, ModelSource(model, TOP_K, separate_documents=apart), tmp_path / "store")
    assert shards.num_tokens > 3 * 700
    exact = model.double()
    ids, log_probs = store.read(0, shards.num_tokens)
    assert ids.shape == (shards.num_tokens, TOP_K)
    assert log_probs.shape == (shards.num_tokens, TOP_K + 1)
    np.testing.assert_allclose(np.exp(log_probs.astype(float)).sum(1), 1, atol=1e-6)
    # In each file the windows begin anew; this one reaches over the border of two.
    for place in (0, 5, WINDOW, WINDOW + 3, 699, 700, 731, shards.num_tokens - 1):
        base = place // 700 * 700
        offset, stride = place - base, WINDOW - OVERLAP
        if base == 0:
            start = 0 if offset < WINDOW else ((offset - WINDOW) // stride + 1) * stride
        else:
            start = base + offset // stride * stride - OVERLAP
        assert place == 0 or place - start >= min(place, OVERLAP)
        row = shards.read(start, place + 1)
        ends = np.cumsum(row == shards.eos_token_id)
        documents = torch.from_numpy(np.concatenate(([0], ends[:-1])))[None] if apart else None
        with torch.no_grad():
            logits = exact(torch.from_numpy(row)[None], document_ids=documents)[0, -1]
        wanted = logits.log_softmax(0).topk(TOP_K)
        assert ids[place].tolist() == wanted.indices.tolist()
        rest = math.log1p(-wanted.values.exp().sum().item())
        expected = [*wanted.values.tolist(), rest]
        np.testing.assert_allclose(log_probs[place], expected, rtol=2e-3, atol=2e-3)


def test_stopped_it_goes_on_and_ends_with_the_same_bytes(
    shards: TokenShards, tmp_path: Path
) -> None:
    whole = Watched(teacher(), TOP_K)
    write(shards, whole, tmp_path / "whole")
    stopped = Watched(teacher(), TOP_K, last=whole.calls // 2)
    with pytest.raises(KeyboardInterrupt):
        write(shards, stopped, tmp_path / "stopped")
    with pytest.raises(ValueError, match="unfinished"):
        TeacherStore.open(tmp_path / "stopped", shards)
    rest = Watched(teacher(), TOP_K)
    write(shards, rest, tmp_path / "stopped")
    assert 0 < rest.calls < whole.calls
    again = Watched(teacher(), TOP_K)
    write(shards, again, tmp_path / "stopped")
    assert again.calls == 0
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert len(names) == -(-shards.num_tokens // 700) + 2
    for name in names:
        one, other = (tmp_path / part / name for part in ("whole", "stopped"))
        assert one.read_bytes() == other.read_bytes(), name


def test_what_does_not_belong_is_refused(
    shards: TokenShards, shards_directory: Path, tmp_path: Path
) -> None:
    write(shards, ModelSource(teacher(), TOP_K), tmp_path / "store")
    with pytest.raises(ValueError, match=r"top_k differs"):
        write(shards, ModelSource(teacher(), TOP_K + 1), tmp_path / "store")
    other = teacher()
    with torch.no_grad():
        other.lm_head.bias[0] += 1
    with pytest.raises(ValueError, match=r"teacher differs"):
        write(shards, ModelSource(other, TOP_K), tmp_path / "store")
    train = TokenShards.open(shards_directory, "train")
    with pytest.raises(ValueError, match="other text"):
        TeacherStore.open(tmp_path / "store", train)
    with pytest.raises(ValueError, match="something else"):
        write(shards, ModelSource(teacher(), TOP_K), shards_directory)
    path = tmp_path / "store" / "logprobs-00001.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="altered or corrupt"):
        TeacherStore.open(tmp_path / "store", shards)
    for wrong in (0, 257):
        with pytest.raises(ValueError, match="top_k"):
            ModelSource(teacher(), wrong)
    with pytest.raises(ValueError, match="overlap"):
        write_teacher_logprobs(
            shards, ModelSource(teacher(), 2), tmp_path / "n", sequence_length=8, overlap=8
        )
    short = make_model(max_position_embeddings=8)
    with pytest.raises(ValueError, match="max_position_embeddings, 8"):
        write(shards, ModelSource(short, 2), tmp_path / "short")


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda i, p: (i, p + 1), "none"),
        (lambda i, p: (i, p * math.nan), "none"),
        (lambda i, p: (i + 257, p), "beyond"),
        (lambda i, p: (i * 0, p), "twice"),
        (lambda i, p: (i[:, 1:], p), "instead of"),
    ],
)
def test_a_teacher_that_answers_nonsense_is_found_out(
    shards: TokenShards, tmp_path: Path, spoil: Callable[[Any, Any], Any], match: str
) -> None:
    class Spoilt(ModelSource):
        def __call__(self, input_ids: NDArray[np.int64], eos_token_id: int) -> Any:
            return spoil(*super().__call__(input_ids, eos_token_id))

    with pytest.raises(ValueError, match=match):
        write(shards, Spoilt(teacher(), TOP_K), tmp_path / "store")


def test_samples_come_with_their_own_places(
    shards: TokenShards, tmp_path: Path, shards_directory: Path
) -> None:
    store = write(shards, ModelSource(teacher(), TOP_K), tmp_path / "store")
    sampler = Sampler(shards, sequence_length=SEQUENCE_LENGTH, seed=5)
    taught = TaughtSampler(sampler, store)
    first = len(sampler) - 2  # over the end of an epoch, where the grid shifts
    batch = taught.batch(first, 4)
    plain = sampler.batch(first, 4)
    assert (batch.input_ids == plain.input_ids).all()
    assert (batch.labels == plain.labels).all()
    for row in range(4):
        start = sampler.window(first + row)
        ids, log_probs = store.read(start, start + SEQUENCE_LENGTH)
        assert (batch.teacher_ids[row] == ids).all()
        assert (batch.teacher_log_probs[row] == log_probs).all()
    assert taught.fingerprint() != sampler.fingerprint()
    train = TokenShards.open(shards_directory, "train")
    with pytest.raises(ValueError, match="other text"):
        TaughtSampler(Sampler(train, sequence_length=SEQUENCE_LENGTH, seed=5), store)
    with pytest.raises(ValueError, match="one store"):
        TaughtSampler(sampler, {"a": store})


def test_a_mixture_has_a_store_for_each_source(
    shards: TokenShards, shards_directory: Path, tmp_path: Path
) -> None:
    train = TokenShards.open(shards_directory, "train")
    sources = {"a": shards, "b": train}
    stores = {
        name: write(part, ModelSource(teacher(), TOP_K), tmp_path / name)
        for name, part in sources.items()
    }
    mixed = MixtureSampler(
        sources, Mixture({"a": 1.0, "b": 1.0}), sequence_length=SEQUENCE_LENGTH, seed=1, samples=40
    )
    batch = TaughtSampler(mixed, stores).batch(0, 12)
    names = [mixed.locate(index)[0] for index in range(12)]
    assert set(names) == {"a", "b"}
    for index, name in enumerate(names):
        _, number = mixed.locate(index)
        start = mixed.samplers[name].window(number)
        ids, _ = stores[name].read(start, start + SEQUENCE_LENGTH)
        assert (batch.teacher_ids[index] == ids).all()
    with pytest.raises(ValueError, match="one by name"):
        TaughtSampler(mixed, stores["a"])


def test_training_on_a_store_is_bitwise_and_resumes(
    make_trainer: TrainerMaker, shards: TokenShards, tmp_path: Path
) -> None:
    store = write(shards, ModelSource(teacher(), TOP_K), tmp_path / "store")

    class Killed(Exception):
        pass

    class Kill(Callback):
        def on_step(self, trainer: Any, metrics: StepMetrics) -> None:
            if metrics.step == 4:
                raise Killed

    def fit(name: str, *callbacks: Callback) -> Any:
        samples = TaughtSampler(Sampler(shards, sequence_length=SEQUENCE_LENGTH, seed=5), store)
        trainer = make_trainer(
            callbacks,
            samples=samples,
            directory=tmp_path / name,
            micro_batch_size=3,
            steps=8,
            checkpoint_every=3,
        )
        trainer.objective = StoredDistillation(weight=0.7, temperature=2.0)
        trainer.fit()
        return trainer

    whole = fit("whole")
    with pytest.raises(Killed):
        fit("half", Kill())
    for one, other in zip(whole.model.parameters(), fit("half").model.parameters(), strict=True):
        assert torch.equal(one, other)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").open()]
    assert rows[-1]["kl"] < rows[0]["kl"]
    for row in rows:
        assert row["loss"] == pytest.approx(0.3 * row["cross_entropy"] + 0.7 * row["kl"], rel=1e-5)


class Endpoint:
    """An OpenAI client as far as `EndpointSource` uses it, with `model` behind it."""

    base_url = "http://localhost:1/v1"

    def __init__(self, model: Phi, name: Callable[[int], str]) -> None:
        self.completions = self
        self.model = model
        self.name = name
        self.asked: list[dict[str, Any]] = []

    def create(self, **request: Any) -> Any:
        self.asked.append(request)
        choices = [
            SimpleNamespace(index=number, logprobs=self.logprobs(ids, request["logprobs"]))
            for number, ids in enumerate(request["prompt"])
        ]
        return SimpleNamespace(choices=choices[::-1])

    def logprobs(self, ids: list[int], count: int) -> Any:
        with torch.no_grad():
            top = self.model(torch.tensor([ids]))[0].log_softmax(1).topk(count)
        tops: list[dict[str, float] | None] = [None]
        for tokens, values in zip(top.indices.tolist(), top.values.tolist(), strict=True):
            tops.append(dict(zip(map(self.name, tokens), values, strict=True)))
        # What it goes on with, one token.
        following = top.indices[-1, 0].item()
        tokens = [self.name(token) for token in (*ids, following)]
        return SimpleNamespace(tokens=tokens, top_logprobs=tops)


def test_an_endpoint_says_the_same_as_its_model(
    shards: TokenShards, byte_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = teacher()
    wanted = write(shards, ModelSource(model, TOP_K), tmp_path / "model").read(0, 900)
    endpoint = Endpoint(model, lambda token: f"token_id:{token}")
    source = EndpointSource(
        endpoint, "m", byte_tokenizer, TOP_K, extra_body={"return_tokens_as_token_ids": True}
    )
    found = write(shards, source, tmp_path / "endpoint").read(0, 900)
    assert (found[0] == wanted[0]).all()
    np.testing.assert_allclose(found[1], wanted[1], atol=2e-3)
    request = endpoint.asked[0]
    assert (request["echo"], request["logprobs"], request["max_tokens"]) == (True, TOP_K, 1)
    assert request["extra_body"] == {"return_tokens_as_token_ids": True}
    assert len(request["prompt"]) <= 3


def test_tokens_that_are_no_text_count_as_the_rest(
    shards: TokenShards, byte_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = teacher()
    ids, log_probs = write(shards, ModelSource(model, TOP_K), tmp_path / "model").read(0, 300)

    def name(token: int) -> str:
        return byte_tokenizer.token_bytes(token).decode(errors="replace")

    source = EndpointSource(Endpoint(model, name), "m", byte_tokenizer, TOP_K)
    found_ids, found = write(shards, source, tmp_path / "endpoint").read(0, 300)
    kept = np.array([["\ufffd" not in name(token) for token in row] for row in ids.tolist()])
    assert 0.2 < kept.mean() < 0.9
    assert not kept.any(1).all()
    for place in np.flatnonzero(kept.any(1)):
        number = kept[place].sum()
        assert found_ids[place, :number].tolist() == ids[place][kept[place]].tolist()
        assert (found_ids[place, number:] == found_ids[place, 0]).all()
        assert (found[place, number:-1] == -math.inf).all()
        known = np.exp(log_probs[place, :-1][kept[place]].astype(float)).sum()
        assert math.exp(found[place, -1]) == pytest.approx(1 - known, abs=2e-3)


def test_an_endpoint_with_other_tokens_is_found_out(
    shards: TokenShards, byte_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    def complaint(endpoint: Any, number: int = 0) -> str:
        source = EndpointSource(endpoint, "m", byte_tokenizer, TOP_K)
        with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
            write(shards, source, tmp_path / str(number))
        return str(caught.value)

    model = teacher()
    shifted = Endpoint(model, lambda token: f"token_id:{(token + 1) % 257}")
    assert "its tokenizer is another one" in complaint(shifted)
    words = Endpoint(model, lambda token: byte_tokenizer.decode([token]) + "ly")
    assert "its tokenizer is another one" in complaint(words)

    class Silent(Endpoint):
        def logprobs(self, ids: list[int], count: int) -> Any:
            return None

    assert "echo together with logprobs" in complaint(Silent(model, str))
    with pytest.raises(ValueError, match="top_k"):
        EndpointSource(shifted, "m", byte_tokenizer, 0)
