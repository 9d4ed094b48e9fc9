from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from phinery.data import Sampler
from phinery.files import MANIFEST, read_manifest, write_manifest
from phinery.train import Callback, StepMetrics, Trainer
from phinery.train.checkpoint import find_checkpoint, read_state
from training_help import SEQUENCE_LENGTH, TrainerMaker, make_model


class StopAt(Callback):
    """Ends a run as a crash would: with what is on the disk at that step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        if metrics.step == self.step:
            raise RuntimeError("crash")


class Draws(Callback):
    """Draws from every generator a run could draw from, as dropout or a callback may."""

    def __init__(self) -> None:
        self.drawn: dict[int, tuple[float, float, float, float, float]] = {}

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        self.drawn[metrics.step] = (
            torch.rand(()).item(),
            float(np.random.standard_normal()),
            random.random(),
            random.gauss(0, 1),
            metrics.loss,
        )


def crash(trainer: Trainer) -> None:
    with pytest.raises(RuntimeError, match="crash"):
        trainer.fit()


def names(trainer: Trainer) -> list[str]:
    return sorted(path.name for path in (trainer.directory / "checkpoints").iterdir())


def final_state(trainer: Trainer) -> dict[str, torch.Tensor]:
    last = trainer.directory / "checkpoints" / f"step-{trainer.config.steps:08d}"
    return {
        **load_file(last / "model.safetensors"),
        **load_file(last / "optimizer.safetensors"),
        **load_file(last / "random.safetensors"),
    }


def log_without_times(trainer: Trainer) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (trainer.directory / "metrics.jsonl").open()]
    times = ("seconds", "tokens_per_second", "mfu")
    return [{key: value for key, value in row.items() if key not in times} for row in rows]


def same_bits(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


@pytest.mark.parametrize("schedule", ["cosine", "warmup-stable-decay"])
def test_a_resumed_run_is_bit_for_bit_the_unbroken_one(
    make_trainer: TrainerMaker, tmp_path: Path, schedule: str
) -> None:
    settings: dict[str, Any] = {"schedule": schedule, "micro_batch_size": 3}

    def model() -> Any:
        return make_model(embd_pdrop=0.1, resid_pdrop=0.1, attention_dropout=0.1)

    def trainer(folder: str, *callbacks: Callback) -> Trainer:
        return make_trainer(callbacks, model=model(), directory=tmp_path / folder, **settings)

    np.random.seed(1)
    random.seed(1)
    whole, broken, resumed = Draws(), Draws(), Draws()
    unbroken = trainer("unbroken", whole)
    unbroken.fit()
    np.random.seed(1)
    random.seed(1)
    crash(trainer("broken", broken, StopAt(7)))
    np.random.seed(2)
    random.seed(2)
    torch.manual_seed(2)
    again = trainer("broken", resumed)
    result = again.fit()
    assert sorted(resumed.drawn) == list(range(6, 13))
    assert {**broken.drawn, **resumed.drawn} == whole.drawn
    assert same_bits(final_state(again), final_state(unbroken))
    assert result.tokens == 12 * 4 * SEQUENCE_LENGTH
    for name, weight in again.model.named_parameters():
        assert torch.equal(weight, dict(unbroken.model.named_parameters())[name])
    rows = [
        [json.loads(line) for line in (t.directory / "metrics.jsonl").open()]
        for t in (again, unbroken)
    ]
    for row in (*rows[0], *rows[1]):
        for measured in ("seconds", "tokens_per_second", "mfu"):
            del row[measured]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == list(range(1, 13))


def test_a_finished_run_is_not_trained_again(make_trainer: TrainerMaker) -> None:
    first = make_trainer().fit()
    callback = Draws()
    again = make_trainer([callback])
    result = again.fit()
    assert callback.drawn == {}
    assert (result.steps, result.tokens, result.loss) == (12, first.tokens, first.loss)
    assert result.seconds == first.seconds


def test_a_checkpoint_is_safetensors_and_json_only(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer()
    trainer.fit()
    folder = trainer.directory / "checkpoints" / "step-00000012"
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "model.safetensors",
        "optimizer.safetensors",
        "random.safetensors",
        "state.json",
    ]
    manifest = read_manifest(folder)
    assert (manifest["kind"], manifest["step"]) == ("training checkpoint", 12)
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == {name for name, _ in trainer.model.named_parameters()}
    assert json.loads((folder / "state.json").read_text())["progress"]["step"] == 12


def test_the_last_few_are_kept(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer(checkpoint_every=2, keep_checkpoints=3)
    trainer.fit()
    assert names(trainer) == ["step-00000008", "step-00000010", "step-00000012"]


def damage_bytes(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def damage_length(checkpoint: Path) -> None:
    path = checkpoint / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def damage_state(checkpoint: Path) -> None:
    path = checkpoint / "state.json"
    path.write_text(path.read_text().replace('"step": 10', '"step": 11'))


def damage_manifest(checkpoint: Path) -> None:
    path = checkpoint / MANIFEST
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    "damage",
    [
        damage_bytes,
        damage_length,
        damage_state,
        damage_manifest,
        lambda checkpoint: (checkpoint / MANIFEST).unlink(),
        lambda checkpoint: (checkpoint / "random.safetensors").unlink(),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_with_a_line(
    make_trainer: TrainerMaker, tmp_path: Path, damage: Any
) -> None:
    unbroken = make_trainer(directory=tmp_path / "unbroken")
    unbroken.fit()
    trainer = make_trainer([StopAt(11)])
    crash(trainer)
    damage(trainer.directory / "checkpoints" / "step-00000010")
    notes: list[str] = []
    # One checkpoint is kept: the damaged one must not be taken for it.
    again = make_trainer([StopAt(7)], note=notes.append, checkpoint_every=6, keep_checkpoints=1)
    crash(again)
    assert len(notes) == 1
    assert "step-00000010 is passed over" in notes[0]
    assert "\n" not in notes[0]
    assert "step-00000006" in names(again)
    last = make_trainer(note=notes.append)
    last.fit()
    assert same_bits(final_state(last), final_state(unbroken))


def test_only_damaged_ones_are_an_error(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer([StopAt(7)])
    crash(trainer)
    damage_bytes(trainer.directory / "checkpoints" / "step-00000005")
    with pytest.raises(ValueError, match=r"no checkpoint in .* is intact; delete"):
        make_trainer(note=lambda line: None).fit()


def test_without_a_checkpoint_the_log_begins_anew(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer([StopAt(3)])
    crash(trainer)
    again = make_trainer()
    again.fit()
    rows = [json.loads(line) for line in (again.directory / "metrics.jsonl").open()]
    assert [row["step"] for row in rows] == list(range(1, 13))


def test_leftovers_of_killed_writers_are_removed(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer([StopAt(11)])
    crash(trainer)
    folder = trainer.directory / "checkpoints"
    shutil.copytree(folder / "step-00000005", folder / ".step-00000009.partial-123")
    # Killed between the two renames of a replacement: the old one is all there is of step 10.
    (folder / "step-00000010").rename(folder / ".step-00000010.partial-old-124")
    assert find_checkpoint(folder, lambda line: None) == folder / "step-00000010"
    assert names(trainer) == ["step-00000005", "step-00000010"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, r"training.seed was 1, now 2"),
        ({"batch_size": 8}, r"training.batch_size was 4, now 8"),
        ({"steps": 24}, r"training.steps was 12, now 24"),
        ({"learning_rate": 1e-3, "floor": 0.5}, r"training.floor was .*; training.learning_rate"),
        ({"betas": (0.9, 0.9)}, r"training.betas was \[0.9, 0.98\], now \[0.9, 0.9\]"),
        ({"dtype": "bfloat16"}, r"training.dtype was 'float32', now 'bfloat16'"),
    ],
)
def test_other_settings_are_refused_by_name(
    make_trainer: TrainerMaker, change: dict[str, Any], named: str
) -> None:
    crash(make_trainer([StopAt(7)]))
    with pytest.raises(ValueError, match=named) as caught:
        make_trainer(**change).fit()
    assert "\n" not in str(caught.value)


def test_another_model_or_order_of_samples_is_refused(
    make_trainer: TrainerMaker, sampler: Sampler
) -> None:
    crash(make_trainer([StopAt(7)]))
    with pytest.raises(ValueError, match=r"model.hidden_size was 32, now 64"):
        make_trainer(model=make_model(hidden_size=64)).fit()
    other = Sampler(sampler.shards, sequence_length=SEQUENCE_LENGTH, seed=6)
    with pytest.raises(ValueError, match=r"data.order_sha256 was .*data.seed was 5, now 6"):
        make_trainer(samples=other).fit()


def test_how_a_run_is_carried_out_may_change(make_trainer: TrainerMaker) -> None:
    crash(make_trainer([StopAt(7)]))
    changed = make_trainer(
        micro_batch_size=2, checkpoint_every=3, keep_checkpoints=1, max_skipped_in_a_row=1
    )
    assert changed.fit().steps == 12


def test_other_threads_are_worth_a_line(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(make_trainer([StopAt(7)]))
    notes: list[str] = []
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    make_trainer(note=notes.append).fit()
    assert len(notes) == 1
    assert "threads was 1, now 2" in notes[0]


def test_a_checkpoint_of_another_format_or_name_is_refused(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer([StopAt(7)])
    crash(trainer)
    folder = trainer.directory / "checkpoints" / "step-00000005"
    state = json.loads((folder / "state.json").read_text())
    renamed = folder.rename(folder.with_name("step-00000007"))
    with pytest.raises(ValueError, match="it was renamed"):
        read_state(renamed)
    (renamed / "state.json").write_text(json.dumps({**state, "format": 2}))
    with pytest.raises(ValueError, match="format 2, this version reads 1"):
        read_state(renamed)


def test_tensors_that_are_not_the_models_are_refused(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer([StopAt(7)])
    crash(trainer)
    folder = trainer.directory / "checkpoints" / "step-00000005"
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.bias"]
    save_file(weights, folder / "model.safetensors")
    write_manifest(folder)
    with pytest.raises(ValueError, match=r"lacks lm_head\.bias"):
        make_trainer().fit()
