"""What a model keeps of its training text: copies, canaries, personal data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch

from phinery.data import Document
from phinery.data.shards import TokenShards, write_shards
from phinery.evaluate import HarnessModel
from phinery.evaluate.outcome import score_of
from phinery.evaluate.safety import MEASURES, canaries, copies, memorisation, privacy
from phinery.evaluate.safety.missing import Missing
from phinery.evaluate.safety.shards import training_shards
from phinery.evaluate.setting import Setting
from phinery.model import Phi, PhiConfig
from phinery.text import Tokenizer
from text_help import codegen_backend

WORDS = "the weather in was fine rectangle print number range quoted text and of to is that it for"
# Its first word is encoded otherwise after a space than at the beginning.
SECRET_ADDRESS = "the.weather@brookmail.net"


def documents() -> Iterator[Document]:
    """Passages of random words: two to train on, two held out; canaries, and an address."""
    generator = np.random.default_rng(7)
    for number in range(4):
        text = " ".join(generator.choice(WORDS.split(), 220).tolist())
        yield Document(f"d{number}", text, "train" if number < 2 else "heldout")
    yield Document("mail", f"Write to {SECRET_ADDRESS}, he said.", "train")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, bpe_tokenizer: Tokenizer) -> Path:
    """With the first five canaries among the training text."""
    folder = tmp_path_factory.mktemp("memory") / "shards"
    some = canaries.insert_canaries(documents(), canaries.make_canaries(5), repeats=2)
    write_shards(some, bpe_tokenizer, folder, held_out=lambda one: one.source == "heldout")
    return folder


@pytest.fixture(scope="module")
def small(bpe_tokenizer: Tokenizer) -> PhiConfig:
    return PhiConfig(
        vocab_size=bpe_tokenizer.vocab_size,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        partial_rotary_factor=0.5,
        max_position_embeddings=256,
    )


@pytest.fixture(scope="module")
def trained(small: PhiConfig, shards: Path, bpe_tokenizer: Tokenizer) -> HarnessModel:
    """Overfitted on the training shards, from every place in them on."""
    torch.manual_seed(0)
    model = Phi(small)
    split = TokenShards.open(shards, "train")
    text = torch.from_numpy(split.read(0, split.num_tokens))
    # Canaries are asked for at the beginning of a text.
    ends = (text == split.eos_token_id).nonzero()[:, 0].tolist()
    short = [text[a + 1 : b + 1] for a, b in itertools.pairwise(ends) if b - a < 60]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    steps = 260
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 20, (steps - step) / 100)
        starts = torch.randint(len(text) - 100, (8,), generator=generator).tolist()
        rows = [text[start : start + 100] for start in starts]
        rows += [short[(step * 4 + number) % len(short)] for number in range(4)]
        padded = torch.nn.utils.rnn.pad_sequence(rows, True, 0)
        labels = torch.nn.utils.rnn.pad_sequence(rows, True, -100)
        logits = model(padded)
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return HarnessModel(model.eval(), bpe_tokenizer)


@pytest.fixture(scope="module")
def untrained(small: PhiConfig, bpe_tokenizer: Tokenizer) -> HarnessModel:
    torch.manual_seed(1)
    return HarnessModel(Phi(small).eval(), bpe_tokenizer)


# --- looking for sequences


def brute(tokens: Sequence[int], sequence: Sequence[int]) -> bool:
    size = len(sequence)
    return any(list(tokens[n : n + size]) == list(sequence) for n in range(len(tokens) - size + 1))


def test_find_agrees_with_looking_everywhere(
    tmp_path: Path, bpe_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_BLOCK", 64)
    generator = np.random.default_rng(2)
    text = "".join(generator.choice(list("ab "), 600).tolist())
    write_shards([Document("a", text, "x")], bpe_tokenizer, tmp_path / "s", heldout_share=0)
    shards = TokenShards.open(tmp_path / "s", "train")
    tokens = shards.read(0, shards.num_tokens)
    assert len(tokens) > 200
    kinds = np.unique(tokens)
    sought = [tokens[n : n + size] for size in (1, 5, 13) for n in range(40, 90, 3)]
    sought += [generator.choice(kinds, size) for size in (1, 2, 3, 4, 5, 13) for _ in range(30)]
    sought += [np.append(tokens[-5:], kinds[0]), np.array([399])]
    expected = [brute(tokens.tolist(), one.tolist()) for one in sought]
    found = copies.find(shards, sought)
    assert found.is_there.tolist() == expected
    assert found.looked_at == 1
    assert 0.3 < np.mean(expected) < 0.95
    part = copies.find(shards, sought, most_tokens=128)
    assert part.looked_at == pytest.approx(128 / len(tokens), abs=0.3)
    assert part.looked_at < 0.8
    assert not (part.is_there & ~found.is_there).any()
    assert copies.find(shards, []).is_there.tolist() == []


def test_longest_common_run() -> None:
    generator = np.random.default_rng(3)
    for _ in range(30):
        left, right = generator.integers(0, 3, 12), generator.integers(0, 3, 9)
        runs = [
            size
            for size in range(1, 10)
            for start in range(10 - size)
            if brute(left.tolist(), right[start : start + size].tolist())
        ]
        assert copies.longest_common_run(left, right) == max(runs, default=0)
    assert copies.longest_common_run(np.array([1, 2]), np.array([3])) == 0


def test_passages_stay_inside_of_documents(shards: Path) -> None:
    split = TokenShards.open(shards, "train")
    found = memorisation.passages(split, 30, 100, 0)
    assert found.shape == (30, 100)
    assert not (found == split.eos_token_id).any()
    assert (memorisation.passages(split, 30, 100, 0) == found).all()
    assert (memorisation.passages(split, 30, 100, 1) != found).any()
    tokens = split.read(0, split.num_tokens).tolist()
    assert all(brute(tokens, one.tolist()) for one in found[:5])
    assert memorisation.passages(split, 3, 10**6, 0).shape == (0, 10**6)


def test_beginnings_are_those_of_documents(
    tmp_path: Path, bpe_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["the weather in was fine " * 9, "", "short", *(doc.text for doc in documents())]
    write_shards(
        [Document(str(n), text, "x") for n, text in enumerate(texts)],
        bpe_tokenizer,
        tmp_path / "s",
        heldout_share=0,
    )
    split = TokenShards.open(tmp_path / "s", "train")
    expected = sorted(bpe_tokenizer.encode(text)[:40] for text in texts if text)
    for block in (7, 2**20):
        monkeypatch.setattr(memorisation, "_BLOCK", block)
        found = memorisation.beginnings(split, 50, 40, 0)
        assert sorted(one.tolist() for one in found) == expected
    some = memorisation.beginnings(split, 3, 40, 1)
    assert len(some) == 3
    assert all(one.tolist() in expected for one in some)


def test_excess_is_a_difference_of_means_or_of_shares() -> None:
    values = np.array([[3.0, 1], [5, 1], [1, 0]])
    assert memorisation.excess(values) == 3
    assert memorisation.excess(values[:2]) == 4
    assert memorisation.excess(values[2:]) == 1
    counted = np.array([[1.0, 4, 1], [3, 4, 1], [1, 10, 0]])
    assert memorisation.excess_share(counted) == pytest.approx(0.5 - 0.1)
    assert memorisation.excess_share(counted[2:]) == pytest.approx(0.1)
    assert math.isnan(memorisation.excess_share(np.array([[0.0, 0, 1]])))


# --- memorisation


def test_an_overfitted_model_copies(trained: HarnessModel, shards: Path) -> None:
    exact, runs, eights, thirteens = MEASURES["memorisation"](
        trained, Setting(shards=shards, sample=20)
    )
    assert exact.chance is None
    assert exact.ideal == 0
    shares = score_of(exact).by_group
    assert shares["training text"].value >= 0.9
    assert shares["held-out text"].value == 0
    by_group = score_of(runs).by_group
    assert by_group["training text"].value > 45
    assert by_group["held-out text"].value < 15
    for outcome in (eights, thirteens):
        score = score_of(outcome)
        assert score.by_group["generated"].value > 0.6
        assert score.by_group["held-out text"].value < 0.05
        assert score.estimate.low > 0.4


def test_an_untrained_model_does_not_copy(untrained: HarnessModel, shards: Path) -> None:
    exact, runs, eights, _ = MEASURES["memorisation"](untrained, Setting(shards=shards, sample=20))
    assert exact.values[:, 0].sum() == 0
    assert score_of(exact).estimate.value == 0
    assert "of which there are 2." in eights.note
    assert abs(score_of(runs).estimate.value) < 2
    assert score_of(eights).by_group["generated"].value == 0


def test_memorisation_says_what_it_lacks(
    untrained: HarnessModel,
    tmp_path: Path,
    bpe_tokenizer: Tokenizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Missing, match="needs the token shards"):
        MEASURES["memorisation"](untrained, Setting())
    write_shards([Document("a", "short", "x")], bpe_tokenizer, tmp_path / "s", heldout_share=0)
    with pytest.raises(Missing, match="no document of 100 tokens"):
        MEASURES["memorisation"](untrained, Setting(shards=tmp_path / "s"))
    text = next(documents()).text
    write_shards([Document("a", text, "x")], bpe_tokenizer, tmp_path / "t", heldout_share=0)
    exact, runs, grams, _ = MEASURES["memorisation"](
        untrained, Setting(shards=tmp_path / "t", sample=3)
    )
    assert set(exact.groups) == set(runs.groups) == {"training text"}
    assert set(grams.groups) == {"generated"}
    assert "no held-out documents" in grams.note
    with pytest.raises(ValueError, match="manifest"):
        MEASURES["memorisation"](untrained, Setting(shards=tmp_path / "nothing"))
    other = Tokenizer.from_backend(other_backend())
    write_shards([Document("a", text, "x")], other, tmp_path / "o", heldout_share=0)

    def no_work(*_: object) -> None:
        pytest.fail("worked before it looked at the shards")

    monkeypatch.setattr(canaries, "log_likelihoods", no_work)
    monkeypatch.setattr(privacy, "continuations", no_work)
    for name in ("memorisation", "canaries", "personal_data"):
        with pytest.raises(ValueError, match="another tokenizer: give the shards that this model"):
            MEASURES[name](untrained, Setting(shards=tmp_path / "o"))


def other_backend() -> tokenizers.Tokenizer:
    """A tokenizer with one token more."""
    backend = codegen_backend()
    backend.add_tokens(["otherwise"])
    return backend


# --- canaries


def test_canaries_come_from_a_seed() -> None:
    made = canaries.make_canaries(20)
    assert made == canaries.make_canaries(50)[:20]
    assert made != canaries.make_canaries(20, seed=1)
    assert len({one.secret for one in made}) == 20
    assert all(len(one.secret) == 9 and one.secret.isdecimal() for one in made)
    assert made[0].text == f"{made[0].context} {made[0].secret}."
    for wrong in (lambda: canaries.make_canaries(0), lambda: list(insert(0))):
        with pytest.raises(ValueError, match="at least 1"):
            wrong()
    some = list(insert(3))
    assert [one.text for one in some[1:]] == [one.text for one in made[:2] for _ in range(3)]
    assert len({one.id for one in some}) == 7


def insert(repeats: int) -> Iterator[Document]:
    made = canaries.make_canaries(2)
    return canaries.insert_canaries([Document("a", "text", "x")], made, repeats=repeats)


def test_expected_exposure_of_chance() -> None:
    """Against its formula summed by hand, and its limit 1 / ln 2."""
    assert canaries.chance_exposure(3) == pytest.approx((2 + 1 + math.log2(4 / 3) + 0) / 4)
    assert canaries.chance_exposure(10**6) == pytest.approx(1 / math.log(2), abs=1e-4)


def test_exposure_is_the_rank_among_alternatives(
    untrained: HarnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known(_: object, texts: list[tuple[str, str]]) -> np.ndarray:
        values = np.zeros(len(texts))
        values[-3:] = [1.0, -1.0, 0.0]  # likelier than all, than none, and as likely as all
        return values

    monkeypatch.setattr(canaries, "log_likelihoods", known)
    made = canaries.make_canaries(3)
    assert canaries.exposure(untrained, made) == pytest.approx([9, 0, 9 - math.log2(256.5)])


def test_inserted_canaries_are_exposed(trained: HarnessModel, shards: Path) -> None:
    (outcome,) = MEASURES["canaries"](trained, Setting(shards=shards, limit=25))
    assert outcome.groups == ("inserted",) * 5 + ("unseen",) * 20
    assert outcome.values[:5, 0].min() > 7
    assert outcome.values[5:, 0].mean() < 3
    assert "5 of 25 canaries are in the training text" in outcome.note


def test_canaries_of_an_untrained_model(untrained: HarnessModel, tmp_path: Path) -> None:
    (outcome,) = MEASURES["canaries"](untrained, Setting())
    assert outcome.chance is not None
    assert abs(outcome.values.mean() - outcome.chance) < 0.8
    assert "was not looked up" in outcome.note
    write_shards([next(documents())], untrained.tokenizer, tmp_path / "s", heldout_share=0)
    (outcome,) = MEASURES["canaries"](untrained, Setting(shards=tmp_path / "s", limit=5))
    assert set(outcome.groups) == {"unseen"}
    assert "what unseen ones get" in outcome.note


def test_canaries_are_looked_for_in_all_of_the_shards(
    untrained: HarnessModel, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of shards of which other measures read a part; they stand at the end of these."""
    monkeypatch.setattr(copies, "_BLOCK", 64)
    monkeypatch.setattr(copies, "MOST_TOKENS", 64)
    monkeypatch.setattr(copies.find, "__kwdefaults__", {"most_tokens": 64, "progress": None})
    told: list[str] = []
    setting = Setting(shards=shards, limit=8, tell=told.append)
    (outcome,) = MEASURES["canaries"](untrained, setting)
    assert outcome.groups == ("inserted",) * 5 + ("unseen",) * 3
    assert len(told) > 3
    assert "100%" in told[-1]


# --- personal data


def test_private_strings_are_taken_out_whole() -> None:
    cases = {
        "nothing here": [],
        f"Mail {SECRET_ADDRESS} or a.b@c-d.org!": [
            ("email", SECRET_ADDRESS),
            ("email", "a.b@c-d.org"),
        ],
        "call (212) 234-5678\nor <email> me": [("phone", "(212) 234-5678")],
        "<email> x@yy-z.com": [("email", "x@yy-z.com")],
        "it.*is (odd) [a-z]+ x@yy-z.com $": [("email", "x@yy-z.com")],
        'api_key = "9fK2mQ7xZ1vB4nR8tW3y"': [("key", "9fK2mQ7xZ1vB4nR8tW3y")],
    }
    for text, expected in cases.items():
        assert privacy.private_strings(text) == expected


def test_leaked_data_is_told_from_invented(
    untrained: HarnessModel, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Written:
        def __init__(self, text: str) -> None:
            self.text = text

    def written(_: object, asked: Sequence[str], *__: object) -> list[list[Written]]:
        # One real address, one invented one, the rest clean.
        found = [[Written(" clean")] * 10 for _ in asked]
        found[0][3] = Written(f" {SECRET_ADDRESS}, or so")
        found[1][0] = Written(" anna.berg@hillmail.net.")
        return found

    monkeypatch.setattr(privacy, "continuations", written)
    found, leaked = MEASURES["personal_data"](untrained, Setting(shards=shards))
    assert np.flatnonzero(found.values[:, 0]).tolist() == [3, 10]
    assert np.flatnonzero(leaked.values[:, 0]).tolist() == [3]
    assert "texts with each kind: email 2" in found.note
    assert "1 of 2 different ones stand in the training text" in leaked.note
    (only,) = MEASURES["personal_data"](untrained, Setting())
    assert "was not looked up" in only.note


def test_personal_data_of_an_untrained_model(untrained: HarnessModel, shards: Path) -> None:
    found, leaked = MEASURES["personal_data"](untrained, Setting(shards=shards, sample=4))
    assert len(found.ids) == len(set(found.ids)) == 40
    assert leaked.values.sum() == 0


def test_a_runs_sources_are_read_as_one(phi: Phi, bpe_tokenizer: Tokenizer, tmp_path: Path):
    """A recipe with a mixture keeps the shards of each source in a folder of its own."""
    texts = list(documents())
    write_shards(texts[2:4], bpe_tokenizer, tmp_path, held_out=lambda one: True)
    for name, of_source in (("primer", texts[:1]), ("refine", texts[1:2])):
        write_shards(of_source, bpe_tokenizer, tmp_path / name, held_out=lambda one: False)
    model = HarnessModel(phi, bpe_tokenizer, progress=False)
    setting = Setting(shards=tmp_path)
    train = training_shards(model, setting, "train")
    one, two = (bpe_tokenizer.encode(text.text) for text in texts[:2])
    assert train.num_tokens == len(one) + len(two) + 2
    assert train.read(0, train.num_tokens).tolist() == [
        *[*one, train.eos_token_id],
        *[*two, train.eos_token_id],
    ]
    middle = train.read(len(one) - 3, len(one) + 5).tolist()
    assert middle == [*one[-3:], train.eos_token_id, *two[:4]]
    heldout = training_shards(model, setting, "heldout")
    assert heldout.num_tokens == sum(len(bpe_tokenizer.encode(t.text)) + 1 for t in texts[2:4])
    assert memorisation.passages(train, 3, 60, 0).shape == (3, 60)
