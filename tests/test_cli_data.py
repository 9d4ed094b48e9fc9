"""The verbs refine and synthesize, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import teacher_help
from phinery.cli import main
from phinery.data import read_documents, refined_documents
from phinery.data.quality import Scorer, shipped_scorer
from refine_help import texts, write_corpus, write_rows


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert main([str(a) for a in arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_refine_tells_where_the_documents_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_corpus(tmp_path / "corpus")
    out = tmp_path / "out"
    assert main(["refine", str(tmp_path / "corpus"), "--out", str(out), "--workers", "1"]) == 0
    shown = capsys.readouterr().out
    assert "language de 5" in shown
    assert "5 email" in shown
    kept = list(refined_documents(out))
    assert f"{len(kept)} documents in {out}" in shown
    assert json.loads((out / "ledger.json").read_text())["settings"]["keep"] == 0.6


def test_steps_can_be_left_out(tmp_path: Path):
    write_rows(tmp_path / "a.jsonl", [{"id": "x", "text": "Kurz, aber gut."}])
    arguments = ["refine", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "out")]
    skip = "heuristics,repetition,privacy,quality,exact,near"
    assert main([*arguments, "--languages", "all", "--skip", skip, "--workers", "1"]) == 0
    (only,) = refined_documents(tmp_path / "out")
    assert only.text == "Kurz, aber gut."


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--keep", "2"), "keep is 2"),
        (("--languages", "german"), "ISO 639-1"),
        (("--languages", ""), "--languages names none"),
        (("--skip", "thinking"), "no such step"),
        (("--workers", "0"), "--workers is 0"),
        (("--benchmarks", "/nowhere"), "no benchmarks at /nowhere"),
        (("--annotate", "5"), "--teacher URL --model NAME"),
        (("--annotate", "0"), "--annotate is 0"),
    ],
)
def test_what_refine_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: tuple[str, ...], message: str
):
    write_rows(tmp_path / "a.jsonl", [{"id": "x", "text": texts()[0]}])
    out = ("--out", tmp_path / "out")
    assert message in complaint(capsys, "refine", tmp_path / "a.jsonl", *out, *extra)
    assert not (tmp_path / "out").exists()


def test_synthesize_writes_lessons(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert main(["synthesize", "--tokens", "20k", "--out", str(out), "--seed", "3"]) == 0
    documents = list(read_documents(out))
    size = sum(len(document.text) for document in documents)
    assert 80_000 <= size < 90_000
    assert f"{len(documents)} documents" in capsys.readouterr().out
    again = tmp_path / "again"
    assert main(["synthesize", "--tokens", "20k", "--out", str(again), "--seed", "3"]) == 0
    names = [path.name for path in sorted(out.glob("documents-*"))]
    assert [(out / n).read_bytes() for n in names] == [(again / n).read_bytes() for n in names]


def test_only_some_topics(tmp_path: Path):
    arguments = ["synthesize", "--tokens", "3k", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--topics", "python"]) == 0
    documents = list(read_documents(tmp_path / "out"))
    assert documents
    assert all("procedural/python" in document.id for document in documents)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--tokens", "many"), "--tokens"),
        (("--tokens", "0"), "--tokens"),
        (("--tokens", "1k", "--topics", "alchemy"), "no topic begins with 'alchemy'"),
        (("--tokens", "1k", "--teacher", "http://127.0.0.1:1/v1"), "--teacher URL --model NAME"),
        (("--tokens", "1k", "--estimate", "--prices", "cheap"), "two numbers"),
    ],
)
def test_what_synthesize_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: tuple[str, ...], message: str
):
    assert message in complaint(capsys, "synthesize", "--out", tmp_path / "out", *extra)


def test_an_estimate_asks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["synthesize", "--tokens", "100k", "--out", str(tmp_path / "out"), "--estimate"]
    assert main([*arguments, "--prices", "0.15,0.6"]) == 0
    shown = capsys.readouterr().out
    assert "requests" in shown
    assert not (tmp_path / "out").exists()


def test_a_teacher_rates_documents_and_the_scores_learn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = [{"id": f"s{n}", "text": text} for n, text in enumerate(texts()[:40])]
    write_rows(tmp_path / "pool.jsonl", rows)

    def rate(prompt: str, count: int) -> teacher_help.Reply:
        return teacher_help.Reply("educational value: 0, teachability: 0")

    with teacher_help.serving(rate) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "phinery",
                "refine",
                str(tmp_path / "pool.jsonl"),
                *("--annotate", "12", "--teacher", server.url, "--model", "wise"),
                *("--out", str(tmp_path / "scorer")),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert "12 of 12 documents rated" in done.stdout
    made = Scorer.load(tmp_path / "scorer" / "scores.safetensors")
    rated = [json.loads(line) for line in (tmp_path / "scorer" / "ratings.jsonl").open()]
    assert len({row["document"] for row in rated}) == 12
    before = shipped_scorer().scores([row["text"] for row in rated])
    after = made.scores([row["text"] for row in rated])
    assert (after.mean(axis=0) < before.mean(axis=0) - 0.5).all()
    out = ["--out", str(tmp_path / "out"), "--workers", "1", "--keep", "1"]
    scorer = ["--scorer", str(tmp_path / "scorer" / "scores.safetensors"), "--skip", "heuristics"]
    assert main(["refine", str(tmp_path / "pool.jsonl"), *out, *scorer]) == 0
    assert len(list(refined_documents(tmp_path / "out"))) == 40
