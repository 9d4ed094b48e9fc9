# pyright: basic, reportMissingImports=false, reportUntypedFunctionDecorator=false
# pyright: reportUnusedExpression=false, reportUnusedParameter=false, reportOperatorIssue=false
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportIndexIssue=false
"""Attention of a decoding step in Triton, over a paged key-value cache.

The table that describes the step's rows is `cuda_kernels`'.
"""

from __future__ import annotations

import triton
import triton.language as tl

HEADER = tl.constexpr(4)


@triton.jit
def _rotated(heads, dims, cos, sin, position, mask, HALF: tl.constexpr):
    """Dimensions `dims` of vectors at `heads`, rotated by `position`; pairs are i and i + HALF."""
    turning = dims < 2 * HALF
    partner = tl.where(dims < HALF, dims + HALF, dims - HALF)
    angle = position * HALF + dims % HALF
    cosine = tl.load(cos + angle, mask=turning & mask, other=1.0)
    sine = tl.load(sin + angle, mask=turning & mask, other=0.0)
    plain = tl.load(heads + dims, mask=mask, other=0.0).to(tl.float32)
    other = tl.load(heads + partner, mask=turning & mask, other=0.0).to(tl.float32)
    return plain * cosine + tl.where(dims < HALF, -other, other) * sine


@triton.jit
def attend_in_part(
    program, table, table_width, projected, keys, values, cos, sin, mixed, mixed_width,
    partial, counters, num_heads, softmax_scale,
    HEAD: tl.constexpr, HEAD_PADDED: tl.constexpr, HALF: tl.constexpr, PAGE: tl.constexpr,
    SPLITS: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    """One head of one row over one part of the past, as flash-decoding splits it.

    `projected` (rows, 3 * hidden) has queries, keys and values side by side, not yet rotated.
    `keys` and `values` are one layer's pages (pages, heads, PAGE, HEAD). Positions before the row's
    span are read from them, those of the span itself from `projected`; the last part takes these,
    and writes the row's own key and value. Whichever part ends last combines them all.
    """
    split = program % SPLITS
    head = (program // SPLITS) % num_heads
    place = program // (SPLITS * num_heads)
    row_table = table + place * table_width
    position = tl.load(row_table + 1)
    start = tl.load(row_table + 2)
    hidden = num_heads * HEAD
    dims = tl.arange(0, HEAD_PADDED)
    in_head = dims < HEAD
    own = projected + place.to(tl.int64) * 3 * hidden + head * HEAD
    query = _rotated(own, dims, cos, sin, position, in_head, HALF) * softmax_scale

    highest = -float("inf")
    weight_sum = 0.0
    total = tl.zeros((HEAD_PADDED,), tl.float32)

    span = tl.cdiv(tl.cdiv(start, SPLITS), TOKENS) * TOKENS
    end = tl.minimum(split * span + span, start)
    for first in range(split * span, end, TOKENS):
        past = first + tl.arange(0, TOKENS)
        seen = past < end
        page = tl.load(row_table + HEADER + past // PAGE, mask=seen, other=0).to(tl.int64)
        line = ((page * num_heads + head) * PAGE + past % PAGE) * HEAD
        where = line[:, None] + dims[None, :]
        mask = seen[:, None] & in_head[None, :]
        key = tl.load(keys + where, mask=mask, other=0.0).to(tl.float32)
        value = tl.load(values + where, mask=mask, other=0.0).to(tl.float32)
        score = tl.where(seen, tl.sum(key * query[None, :], 1), -float("inf"))
        raised = tl.maximum(highest, tl.max(score, 0))
        fade = tl.exp(highest - raised)
        weight = tl.exp(score - raised)
        weight_sum = weight_sum * fade + tl.sum(weight, 0)
        total = total * fade + tl.sum(weight[:, None] * value, 0)
        highest = raised

    if split == SPLITS - 1:
        stored = keys.dtype.element_ty
        for first in range(start, position + 1, 16):
            recent = first + tl.arange(0, 16)
            seen = recent <= position
            line = (place - position + recent).to(tl.int64) * 3 * hidden + head * HEAD
            mask = seen[:, None] & in_head[None, :]
            key = _rotated(
                projected + hidden + line[:, None], dims[None, :], cos, sin, recent[:, None],
                mask, HALF,
            ).to(stored).to(tl.float32)  # fmt: skip
            value = tl.load(
                projected + 2 * hidden + line[:, None] + dims[None, :], mask=mask, other=0.0
            ).to(tl.float32)
            score = tl.where(seen, tl.sum(key * query[None, :], 1), -float("inf"))
            raised = tl.maximum(highest, tl.max(score, 0))
            fade = tl.exp(highest - raised)
            weight = tl.exp(score - raised)
            weight_sum = weight_sum * fade + tl.sum(weight, 0)
            total = total * fade + tl.sum(weight[:, None] * value, 0)
            highest = raised
        page = tl.load(row_table + HEADER + position // PAGE).to(tl.int64)
        line = ((page * num_heads + head) * PAGE + position % PAGE) * HEAD
        key = _rotated(own + hidden, dims, cos, sin, position, in_head, HALF)
        tl.store(keys + line + dims, key.to(stored), mask=in_head)
        value = tl.load(own + 2 * hidden + dims, mask=in_head, other=0.0)
        tl.store(values + line + dims, value.to(stored), mask=in_head)

    out = mixed + place.to(tl.int64) * mixed_width + head * HEAD + dims
    if SPLITS == 1:
        tl.store(out, (total / weight_sum).to(mixed.dtype.element_ty), mask=in_head)
    else:
        # Of each part: HEAD_PADDED sums, the sum of weights, the highest score.
        pieces = place * num_heads + head
        width: tl.constexpr = HEAD_PADDED + 2
        piece = partial + (pieces * SPLITS + split) * width
        tl.store(piece + dims, total)
        tl.store(piece + HEAD_PADDED, weight_sum)
        tl.store(piece + HEAD_PADDED + 1, highest)
        tl.debug_barrier()
        if tl.atomic_add(counters + pieces, 1, sem="acq_rel") == SPLITS - 1:
            # Past the first-level cache, which may hold what an earlier layer left here.
            parts = partial + (pieces * SPLITS + tl.arange(0, SPLITS)) * width
            tops = tl.load(parts + HEAD_PADDED + 1, cache_modifier=".cg")
            factor = tl.exp(tops - tl.max(tops, 0))
            sums = tl.load(parts + HEAD_PADDED, cache_modifier=".cg")
            totals = tl.load(parts[:, None] + dims[None, :], cache_modifier=".cg")
            result = tl.sum(totals * factor[:, None], 0) / tl.sum(sums * factor, 0)
            tl.store(out, result.to(mixed.dtype.element_ty), mask=in_head)
            tl.store(counters + pieces, 0)
