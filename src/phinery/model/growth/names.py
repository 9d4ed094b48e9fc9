"""A parameter's name, taken apart, and which layer of the smaller model a layer comes from."""

from __future__ import annotations

from typing import NamedTuple


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


class Layer(NamedTuple):
    """Where a grown layer comes from."""

    source: int
    adds_nothing: bool
    """Whether it begins as the identity: what it would add to the residual stream is zero."""


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
