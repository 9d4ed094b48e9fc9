"""A parameter's name, taken apart: its axes, and the layer of the other model it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

_AxisT = TypeVar("_AxisT")


class Part(NamedTuple):
    """`model.layers.LAYER.(...).MODULE.KIND`; the layer is None outside the blocks."""

    layer: int | None
    module: str
    kind: str

    @classmethod
    def of(cls, name: str) -> Part:
        """The parts of a parameter's name."""
        words = name.split(".")
        layer = int(words[2]) if words[1] == "layers" else None
        return cls(layer, words[-2], words[-1])


def axes_of(
    part: Part, *, words: _AxisT, width: _AxisT, attention: _AxisT, units: _AxisT
) -> tuple[_AxisT, _AxisT | None]:
    """Rows and columns of a parameter; a bias and a LayerNorm's parameters have no columns.

    `attention` is the axis of all heads' dimensions, `units` that of the MLP.
    """
    rows, columns = {
        "embed_tokens": (words, width),
        "lm_head": (words, width),
        "q_proj": (attention, width),
        "k_proj": (attention, width),
        "v_proj": (attention, width),
        "dense": (width, attention),
        "fc1": (units, width),
        "fc2": (width, units),
        "input_layernorm": (width, None),
        "final_layernorm": (width, None),
    }[part.module]
    return rows, columns if part.kind == "weight" else None


class Layer(NamedTuple):
    """Where a layer comes from."""

    source: int
    adds_nothing: bool
    """Whether it begins as the identity: what it would add to the residual stream is zero."""


def source_name(name: str, layers: Sequence[Layer]) -> str:
    """The other model's parameter from which the one called `name` is made."""
    part = Part.of(name)
    if part.layer is None:
        return name
    source = layers[part.layer].source
    return name.replace(f"layers.{part.layer}.", f"layers.{source}.", 1)


def spread_layers(old: int, new: int) -> list[Layer]:
    """Old layers spread evenly, layers that add nothing after each: number i is of i x old // new.

    The first of those with the same source is that layer itself.
    """
    sources = [index * old // new for index in range(new)]
    return [
        Layer(source, adds_nothing=index > 0 and sources[index - 1] == source)
        for index, source in enumerate(sources)
    ]


def stacked_layers(old: int, new: int) -> list[Layer]:
    """The whole stack again and again, the last time as far as it goes: number i is of i mod old.

    G_stack (arXiv 2405.15319), whose factors are whole numbers.
    """
    return [Layer(index % old, adds_nothing=False) for index in range(new)]


def gopher_layers(old: int, new: int) -> list[Layer]:
    """The closest layer at the same relative depth: i x old / new, halves rounded up, at most the
    last. Depth scaling of Gopher (arXiv 2112.11446, appendix G.3.3), as Phi and ModernBERT
    (arXiv 2412.13663, appendix A.3) used it.
    """
    nearest = ((2 * index * old + new) // (2 * new) for index in range(new))
    return [Layer(min(source, old - 1), adds_nothing=False) for source in nearest]
