"""Logit distillation: a student learns from a teacher's distribution of the next token.

The loss of a label is (1 - w) x cross-entropy + w x T^2 x KL(teacher_T || student_T), where a
distribution at temperature T is softmax(logits / T) (Hinton, Vinyals and Dean 2015, arXiv
1503.02531; T^2 keeps the size of the gradient whatever T is). The student's head runs in chunks of
rows as in its own loss, and the teacher's beside it, so that neither's logits are ever all there.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Protocol

import torch
from torch import Tensor

from phinery.model import Phi
from phinery.model.kernels import Kernels
from phinery.model.loss import linear_cross_entropy
from phinery.model.products import linear
from phinery.model.training_block import Precision
from phinery.train.config import TrainConfig
from phinery.train.objective import LossSum, MicroBatch, Objective
from phinery.train.teacher import weights_sha256

# Elements of a block of rows on which the element-wise arithmetic is done at once on a CPU: 1 MB in
# float32, so that its dozen passes find it in the cache. A GPU takes a chunk whole.
_BLOCK_ELEMENTS = 2**18


class _Distilled(Objective):
    """What both kinds of distillation share: weight, temperature and the student's side."""

    def __init__(self, *, weight: float, temperature: float) -> None:
        if not 0 <= weight <= 1:
            raise ValueError(f"the teacher's weight must be a number from 0 to 1, not {weight!r}")
        if not 0 < temperature < math.inf:
            raise ValueError(f"the temperature must be a number above 0, not {temperature!r}")
        self.weight = weight
        self.temperature = temperature

    def fingerprint(self) -> dict[str, Any]:
        """Weight and temperature."""
        return {"teacher_weight": self.weight, "teacher_temperature": self.temperature}

    def __call__(self, model: Phi, batch: MicroBatch) -> LossSum:
        """The loss, and as parts `cross_entropy` and `kl` (with its T^2).

        With weight 0 the teacher is not asked: the loss is next-token prediction's, bit for bit.
        """
        if self.weight == 0:
            plain = super().__call__(model, batch)
            return LossSum(plain.total, {"cross_entropy": plain.total.detach()})
        targets = self._targets(batch)
        hidden = model.model(batch["input_ids"], document_ids=batch["document_ids"])
        kernel = _DistillingKernel(targets, self.weight, self.temperature)
        total = linear_cross_entropy(
            hidden.flatten(0, 1),
            model.lm_head.weight,
            model.lm_head.bias,
            batch["labels"].flatten(),
            reduction="sum",
            kernels=Kernels(softmax_gradient=kernel),
        )
        return LossSum(total, {"cross_entropy": kernel.cross_entropy, "kl": kernel.kl})

    def _targets(self, batch: MicroBatch) -> _Targets:
        raise NotImplementedError


class Distillation(_Distilled):
    """Distillation from a teacher that runs beside the student.

    The teacher sees what the student sees, the limits of documents too. It keeps the device and the
    type of its weights, and takes no part in the training; under the run's autocast its products
    are of the run's type.

    Parameters
    ----------
    teacher
        A model with the student's tokenizer (`load_teacher` checks that).
    tokens
        Tokens of that tokenizer, where the models' vocabularies are padded to different sizes: the
        teacher's distribution is over these alone. By default both vocabularies must be equal.
    weight
        w: 0 is next-token prediction, 1 learns from the teacher alone.
    temperature
        T: above 1 the teacher's unlikely tokens count for more.
    """

    def __init__(
        self,
        teacher: Phi,
        *,
        tokens: int | None = None,
        weight: float = 0.5,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(weight=weight, temperature=temperature)
        self.teacher = teacher.eval()
        self.tokens = tokens

    def check(self, model: Phi, config: TrainConfig) -> None:
        """ValueError unless the teacher has the student's vocabulary and a long enough context."""
        ours, theirs = model.config, self.teacher.config
        if self.tokens is None and ours.vocab_size != theirs.vocab_size:
            raise ValueError(
                f"the teacher's vocabulary has {theirs.vocab_size:,} rows and the student's "
                f"{ours.vocab_size:,}: distillation needs the same tokenizer (where only the "
                "padding differs, say how many `tokens` it has)"
            )
        if self.tokens is not None and self.tokens > min(ours.vocab_size, theirs.vocab_size):
            raise ValueError(
                f"the tokenizer has {self.tokens:,} tokens, but the teacher's vocabulary "
                f"{theirs.vocab_size:,} rows and the student's {ours.vocab_size:,}: they do not "
                "belong together"
            )
        if config.sequence_length > theirs.max_position_embeddings:
            raise ValueError(
                f"sequence_length {config.sequence_length} is longer than the teacher's "
                f"max_position_embeddings, {theirs.max_position_embeddings}: train on shorter "
                "windows"
            )

    def fingerprint(self) -> dict[str, Any]:
        """Weight, temperature and the teacher's weights."""
        return {**super().fingerprint(), "teacher_sha256": self._teacher_sha256}

    def flops_per_token(self, sequence_length: int) -> int:
        """Floating-point operations of the teacher for one token: a forward pass, or none.

        A third of what training the teacher would take, by the same convention.
        """
        return self.teacher.flops_per_token(sequence_length) // 3 if self.weight else 0

    @functools.cached_property
    def _teacher_sha256(self) -> str:
        return weights_sha256(self.teacher)

    def _targets(self, batch: MicroBatch) -> _Targets:
        teacher, documents = self.teacher, batch["document_ids"]
        with torch.inference_mode():
            hidden = teacher.model(
                batch["input_ids"].to(teacher.device),
                document_ids=None if documents is None else documents.to(teacher.device),
            )
            head, tokens = teacher.lm_head, self.tokens or teacher.config.vocab_size
            multiply = Precision.current(teacher.dtype, teacher.device).multiply
            return _DenseTargets(
                hidden.flatten(0, 1).to(multiply),
                head.weight[:tokens].to(multiply),
                head.bias[:tokens],
            )


class StoredDistillation(_Distilled):
    """Distillation from what a teacher said before: see `phinery.train.teacher_store`.

    The samples must come from a `TaughtSampler`. Of the teacher's distribution the likeliest k
    tokens are known and, as one event more, the rest: the KL is over these k + 1 events, and T
    applies to them. How the rest is spread over its tokens only the labels tell the student.
    """

    def __init__(self, *, weight: float = 0.5, temperature: float = 1.0) -> None:
        super().__init__(weight=weight, temperature=temperature)

    def _targets(self, batch: MicroBatch) -> _Targets:
        if "teacher_ids" not in batch:
            raise ValueError("the samples come without a teacher: take them from a TaughtSampler")
        return _SparseTargets(
            batch["teacher_ids"].flatten(0, 1), batch["teacher_log_probs"].flatten(0, 1)
        )


class _Targets(Protocol):
    """What a teacher says of the rows of a micro-batch."""

    def rows(self, part: slice, logits: Tensor) -> tuple[Tensor, ...]:
        """Tensors for these rows, one row each, on the device of the student's `logits`."""
        ...

    def divergence(
        self, log_probs: Tensor, rows: tuple[Tensor, ...], temperature: float
    ) -> tuple[Tensor, Tensor]:
        """T^2 KL of rows and its gradient, from what `rows` gave for them."""
        ...


@dataclasses.dataclass(frozen=True)
class _DenseTargets:
    """The teacher's hidden states (rows, width) and its head, in the type of its products."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    def rows(self, part: slice, logits: Tensor) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            found = linear(self.hidden[part], self.weight)
            return found.to(logits.device), self.bias.to(logits.device)[None].expand_as(found)

    def divergence(
        self, log_probs: Tensor, rows: tuple[Tensor, ...], temperature: float
    ) -> tuple[Tensor, Tensor]:
        logits, bias = rows
        exact = log_probs.dtype
        return dense_divergence(log_probs, logits.to(exact) + bias.to(exact), temperature)


@dataclasses.dataclass(frozen=True)
class _SparseTargets:
    """Token ids (rows, k), and their log-probabilities and the remainder's (rows, k + 1)."""

    token_ids: Tensor
    log_probs: Tensor

    def rows(self, part: slice, logits: Tensor) -> tuple[Tensor, ...]:
        return self.token_ids[part], self.log_probs[part]

    def divergence(
        self, log_probs: Tensor, rows: tuple[Tensor, ...], temperature: float
    ) -> tuple[Tensor, Tensor]:
        token_ids, teacher = rows
        return sparse_divergence(log_probs, token_ids, teacher.to(log_probs.dtype), temperature)


class _DistillingKernel:
    """Takes the place of `kernels.softmax_gradient` in a pass over the chunks of the student's
    head, and knows which rows a chunk has by counting them.

    `cross_entropy` and `kl` are sums over the rows that count, once all chunks went by.
    """

    def __init__(self, targets: _Targets, weight: float, temperature: float) -> None:
        self._targets = targets
        self._weight = weight
        self._temperature = temperature
        self._done = 0
        self.cross_entropy = torch.zeros(())
        self.kl = torch.zeros(())

    def __call__(
        self, logits: Tensor, bias: Tensor, targets: Tensor, row_scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The loss of each row (rows, 1), and its gradient x row_scale over `logits`."""
        chunk = self._targets.rows(slice(self._done, self._done + len(logits)), logits)
        if self._done == 0:
            self.cross_entropy, self.kl = bias.new_zeros(()), bias.new_zeros(())
        self._done += len(logits)
        losses = torch.empty_like(row_scale)
        size = len(logits)
        if logits.device.type == "cpu":
            size = max(1, _BLOCK_ELEMENTS // logits.shape[1])
        for start in range(0, len(logits), size):
            block = slice(start, start + size)
            log_probs = torch.log_softmax(logits[block].to(bias.dtype) + bias, 1)
            entropy = -log_probs.gather(1, targets[block])
            kl, gradient = self._targets.divergence(
                log_probs, tuple(rows[block] for rows in chunk), self._temperature
            )
            gradient.mul_(self._weight)
            if self._weight < 1:
                hard = log_probs.exp_()
                hard.scatter_add_(1, targets[block], -torch.ones_like(entropy))
                gradient.add_(hard, alpha=1 - self._weight)
            logits[block] = gradient.mul_(row_scale[block])
            losses[block] = (1 - self._weight) * entropy + self._weight * kl
            counted = row_scale[block] != 0
            self.cross_entropy += (entropy * counted).sum()
            self.kl += (kl * counted).sum()
        return losses, logits


def dense_divergence(
    log_probs: Tensor, teacher_logits: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """T^2 KL(teacher_T || student_T) of each row, (rows, 1), and its gradient in the student's
    logits, (rows, vocab).

    log_probs (rows, vocab) is the student's log-softmax at temperature 1. teacher_logits may have
    fewer columns, of the first tokens; others then have no probability. The gradient is
    T (softmax(student / T) - softmax(teacher / T)).
    """
    tokens = teacher_logits.shape[1]
    student, teacher = log_probs, teacher_logits
    if temperature != 1:
        student = torch.log_softmax(student / temperature, 1)
        teacher = teacher / temperature
    teacher = torch.log_softmax(teacher, 1)
    gradient = student.exp()
    probabilities = teacher.exp()
    gradient[:, :tokens] -= probabilities
    kl = probabilities.mul_(teacher.sub_(student[:, :tokens])).sum(1, keepdim=True)
    return kl.mul_(temperature**2), gradient.mul_(temperature)


def sparse_divergence(
    log_probs: Tensor, token_ids: Tensor, teacher_log_probs: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """As `dense_divergence`, of a teacher of whom k tokens and the probability of the rest are
    known.

    log_probs (rows, vocab) is the student's log-softmax, token_ids int64 (rows, k), and
    teacher_log_probs (rows, k + 1) has the rest last. Both distributions are over k + 1 events, and
    are raised to the power 1/T and normalised anew; with all tokens known that is softmax(logits /
    T). A token whose log-probability is minus infinity is part of the rest: its id must be that of
    the row's first token, and where that is not known either the row teaches nothing.
    """
    width = token_ids.shape[1]
    # The student's log-probabilities of the rest, minus infinity at the known tokens.
    rest = log_probs.scatter(1, token_ids, -math.inf)
    total = rest.logsumexp(1, keepdim=True)
    known = log_probs.gather(1, token_ids)
    known = known.masked_fill(teacher_log_probs[:, :width] == -math.inf, -math.inf)
    student = torch.log_softmax(torch.cat((known, total), 1) / temperature, 1)
    teacher = torch.log_softmax(teacher_log_probs / temperature, 1)
    probabilities = teacher.exp()
    terms = torch.where(probabilities > 0, probabilities * (teacher - student), 0.0)
    # In the logit of a token of the rest, times its share of the rest. The part that would go
    # through the student's normalisation is 0, since the gradient over the events sums to 0.
    events = (student.exp() - probabilities).mul_(temperature)
    # Where all tokens are known nothing is left of the rest: total is minus infinity, the share 0.
    lowest = torch.finfo(total.dtype).min
    gradient = rest.sub_(total.clamp_min(lowest)).exp_().mul_(events[:, width:])
    gradient.scatter_add_(1, token_ids, events[:, :width])
    return terms.sum(1, keepdim=True).mul_(temperature**2), gradient
