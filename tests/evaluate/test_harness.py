"""`HarnessModel` by itself and beside the harness's `hf` model over the same files."""

from __future__ import annotations

import itertools
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model

from phinery.evaluate import HarnessModel
from phinery.evaluate.harness.scoring import TreeScorer
from phinery.model import Phi
from phinery.text import Tokenizer

Hflm = Any
TEXT = "The weather in Zürich was fine; def area(width, height):\n    return width * height\n"


def instances(kind: str, arguments: list[tuple[Any, ...]]) -> list[Instance]:
    """Requests as the harness makes them."""
    return [Instance(kind, {}, one, number) for number, one in enumerate(arguments)]  # pyright: ignore


@pytest.fixture(scope="session")
def hf(phi_folder: Path) -> Hflm:
    """The reference, with a context of 40 tokens so that truncation is cheap to see."""
    from lm_eval.models.huggingface import HFLM

    model: Any = HFLM
    return model(pretrained=str(phi_folder), device="cpu", dtype="float32", max_length=40)


@pytest.fixture(scope="session")
def ours(phi_folder: Path) -> HarnessModel:
    """The same in Phinery."""
    return HarnessModel(str(phi_folder), device="cpu", dtype="float32", max_length=40)


def check_pairs(ours: HarnessModel, hf: Hflm, pairs: list[tuple[str, str]]) -> None:
    """The same answers, in the same order."""
    given = ours.loglikelihood(instances("loglikelihood", pairs), disable_tqdm=True)
    wanted = hf.loglikelihood(instances("loglikelihood", pairs), disable_tqdm=True)
    for pair, (value, greedy), (other, is_greedy) in zip(pairs, given, wanted, strict=True):
        assert value == pytest.approx(other, abs=1e-4, rel=1e-6), pair
        assert greedy == is_greedy, pair


def test_awkward_pairs_are_split_as_the_harness_does(ours: HarnessModel, hf: Hflm):
    check_pairs(
        ours,
        hf,
        [
            ("", "The weather"),
            ("", "<|endoftext|>The weather"),
            ("Question:", " yes"),
            ("Question: ", "yes"),
            ("Question:  \n ", "no"),
            ("<|endoftext|>", " yes"),
            ("the <|endoftext|> and", " of<|endoftext|>"),
            ("width", "s and heights"),
            ("é", "é日本"),
            ("Question:", " yes"),
        ],
    )


def test_long_requests_lose_their_beginning_as_in_the_harness(ours: HarnessModel, hf: Hflm):
    long = TEXT * 4
    assert len(ours.tok_encode(long)) > 80
    tail = TEXT[:40]
    pairs = [(long, " fine"), (long, tail), (tail, " of"), ("x" + long, " fine"), ("", tail)]
    for length in range(36, 44):  # around the limit, by one token each
        text = ours.tokenizer.decode(ours.tok_encode(long)[:length])
        pairs.append((text, " the"))
    check_pairs(ours, hf, pairs)


def test_random_requests_score_as_in_the_harness(ours: HarnessModel, hf: Hflm):
    draw = random.Random(0)
    words = TEXT.split(" ")
    pairs: list[tuple[str, str]] = []
    for _ in range(40):
        context = " ".join(words[: draw.randrange(1, 9)])
        pairs.append(
            (context + draw.choice(["", " ", "\n"]), " " + " ".join(draw.sample(words, 2)))
        )
    check_pairs(ours, hf, pairs)


def test_rolling_windows_are_the_harness_s(ours: HarnessModel, hf: Hflm):
    texts = [(TEXT,), (TEXT * 5,), ("a",), ("",), (TEXT,), (TEXT * 3 + "a",)]
    requests = instances("loglikelihood_rolling", texts)
    given = ours.loglikelihood_rolling(requests, disable_tqdm=True)
    wanted = hf.loglikelihood_rolling(requests, disable_tqdm=True)
    assert given == pytest.approx(wanted, abs=1e-4, rel=1e-6)


def test_texts_are_the_harness_s(ours: HarnessModel, hf: Hflm):
    # Random weights repeat themselves soon: stop where they would, within words and at characters.
    whole: str = hf.generate_until(
        instances("generate_until", [(TEXT[:20], {"max_gen_toks": 20})]), disable_tqdm=True
    )[0]
    assert len(whole) > 5
    arguments: list[dict[str, Any]] = [
        {"max_gen_toks": 20},
        {"max_gen_toks": 20, "until": whole[3]},
        {"max_gen_toks": 20, "until": [whole[4:6], whole[2:5]]},
        {"max_gen_toks": 20, "until": ["\n\n", "Q:"], "do_sample": False, "temperature": 0.0},
        {"max_gen_toks": 7, "do_sample": False},
    ]
    contexts = [TEXT[:20], TEXT[:35], TEXT * 3, "<|endoftext|>The"]
    asked = list(itertools.product(contexts, arguments))
    requests = instances("generate_until", asked)
    given = ours.generate_until(requests, disable_tqdm=True)
    wanted = [hf.generate_until([one], disable_tqdm=True)[0] for one in requests]
    assert given == wanted
    assert len(set(given)) > 4


def test_sampled_texts_are_drawn_anew_for_each_request(ours: HarnessModel):
    arguments = {"max_gen_toks": 12, "do_sample": True, "temperature": 1.5}
    requests = instances("generate_until", [(TEXT[:20], arguments)] * 4)
    texts = ours.generate_until(requests, disable_tqdm=True)
    assert len(set(texts)) > 1


def test_choices_cost_their_own_tokens_only(phi: Phi, bpe_tokenizer: Tokenizer):
    model = HarnessModel(phi, bpe_tokenizer)
    examples = TEXT * 10
    pairs = [(f"{examples}Question {n}", f" {choice}") for n in range(30) for choice in "ABCD"]
    model.loglikelihood(instances("loglikelihood", pairs), disable_tqdm=True)
    alone = sum(len(model.tok_encode(context)) for context, _ in pairs)
    assert model.computed_tokens < alone / 50


class Killed(Exception):
    """Stands for a kill."""


def test_a_killed_run_goes_on_where_it_was(
    phi: Phi, bpe_tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pairs = [(f"{number} {TEXT[:40]}", f" {number} is fine") for number in range(12)]
    requests = instances("loglikelihood", pairs)
    wanted = HarnessModel(phi, bpe_tokenizer).loglikelihood(requests)
    options: dict[str, Any] = {"cache": str(tmp_path / "cache"), "batch_tokens": 64}
    scores = TreeScorer.scores

    def killed(self: TreeScorer, queries: Any) -> Iterator[Any]:
        for number, done in enumerate(scores(self, queries)):
            if number == 2:
                raise Killed
            yield done

    monkeypatch.setattr(TreeScorer, "scores", killed)
    with pytest.raises(Killed):
        HarnessModel(phi, bpe_tokenizer, **options).loglikelihood(requests)
    monkeypatch.undo()
    whole = HarnessModel(phi, bpe_tokenizer, batch_tokens=64)
    whole.loglikelihood(requests)
    resumed = HarnessModel(phi, bpe_tokenizer, **options)
    given = resumed.loglikelihood(requests)
    assert 0 < resumed.computed_tokens < whole.computed_tokens
    for (value, greedy), (other, is_greedy) in zip(given, wanted, strict=True):
        assert value == pytest.approx(other, abs=1e-4)
        assert greedy == is_greedy
    again = HarnessModel(phi, bpe_tokenizer, **options)
    assert again.loglikelihood(requests) == given
    assert again.computed_tokens == 0


def test_everything_is_remembered_but_what_is_drawn(
    phi: Phi, bpe_tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from phinery.evaluate.harness import generation

    model = HarnessModel(phi, bpe_tokenizer, cache=str(tmp_path))
    greedy: dict[str, Any] = {"max_gen_toks": 5}
    drawn: dict[str, Any] = {"max_gen_toks": 5, "do_sample": True, "temperature": 1.0}
    requests = instances("generate_until", [("The", greedy), ("The", greedy), ("The", drawn)])
    rolling = instances("loglikelihood_rolling", [(TEXT,), ("",)])
    texts = model.generate_until(requests)
    totals = model.loglikelihood_rolling(rolling)
    made: list[int] = []
    run = generation.TextGenerator.run

    def counted(self: Any, jobs: Any, done: Any) -> None:
        made.append(len(jobs))
        run(self, jobs, done)

    monkeypatch.setattr(generation.TextGenerator, "run", counted)
    before = model.computed_tokens
    assert model.generate_until(requests) == texts
    assert model.loglikelihood_rolling(rolling) == totals
    assert made == [1]
    assert model.computed_tokens == before


def test_other_weights_have_other_results(phi: Phi, bpe_tokenizer: Tokenizer, tmp_path: Path):
    model = HarnessModel(phi, bpe_tokenizer, cache=str(tmp_path))
    requests = instances("loglikelihood", [("The", " weather")])
    before = model.loglikelihood(requests)
    bias = phi.lm_head.bias.detach().clone()
    with torch.no_grad():
        phi.lm_head.bias[:100] += 1
    try:
        assert model.loglikelihood(requests) != before
    finally:
        with torch.no_grad():
            phi.lm_head.bias.copy_(bias)
    assert model.loglikelihood(requests) == before


def test_a_damaged_cache_is_refused(phi: Phi, bpe_tokenizer: Tokenizer, tmp_path: Path):
    model = HarnessModel(phi, bpe_tokenizer, cache=str(tmp_path))
    requests = instances("loglikelihood", [("The", " weather")])
    model.loglikelihood(requests)
    (file,) = tmp_path.glob("*.sqlite")
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM results").fetchone() == (1,)
    database.close()
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(ValueError, match=r"sqlite.*delete it"):
        model.loglikelihood(requests)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 3}, "no option 'batch'.*max_length"),
        ({"max_length": 4096}, "max_length is 4096.*2048"),
        ({"max_length": 0}, "max_length must be"),
        ({"batch_tokens": "many"}, "batch_tokens must be"),
        ({"batch_size": "some"}, "batch_size must be"),
        ({"prefix_token_id": -1}, "prefix_token_id must be"),
        ({"device": "cpu"}, "move and convert"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    phi: Phi, bpe_tokenizer: Tokenizer, options: dict[str, Any], message: str
):
    with pytest.raises(ValueError, match=message) as error:
        HarnessModel(phi, bpe_tokenizer, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "request_", "message"),
    [
        ("loglikelihood", ("The", ""), "no tokens in its continuation"),
        ("loglikelihood", ("  ", "yes"), "no tokens in its context"),
        ("loglikelihood", ("The", TEXT * 100), "more than the model's context"),
        ("generate_until", ("The", {"max_gen_toks": 3000}), "max_gen_toks is 3000"),
        ("generate_until", ("The", {"beams": 3}), "unknown generation argument.*beams"),
        ("generate_until", ("The", {"do_sample": True}), "temperature above 0"),
    ],
)
def test_requests_without_an_answer_are_refused(
    phi: Phi, bpe_tokenizer: Tokenizer, kind: str, request_: tuple[Any, ...], message: str
):
    with pytest.raises(ValueError, match=message):
        getattr(HarnessModel(phi, bpe_tokenizer), kind)(instances(kind, [request_]))


def test_a_phi_needs_a_tokenizer(phi: Phi):
    with pytest.raises(ValueError, match="pass tokenizer="):
        HarnessModel(phi)


def test_it_is_registered_and_made_from_the_harness_s_arguments(phi_folder: Path):
    model = get_model("phinery").create_from_arg_string(
        f"pretrained={phi_folder},dtype=float32,max_length=100",
        {"batch_size": "1", "device": "cpu", "max_batch_size": None},
    )
    assert isinstance(model, HarnessModel)
    assert model.max_length == 100
    assert model.get_model_info()["model_dtype"] == "torch.float32"


def test_the_command_line_is_lm_eval_s_and_knows_phinery():
    command = [sys.executable, "-m", "phinery.evaluate.lm_eval", "run", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--model_args" in done.stdout
