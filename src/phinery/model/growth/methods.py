"""What the methods of growth have in common, and the two that need no algebra: tile and random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from phinery.model import layouts
from phinery.model.config import PhiConfig
from phinery.model.growth.axes import (
    Axis,
    generator,
    inner,
    padded,
    tiled,
    tiled_head_dimensions,
)
from phinery.model.growth.names import Part, axes_of, gopher_layers, source_name

Read = Callable[[str], Tensor]
"""Gives the smaller model's tensor of a name, in the type in which to compute, on the CPU."""
# A new token's logit is the mean of the old ones, less this. Since the mean of the logits is at
# most logsumexp - log(V), all n new tokens together get a probability of at most n / V x e^-20.
NEW_TOKEN_BIAS = -20.0


class Growth(Protocol):
    """Makes the larger model's tensors one by one."""

    def tensor(self, name: str, read: Read) -> Tensor:
        """A parameter of the larger model, in the type that `read` gives."""
        ...

    def moment(self, name: str, read: Read, power: int) -> Tensor:
        """AdamW's mean of the gradient (power 1) or of its square (2) for a parameter.

        `read` gives that of the smaller model's parameters.
        """
        ...


def normal(
    shape: tuple[int, ...], std: float, dtype: torch.dtype, random: torch.Generator
) -> Tensor:
    """Numbers of N(0, std), the same in every type but for rounding."""
    return torch.randn(shape, generator=random).mul_(std).to(dtype)


def taken(weight: Tensor, rows: Axis, columns: Axis | None) -> Tensor:
    """What the axes name of a weight: (len(rows.places), len(columns.places))."""
    weight = weight[rows.source]
    return weight if columns is None else weight[:, columns.source]


def put(grown: Tensor, rows: Axis, columns: Axis | None, values: Tensor) -> None:
    """Fill the places that the axes name."""
    if columns is None:
        grown[rows.places] = values
    else:
        grown[rows.places[:, None], columns.places] = values


def check_no_smaller(source: PhiConfig, target: PhiConfig) -> None:
    """Raise ValueError when something of the target is smaller than the source's."""
    for name in (
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "head_dim",
        "max_position_embeddings",
    ):
        before, after = getattr(source, name), getattr(target, name)
        if after < before:
            raise ValueError(f"{name} would shrink from {before} to {after}: growth only adds")


class Tile:
    """Phi-2's way: the small model's weights in the middle, repeated around (arXiv 2412.13663).

    Each head by itself, what is rotated apart from what is not; layers by Gopher's map. Values are
    taken as they are, so what the model computes changes.
    """

    def __init__(self, source: PhiConfig, target: PhiConfig, seed: int) -> None:
        self._target = target
        self._seed = seed
        self._layers = gopher_layers(source.num_hidden_layers, target.num_hidden_layers)
        self._shapes = layouts.shapes(target)
        heads = tiled(source.num_attention_heads, target.num_attention_heads)
        self._attention = inner(heads, tiled_head_dimensions(source, target), source.head_dim)
        self._width = tiled(source.hidden_size, target.hidden_size)
        self._units = tiled(source.mlp_size, target.mlp_size)
        self._words = padded(source.vocab_size, target.vocab_size)

    def tensor(self, name: str, read: Read) -> Tensor:
        """A tiled parameter; rows of tokens that are new as `new_words` makes them."""
        weight = read(source_name(name, self._layers))
        rows, columns = self._axes_of(name)
        grown = weight.new_zeros(self._shapes[name])
        put(grown, rows, columns, taken(weight, rows, columns))
        # Of all axes only that of the tokens is not filled.
        if len(rows.new):
            old = grown[rows.places]
            grown[rows.new] = new_words(name, old, len(rows.new), self._target, self._seed)
        return grown

    def moment(self, name: str, read: Read, power: int) -> Tensor:
        """The moments of what is repeated; zero for new tokens."""
        moment = read(source_name(name, self._layers))
        rows, columns = self._axes_of(name)
        grown = moment.new_zeros(self._shapes[name])
        put(grown, rows, columns, taken(moment, rows, columns))
        return grown

    def _axes_of(self, name: str) -> tuple[Axis, Axis | None]:
        return axes_of(
            Part.of(name),
            words=self._words,
            width=self._width,
            attention=self._attention,
            units=self._units,
        )


class Random:
    """The control: a new model, with nothing of the old one."""

    def __init__(self, source: PhiConfig, target: PhiConfig, seed: int) -> None:
        self._target = target
        self._seed = seed
        self._shapes = layouts.shapes(target)
        self._like = "model.final_layernorm.bias"

    def tensor(self, name: str, read: Read) -> Tensor:
        """N(0, initializer_range) for matrices, 1 for gains, 0 for biases."""
        part = Part.of(name)
        dtype = read(self._like).dtype
        shape = self._shapes[name]
        if part.kind == "bias":
            return torch.zeros(shape, dtype=dtype)
        if part.module.endswith("layernorm"):
            return torch.ones(shape, dtype=dtype)
        return normal(shape, self._target.initializer_range, dtype, generator(self._seed, name))

    def moment(self, name: str, read: Read, power: int) -> Tensor:
        """Zero."""
        return torch.zeros(self._shapes[name], dtype=read(self._like).dtype)


def new_words(name: str, old: Tensor, count: int, target: PhiConfig, seed: int) -> Tensor:
    """Rows of tokens that the smaller model does not have, in embedding or head.

    An embedding is the mean of the old ones and N(0, initializer_range); a row of the head is the
    mean of the old ones, its bias lower by 20, so that the new tokens' probability is next to
    nothing and a first occurrence of one is still a large gradient. `old` is (tokens, width) or
    (tokens,).
    """
    part = Part.of(name)
    mean = old.mean(0)
    rows = mean.expand(count, *mean.shape).clone()
    if part.module == "embed_tokens":
        random = generator(seed, name, "new tokens")
        rows += normal((count, old.shape[1]), target.initializer_range, old.dtype, random)
    elif part.kind == "bias":
        rows += NEW_TOKEN_BIAS
    return rows
