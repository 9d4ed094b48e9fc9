# pyright: basic, reportMissingImports=false, reportUntypedFunctionDecorator=false
# pyright: reportUnusedExpression=false, reportUnusedParameter=false, reportOperatorIssue=false
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportIndexIssue=false
"""A decoding step's arithmetic in Triton. Its types are Triton's, which no type checker knows.

One row (a batch of 1) is multiplied on the ordinary lanes, several rows on the matrix units; both
read every weight once, 16 bytes a thread, in the form it is stored in: floats, int8 with a scale
for each row (two, where two matrices stand side by side), int4 with one for each group of 32. Sums
are in float32.

A step's rows are described by a table, int32 (rows, 4 + pages): token, position, position of the
first token of the row's span, unused, page table. Rows of a span follow each other.

With PDL (programmatic dependent launch, compute capability 9) a kernel begins while the one before
it ends, and fetches its first weights before it waits for the other's results. Every kernel waits,
and says only then that the next may begin, so that at most two are under way.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from phinery.infer.cuda_attention import attend_in_part


@triton.jit
def _depend(PDL: tl.constexpr):
    """Wait for the kernel before; from now on the next may begin."""
    if PDL:
        gdc_wait()
        gdc_launch_dependents()


@triton.jit
def _gelu(x):
    """GELU in its tanh form (arXiv 1606.08415): (1 + tanh u) / 2 is the logistic function of 2u."""
    u = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    return x / (1.0 + tl.exp(-2.0 * u))


@triton.jit
def _statistics(x, width, eps, WHOLE: tl.constexpr):
    """Mean and reciprocal deviation of a vector."""
    columns = tl.arange(0, WHOLE)
    inside = columns < width
    values = tl.load(x + columns, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(values, 0) / width
    centred = tl.where(inside, values - mean, 0.0)
    return mean, tl.rsqrt(tl.sum(centred * centred, 0) / width + eps)


# --- one row


@triton.jit
def _normed(x, at, inside, gain, shift, mean, deviation, NORM: tl.constexpr, TYPE: tl.constexpr):
    """Elements of the input vector, after the LayerNorm if there is one."""
    values = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    if NORM:
        scaled = (values - mean) * deviation * tl.load(gain + at, mask=inside, other=0.0)
        values = (scaled + tl.load(shift + at, mask=inside, other=0.0)).to(TYPE).to(tl.float32)
    return values


@triton.jit
def _row_tile(
    weight, rows, used, begin, end, depth,
    BITS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Weights of some rows and inputs begin to begin + DEPTH, as stored."""
    if BITS == 4:
        groups = begin // 32 + tl.arange(0, DEPTH // 32)
        place = groups[None, :, None] * 16 + tl.arange(0, 16)[None, None, :]
        mask = used[:, None, None] & (groups < end // 32)[None, :, None]
        tile = tl.load(weight + rows[:, None, None] * (depth // 2) + place, mask=mask, other=0)
    else:
        columns = begin + tl.arange(0, DEPTH)
        mask = used[:, None] & (columns < end)[None, :]
        tile = tl.load(weight + rows[:, None] * depth + columns[None, :], mask=mask, other=0)
    return tile


@triton.jit
def _row_product(
    x, gain, shift, weight, scale, rows, used, begin, end, depth, eps,
    NORM: tl.constexpr, TYPE: tl.constexpr, BITS: tl.constexpr, ROWS: tl.constexpr,
    DEPTH: tl.constexpr, WHOLE: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """(ROWS,): rows of a matrix times inputs begin to end of a vector, 8 bits without scale."""
    tile = _row_tile(weight, rows, used, begin, end, depth, BITS, DEPTH)
    _depend(PDL)
    mean = 0.0
    deviation = 1.0
    if NORM:
        mean, deviation = _statistics(x, depth, eps, WHOLE)
    if BITS == 4:
        total = tl.zeros((ROWS, DEPTH // 32), tl.float32)
    else:
        total = tl.zeros((ROWS, DEPTH), tl.float32)
    for first in range(begin, end, DEPTH):
        now = tile
        tile = _row_tile(weight, rows, used, first + DEPTH, end, depth, BITS, DEPTH)
        if BITS == 4:
            groups = tl.arange(0, DEPTH // 32)
            low = first + groups[:, None] * 32 + tl.arange(0, 16)[None, :]
            inside = low < end
            x_low = _normed(x, low, inside, gain, shift, mean, deviation, NORM, TYPE)
            x_high = _normed(x, low + 16, inside, gain, shift, mean, deviation, NORM, TYPE)
            # The stored values are 8 too large.
            above = 8.0 * tl.sum(x_low + x_high, 1)
            products = (now & 15).to(tl.float32) * x_low[None, :, :]
            products += (now >> 4).to(tl.float32) * x_high[None, :, :]
            group = first // 32 + groups
            scales = tl.load(
                scale + rows[:, None] * (depth // 32) + group[None, :],
                mask=used[:, None] & (group < end // 32)[None, :],
                other=0.0,
            )
            total += (tl.sum(products, 2) - above[None, :]) * scales.to(tl.float32)
        else:
            columns = first + tl.arange(0, DEPTH)
            values = _normed(x, columns, columns < end, gain, shift, mean, deviation, NORM, TYPE)
            total += now.to(tl.float32) * values[None, :]
    return tl.sum(total, 1)


@triton.jit
def _row_product_scaled(
    x, gain, shift, weight, scale, rows, used, depth, boundary, height, eps,
    NORM: tl.constexpr, TYPE: tl.constexpr, BITS: tl.constexpr, TWO: tl.constexpr,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, WHOLE: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """(ROWS,): rows of a matrix times a vector."""
    if BITS == 8 and TWO:
        product = _row_product(
            x, gain, shift, weight, scale, rows, used, 0, boundary, depth, eps,
            NORM, TYPE, BITS, ROWS, DEPTH, WHOLE, PDL,
        )  # fmt: skip
        product *= tl.load(scale + rows, mask=used, other=0.0)
        right = _row_product(
            x, gain, shift, weight, scale, rows, used, boundary, depth, depth, eps,
            NORM, TYPE, BITS, ROWS, DEPTH, WHOLE, False,
        )  # fmt: skip
        product += right * tl.load(scale + height + rows, mask=used, other=0.0)
    else:
        product = _row_product(
            x, gain, shift, weight, scale, rows, used, 0, depth, depth, eps,
            NORM, TYPE, BITS, ROWS, DEPTH, WHOLE, PDL,
        )  # fmt: skip
        if BITS == 8:
            product *= tl.load(scale + rows, mask=used, other=0.0)
    return product


@triton.jit
def project_row(
    x, gain, shift, weight, scale, bias, out, count, depth, eps,
    NORM: tl.constexpr, TYPE: tl.constexpr, BITS: tl.constexpr, ROWS: tl.constexpr,
    DEPTH: tl.constexpr, WHOLE: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out[:count] = the first `count` rows times x, or LayerNorm(x) with NORM, plus bias."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    used = rows < count
    wide = rows.to(tl.int64)
    product = _row_product_scaled(
        x, gain, shift, weight, scale, wide, used, depth, depth, count, eps,
        NORM, TYPE, BITS, False, ROWS, DEPTH, WHOLE, PDL,
    )  # fmt: skip
    product += tl.load(bias + rows, mask=used, other=0.0)
    tl.store(out + rows, product.to(out.dtype.element_ty), mask=used)


@triton.jit
def add_row(
    x, weight, scale, bias, residual, height, depth, boundary,
    TYPE: tl.constexpr, BITS: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr,
    PDL: tl.constexpr,
):  # fmt: skip
    """Add to `residual` the matrix times x, plus bias.

    Inputs from `boundary` on have other scales.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    used = rows < height
    product = _row_product_scaled(
        x, x, x, weight, scale, rows.to(tl.int64), used, depth, boundary, height, 0.0,
        False, TYPE, BITS, True, ROWS, DEPTH, 16, PDL,
    )  # fmt: skip
    product += tl.load(bias + rows, mask=used, other=0.0)
    tl.store(residual + rows, tl.load(residual + rows, mask=used, other=0.0) + product, mask=used)


@triton.jit(do_not_specialize=["num_attending"])
def attend_and_expand_row(
    table, table_width, projected, keys, values, cos, sin, mixed, partial, counters,
    num_heads, num_attending, softmax_scale,
    x, gain, shift, weight, scale, bias, expanded, inner, depth, eps,
    HEAD: tl.constexpr, HEAD_PADDED: tl.constexpr, HALF: tl.constexpr, PAGE: tl.constexpr,
    SPLITS: tl.constexpr, TOKENS: tl.constexpr, NORM: tl.constexpr,
    TYPE: tl.constexpr, BITS: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr,
    WHOLE: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Attention in the first programs; in the others `expanded` = gelu(W x + bias).

    With NORM it is gelu(W LayerNorm(x) + bias). Neither needs the other's result, and only the
    second keeps the memory busy.
    """
    program = tl.program_id(0)
    if program < num_attending:
        _depend(PDL)
        attend_in_part(
            program, table, table_width, projected, keys, values, cos, sin, mixed,
            num_heads * HEAD + inner, partial, counters, num_heads, softmax_scale,
            HEAD, HEAD_PADDED, HALF, PAGE, SPLITS, TOKENS,
        )  # fmt: skip
    else:
        rows = (program - num_attending) * ROWS + tl.arange(0, ROWS)
        used = rows < inner
        product = _row_product_scaled(
            x, gain, shift, weight, scale, rows.to(tl.int64), used, depth, depth, inner, eps,
            NORM, TYPE, BITS, False, ROWS, DEPTH, WHOLE, PDL,
        )  # fmt: skip
        product = _gelu(product + tl.load(bias + rows, mask=used, other=0.0))
        tl.store(expanded + rows, product.to(expanded.dtype.element_ty), mask=used)


# --- several rows


@triton.jit
def _rows_product(
    x, x_width, batch, weight, scale, rows, used, begin, end, depth,
    TYPE: tl.constexpr, BITS: tl.constexpr, BATCH: tl.constexpr, ROWS: tl.constexpr,
    DEPTH: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """(ROWS, BATCH): rows of a matrix times inputs begin to end of vectors, 8 bits unscaled."""
    places = tl.arange(0, BATCH)
    total = tl.zeros((ROWS, BATCH), tl.float32)
    for first in tl.range(begin, end, DEPTH, num_stages=STAGES):
        tile = _row_tile(weight, rows, used, first, end, depth, BITS, DEPTH)
        if BITS == 4:
            groups = tl.arange(0, DEPTH // 32)
            group = first // 32 + groups
            scales = tl.load(
                scale + rows[:, None] * (depth // 32) + group[None, :],
                mask=used[:, None] & (group < end // 32)[None, :],
                other=0.0,
            ).to(tl.float32)
            low = ((tile & 15).to(tl.float32) - 8.0) * scales[:, :, None]
            high = ((tile >> 4).to(tl.float32) - 8.0) * scales[:, :, None]
            byte = tl.arange(0, DEPTH // 2)
            columns = first + (byte // 16) * 32 + byte % 16
            mask = (columns < end)[:, None] & (places < batch)[None, :]
            vectors = x + places[None, :] * x_width + columns[:, None]
            x_low = tl.load(vectors, mask=mask, other=0.0)
            x_high = tl.load(vectors + 16, mask=mask, other=0.0)
            low = tl.reshape(low.to(TYPE), (ROWS, DEPTH // 2))
            high = tl.reshape(high.to(TYPE), (ROWS, DEPTH // 2))
            total = tl.dot(low, x_low, total, input_precision="ieee")
            total = tl.dot(high, x_high, total, input_precision="ieee")
        else:
            columns = first + tl.arange(0, DEPTH)
            mask = (columns < end)[:, None] & (places < batch)[None, :]
            vectors = tl.load(
                x + places[None, :] * x_width + columns[:, None], mask=mask, other=0.0
            )
            total = tl.dot(tile.to(TYPE), vectors, total, input_precision="ieee")
    return total


@triton.jit(do_not_specialize=["batch"])
def project_rows(
    x, x_width, batch, weight, scale, bias, out, out_width, count, depth,
    TYPE: tl.constexpr, BITS: tl.constexpr, BATCH: tl.constexpr, ROWS: tl.constexpr,
    DEPTH: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out[b, :count] = the first `count` rows times x[b], plus bias."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    used = rows < count
    _depend(PDL)
    product = _rows_product(
        x, x_width, batch, weight, scale, rows.to(tl.int64), used, 0, depth, depth,
        TYPE, BITS, BATCH, ROWS, DEPTH, STAGES,
    )  # fmt: skip
    if BITS == 8:
        product *= tl.load(scale + rows, mask=used, other=0.0)[:, None]
    product += tl.load(bias + rows, mask=used, other=0.0)[:, None]
    places = tl.arange(0, BATCH)
    target = out + places[None, :].to(tl.int64) * out_width + rows[:, None]
    mask = used[:, None] & (places < batch)[None, :]
    tl.store(target, product.to(out.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["batch"])
def partial_rows(
    x, x_width, batch, weight, scale, out, height, depth, boundary, width,
    TYPE: tl.constexpr, BITS: tl.constexpr, BATCH: tl.constexpr, ROWS: tl.constexpr,
    DEPTH: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out[part, b] = the matrix times `width` inputs of x[b], which `norm_rows` adds up.

    Inputs from `boundary`, a multiple of `width`, on have other scales.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    used = rows < height
    part = tl.program_id(1)
    begin = part * width
    _depend(PDL)
    product = _rows_product(
        x, x_width, batch, weight, scale, rows.to(tl.int64), used,
        begin, tl.minimum(begin + width, depth), depth,
        TYPE, BITS, BATCH, ROWS, DEPTH, STAGES,
    )  # fmt: skip
    if BITS == 8:
        side = tl.where(begin >= boundary, height, 0)
        product *= tl.load(scale + side + rows, mask=used, other=0.0)[:, None]
    places = tl.arange(0, BATCH)
    target = out + (part * batch + places[None, :]) * height + rows[:, None]
    tl.store(target, product, mask=used[:, None] & (places < batch)[None, :])


@triton.jit(do_not_specialize=["batch", "num_attending"])
def attend_and_expand_rows(
    table, table_width, projected, keys, values, cos, sin, mixed, partial, counters,
    num_heads, num_attending, softmax_scale,
    x, batch, weight, scale, bias, expanded, inner, depth,
    HEAD: tl.constexpr, HEAD_PADDED: tl.constexpr, HALF: tl.constexpr, PAGE: tl.constexpr,
    SPLITS: tl.constexpr, TOKENS: tl.constexpr,
    TYPE: tl.constexpr, BITS: tl.constexpr, BATCH: tl.constexpr, ROWS: tl.constexpr,
    DEPTH: tl.constexpr, STAGES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """As `attend_and_expand_row`, for x (batch, depth) after its LayerNorm."""
    program = tl.program_id(0)
    _depend(PDL)
    mixed_width = num_heads * HEAD + inner
    if program < num_attending:
        attend_in_part(
            program, table, table_width, projected, keys, values, cos, sin, mixed, mixed_width,
            partial, counters, num_heads, softmax_scale,
            HEAD, HEAD_PADDED, HALF, PAGE, SPLITS, TOKENS,
        )  # fmt: skip
    else:
        rows = (program - num_attending) * ROWS + tl.arange(0, ROWS)
        used = rows < inner
        product = _rows_product(
            x, depth, batch, weight, scale, rows.to(tl.int64), used, 0, depth, depth,
            TYPE, BITS, BATCH, ROWS, DEPTH, STAGES,
        )  # fmt: skip
        if BITS == 8:
            product *= tl.load(scale + rows, mask=used, other=0.0)[:, None]
        product = _gelu(product + tl.load(bias + rows, mask=used, other=0.0)[:, None])
        places = tl.arange(0, BATCH)
        target = expanded + places[None, :] * mixed_width + rows[:, None]
        mask = used[:, None] & (places < batch)[None, :]
        tl.store(target, product.to(expanded.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["batch"])
def norm_rows(
    residual, partial, bias, gain, shift, out, batch, width, eps,
    PARTS: tl.constexpr, WHOLE: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """residual[b] += the sum of partial[:, b], plus bias (PARTS > 0); out[b] = its LayerNorm."""
    place = tl.program_id(0)
    columns = tl.arange(0, WHOLE)
    inside = columns < width
    gains = tl.load(gain + columns, mask=inside, other=0.0)
    shifts = tl.load(shift + columns, mask=inside, other=0.0)
    _depend(PDL)
    stream = residual + place * width + columns
    values = tl.load(stream, mask=inside, other=0.0)
    if PARTS > 0:
        values += tl.load(bias + columns, mask=inside, other=0.0)
        for part in tl.static_range(PARTS):
            source = partial + (part * batch + place) * width + columns
            values += tl.load(source, mask=inside, other=0.0)
        tl.store(stream, values, mask=inside)
    mean = tl.sum(values, 0) / width
    centred = tl.where(inside, values - mean, 0.0)
    deviation = tl.rsqrt(tl.sum(centred * centred, 0) / width + eps)
    normed = centred * deviation * gains + shifts
    tl.store(out + place * width + columns, normed.to(out.dtype.element_ty), mask=inside)


@triton.jit
def embed_rows(table, table_width, embedding, residual, width, COLUMNS: tl.constexpr):
    """residual[b] = the embedding of the row's token."""
    place = tl.program_id(0)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = columns < width
    token = tl.load(table + place * table_width).to(tl.int64)
    values = tl.load(embedding + token * width + columns, mask=inside, other=0.0)
    tl.store(residual + place * width + columns, values.to(tl.float32), mask=inside)
