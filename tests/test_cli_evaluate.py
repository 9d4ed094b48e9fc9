"""The verb evaluate, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from phinery.cli import main
from phinery.model import Phi, PhiConfig, save
from phinery.text import Tokenizer

ITEMS = Path(__file__).parents[2] / "shared" / "benchmarks"


@pytest.fixture
def tiny(byte_tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory with a model, in a working directory of its own."""
    torch.manual_seed(0)
    config = PhiConfig(
        vocab_size=257,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=1024,
    )
    save(Phi(config), byte_tokenizer, tmp_path / "runs" / "tiny" / "model")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "tiny"


def evaluate(*arguments: object) -> int:
    return main(["evaluate", *(str(argument) for argument in arguments)])


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert evaluate(*arguments) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("phinery evaluate: ")
    return error


def test_a_model_on_the_nano_suite(tiny: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(tiny, "--sample", 8) == 0
    shown = capsys.readouterr().out
    out = Path("evaluations") / "tiny" / "nano"
    assert f"written to {out}" in shown
    (found,) = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert found["model"]["name"] == "tiny"
    scores = [score for one in found["suites"][0]["categories"] for score in one["scores"]]
    assert len(scores) >= 10
    for score in scores:
        assert score["n"] == 8
        # Two sets of four may agree by chance: then there is no interval.
        assert score["low"] is None or score["low"] <= score["value"] <= score["high"]
        assert score["chance"] is not None
    assert "<svg" in (out / "table.html").read_text(encoding="utf-8")
    assert f"{100 * scores[0]['value']:.1f}%" in (out / "table.md").read_text(encoding="utf-8")


def test_the_same_command_again_asks_nothing(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from phinery.evaluate.harness.scoring import TreeScorer

    asking = ("--suite", "addition,brackets", "--sample", 4, "--out", "kept")
    assert evaluate(tiny, *asking) == 0
    first = json.loads(Path("kept/scores.json").read_text(encoding="utf-8"))

    def asked(*arguments: object) -> object:
        raise AssertionError("a request that is known was computed again")

    monkeypatch.setattr(TreeScorer, "_hidden", asked)
    assert evaluate(tiny, *asking) == 0
    again = json.loads(Path("kept/scores.json").read_text(encoding="utf-8"))
    for one in (first, again):
        one[0].pop("seconds")
    assert first == again


def test_published_figures_are_compared(tiny: Path, capsys: pytest.CaptureFixture[str]):
    """What the check needs was not asked here: it says so, and nothing fails."""
    asking = ("--suite", "brackets", "--sample", 2, "--check", "phi-2")
    assert evaluate(tiny, *asking) == 0
    assert "phi-2" in capsys.readouterr().out.lower()


def test_two_models_side_by_side(
    tiny: Path, byte_tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
):
    torch.manual_seed(1)
    other = PhiConfig(
        vocab_size=257,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1024,
    )
    save(Phi(other), byte_tokenizer, Path("other/tiny/model"))
    asking = ("--suite", "brackets", "--sample", 4, "--out", "both", "--examples")
    assert evaluate(tiny, "other/tiny/model", *asking) == 0
    found = json.loads(Path("both/scores.json").read_text(encoding="utf-8"))
    assert [one["model"]["name"] for one in found] == ["tiny", "tiny-2"]
    shown = capsys.readouterr().out
    assert "tiny-2" in shown
    assert "tiny-2" in Path("both/examples.html").read_text(encoding="utf-8")


@pytest.mark.skipif(not ITEMS.is_dir(), reason="needs the items in ../shared/benchmarks")
def test_local_items_and_what_training_gave_away(tiny: Path):
    tainted = tiny.parent / "tainted.json"
    tainted.write_text('{"piqa": {"validation:1": ["document"], "validation:2": ["document"]}}')
    asked = ("--suite", "piqa,arc_easy", "--items", ITEMS, "--limit", 5, "--tainted", tainted)
    assert evaluate(tiny, *asked) == 0
    (found,) = json.loads(
        Path("evaluations/tiny/piqa-arc_easy/scores.json").read_text(encoding="utf-8")
    )
    scores = found["suites"][0]["categories"][0]["scores"]
    piqa = next(score for score in scores if score["task"] == "piqa")
    assert (piqa["n"], piqa["tainted"], piqa["clean"]["n"]) == (5, 2, 3)
    other = next(score for score in scores if score["task"] == "arc_easy")
    assert (other["tainted"], other["clean"]) == (None, None), "nobody looked for it"


def test_what_cannot_be_asked_is_said_in_a_line(tiny: Path, capsys: pytest.CaptureFixture[str]):
    assert "did you mean nano" in complaint(capsys, tiny, "--suite", "nanno")
    assert "--items nowhere is no folder" in complaint(capsys, tiny, "--items", "nowhere")
    assert "limit must be at least 1" in complaint(capsys, tiny, "--limit", 0)
    assert "there is no folder" in complaint(capsys, "runs/none")
    empty = tiny.parent / "empty"
    empty.mkdir()
    message = complaint(capsys, tiny, "--suite", "piqa", "--items", empty)
    assert "has no benchmarks" in message
    assert "cannot be read" in complaint(capsys, tiny, "--tainted", "none.json")
    Path("list.json").write_text("[]")
    assert "is no tainted.json" in complaint(capsys, tiny, "--tainted", "list.json")
    assert "there is no folder" in complaint(capsys, tiny, "runs/typo"), "before anything is asked"
    assert not list(Path("evaluations").rglob("*.json"))


def test_models_have_names_of_their_own(tiny: Path, byte_tokenizer: Tokenizer):
    from phinery.cli.evaluate import _names  # pyright: ignore[reportPrivateUsage]

    assert _names(["runs/nano-2", "runs/nano", "x/nano/model"]) == ["nano-2", "nano", "nano-3"]
    assert _names(["runs/nano-big", "runs/nano"]) == ["nano-big", "nano"]
