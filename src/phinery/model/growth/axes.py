"""Where each index of a grown axis comes from, and the random numbers that growth draws."""

from __future__ import annotations

import dataclasses
import hashlib

import torch
from torch import Tensor

from phinery.model.config import PhiConfig


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis of a weight before and after: index `places[i]` is filled from `source[i]`.

    What no place names is new. All tensors are int64.
    """

    size: int
    """Length after growth."""
    places: Tensor
    source: Tensor
    copies: Tensor
    """(len(places),): how many places have the same source."""

    @classmethod
    def of(cls, size: int, places: Tensor, source: Tensor) -> Axis:
        """An axis from its places and their sources."""
        return cls(size, places, source, torch.bincount(source)[source])

    @property
    def new(self) -> Tensor:
        """The indices that no source fills."""
        is_new = torch.ones(self.size, dtype=torch.bool)
        is_new[self.places] = False
        return is_new.nonzero().flatten()


def padded(old: int, new: int) -> Axis:
    """The old indices first, then `new - old` that are new."""
    return Axis.of(new, torch.arange(old), torch.arange(old))


def copied(old: int, new: int, generator: torch.Generator) -> Axis:
    """The old indices first, then copies of them in a random order, as evenly as can be."""
    order = torch.randperm(old, generator=generator)
    extra = order.repeat(-(-(new - old) // old))[: new - old]
    return Axis.of(new, torch.arange(new), torch.cat((torch.arange(old), extra)))


def tiled(old: int, new: int) -> Axis:
    """The old indices in the middle, wrapped around on both sides: (i - (new - old) // 2) mod old.

    Center tiling with wraparound (arXiv 2412.13663, appendix A.3, after Phi).
    """
    return Axis.of(new, torch.arange(new), (torch.arange(new) - (new - old) // 2) % old)


def inner(heads: Axis, dimensions: Axis, old_head_dim: int) -> Axis:
    """The axis of all heads' dimensions: index head x head_dim + dimension."""
    places = heads.places[:, None] * dimensions.size + dimensions.places
    source = heads.source[:, None] * old_head_dim + dimensions.source
    return Axis.of(heads.size * dimensions.size, places.flatten(), source.flatten())


def head_dimensions(source: PhiConfig, target: PhiConfig) -> Axis:
    """A head's old dimensions at places where position turns them by the same angles as before.

    Frequency i of r / 2 is theta^(-2i / r). Among c x r rotary dimensions, number c x i has it.
    Dimensions that are not rotated follow the rotated ones. Raises ValueError when the target has
    no such places.
    """
    if source.rope_theta != target.rope_theta:
        raise ValueError(
            f"rope_theta is {source.rope_theta:g} and would become {target.rope_theta:g}: "
            "positions would turn by other angles; keep it"
        )
    old, new = source.rotary_dim, target.rotary_dim
    factor, rest = divmod(new, old)
    if rest or factor == 0:
        raise ValueError(
            f"{old} rotary dimensions cannot become {new}: their number must stay, or be "
            "multiplied; set partial_rotary_factor"
        )
    still = source.head_dim - old
    if target.head_dim - new < still:
        raise ValueError(
            f"a head has {still} dimensions that are not rotated, and there would be room for "
            f"{target.head_dim - new}: lower partial_rotary_factor"
        )
    first = factor * torch.arange(old // 2)
    places = torch.cat((first, new // 2 + first, new + torch.arange(still)))
    return Axis.of(target.head_dim, places, torch.arange(source.head_dim))


def tiled_head_dimensions(source: PhiConfig, target: PhiConfig) -> Axis:
    """A head's dimensions tiled in three parts: both halves that are rotated, and the rest."""
    old, new = source.rotary_dim // 2, target.rotary_dim // 2
    sizes = [(old, new), (old, new), (source.head_dim - 2 * old, target.head_dim - 2 * new)]
    parts: list[Tensor] = []
    begin = 0
    for before, after in sizes:
        if after and not before:
            # Nothing to tile from but what is rotated.
            parts.append(tiled(source.head_dim, after).source)
        elif after:
            parts.append(begin + tiled(before, after).source)
        begin += before
    return Axis.of(target.head_dim, torch.arange(target.head_dim), torch.cat(parts))


def generator(seed: int, *names: object) -> torch.Generator:
    """Random numbers that depend on nothing but the seed and what they are for."""
    text = "/".join(["phinery-growth", str(seed), *map(str, names)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    # 63 bits, since torch keeps a seed as a signed number.
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
