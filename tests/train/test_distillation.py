"""The distillation loss against whole logits in float64, and distilling as a training."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from phinery.data import Batch, Sampler, TokenShards
from phinery.model import Phi, save
from phinery.model import loss as model_loss
from phinery.text import Tokenizer
from phinery.train import (
    Callback,
    Distillation,
    Objective,
    StepMetrics,
    StoredDistillation,
    distillation,
    held_out_loss,
    load_teacher,
)
from phinery.train.distillation import dense_divergence, sparse_divergence
from training_help import SEQUENCE_LENGTH, TrainerMaker, make_model

VOCAB = 257


def make_teacher(**overrides: Any) -> Phi:
    """Of another shape than the student, and sure of itself."""
    teacher = make_model(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, **overrides)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(1.7)
        teacher.lm_head.bias.copy_(torch.randn(teacher.config.vocab_size))
    return teacher


def make_batch(sampler: Sampler, rows: int = 5) -> dict[str, Any]:
    """Real samples, some labels ignored, a new document early in the first row."""
    first = next(n for n in range(200) if sampler.batch(n, 1).document_ids[0, 8] > 0)
    batch = sampler.batch(first, rows)
    labels = batch.labels.copy()
    for row in range(rows):
        labels[row, : 4 * row] = -100
    arrays = (batch.input_ids, labels, batch.document_ids)
    names = ("input_ids", "labels", "document_ids")
    return {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}


def reference(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    weight: float,
    temperature: float,
    events: list[list[int]] | None = None,
) -> tuple[Tensor, float, float]:
    """Loss, cross-entropy and T^2 KL summed over rows, from whole logits, by the definitions.

    `events` are the tokens of each row that the teacher tells of, the rest being one event.
    """
    loss = student.new_zeros(())
    entropies = divergences = 0.0
    for row, label in enumerate(labels.tolist()):
        if label == -100:
            continue
        entropy = -student[row].softmax(0)[label].log()
        if events is None:
            p = (teacher[row] / temperature).softmax(0)
            q = (student[row] / temperature).softmax(0)[: len(p)]
        else:
            p, q = (_bucketed(x[row].softmax(0), events[row]) for x in (teacher, student))
            p, q = (x ** (1 / temperature) for x in (p, q))
            p, q = p / p.sum(), q / q.sum()
        is_possible = p > 0
        p, q = p[is_possible], q[is_possible]
        kl = temperature**2 * (p * (p / q).log()).sum()
        loss = loss + (1 - weight) * entropy + weight * kl
        entropies += entropy.item()
        divergences += kl.item()
    return loss, entropies, divergences


def _bucketed(probabilities: Tensor, tokens: list[int]) -> Tensor:
    rest = [token for token in range(len(probabilities)) if token not in tokens]
    return torch.cat((probabilities[tokens], probabilities[rest].sum()[None]))


def gradients_of(model: Phi) -> dict[str, Tensor]:
    found = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        found[name] = parameter.grad.clone()
        parameter.grad = None
    return found


def check_against_reference(
    objective: Any,
    batch: dict[str, Any],
    expected: Tensor,
    parts: tuple[float, float],
    student: Phi,
) -> None:
    expected.backward()
    wanted = gradients_of(student)
    found = objective(student, batch)
    found.total.backward()
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-9)
    assert found.parts["cross_entropy"].item() == pytest.approx(parts[0], rel=1e-9)
    assert found.parts["kl"].item() == pytest.approx(parts[1], rel=1e-9)
    for name, gradient in gradients_of(student).items():
        scale = max(wanted[name].abs().max().item(), 1e-3)
        torch.testing.assert_close(gradient / scale, wanted[name] / scale, rtol=0, atol=1e-9)


@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.5, 0.5])
@pytest.mark.parametrize("apart", [True, False])
def test_loss_and_gradients_are_the_definitions(
    sampler: Sampler, weight: float, temperature: float, apart: bool
) -> None:
    student, teacher = make_model().double().train(), make_teacher().double()
    batch = make_batch(sampler)
    if not apart:
        batch["document_ids"] = None
    ids, documents = batch["input_ids"], batch["document_ids"]
    with torch.no_grad():
        said = teacher(ids, document_ids=documents).flatten(0, 1)
    student.eval()
    logits = student(ids, document_ids=documents).flatten(0, 1)
    loss, *parts = reference(logits, said, batch["labels"].flatten(), weight, temperature)
    student.train()
    objective = Distillation(teacher, weight=weight, temperature=temperature)
    check_against_reference(objective, batch, loss, (parts[0], parts[1]), student)
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.parametrize("temperature", [1.0, 3.0, 0.7])
@pytest.mark.parametrize("width", [1, 6, VOCAB - 1])
def test_a_stored_teacher_is_bucketed(sampler: Sampler, temperature: float, width: int) -> None:
    student, teacher = make_model().double().train(), make_teacher().double()
    batch = make_batch(sampler, rows=3)
    batch["document_ids"] = None
    ids = batch["input_ids"]
    with torch.no_grad():
        said = teacher(ids).flatten(0, 1)
    top = said.log_softmax(1).topk(width)
    rest = torch.log1p(-top.values.exp().sum(1, keepdim=True))
    shape = (*ids.shape, -1)
    batch["teacher_ids"] = top.indices.view(shape)
    batch["teacher_log_probs"] = torch.cat((top.values, rest), 1).view(shape)
    labels = batch["labels"].flatten()
    student.eval()
    logits = student(ids).flatten(0, 1)
    events = top.indices.tolist()
    loss, *parts = reference(logits, said, labels, 0.6, temperature, events)
    student.train()
    objective = StoredDistillation(weight=0.6, temperature=temperature)
    # The remainder comes from a subtraction of the rest from 1, in the test as in the store.
    if width < VOCAB - 1:
        check_against_reference(objective, batch, loss, (parts[0], parts[1]), student)
    else:
        assert objective(student, batch).total.item() == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_with_all_tokens_known_sparse_is_dense(temperature: float) -> None:
    torch.manual_seed(0)
    student = torch.randn(7, 11, dtype=torch.float64).log_softmax(1)
    teacher = 3 * torch.randn(7, 11, dtype=torch.float64)
    kl, gradient = dense_divergence(student.clone(), teacher.clone(), temperature)
    ids = torch.stack([torch.randperm(11) for _ in range(7)])
    known = teacher.log_softmax(1).gather(1, ids)
    nothing = torch.full((7, 1), -math.inf, dtype=torch.float64)
    said = torch.cat((known, nothing), 1)
    sparse_kl, sparse_gradient = sparse_divergence(student, ids, said, temperature)
    torch.testing.assert_close(sparse_kl, kl)
    torch.testing.assert_close(sparse_gradient, gradient)


def test_a_token_that_is_not_known_is_part_of_the_rest() -> None:
    torch.manual_seed(1)
    student = torch.randn(4, 9, dtype=torch.float64).log_softmax(1)
    ids = torch.tensor([[3, 5], [0, 8], [7, 1], [2, 4]])
    said = torch.tensor([[0.5, 0.2, 0.3]] * 4, dtype=torch.float64).log()
    # A third place without a token repeats the first one's id.
    wider = torch.cat((ids, ids[:, :1]), 1)
    nothing = torch.full((4, 1), -math.inf, dtype=torch.float64)
    longer = torch.cat((said[:, :2], nothing, said[:, 2:]), 1)
    for temperature in (1.0, 2.0):
        wanted = sparse_divergence(student, ids, said, temperature)
        for one, other in zip(
            sparse_divergence(student, wider, longer, temperature), wanted, strict=True
        ):
            torch.testing.assert_close(one, other)
    silent = torch.tensor([[-math.inf, -math.inf, 0.0]] * 4, dtype=torch.float64)
    for value in sparse_divergence(student, torch.zeros_like(ids), silent, 2.0):
        assert not value.any()


def test_padded_vocabularies_share_the_tokens(sampler: Sampler) -> None:
    """Rows that only pad: the teacher's say nothing, the student's lose their probability."""
    student = make_model(vocab_size=270).double().train()
    teacher = make_teacher(vocab_size=300).double()
    batch = make_batch(sampler)
    batch["document_ids"] = None
    with torch.no_grad():
        said = teacher(batch["input_ids"]).flatten(0, 1)[:, :VOCAB]
    student.eval()
    logits = student(batch["input_ids"]).flatten(0, 1)
    loss, *parts = reference(logits, said, batch["labels"].flatten(), 0.5, 2.0)
    student.train()
    objective = Distillation(teacher, tokens=VOCAB, temperature=2.0)
    check_against_reference(objective, batch, loss, (parts[0], parts[1]), student)


def test_chunks_and_blocks_change_nothing(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, teacher = make_model().double().train(), make_teacher().double()
    batch = make_batch(sampler)
    objective = Distillation(teacher, weight=0.7, temperature=1.5)
    seen: list[int] = []
    plain = distillation.dense_divergence

    def watched(log_probs: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
        seen.append(len(log_probs))
        return plain(log_probs, *arguments)

    monkeypatch.setattr(distillation, "dense_divergence", watched)
    results: list[tuple[float, dict[str, Tensor]]] = []
    for chunk, elements in ((512, 2**30), (512, 10 * VOCAB), (7, 2**30), (7, 3 * VOCAB), (1, 1)):
        monkeypatch.setattr(model_loss, "_CHUNK_ROWS", chunk)
        monkeypatch.setattr(distillation, "_BLOCK_ELEMENTS", elements)
        seen.clear()
        found = objective(student, batch)
        found.total.backward()
        assert max(seen) == min(chunk, elements // VOCAB or 1, 5 * SEQUENCE_LENGTH)
        assert sum(seen) == 5 * SEQUENCE_LENGTH
        results.append((found.total.item(), gradients_of(student)))
    for loss, gradients in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-12)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, results[0][1][name], rtol=0, atol=1e-12)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(sampler: Sampler) -> None:
    student = make_model().train()
    teacher = copy.deepcopy(student)
    found = Distillation(teacher, weight=1.0)(student, make_batch(sampler))
    found.total.backward()
    assert abs(found.parts["kl"].item()) < 1e-4
    plain = student.loss(**make_batch(sampler), reduction="sum")
    largest = max(gradient.abs().max().item() for gradient in gradients_of(student).values())
    plain.backward()
    usual = max(gradient.abs().max().item() for gradient in gradients_of(student).values())
    assert largest < 1e-5 * usual


def test_weight_0_is_the_plain_objective_bit_for_bit(make_trainer: TrainerMaker) -> None:
    def end(objective: Objective | None, name: str) -> list[Any]:
        trainer = make_trainer()
        trainer = make_trainer(
            directory=trainer.directory / name, model=make_model(embd_pdrop=0.1), steps=6
        )
        trainer.objective = objective or trainer.objective
        trainer.fit()
        rows = [json.loads(line) for line in (trainer.directory / "metrics.jsonl").open()]
        return [
            *(p.detach().numpy().tobytes() for p in trainer.model.parameters()),
            *((row["loss"], row["grad_norm"]) for row in rows),
        ]

    plain = end(None, "plain")
    assert end(Distillation(make_teacher(), weight=0.0), "zero") == plain
    assert end(Distillation(make_teacher(), weight=0.1), "some") != plain


def test_the_teacher_keeps_its_type_and_stays_as_it_is(sampler: Sampler) -> None:
    student, teacher = make_model().train(), make_teacher()
    exact = Distillation(copy.deepcopy(teacher), weight=1.0)(student, make_batch(sampler))
    teacher = teacher.bfloat16()
    before = [parameter.detach().clone() for parameter in teacher.parameters()]
    found = Distillation(teacher, weight=1.0)(student, make_batch(sampler))
    found.total.backward()
    assert found.total.item() == pytest.approx(exact.total.item(), rel=0.03)
    assert found.total.item() != exact.total.item()
    assert not teacher.training
    for parameter, was in zip(teacher.parameters(), before, strict=True):
        assert parameter.grad is None
        assert parameter.dtype == torch.bfloat16
        assert torch.equal(parameter, was)


def test_bfloat16_trains(make_trainer: TrainerMaker) -> None:
    losses = []
    for dtype in ("float32", "bfloat16"):
        trainer = make_trainer(
            dtype=dtype, directory=make_trainer().directory / dtype, steps=8, micro_batch_size=3
        )
        trainer.objective = Distillation(make_teacher(), weight=0.5, temperature=2.0)
        losses.append(trainer.fit().loss)
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_the_log_has_both_parts(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer(steps=4, micro_batch_size=3)
    trainer.objective = Distillation(make_teacher(), weight=0.25, temperature=2.0)
    trainer.fit()
    rows = [json.loads(line) for line in (trainer.directory / "metrics.jsonl").open()]
    assert len(rows) == 4
    for row in rows:
        mixed = 0.75 * row["cross_entropy"] + 0.25 * row["kl"]
        assert row["loss"] == pytest.approx(mixed, rel=1e-5)
        assert row["kl"] > 0.1
        assert "parts" not in row
    plain = make_trainer(steps=1, warmup_steps=0, directory=trainer.directory / "plain")
    plain.fit()
    (row,) = [json.loads(line) for line in (plain.directory / "metrics.jsonl").open()]
    assert set(row) == {
        field.name for field in dataclasses.fields(StepMetrics) if field.name != "parts"
    }


class _Killed(Exception):
    pass


class _KillAfter(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Any, metrics: StepMetrics) -> None:
        if metrics.step == self.step:
            raise _Killed


def test_killed_it_goes_on_bit_for_bit(make_trainer: TrainerMaker, tmp_path: Path) -> None:
    def fit(name: str, callbacks: Any = (), weight: float = 0.5) -> Any:
        trainer = make_trainer(
            callbacks, directory=tmp_path / name, model=make_model(embd_pdrop=0.1)
        )
        trainer.objective = Distillation(make_teacher(), temperature=2.0, weight=weight)
        trainer.fit()
        return trainer

    whole = fit("whole")
    with pytest.raises(_Killed):
        fit("killed", [_KillAfter(8)])
    resumed = fit("killed")
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    logs = []
    for name in ("whole", "killed"):
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").open()]
        logs.append([(r["step"], r["loss"], r["kl"], r["grad_norm"]) for r in rows])
    assert logs[0] == logs[1]
    assert len(logs[0]) == 12
    with pytest.raises(ValueError, match=r"objective.teacher_weight was 0.5, now 0.7"):
        fit("killed", weight=0.7)


def test_another_teacher_is_another_run(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer()
    trainer.objective = Distillation(make_teacher())
    trainer.fit()
    other = make_teacher()
    with torch.no_grad():
        other.lm_head.bias[3] += 1e-3
    again = make_trainer()
    again.objective = Distillation(other)
    with pytest.raises(ValueError, match=r"objective.teacher_sha256 was"):
        again.fit()
    with pytest.raises(ValueError, match=r"objective.teacher_sha256 was '\w+', now None"):
        make_trainer().fit()


def test_a_teacher_helps_at_equal_tokens(
    make_trainer: TrainerMaker, held_out: TokenShards, tmp_path: Path
) -> None:
    """A wide teacher that saw the text many times; a narrow student that sees a little of it."""
    teacher_run = make_trainer(
        model=make_model(hidden_size=64, num_hidden_layers=2),
        directory=tmp_path / "teacher",
        steps=150,
        batch_size=8,
        learning_rate=5e-3,
    )
    teacher_run.fit()
    losses: dict[float, float] = {}
    for weight in (0.0, 0.8):
        trainer = make_trainer(directory=tmp_path / str(weight), steps=40, warmup_steps=5)
        trainer.objective = Distillation(teacher_run.model, weight=weight)
        trainer.fit()
        losses[weight] = held_out_loss(trainer.model, held_out, SEQUENCE_LENGTH).loss
    taught = held_out_loss(teacher_run.model, held_out, SEQUENCE_LENGTH).loss
    assert taught < losses[0.8] - 0.1
    assert losses[0.8] < losses[0.0] - 0.1  # 0.23 were seen


def test_what_does_not_go_together_is_one_line(make_trainer: TrainerMaker) -> None:
    def complaint(objective: Objective) -> str:
        trainer = make_trainer()
        with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
            type(trainer)(
                trainer.model, trainer.sampler, trainer.config, "nowhere", objective=objective
            )
        return str(caught.value)

    other = make_model(vocab_size=300)
    assert "300 rows and the student's 257" in complaint(Distillation(other))
    assert "280 tokens" in complaint(Distillation(other, tokens=280))
    short = make_model(max_position_embeddings=8)
    assert "teacher's max_position_embeddings, 8" in complaint(Distillation(short))
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="weight"):
            Distillation(other, weight=wrong)
    for wrong in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="temperature"):
            Distillation(other, temperature=wrong)


def test_a_teacher_must_have_the_same_tokens(byte_tokenizer: Tokenizer, tmp_path: Path) -> None:
    save(make_model(), byte_tokenizer, tmp_path / "model")
    teacher = load_teacher(tmp_path, byte_tokenizer)  # as a run directory
    assert not teacher.training
    path = tmp_path / "model" / "tokenizer.json"
    (tmp_path / "model" / "manifest.json").unlink()
    content = json.loads(path.read_text())
    # Other words in the file, the same tokens.
    content["pre_tokenizer"]["trim_offsets"] = not content["pre_tokenizer"]["trim_offsets"]
    path.write_text(json.dumps(content))
    load_teacher(tmp_path / "model", byte_tokenizer)
    vocab = content["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"another tokenizer \(257 tokens\).*\[tokenizer\] path"):
        load_teacher(tmp_path / "model", byte_tokenizer)
    with pytest.raises(ValueError, match="there is no folder"):
        load_teacher("no such teacher", byte_tokenizer)


def test_samples_without_a_teacher_are_explained(make_trainer: TrainerMaker) -> None:
    trainer = make_trainer()
    trainer.objective = StoredDistillation()
    assert isinstance(trainer.sampler.batch(0, 1), Batch)
    with pytest.raises(ValueError, match="TaughtSampler"):
        trainer.train_step()
