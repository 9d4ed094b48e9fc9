from __future__ import annotations

import contextlib
import json
import math
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from phinery.data import Batch, Sampler
from phinery.model import Phi
from phinery.train import Callback, Interrupted, StepMetrics, Trainer, TrainingDiverged, splitting
from training_help import SEQUENCE_LENGTH, TrainerMaker, make_model


class Recorder(Callback):
    """Keeps all metrics and counts the other calls."""

    def __init__(self) -> None:
        self.steps: list[StepMetrics] = []
        self.calls: list[str] = []

    def on_start(self, trainer: Trainer) -> None:
        self.calls.append("start")

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        self.steps.append(metrics)

    def on_checkpoint(self, trainer: Trainer) -> None:
        self.calls.append(f"checkpoint {trainer.step}")

    def on_end(self, trainer: Trainer) -> None:
        self.calls.append("end")


class HolesSampler(Sampler):
    """Real samples, of which some labels are ignored: from none of a row to all of it."""

    def batch(self, first_index: int, count: int) -> Batch:
        batch = super().batch(first_index, count)
        labels = batch.labels.copy()
        for row in range(count):
            labels[row, : (first_index + row) * 5 % (SEQUENCE_LENGTH + 1)] = -100
        return Batch(batch.input_ids, labels, batch.document_ids)


@pytest.fixture
def holes(sampler: Sampler) -> HolesSampler:
    return HolesSampler(sampler.shards, sequence_length=SEQUENCE_LENGTH, seed=5)


def reference_losses(sampler: Sampler, steps: int, batch_size: int) -> tuple[list[float], Any]:
    """The same training in plain torch: whole logits, autograd, textbook AdamW, own schedule."""
    model = make_model().train()
    matrices = [w for w in model.parameters() if w.dim() >= 2]
    vectors = [w for w in model.parameters() if w.dim() < 2]
    state = {w: (torch.zeros_like(w), torch.zeros_like(w)) for w in (*matrices, *vectors)}
    losses: list[float] = []
    for step in range(steps):
        rows = [sampler.sample(step * batch_size + row) for row in range(batch_size)]
        ids = torch.from_numpy(np.stack(rows))
        logits = model(ids[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        gradients = torch.autograd.grad(loss, list(state))
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
        rate = 1e-2 * (
            (step + 1) / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / (steps - 3)))
        )
        with torch.no_grad():
            for weight, gradient in zip(state, gradients, strict=True):
                gradient = gradient * min(1.0, 1.0 / (norm + 1e-6))
                first, second = state[weight]
                first.lerp_(gradient, 1 - 0.9)
                second.mul_(0.98).add_(gradient**2, alpha=1 - 0.98)
                if weight.dim() >= 2:
                    weight.mul_(1 - rate * 0.1)
                corrected = first / (1 - 0.9 ** (step + 1))
                scale = (second / (1 - 0.98 ** (step + 1))).sqrt() + 1e-7
                weight.sub_(rate * corrected / scale)
        losses.append(loss.item())
    return losses, model


def test_a_run_is_the_textbooks(make_trainer: TrainerMaker, sampler: Sampler) -> None:
    recorder = Recorder()
    trainer = make_trainer([recorder], steps=30, warmup_steps=3, schedule="cosine")
    result = trainer.fit()
    expected, reference = reference_losses(sampler, steps=30, batch_size=4)
    assert [m.loss for m in recorder.steps] == pytest.approx(expected, abs=1e-5)
    assert expected[-1] < expected[0] - 1
    for (name, weight), wanted in zip(
        trainer.model.named_parameters(), reference.parameters(), strict=True
    ):
        # AdamW turns rounding errors of tiny gradients into steps; most weights must agree closely.
        difference = (weight - wanted).abs()
        assert difference.median() < 1e-5, name
    assert (result.steps, result.tokens) == (30, 30 * 4 * SEQUENCE_LENGTH)
    assert result.loss == recorder.steps[-1].loss
    assert result.dtype == "float32"
    assert result.skipped_steps == 0


def test_how_a_batch_is_split_makes_no_difference(
    make_trainer: TrainerMaker, holes: HolesSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is left to the Trainer are three sequences at most, and so three, three and one.
    monkeypatch.setattr(splitting, "CACHED_ELEMENTS", 1)
    monkeypatch.setattr(splitting, "LEAST_TOKENS", 3 * SEQUENCE_LENGTH)
    loss_calls: list[int] = []

    def first_step(micro_batch_size: int | None) -> tuple[float, dict[str, torch.Tensor]]:
        loss_calls.clear()
        trainer = make_trainer(
            samples=holes, batch_size=7, micro_batch_size=micro_batch_size, gradient_clip=1e9
        )
        gradients: dict[str, torch.Tensor] = {}

        def keep(*arguments: Any) -> None:
            for name, weight in trainer.model.named_parameters():
                assert weight.grad is not None
                gradients[name] = weight.grad.clone()

        plain_loss = trainer.model.loss

        def loss(input_ids: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
            loss_calls.append(len(input_ids))
            return plain_loss(input_ids, *arguments, **options)

        monkeypatch.setattr(trainer.model, "loss", loss)
        trainer.optimizer.register_step_pre_hook(keep)
        return trainer.train_step().loss, gradients

    batch = holes.batch(0, 7)
    labels = torch.from_numpy(batch.labels)
    counts = (labels != -100).sum(1)
    assert counts.min() <= 1
    assert counts.max() == SEQUENCE_LENGTH
    model = make_model().double().train()
    logits = model(torch.from_numpy(batch.input_ids))
    expected = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    expected.backward()
    for size in (None, 1, 2, 3, 5, 7):
        loss, gradients = first_step(size)
        most = size or 3
        assert max(loss_calls) == most
        assert len(loss_calls) == math.ceil(7 / most)
        assert loss == pytest.approx(expected.item(), abs=1e-6)
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            torch.testing.assert_close(
                gradients[name].double(), weight.grad, rtol=0, atol=1e-6, msg=name
            )


def test_on_a_gpu_a_batch_is_taken_whole(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "CACHED_ELEMENTS", 1)
    monkeypatch.setattr(splitting, "LEAST_TOKENS", 1)
    trainer = make_trainer(batch_size=7)
    sizes: list[int] = []
    batch = trainer.sampler.batch(0, 7)
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(Phi, "device", torch.device(device))
        # The tensors stay where they are: no GPU is needed to see how many rows they would have.
        monkeypatch.setattr(trainer, "_tensor", torch.from_numpy)
        sizes.append(len(next(trainer._micro_batches(batch))["input_ids"]))
    assert sizes == [1, 7]


def test_memory_is_reused_from_the_first_step_to_the_last(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    @contextlib.contextmanager
    def recorded() -> Iterator[None]:
        events.append("reuse")
        try:
            yield
        finally:
            events.append("give back")

    class Break(Callback):
        def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
            events.append(f"step {metrics.step}")
            if metrics.step == 2:
                raise OSError("disk full")

    monkeypatch.setattr("phinery.train.trainer.reused_memory", recorded)
    with pytest.raises(OSError, match="disk full"):
        make_trainer([Break()]).fit()
    assert events == ["reuse", "step 1", "step 2", "give back"]


def test_tokens_are_labels_that_count(make_trainer: TrainerMaker, holes: HolesSampler) -> None:
    trainer = make_trainer(samples=holes, micro_batch_size=2)
    expected = int((holes.batch(0, 8).labels != -100).sum())
    trainer.train_step()
    assert trainer.train_step().tokens == expected


def test_gradients_are_clipped_by_their_global_norm(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer(gradient_clip=0.125)
    metrics = trainer.train_step()
    assert metrics.grad_norm > 0.2
    # After one step the first moment is a tenth of the gradient that AdamW was given.
    moments = [trainer.optimizer.state[w]["exp_avg"] for w in trainer.model.parameters()]
    norm = torch.stack([moment.square().sum() for moment in moments]).sum().sqrt()
    assert norm.item() == pytest.approx(0.1 * 0.125, rel=1e-4)


def test_documents_are_kept_apart_when_asked(make_trainer: TrainerMaker, sampler: Sampler) -> None:
    batch = sampler.batch(0, 40)
    assert batch.document_ids.max() > 0
    mixed = make_trainer(batch_size=40).train_step().loss
    apart = make_trainer(batch_size=40, separate_documents=True).train_step().loss
    model = make_model()
    expected = model.loss(
        torch.from_numpy(batch.input_ids),
        torch.from_numpy(batch.labels),
        document_ids=torch.from_numpy(batch.document_ids),
    ).item()
    assert apart == pytest.approx(expected, abs=1e-6)
    assert abs(mixed - apart) > 1e-5


def test_bfloat16_keeps_float32_weights_and_learns(make_trainer: TrainerMaker) -> None:
    recorder, exact = Recorder(), Recorder()
    trainer = make_trainer([recorder], dtype="bfloat16", steps=20)
    assert trainer.fit().dtype == "bfloat16"
    assert {w.dtype for w in trainer.model.parameters()} == {torch.float32}
    assert {s.dtype for per in trainer.optimizer.state.values() for s in per.values()} == {
        torch.float32
    }
    make_trainer([exact], steps=20, directory=trainer.directory / "exact").fit()
    losses, exact_losses = ([m.loss for m in r.steps] for r in (recorder, exact))
    assert losses == pytest.approx(exact_losses, rel=0.02)
    assert losses != exact_losses


@pytest.mark.parametrize("poison", ["loss", "gradient"])
def test_a_step_that_is_not_finite_changes_nothing(
    make_trainer: TrainerMaker, poison: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    trainer = make_trainer([recorder], max_skipped_in_a_row=3)
    bad_steps = {3, 4, 7}
    plain_loss = trainer.model.loss

    def loss(*arguments: Any, **options: Any) -> torch.Tensor:
        value = plain_loss(*arguments, **options)
        return value * math.inf if trainer.step in bad_steps else value

    def hook(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * math.nan if trainer.step in bad_steps else gradient

    if poison == "loss":
        monkeypatch.setattr(trainer.model, "loss", loss)
    else:
        trainer.model.lm_head.bias.register_hook(hook)

    def snapshot() -> list[torch.Tensor]:
        moments = [v for per in trainer.optimizer.state.values() for v in per.values()]
        return [t.detach().clone() for t in (*trainer.model.parameters(), *moments)]

    states = [snapshot()]

    class Watch(Callback):
        def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
            states.append(snapshot())

    trainer.callbacks = (*trainer.callbacks, Watch())
    result = trainer.fit()
    assert result.skipped_steps == 3
    assert [m.step - 1 for m in recorder.steps if m.skipped] == [3, 4, 7]
    assert math.isfinite(result.loss)
    for step in range(trainer.config.steps):
        before, after = states[step], states[step + 1]
        same = len(before) == len(after) and all(map(torch.equal, before, after))
        assert same == (step in bad_steps), step
    rows = [json.loads(line) for line in (trainer.directory / "metrics.jsonl").open()]
    assert [row["skipped"] for row in rows] == [step in bad_steps for step in range(12)]
    assert [row["skipped_steps"] for row in rows][-5:] == [3, 3, 3, 3, 3]
    assert all(row["loss"] is not None for row in rows if not row["skipped"])


def test_a_run_that_only_skips_stops_with_an_error(make_trainer: TrainerMaker) -> None:
    recorder = Recorder()
    trainer = make_trainer([recorder], max_skipped_in_a_row=3)
    trainer.model.lm_head.bias.register_hook(
        lambda gradient: gradient * math.inf if trainer.step >= 6 else gradient
    )
    with pytest.raises(TrainingDiverged, match="3 steps in a row, up to step 9") as caught:
        trainer.fit()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert recorder.calls == ["start", "checkpoint 5", "end"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_saves_and_is_told(
    make_trainer: TrainerMaker, number: signal.Signals
) -> None:
    class Press(Callback):
        def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
            if metrics.step == 7:
                signal.raise_signal(number)
                signal.raise_signal(number)

    recorder = Recorder()
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    trainer = make_trainer([recorder, Press()])
    with pytest.raises(Interrupted) as caught:
        trainer.fit()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert (caught.value.signal, caught.value.step) == (number, 7)
    assert number.name in str(caught.value)
    assert recorder.calls == ["start", "checkpoint 5", "checkpoint 7", "end"]
    resumed = Recorder()
    make_trainer([resumed]).fit()
    assert [m.step for m in resumed.steps] == [8, 9, 10, 11, 12]


def test_handlers_return_after_an_error_too(make_trainer: TrainerMaker) -> None:
    class Break(Callback):
        def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
            raise OSError("disk full")

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    recorder = Recorder()
    with pytest.raises(OSError, match="disk full"):
        make_trainer([recorder, Break()]).fit()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert recorder.calls[-1] == "end"


def test_what_does_not_fit_together_is_refused(make_trainer: TrainerMaker) -> None:
    with pytest.raises(ValueError, match="bfloat16"):
        make_trainer(model=make_model().bfloat16())
    with pytest.raises(ValueError, match="sequence_length is 8, but the sampler's is 16"):
        make_trainer(sequence_length=8)
    with pytest.raises(ValueError, match="max_position_embeddings, 8"):
        make_trainer(model=make_model(max_position_embeddings=8))


def test_auto_is_decided_by_the_measured_rates(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ratio, expected in ((2.0, "bfloat16"), (1.1, "float32")):
        rates = {torch.float32: 1e9, torch.bfloat16: ratio * 1e9}
        monkeypatch.setattr(
            "phinery.train.limits.measure_matmul_rate", lambda dtype, device, r=rates: r[dtype]
        )
        trainer = make_trainer(dtype="auto", steps=4, directory=make_trainer().directory / expected)
        assert trainer.fit().dtype == expected


def test_what_auto_became_stays_when_the_run_goes_on(
    make_trainer: TrainerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Callback):
        def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
            if metrics.step == 6:
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("phinery.train.trainer.faster_dtype", lambda device: "bfloat16")
    with pytest.raises(Interrupted):
        make_trainer([Stop()], dtype="auto").fit()
    monkeypatch.setattr("phinery.train.trainer.faster_dtype", lambda device: "float32")
    assert make_trainer(dtype="auto").fit().dtype == "bfloat16"


def test_the_utilisation_is_operations_over_the_ceiling(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer()
    metrics = trainer.train_step()
    per_token = trainer.model.flops_per_token(SEQUENCE_LENGTH)
    assert metrics.mfu == pytest.approx(metrics.tokens_per_second * per_token / 1e12)
