"""What quantisation costs: perplexity, by layer too, and the error of each linear map's output."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from phinery.model.decoder import Phi
from phinery.model.loss import linear_cross_entropy
from phinery.model.quantization.blocks import (
    BATCH,
    HEAD,
    LINEARS,
    block_of,
    embed,
    linear_of,
    run_block,
)


@dataclasses.dataclass(frozen=True)
class Damage:
    """What it costs to quantise one layer alone."""

    name: str
    """"0", "1", ... or "lm_head"."""
    perplexity: float
    """Of the model in which nothing but this layer is quantised."""
    errors: dict[str, float]
    """By linear map: the norm of the change of its outputs over the norm of its outputs, on the
    inputs that it has in the model as it was."""


@torch.no_grad()
def perplexity(model: Phi, windows: Tensor) -> float:
    """Exp of the mean cross-entropy with which `model` predicts windows (count, length + 1).

    Each token of a window but the first is predicted from those before it. Computed in float32
    whatever the model's type, a layer at a time.
    """
    windows = windows.to(model.device)
    hidden = embed(model, windows[:, :-1])
    for index in range(model.config.num_hidden_layers):
        hidden = run_block(block_of(model, index), hidden)
    return _perplexity(_normed(model, hidden), model.lm_head, windows)


@torch.no_grad()
def damage_by_layer(
    model: Phi,
    quantized: Phi,
    windows: Tensor,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Damage]:
    """What each layer of `quantized`, put into `model` by itself, costs on windows
    (count, length + 1).

    `quantized` is what `QuantizedPhi.dequantize` makes of the quantised `model`. Computed in
    float32, the layers before the changed one only once. `on_progress` is told layers done and all
    of them, the head included.
    """
    windows = windows.to(model.device)
    layers = model.config.num_hidden_layers
    hidden = embed(model, windows[:, :-1])
    found: list[Damage] = []
    for index in range(layers):
        before, after = block_of(model, index), block_of(quantized, index)
        changed = run_block(after, hidden)
        for later in range(index + 1, layers):
            changed = run_block(block_of(model, later), changed)
        errors = _Errors(before, after, LINEARS)
        hidden = run_block(before, hidden, errors.see)
        cost = _perplexity(_normed(model, changed), model.lm_head, windows)
        found.append(Damage(str(index), cost, errors.relative()))
        if on_progress is not None:
            on_progress(index + 1, layers + 1)
    errors = _Errors(model, quantized, (HEAD,))
    normed = _normed(model, hidden)
    for batch in normed:
        errors.see(HEAD, batch)
    found.append(Damage(HEAD, _perplexity(normed, quantized.lm_head, windows), errors.relative()))
    if on_progress is not None:
        on_progress(layers + 1, layers + 1)
    return found


class _Errors:
    """Compares the outputs of linear maps of the same names on the same inputs."""

    def __init__(self, before: nn.Module, after: nn.Module, names: Sequence[str]) -> None:
        self._pairs = {name: (linear_of(before, name), linear_of(after, name)) for name in names}
        self._sums = {name: [0.0, 0.0] for name in names}

    def see(self, name: str, inputs: Tensor) -> None:
        """Count inputs (..., in)."""
        before, after = (
            functional.linear(inputs, linear.weight.float(), linear.bias.float())
            for linear in self._pairs[name]
        )
        sums = self._sums[name]
        sums[0] += (after - before).double().square().sum().item()
        sums[1] += before.double().square().sum().item()

    def relative(self) -> dict[str, float]:
        return {
            name: math.sqrt(change / size) if size else 0.0
            for name, (change, size) in self._sums.items()
        }


def _normed(model: Phi, hidden: list[Tensor]) -> list[Tensor]:
    norm = model.model.final_layernorm
    weight, bias = norm.weight.float(), norm.bias.float()
    return [functional.layer_norm(b, norm.normalized_shape, weight, bias, norm.eps) for b in hidden]


def _perplexity(normed: list[Tensor], head: nn.Linear, windows: Tensor) -> float:
    weight, bias = head.weight.float(), head.bias.float()
    labels = windows[:, 1:]
    nats = 0.0
    for batch, wanted in zip(normed, labels.split(BATCH), strict=True):
        nats += linear_cross_entropy(
            batch.flatten(0, 1), weight, bias, wanted.flatten(), reduction="sum"
        ).item()
    return math.exp(nats / labels.numel())
