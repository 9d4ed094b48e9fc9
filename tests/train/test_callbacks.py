from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from phinery.data import TokenShards
from phinery.model import Phi
from phinery.text import Tokenizer
from phinery.train import (
    Callback,
    Evaluation,
    HeldOutScore,
    ProgressBar,
    Samples,
    StepMetrics,
    TimeLeft,
    Trainer,
    format_seconds,
    held_out_loss,
    progress_text,
)
from training_help import SEQUENCE_LENGTH, TrainerMaker, make_model


def rows(trainer: Trainer, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (trainer.directory / name).open()]


def test_the_log_has_an_object_a_step(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer()
    result = trainer.fit()
    logged = rows(trainer)
    assert [row["step"] for row in logged] == list(range(1, 13))
    assert set(logged[0]) >= {
        "loss",
        "learning_rate",
        "grad_norm",
        "tokens",
        "tokens_per_second",
        "mfu",
        "skipped",
    }
    assert [row["tokens"] for row in logged] == [64 * step for step in range(1, 13)]
    assert [row["learning_rate"] for row in logged[:2]] == [5e-3, 1e-2]
    assert result.seconds == pytest.approx(sum(row["seconds"] for row in logged))


def test_scores_are_logged_at_their_steps(
    make_trainer: TrainerMaker, held_out: TokenShards, byte_tokenizer: Tokenizer
) -> None:
    heard: list[tuple[int, HeldOutScore]] = []

    class Listen(Callback):
        def on_evaluation(self, trainer: Trainer, score: HeldOutScore) -> None:
            heard.append((trainer.step, score))

    evaluation = Evaluation(held_out, 5, tokenizer=byte_tokenizer, max_tokens=200, batch_size=3)
    trainer = make_trainer([evaluation, Listen()])
    trainer.fit()
    logged = rows(trainer)
    scores = [row for row in logged if "held_out_loss" in row]
    assert [row["step"] for row in scores] == [5, 10, 12]
    assert [row["tokens"] for row in scores] == [320, 640, 768]
    assert len(logged) == 12 + 3
    assert [step for step, _ in heard] == [5, 10, 12]
    final = held_out_loss(
        trainer.model, held_out, SEQUENCE_LENGTH, tokenizer=byte_tokenizer, max_tokens=200
    )
    assert heard[-1][1].loss == pytest.approx(final.loss, abs=1e-6)
    assert scores[-1]["held_out_bits_per_byte"] == heard[-1][1].bits_per_byte


def test_scores_and_samples_do_not_change_the_training(
    make_trainer: TrainerMaker, held_out: TokenShards, tmp_path: Path
) -> None:
    def write(model: Phi) -> list[str]:
        assert not model.training
        return [str(torch.rand(()).item())]

    plain = make_trainer(model=make_model(embd_pdrop=0.1), directory=tmp_path / "plain")
    plain.fit()
    callbacks = [Evaluation(held_out, 1), Samples(write, 4)]
    watched = make_trainer(callbacks, model=make_model(embd_pdrop=0.1))
    watched.fit()
    losses = [row["loss"] for row in rows(plain)]
    assert [row["loss"] for row in rows(watched) if "loss" in row] == losses
    samples = rows(watched, "samples.jsonl")
    assert [row["step"] for row in samples] == [4, 8, 12]
    assert all(len(row["texts"]) == 1 for row in samples)


def test_samples_after_a_resume_are_there_once(make_trainer: TrainerMaker) -> None:
    class Crash(Callback):
        def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
            if metrics.step == 9:
                raise RuntimeError("crash")

    def write(model: Phi) -> list[str]:
        return ["text"]

    with pytest.raises(RuntimeError, match="crash"):
        make_trainer([Samples(write, 2), Crash()]).fit()
    trainer = make_trainer([Samples(write, 2)])
    trainer.fit()
    assert [row["step"] for row in rows(trainer, "samples.jsonl")] == [2, 4, 6, 8, 10, 12]


def test_without_a_terminal_a_line_now_and_then(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 2))
    monkeypatch.setattr("phinery.train.callbacks.time.monotonic", lambda: float(next(clock)))
    output = io.StringIO()
    make_trainer([ProgressBar(Console(file=output, width=60))], steps=40).fit()
    lines = output.getvalue().splitlines()
    assert 4 < len(lines) < 30
    for line in lines:
        assert "tokens/s" in line
        assert "MFU" in line
        assert line.endswith("left")
    assert lines[-1].startswith("step 40/40  loss ")
    assert lines[-1].endswith("  0 s left")
    assert "\x1b" not in output.getvalue()


def test_on_a_terminal_a_bar_that_ends_at_the_end(make_trainer: TrainerMaker) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=110, color_system=None)
    make_trainer([ProgressBar(console)]).fit()
    last = [line for line in output.getvalue().splitlines() if "step" in line][-1]
    assert "step 12/12" in last
    assert "100%" in last
    assert "loss" in last


def test_the_bar_goes_to_stderr(make_trainer: TrainerMaker, capsys: pytest.CaptureFixture) -> None:
    make_trainer([ProgressBar()]).fit()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "step 12/12" in captured.err


def test_figures_for_a_person() -> None:
    metrics = StepMetrics(
        step=3,
        loss=3.21449,
        learning_rate=1e-3,
        grad_norm=1.0,
        tokens=300,
        tokens_per_second=12345.6,
        mfu=0.6123,
        seconds=0.1,
        skipped=False,
        skipped_steps=2,
    )
    assert progress_text(metrics) == "loss 3.214  12,346 tokens/s  MFU 61%  2 skipped"
    assert format_seconds(0.4) == "0 s"
    assert format_seconds(59.4) == "59 s"
    assert format_seconds(185.2) == "3 min 05 s"
    assert format_seconds(7800) == "2 h 10 min"


def test_time_left_counts_from_where_the_attempt_began(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 100.0, 130.0])
    monkeypatch.setattr("phinery.train.callbacks.time.monotonic", lambda: next(times))
    clock = TimeLeft()
    clock.start(50)
    assert clock.left(60, 100) == pytest.approx(120.0)
