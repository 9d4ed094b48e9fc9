"""The verb grow, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import phinery
from phinery.cli import main
from phinery.files import read_manifest
from phinery.model import Phi, PhiConfig, load_model, save
from phinery.text import Tokenizer

SMALL = PhiConfig(
    vocab_size=257,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=1,
    max_position_embeddings=64,
)


@pytest.fixture
def small(byte_tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A run directory with a model: heads of 64, as in every preset but phi-2."""
    torch.manual_seed(0)
    save(Phi(SMALL), byte_tokenizer, tmp_path / "runs" / "tiny" / "model")
    return tmp_path / "runs" / "tiny"


def grow(*arguments: object) -> int:
    return main(["grow", *(str(argument) for argument in arguments)])


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert grow(*arguments) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("phinery grow: ")
    return error


def logits(folder: Path) -> torch.Tensor:
    model, tokenizer = phinery.load(folder)
    with torch.no_grad():
        return model(torch.tensor([tokenizer.encode("So it goes.")]))


def test_a_run_grows_to_a_preset(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert grow(small, "--to", "nano", "--out", tmp_path / "nano") == 0
    shown = capsys.readouterr().out
    assert "2 layers of 64 became 4 layers of 128 by lossless" in shown
    config = load_model(tmp_path / "nano").config
    assert (config.hidden_size, config.num_hidden_layers) == (128, 4)
    assert (config.vocab_size, config.max_position_embeddings) == (257, 64)
    assert torch.allclose(logits(tmp_path / "nano"), logits(small / "model"), atol=1e-5)
    card = (tmp_path / "nano" / "README.md").read_text()
    assert "`tiny/model`" in card
    assert "method `lossless` and seed 0" in card


@pytest.mark.parametrize("method", ["tile", "stack", "random"])
def test_other_methods_and_seeds(small: Path, tmp_path: Path, method: str):
    out = tmp_path / method
    assert grow(small, "--to", "nano", "--method", method, "--seed", 7, "--out", out) == 0
    lineage = read_manifest(out)["grown"]
    assert (lineage["method"], lineage["seed"]) == (method, 7)
    assert not torch.allclose(logits(out), logits(small / "model"), atol=1e-3)


def test_a_shape_of_ones_own(small: Path, tmp_path: Path):
    shape = {"hidden_size": 80, "num_hidden_layers": 3, "num_attention_heads": 1}
    (tmp_path / "wide.json").write_text(json.dumps({**shape, "partial_rotary_factor": 0.4}))
    out = tmp_path / "wide"
    assert grow(small / "model", "--to", tmp_path / "wide.json", "--out", out) == 0
    assert load_model(out).config.hidden_size == 80
    assert torch.allclose(logits(out), logits(small / "model"), atol=1e-5)


def test_a_model_is_cut_down(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert grow(small, "--to", "nano", "--out", tmp_path / "nano") == 0
    (tmp_path / "text.txt").write_text("So it goes, and so it went. " * 40)
    (tmp_path / "small.json").write_text(json.dumps(SMALL.to_dict()))
    arguments = (tmp_path / "nano", "--to", tmp_path / "small.json", "--method", "prune")
    out = tmp_path / "cut"
    assert grow(*arguments, "--text", tmp_path / "text.txt", "--out", out) == 0
    assert load_model(out).config == load_model(small / "model").config
    assert read_manifest(out)["grown"]["method"] == "prune by activations"
    capsys.readouterr()
    (tmp_path / "text.txt").write_text("short")
    short = complaint(capsys, *arguments, "--text", tmp_path / "text.txt", "--out", out)
    assert "too short" in short
    assert "is for prune" in complaint(
        capsys, small, "--to", "nano", "--text", tmp_path / "text.txt", "--out", out
    )


def test_what_is_wrong_is_said_in_one_line(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    error = complaint(capsys, small, "--to", "huge", "--out", out)
    assert "no model size is called 'huge'" in error
    error = complaint(capsys, small, "--to", tmp_path / "absent.json", "--out", out)
    assert "cannot be read" in error
    assert "there is no folder" in complaint(capsys, tmp_path / "x", "--to", "nano", "--out", out)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 1}
    (tmp_path / "narrow.json").write_text(json.dumps(shape))
    error = complaint(capsys, small, "--to", tmp_path / "narrow.json", "--out", out)
    assert "hidden_size would shrink from 64 to 32" in error
    error = complaint(capsys, small, "--to", "nano", "--method", "prune", "--out", out)
    assert "would grow from 64 to 128" in error
    error = complaint(capsys, small, "--to", small / "model" / "config.json", "--out", out)
    assert "name a larger shape" in error
    error = complaint(capsys, small, "--to", "nano", "--out", small / "model")
    assert "is the model to begin with" in error
    assert load_model(small / "model").config.hidden_size == 64
    (out / "thesis.txt").parent.mkdir()
    (out / "thesis.txt").write_text("years of work")
    error = complaint(capsys, small, "--to", "nano", "--out", out)
    assert "did not write as a model" in error
    with pytest.raises(SystemExit) as refused:
        grow(small, "--to", "nano", "--method", "magic", "--out", out)
    assert refused.value.code == 2
