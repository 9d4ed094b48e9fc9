"""Growth that keeps what the model computes. The algebra: docs/growth.md.

A block reads the residual stream x only through a LayerNorm, which takes the mean away, so every
map that writes to x may be centred: then x has mean 0 at every position. The larger x' is
(s x, 0, ..., 0). It has mean 0 too, and variance s^2 d / d' var(x), so with

    s = sqrt(d' / d x eps' / eps),    gain' = gain sqrt(d / d')

the LayerNorm of x' is that of x, then zeros: what reads the new dimensions gets nothing from them
until something is written there.
"""

from __future__ import annotations

import dataclasses
import math

from torch import Tensor

from phinery.model import layouts
from phinery.model.config import PhiConfig
from phinery.model.growth.axes import (
    Axis,
    copied,
    generator,
    head_dimensions,
    inner,
    padded,
)
from phinery.model.growth.methods import (
    Read,
    new_words,
    normal,
    put,
    taken,
)
from phinery.model.growth.names import (
    Layer,
    Part,
    axes_of,
    source_name,
    spread_layers,
    stacked_layers,
)

_NORMS = ("input_layernorm", "final_layernorm")
_WRITERS = ("embed_tokens", "dense", "fc2")
"""What adds to the residual stream."""


@dataclasses.dataclass(frozen=True)
class _Map:
    """How a module's weight grows: its axes, the factor of its values, whom it writes to."""

    rows: Axis
    columns: Axis | None
    scale: float
    writes: bool
    """Whether its outputs are added to the residual stream."""


class Lossless:
    """A larger model with the same logits.

    `stacked` repeats the layers instead (G_stack), which changes what the model computes, while
    each layer still computes the same in the larger width.
    """

    def __init__(
        self, source: PhiConfig, target: PhiConfig, seed: int, *, stacked: bool = False
    ) -> None:
        self._source = source
        self._target = target
        self._seed = seed
        arrange = stacked_layers if stacked else spread_layers
        self._layers: list[Layer] = arrange(source.num_hidden_layers, target.num_hidden_layers)
        self._shapes = layouts.shapes(target)
        self._width = padded(source.hidden_size, target.hidden_size)
        self._words = padded(source.vocab_size, target.vocab_size)
        self._dimensions = head_dimensions(source, target)
        self._gain = math.sqrt(source.hidden_size / target.hidden_size)
        self._stream = math.sqrt(target.layer_norm_eps / source.layer_norm_eps) / self._gain
        # softmax(q k / sqrt(head_dim)): what a wider head divides more by, its queries make up for.
        self._query = math.sqrt(target.head_dim / source.head_dim)

    def tensor(self, name: str, read: Read) -> Tensor:
        """A parameter of the larger model."""
        part = Part.of(name)
        weight = read(source_name(name, self._layers))
        if self._is_silent(part):
            return weight.new_zeros(self._shapes[name])
        grown_by = self._map(part)
        if part.module in _NORMS:
            return self._norm(part, name, weight)
        if grown_by.writes:
            return self._writer(name, weight, grown_by)
        return self._reader(name, weight, grown_by)

    def moment(self, name: str, read: Read, power: int) -> Tensor:
        """The moments under the same map: a value times c has a gradient divided by c.

        The copies of a unit or head share the gradient of what feeds them. What is new has none.
        """
        part = Part.of(name)
        moment = read(source_name(name, self._layers))
        grown = moment.new_zeros(self._shapes[name])
        if part.layer is not None and self._layers[part.layer].adds_nothing:
            return grown
        grown_by = self._map(part)
        scale = grown_by.scale
        if part.module in _NORMS:
            scale = self._gain if part.kind == "weight" else 1.0
        values = taken(moment, grown_by.rows, grown_by.columns) / scale**power
        if not grown_by.writes:
            copies = grown_by.rows.copies**power
            values = values / (copies if grown_by.columns is None else copies[:, None])
        put(grown, grown_by.rows, grown_by.columns, values)
        return grown

    def _is_silent(self, part: Part) -> bool:
        adds_nothing = part.layer is not None and self._layers[part.layer].adds_nothing
        return adds_nothing and part.module in ("dense", "fc2")

    def _map(self, part: Part) -> _Map:
        rows, columns = axes_of(
            part,
            words=self._words,
            width=self._width,
            attention=self._attention(part.layer),
            units=self._units(part.layer),
        )
        writes = part.module in _WRITERS
        scale = self._stream if writes else 1.0
        if part.module == "q_proj":
            scale = self._query
        return _Map(rows, columns, scale, writes)

    def _attention(self, layer: int | None) -> Axis:
        """All dimensions of all heads: the old heads, then copies of them."""
        random = generator(self._seed, "heads", layer)
        heads = copied(self._source.num_attention_heads, self._target.num_attention_heads, random)
        return inner(heads, self._dimensions, self._source.head_dim)

    def _units(self, layer: int | None) -> Axis:
        """The MLP's units: the old ones, then copies of them."""
        random = generator(self._seed, "units", layer)
        return copied(self._source.mlp_size, self._target.mlp_size, random)

    def _norm(self, part: Part, name: str, weight: Tensor) -> Tensor:
        grown = weight.new_zeros(self._shapes[name])
        if part.kind == "weight":
            weight = weight * self._gain
            # What is new is zero now; later it should weigh what the others weigh.
            grown.fill_(weight.square().mean().sqrt())
        put(grown, self._width, None, weight)
        return grown

    def _reader(self, name: str, weight: Tensor, grown_by: _Map) -> Tensor:
        """A map from the residual stream: what reads new dimensions is random, they hold zero."""
        part = Part.of(name)
        rows, columns = grown_by.rows, grown_by.columns
        shape = self._shapes[name]
        if columns is None:
            grown = weight.new_zeros(shape)
        else:
            std = self._target.initializer_range
            grown = normal(shape, std, weight.dtype, generator(self._seed, name))
        if part.module == "q_proj":
            # A new dimension of a head adds q k to the scores: one of both must begin at zero.
            grown[rows.new] = 0.0
        put(grown, rows, columns, grown_by.scale * taken(weight, rows, columns))
        if part.module == "lm_head" and len(rows.new):
            old = slice(weight.shape[-1]) if columns is not None else slice(None)
            grown[len(weight) :][..., old] = new_words(
                name, weight, len(rows.new), self._target, self._seed
            )
        return grown

    def _writer(self, name: str, weight: Tensor, grown_by: _Map) -> Tensor:
        """A map to the residual stream, centred and scaled: it writes zero to new dimensions."""
        part = Part.of(name)
        rows, columns = grown_by.rows, grown_by.columns
        grown = weight.new_zeros(self._shapes[name])
        is_embedding = part.module == "embed_tokens"
        # Centred over the residual stream's dimensions: an embedding's columns, others' rows.
        values = grown_by.scale * (weight - weight.mean(1 if is_embedding else 0, keepdim=True))
        if is_embedding:
            grown[: len(values), : values.shape[1]] = values
            if len(rows.new):
                words = new_words(name, values, len(rows.new), self._target, self._seed)
                words -= words.mean(1, keepdim=True)
                grown[len(values) :, : values.shape[1]] = words
        elif columns is None:
            put(grown, rows, None, values)
        else:
            put(grown, rows, columns, self._shared_out(name, values, columns))
        return grown

    def _shared_out(self, name: str, values: Tensor, columns: Axis) -> Tensor:
        """What copies of one source write, (d, places): together the same as it, each another.

        Of m copies, each gets w / m + r, where the m vectors r sum to zero and are as long as w / m
        on average. Equal shares would give equal gradients, and under Adam even unequal shares of
        the same direction would: copies would stay copies.
        """
        copies = columns.copies.to(values.dtype)
        shares = values[:, columns.source] / copies
        if int(columns.copies.max()) == 1:
            return shares
        rms = float(values.square().mean().sqrt())
        shape = (values.shape[0], len(columns.places))
        noise = normal(shape, rms, values.dtype, generator(self._seed, name, "shares"))
        mean = values.new_zeros(values.shape).index_add_(1, columns.source, noise)
        noise -= mean[:, columns.source] / copies
        # A mean taken away leaves (m - 1) / m of the variance; alone, nothing is left.
        return shares + noise * (copies / (copies - 1).clamp(min=1)).sqrt() / copies
