"""The verb export, as a user types it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from phinery.cli import main
from phinery.data import Document, TokenShards, write_shards
from phinery.model import Phi, PhiConfig, save
from phinery.model.quantization import load_quantized, perplexity
from phinery.model.quantization.folder import read_quantized
from phinery.text import Tokenizer

SENTENCES = "The cat sat. A dog ran by. Two birds sang in the old tree, and nobody was there. "


@pytest.fixture(scope="module")
def run(byte_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory: held-out shards of bytes, and a model that was trained a little."""
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    documents = [
        Document(id=str(number), text=SENTENCES * 4 + f"This was number {number}.", source="s")
        for number in range(16)
    ]
    write_shards(documents, byte_tokenizer, directory / "shards", heldout_share=1.0, workers=1)
    torch.manual_seed(0)
    model = Phi(
        PhiConfig(
            vocab_size=257,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=256,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    ids = torch.tensor(byte_tokenizer.encode(SENTENCES * 10))
    for _ in range(30):
        starts = torch.randint(len(ids) - 65, (8, 1))
        windows = ids[starts + torch.arange(65)]
        optimizer.zero_grad()
        model.loss(windows[:, :-1], windows[:, 1:]).backward()
        optimizer.step()
    save(model, byte_tokenizer, directory / "model")
    return directory


def export(*arguments: object) -> int:
    return main(["export", *(str(argument) for argument in arguments)])


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert export(*arguments) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("phinery export: ")
    return error


def figures(shown: str, name: str) -> tuple[float, float, float]:
    """Perplexity before and after, and the change in percent, as they were printed."""
    before = re.search(r"before +([\d.]+)", shown)
    after = re.search(rf"{name} +([\d.]+) +([+-][\d.]+)%", shown)
    assert before is not None
    assert after is not None
    return float(before[1]), float(after[1]), float(after[2])


def test_int4_shows_what_it_costs_on_the_runs_held_out_text(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], byte_tokenizer: Tokenizer
):
    out = tmp_path / "int4"
    assert export(run, "--to", "int4", "--out", out) == 0
    shown = capsys.readouterr().out
    before, after, change = figures(shown, "int4")
    assert change == pytest.approx(100 * (after / before - 1), abs=2e-3)
    assert abs(change) < 3
    # Every other document is scored: each in full, and an end of text.
    shards = TokenShards.open(run / "shards", "heldout")
    scored = list(shards.documents())[::2]
    ids = np.concatenate([np.append(document, shards.eos_token_id) for document in scored])
    windows = torch.from_numpy(ids[: len(ids) // 257 * 257]).view(-1, 257)
    assert f"{256 * len(windows):,} tokens of tiny's held-out text" in shown
    loaded, tokenizer = load_quantized(out)
    with torch.no_grad():
        chances = loaded(windows[:, :-1]).double().log_softmax(-1)
    nats = -chances.gather(-1, windows[:, 1:, None]).mean()
    assert after == pytest.approx(math.exp(nats), abs=1e-4)
    assert tokenizer.sha256 == byte_tokenizer.sha256
    rows = [line.split() for line in shown.splitlines()]
    layers = {row[0]: row[1:] for row in rows if row and row[0] in ("0", "1", "lm_head")}
    assert [len(layers[name]) for name in ("0", "1", "lm_head")] == [7, 7, 2]
    assert all(re.fullmatch(r"[+-]?\d+\.\d+%", cell) for row in layers.values() for cell in row)
    card = (out / "README.md").read_text()
    assert f"| perplexity before | {before:.4f} |" in card
    assert f"{after:.4f}" in card


def test_a_text_of_ones_own_is_halved(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], byte_tokenizer: Tokenizer
):
    text = tmp_path / "mine.txt"
    text.write_text(SENTENCES * 14, encoding="utf-8")
    out = tmp_path / "int8"
    assert export(run / "model", "--to", "int8", "--text", text, "--brief", "--out", out) == 0
    shown = capsys.readouterr().out
    before, after, change = figures(shown, "int8")
    assert abs(change) < 0.2
    assert before != after
    assert "lm_head" not in shown
    ids = byte_tokenizer.encode(SENTENCES * 14)
    windows = torch.tensor(ids[: len(ids) // 2])[: 2 * 257].view(2, 257)
    assert perplexity(load_quantized(out)[0], windows) == pytest.approx(after, abs=1e-4)
    quantized, _ = read_quantized(out)
    assert (quantized.bits, quantized.method) == (8, "rtn")
    said = complaint(capsys, out, "--to", "int4", "--out", tmp_path / "twice")
    assert "is quantised already" in said


def test_without_a_run_the_primer_is_read(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    foreign = tmp_path / "copied" / "foreign"
    foreign.mkdir(parents=True)
    for file in (run / "model").iterdir():
        (foreign / file.name).write_bytes(file.read_bytes())
    out = tmp_path / "out"
    options = ("--to", "int4", "--method", "rtn", "--tokens", 512, "--brief", "--out", out)
    assert export(foreign, *options) == 0
    assert "perplexity on 512 tokens of the Primer" in capsys.readouterr().out
    assert read_quantized(out)[0].method == "rtn"


@pytest.mark.parametrize("dtype", ["f16", "q4_0"])
def test_gguf_is_one_file_and_is_measured_too(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dtype: str
):
    pytest.importorskip("gguf")
    from phinery.model.gguf import load_gguf

    (tmp_path / "kept").mkdir()
    assert export(run, "--to", "gguf", "--dtype", dtype, "--out", tmp_path / "kept") == 0
    shown = capsys.readouterr().out
    (file,) = (tmp_path / "kept").iterdir()
    assert file.name == f"tiny-{dtype}.gguf"
    before, after, change = figures(shown, dtype)
    assert before > 1
    assert after > 1
    assert abs(change) < (0.01 if dtype == "f16" else 5)
    assert change != 0 or dtype == "f16"
    assert ("lm_head" in shown) == (dtype == "q4_0")
    assert load_gguf(file)[0].config.hidden_size == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "gguf", "--method", "gptq"), "--method is for int8 and int4"),
        (("--to", "int8", "--dtype", "f16"), "--dtype is for gguf"),
        (("--to", "int8", "--tokens", "10"), "--tokens is 10"),
        (("--to", "int8", "--text", "/nowhere"), "--text /nowhere cannot be read"),
        (("--to", "int8", "--text", "{short}"), "is too short"),
        (("--to", "int4", "--text", "{bytes}"), "is not UTF-8"),
    ],
)
def test_what_is_refused(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
):
    files = {"short": tmp_path / "short.txt", "bytes": tmp_path / "bytes.txt"}
    files["short"].write_text("Not much.")
    files["bytes"].write_bytes(b"\xff\xfe")
    options = [argument.format(**files) for argument in arguments]
    assert message in complaint(capsys, run, *options, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_places_and_models_that_do_not_fit_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], byte_tokenizer: Tokenizer
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    said = complaint(capsys, run, "--to", "int8", "--out", tmp_path / "mine")
    assert "did not write as a model" in said
    said = complaint(capsys, tmp_path / "no", "--to", "int8", "--out", tmp_path / "out")
    assert "there is no folder" in said
    config = PhiConfig(vocab_size=257, hidden_size=48, num_hidden_layers=1, num_attention_heads=3)
    save(Phi(config), byte_tokenizer, tmp_path / "narrow")
    options = ("--text", run / "model" / "README.md", "--tokens", 256)
    said = complaint(capsys, tmp_path / "narrow", "--to", "int4", *options, "--out", tmp_path / "o")
    assert "no multiple of 32" in said


def test_shards_of_another_tokenizer_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    manifest = (run / "shards" / "manifest.json").read_text()
    (tmp_path / "shards").mkdir()
    altered = re.sub(r'("tokenizer_sha256": ")\w+', r"\g<1>0", manifest)
    (tmp_path / "shards" / "manifest.json").write_text(altered)
    for file in (run / "shards" / "heldout").iterdir():
        (tmp_path / "shards" / "heldout").mkdir(exist_ok=True)
        (tmp_path / "shards" / "heldout" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model").mkdir()
    for file in (run / "model").iterdir():
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    said = complaint(capsys, tmp_path, "--to", "int8", "--out", tmp_path / "out")
    assert "another tokenizer" in said
