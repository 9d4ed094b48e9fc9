"""GPTQ (arXiv 2210.17323): round a column, and let those that follow make up for the error."""

from __future__ import annotations

import torch
from torch import Tensor

from phinery.model.quantization.rounding import (
    GROUP_SIZE,
    QuantizedWeight,
    best_int4_scale,
    int4_codes,
    int8_codes,
    int8_scale,
)

# Added to the diagonal, as a share of its mean: the paper's value.
_DAMPING = 0.01


class Moments:
    """Mean and covariance of a linear map's inputs, gathered batch by batch."""

    def __init__(self) -> None:
        self._count = 0
        self._origin = self._sum = self._products = torch.zeros(0)

    def add(self, inputs: Tensor) -> None:
        """Count float32 inputs (..., in)."""
        rows = inputs.flatten(0, -2)
        if self._count == 0:
            # Products of what is left after the mean, or nearly, lose no digits to it.
            self._origin = rows.mean(0)
            self._sum = torch.zeros_like(self._origin)
            self._products = torch.zeros(rows.shape[1], rows.shape[1], device=rows.device)
        centred = rows - self._origin
        self._count += rows.shape[0]
        self._sum += centred.sum(0)
        self._products.addmm_(centred.T, centred)

    @property
    def mean(self) -> Tensor:
        """(in,)."""
        return self._origin + self._sum / self._count

    @property
    def covariance(self) -> Tensor:
        """(in, in)."""
        shift = self._sum / self._count
        return self._products / self._count - torch.outer(shift, shift)


def gptq(weight: Tensor, covariance: Tensor, bits: int) -> QuantizedWeight:
    """Round a float32 matrix (out, in) so that its outputs change least on inputs of `covariance`.

    What is made small is trace((W - Q) C (W - Q)^T), for each row by itself. With C the covariance
    that is the error of the outputs less its mean, which a change of the bias takes away entirely.
    Columns are rounded in their order. With U the upper Cholesky factor of the inverse of C, the
    error e of column i divided by U_ii, times row i of U, is taken off the columns that follow
    (algorithm 1 of the paper, blocks of 32 columns). int8 keeps the row scales of rounding to
    nearest; int4 chooses a group's scale when it comes to it, for the weights as they are by then.
    """
    weight = weight.clone()
    factor = _inverse_factor(covariance)
    codes = torch.empty_like(weight, dtype=torch.int8)
    row_scale = int8_scale(weight)
    scales: list[Tensor] = []
    for start in range(0, weight.shape[1], GROUP_SIZE):
        stop = min(start + GROUP_SIZE, weight.shape[1])
        block, within = weight[:, start:stop], factor[start:stop, start:stop]
        scale = row_scale
        if bits == 4:
            scale = best_int4_scale(block, within.diagonal().reciprocal().square())
            scales.append(scale)
        errors = torch.empty_like(block)
        for column in range(stop - start):
            rounded = (int8_codes if bits == 8 else int4_codes)(block[:, column, None], scale)
            codes[:, start + column] = rounded[:, 0]
            error = block[:, column] - rounded[:, 0].float() * scale.float()
            errors[:, column] = error / within[column, column]
            block[:, column:] -= torch.outer(errors[:, column], within[column, column:])
        weight[:, stop:] -= errors @ factor[start:stop, stop:]
    scale = torch.stack(scales, dim=1) if bits == 4 else row_scale
    return QuantizedWeight(bits, codes, scale)


def _inverse_factor(covariance: Tensor) -> Tensor:
    """U, upper triangular, with U^T U = (C + damping)^-1; float32, computed in float64."""
    damped = covariance.double()
    diagonal = damped.diagonal()
    # An input that never varies has no say in the scales of others, and is rounded to nearest.
    diagonal += (_DAMPING * diagonal.mean()).clamp_min(torch.finfo(torch.float64).tiny)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()
