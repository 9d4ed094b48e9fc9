"""Weights as small whole numbers times a scale: int8 by rows, int4 by groups of 32."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

GROUP_SIZE = 32
_INT8_MAX = 127
_INT4_MIN, _INT4_MAX = -8, 7
# A scale tried is the group's element of largest magnitude over one of these. Beyond 8 the largest
# elements are cut off, so that the others are finer; below 8 some of the range is left unused.
_DIVISORS = tuple(7.0 + 0.25 * step for step in range(17))


@dataclasses.dataclass(frozen=True)
class QuantizedWeight:
    """A matrix (out, in) as `codes` times `scale`.

    8 bits: codes -127..127, scale float32 (out,). 4 bits: codes -8..7, scale float16
    (out, in / 32), one for each group of 32 neighbours in a row.
    """

    bits: int
    codes: Tensor
    """int8 (out, in), one code in each byte whatever the bits."""
    scale: Tensor

    def dequantize(self) -> Tensor:
        """The matrix that the codes stand for, float32 (out, in)."""
        codes = self.codes.float()
        if self.bits == 8:
            return codes * self.scale[:, None]
        grouped = codes.unflatten(1, (-1, GROUP_SIZE)) * self.scale.float()[..., None]
        return grouped.flatten(1)

    def packed(self) -> Tensor:
        """The codes as they are stored: int8 (out, in), or uint8 (out, in / 2).

        Of 4 bits, byte j of a group's 16 holds element j in its low and j + 16 in its high nibble,
        each plus 8: the order of llama.cpp's Q4_0 (ggml-quants.c).
        """
        if self.bits == 8:
            return self.codes
        shifted = (self.codes - _INT4_MIN).to(torch.uint8).unflatten(1, (-1, 2, GROUP_SIZE // 2))
        return (shifted[:, :, 0] | (shifted[:, :, 1] << 4)).flatten(1)

    @classmethod
    def unpacked(cls, bits: int, stored: Tensor, scale: Tensor) -> QuantizedWeight:
        """The inverse of `packed`."""
        if bits == 8:
            return cls(bits, stored, scale)
        grouped = stored.unflatten(1, (-1, GROUP_SIZE // 2))
        halves = torch.stack((grouped & 0xF, grouped >> 4), dim=2)
        return cls(bits, halves.to(torch.int8).flatten(1) + _INT4_MIN, scale)

    @property
    def num_bytes(self) -> int:
        """Bytes of the stored codes and scales."""
        return self.codes.numel() * self.bits // 8 + self.scale.nbytes


def round_to_nearest(weight: Tensor, bits: int) -> QuantizedWeight:
    """Round a float32 matrix (out, in) to the nearest codes.

    int8: scale = largest magnitude of the row / 127. int4: scale = the group's element of largest
    magnitude, with its sign, / -8, as llama.cpp's Q4_0 has it; that element becomes -8 exactly.
    Q4_0 rounds with the scale before that is itself rounded to float16, half up, and so do we.
    """
    if bits == 8:
        scale = int8_scale(weight)
        return QuantizedWeight(8, int8_codes(weight, scale), scale)
    groups = weight.unflatten(1, (-1, GROUP_SIZE))
    scale = _extreme(groups) / _INT4_MIN
    inverse = torch.where(scale == 0, 0.0, 1.0 / scale)
    # The sum with 8.5 is rounded too, as ggml has it: a tie hangs on the last bit.
    shifted = (groups * inverse[..., None] + 8.5).floor()
    codes = shifted.clamp_max(15).to(torch.int8) + _INT4_MIN
    return QuantizedWeight(4, codes.flatten(1), scale.half())


def int8_scale(weight: Tensor) -> Tensor:
    """Scales (out,) at which each row's largest magnitude is 127."""
    return weight.abs().amax(1) / _INT8_MAX


def int8_codes(weight: Tensor, scale: Tensor) -> Tensor:
    """The nearest int8 codes (out, columns) at scales (out,)."""
    codes = (weight * _inverse(scale)[:, None]).round()
    return codes.clamp(-_INT8_MAX, _INT8_MAX).to(torch.int8)


def int4_codes(weight: Tensor, scale: Tensor) -> Tensor:
    """The nearest int4 codes, int8 (out, columns), at float16 scales (out,)."""
    codes = (weight * _inverse(scale.float())[:, None]).round()
    return codes.clamp(_INT4_MIN, _INT4_MAX).to(torch.int8)


def best_int4_scale(group: Tensor, importance: Tensor) -> Tensor:
    """For groups (out, 32) the float16 scales (out,) with the least weighted squared error.

    The error of an element counts `importance` (32,) times. Tried are the scales that make the
    element of largest magnitude, with either sign, 7 to 11: those that cut it off a little are
    often the better ones (the clipping that AWQ's authors search for too, arXiv 2306.00978).
    """
    extreme = _extreme(group)
    best = (extreme / _INT4_MIN).half()
    least = torch.full_like(extreme, torch.inf)
    for divisor in (sign * size for size in _DIVISORS for sign in (-1.0, 1.0)):
        scale = (extreme / divisor).half()
        rounded = int4_codes(group, scale).float() * scale.float()[:, None]
        error = (rounded - group).square() @ importance
        better = error < least
        least = torch.where(better, error, least)
        best = torch.where(better, scale, best)
    return best


def _extreme(groups: Tensor) -> Tensor:
    """The element of largest magnitude along the last dimension, with its sign."""
    place = groups.abs().argmax(-1, keepdim=True)
    return groups.gather(-1, place).squeeze(-1)


def _inverse(scale: Tensor) -> Tensor:
    return torch.where(scale == 0, 0.0, 1.0 / scale)
