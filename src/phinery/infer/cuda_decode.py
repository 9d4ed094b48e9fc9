"""Decoding steps on the GPU: four or five kernels a layer, replayed as a CUDA graph.

A graph is captured for each batch size 1, 2, 4, 8, ...; a step with fewer rows is padded by rows
whose keys and values go to a page that nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phinery.infer.backend import Span
from phinery.infer.cuda_tiles import ROW_PLANS, ROWS_PLANS, Plans, Tiles
from phinery.infer.cuda_weights import Block, Matrix, Weights
from phinery.model.decoder import rotary_angles

# int32 values of a row's description before its page table (`cuda_kernels`).
_HEADER = 4
# Rows of a span attend to each other one by one, so that long ones are for the other path.
LONGEST_SPAN = 16
MOST_ROWS = 128
# Parts of the past are computed side by side until there are about this many programs; an H200
# has 132 multiprocessors.
_ATTENDING = 264
_MOST_SPLITS = 16
# Past tokens that a program looks at side by side.
_TOKENS = 32
# Parts that the hidden_size inputs of attention's output matrix are summed in, for several rows.
_PARTS = 1


class Decoder:
    """Computes steps of up to `max_rows` tokens. One at a time.

    Parameters
    ----------
    weights : on a CUDA device, or on the CPU under Triton's interpreter.
    keys, values : the cache, (layers, pages, heads, page_size, head_dim); its last page is scratch.
    captures : whether to replay CUDA graphs; else the kernels are launched one by one.
    overlaps : whether a kernel may begin while the one before it ends; by default if the device
        can. It changes no result.
    norms_first : whether the LayerNorm of a single row has a kernel of its own; else every program
        that needs it computes it anew. It changes no result.
    """

    def __init__(
        self,
        weights: Weights,
        keys: Tensor,
        values: Tensor,
        *,
        max_rows: int,
        captures: bool,
        overlaps: bool | None = None,
        norms_first: bool = True,
        row_plans: Plans = ROW_PLANS,
        rows_plans: Plans = ROWS_PLANS,
    ) -> None:
        from phinery.infer import cuda_kernels

        self._kernels: Any = cuda_kernels
        self._weights = weights
        self._keys, self._values = keys, values
        self.max_rows = min(max_rows, MOST_ROWS)
        self._captures = captures
        self._row_plans = row_plans
        self._rows_plans = rows_plans
        if overlaps is None:
            device = weights.device
            overlaps = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 9
        self._overlaps = overlaps
        self._norms_first = norms_first
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}

        config = weights.config
        width, rows = config.hidden_size, padded(self.max_rows)
        self.max_pages = -(-config.max_position_embeddings // keys.shape[3])
        self._whole = _power_of_two(width)
        self._head_padded = max(16, _power_of_two(config.head_dim))

        def room(*shape: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=weights.device)

        self.table = room(rows, _HEADER + self.max_pages, dtype=torch.int32)
        self._residual = room(rows, width, dtype=torch.float32)
        self._normed = room(rows, width, dtype=weights.dtype)
        self._projected = room(rows, 3 * width, dtype=weights.dtype)
        self._mixed = room(rows, width + config.mlp_size, dtype=weights.dtype)
        self._sums = room(self._part_sizes()[0], rows, width, dtype=torch.float32)
        pieces = rows * config.num_attention_heads
        pieces_per_split = self._head_padded + 2
        self._pieces = room(
            max(self.splits(count) * count for count in _sizes(rows))
            * config.num_attention_heads
            * pieces_per_split,
            dtype=torch.float32,
        )
        self._counters = room(pieces, dtype=torch.int32)
        self.logits = room(rows, config.vocab_size, dtype=torch.float32)
        positions = torch.arange(config.max_position_embeddings, device=weights.device)
        cos, sin = rotary_angles(positions[None], config)
        self._cos, self._sin = cos.view(len(positions), -1), sin.view(len(positions), -1)

    def step(self, spans: Sequence[Span]) -> Tensor:
        """Logits float32 (rows, vocab) on the device, of every row; the next step overwrites them.

        The spans have `max_rows` tokens together at most, and no adapter.
        """
        table = self.describe(spans)
        rows = len(table)
        size = padded(rows)
        scratch = self._keys.shape[1] - 1
        filled = np.zeros((size, self.table.shape[1]), dtype=np.int32)
        filled[:rows] = table
        filled[rows:, _HEADER] = scratch
        source = torch.from_numpy(filled)
        if self._captures:
            source = source.pin_memory()
        self.table[:size].copy_(source, non_blocking=True)
        self.run(size)
        return self.logits[:rows]

    def describe(self, spans: Sequence[Span]) -> NDArray[np.int32]:
        """The kernels' table of the spans' tokens, (rows, 4 + pages)."""
        counts = np.array([len(span.tokens) for span in spans])
        starts = np.array([span.start for span in spans])
        table = np.zeros((counts.sum(), _HEADER + self.max_pages), dtype=np.int32)
        table[:, 0] = np.concatenate([span.tokens for span in spans])
        firsts = np.repeat(np.cumsum(counts) - counts, counts)
        table[:, 2] = np.repeat(starts, counts)
        table[:, 1] = table[:, 2] + np.arange(len(table)) - firsts
        row = 0
        for span, count in zip(spans, counts, strict=True):
            used = span.pages[: self.max_pages]
            table[row : row + count, _HEADER : _HEADER + len(used)] = used
            row += count
        return table

    def run(self, size: int) -> None:
        """Compute the rows that `table` describes, a padded number of them."""
        if not self._captures:
            self._launch(size)
            return
        graph = self._graphs.get(size)
        if graph is None:
            graph = self._graphs[size] = self._capture(size)
        graph.replay()

    def warm_up(self, sizes: Sequence[int] | None = None) -> None:
        """Compile and capture for these batch sizes now, by default for all."""
        for size in sizes or _sizes(padded(self.max_rows)):
            self.table[:size] = 0
            self.table[:size, _HEADER] = self._keys.shape[1] - 1
            self.run(padded(size))

    def splits(self, rows: int) -> int:
        """In how many parts a row's past is attended to; its page tables don't change it."""
        programs = rows * self._weights.config.num_attention_heads
        return min(_MOST_SPLITS, _power_of_two(max(1, _ATTENDING // programs)))

    def _capture(self, size: int) -> torch.cuda.CUDAGraph:
        # A capture may not contain a kernel's compilation. What this pass writes into the cache is
        # what the replay writes again.
        self._launch(size)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._launch(size)
        return graph

    # --- the kernels

    def _launch(self, rows: int) -> None:
        weights, kernels = self._weights, self._kernels
        width = weights.config.hidden_size
        columns = min(1024, self._whole)
        grid = (rows, -(-width // columns))
        # The first kernel depends on copies, not on a kernel.
        kernels.embed_rows[grid](
            self.table, self.table.shape[1], weights.embedding, self._residual, width, columns
        )
        layer = self._one_row if rows == 1 else self._several_rows
        for index, block in enumerate(weights.blocks):
            layer(index, block, rows)
        head, tail = weights.head, (weights.gain, weights.shift)
        if rows == 1:
            if self._norms_first:
                self._norm(rows, None, *tail)
            self._project_row(*tail, head, self.logits, head.outputs)
            return
        self._norm(rows, weights.blocks[-1].writing.bias, *tail)
        self._project_rows(rows, head, self.logits, head.outputs)

    def _one_row(self, index: int, block: Block, rows: int) -> None:
        config = self._weights.config
        width, inner = config.hidden_size, config.mlp_size
        reading, writing = block.reading, block.writing
        if self._norms_first:
            self._norm(rows, None, block.gain, block.shift)
        self._project_row(block.gain, block.shift, reading, self._projected, 3 * width)
        tiles = self._row_plans[reading.bits].reading
        attending = config.num_attention_heads * self.splits(rows)
        self._call(
            self._kernels.attend_and_expand_row,
            (attending + -(-inner // tiles.rows),),
            tiles,
            *self._attention(index, attending),
            self._normed if self._norms_first else self._residual,
            block.gain,
            block.shift,
            *_tail(reading, 3 * width),
            self._mixed[:, width:],
            inner,
            width,
            config.layer_norm_eps,
            **self._attention_shape(rows),
            NORM=not self._norms_first,
            BITS=reading.bits,
            WHOLE=self._whole,
        )
        tiles = self._row_plans[writing.bits].writing
        self._call(
            self._kernels.add_row,
            (-(-width // tiles.rows),),
            tiles,
            self._mixed,
            writing.weight,
            writing.scale,
            writing.bias,
            self._residual,
            width,
            writing.inputs,
            writing.boundary,
            BITS=writing.bits,
        )

    def _several_rows(self, index: int, block: Block, rows: int) -> None:
        config = self._weights.config
        width, inner = config.hidden_size, config.mlp_size
        reading, writing = block.reading, block.writing
        before = self._weights.blocks[index - 1].writing.bias if index else None
        self._norm(rows, before, block.gain, block.shift)
        self._project_rows(rows, reading, self._projected, 3 * width)
        tiles = self._rows_plans[reading.bits].reading
        attending = rows * config.num_attention_heads * self.splits(rows)
        self._call(
            self._kernels.attend_and_expand_rows,
            (attending + -(-inner // tiles.rows),),
            tiles,
            *self._attention(index, attending),
            self._normed,
            rows,
            *_tail(reading, 3 * width),
            self._mixed[:, width:],
            inner,
            width,
            **self._attention_shape(rows),
            **_rows_shape(reading, rows, tiles),
        )
        parts, part_width = self._part_sizes()
        tiles = self._rows_plans[writing.bits].writing
        self._call(
            self._kernels.partial_rows,
            (-(-width // tiles.rows), parts),
            tiles,
            self._mixed,
            writing.inputs,
            rows,
            writing.weight,
            writing.scale,
            self._sums,
            width,
            writing.inputs,
            writing.boundary,
            part_width,
            **_rows_shape(writing, rows, tiles),
        )

    def _part_sizes(self) -> tuple[int, int]:
        """Of `writing`'s inputs for several rows: into how many parts they are cut, how wide."""
        config = self._weights.config
        width = -(-config.hidden_size // _PARTS)
        # Parts must not cross the boundary between attention's and the MLP's inputs.
        if config.hidden_size % width or width % 32:
            width = config.hidden_size
        return -(-(config.hidden_size + config.mlp_size) // width), width

    def _norm(self, rows: int, bias: Tensor | None, gain: Tensor, shift: Tensor) -> None:
        """The LayerNorm, after adding what the block before has left in parts (bias given)."""
        config = self._weights.config
        self._call(
            self._kernels.norm_rows,
            (rows,),
            Tiles(1, 1, 8 if self._whole >= 2048 else 4),
            self._residual,
            self._sums,
            gain if bias is None else bias,
            gain,
            shift,
            self._normed,
            rows,
            config.hidden_size,
            config.layer_norm_eps,
            PARTS=0 if bias is None else self._part_sizes()[0],
            WHOLE=self._whole,
        )

    def _project_row(
        self, gain: Tensor, shift: Tensor, matrix: Matrix, out: Tensor, count: int
    ) -> None:
        tiles = self._row_plans[matrix.bits].reading
        self._call(
            self._kernels.project_row,
            (-(-count // tiles.rows),),
            tiles,
            self._normed if self._norms_first else self._residual,
            gain,
            shift,
            matrix.weight,
            matrix.scale,
            matrix.bias,
            out,
            count,
            matrix.inputs,
            self._weights.config.layer_norm_eps,
            NORM=not self._norms_first,
            BITS=matrix.bits,
            WHOLE=self._whole,
        )

    def _project_rows(self, rows: int, matrix: Matrix, out: Tensor, count: int) -> None:
        tiles = self._rows_plans[matrix.bits].reading
        self._call(
            self._kernels.project_rows,
            (-(-count // tiles.rows),),
            tiles,
            self._normed,
            matrix.inputs,
            rows,
            matrix.weight,
            matrix.scale,
            matrix.bias,
            out,
            out.shape[1],
            count,
            matrix.inputs,
            **_rows_shape(matrix, rows, tiles),
        )

    def _attention(self, index: int, attending: int) -> tuple[Any, ...]:
        config = self._weights.config
        return (
            self.table,
            self.table.shape[1],
            self._projected,
            self._keys[index],
            self._values[index],
            self._cos,
            self._sin,
            self._mixed,
            self._pieces,
            self._counters,
            config.num_attention_heads,
            attending,
            config.head_dim**-0.5,
        )

    def _attention_shape(self, rows: int) -> dict[str, int]:
        config = self._weights.config
        return {
            "HEAD": config.head_dim,
            "HEAD_PADDED": self._head_padded,
            "HALF": config.rotary_dim // 2,
            "PAGE": self._keys.shape[3],
            "SPLITS": self.splits(rows),
            "TOKENS": _TOKENS,
        }

    def _call(
        self, kernel: Any, grid: tuple[int, ...], tiles: Tiles, *arguments: Any, **constants: Any
    ) -> None:
        if kernel is not self._kernels.norm_rows:
            constants["TYPE"] = self._type
            constants["ROWS"] = tiles.rows
            constants["DEPTH"] = tiles.depth
        options: dict[str, Any] = {"launch_pdl": True} if self._overlaps else {}
        kernel[grid](
            *arguments,
            **constants,
            PDL=self._overlaps,
            num_warps=tiles.warps,
            **options,
        )

    @property
    def _type(self) -> Any:
        import triton.language as tl  # pyright: ignore[reportMissingImports]

        return {torch.float32: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}[
            self._weights.dtype
        ]


def padded(rows: int) -> int:
    """The batch size in which this many rows are computed."""
    return _power_of_two(rows)


def _sizes(largest: int) -> list[int]:
    return [1 << power for power in range(largest.bit_length())]


def _power_of_two(count: int) -> int:
    """The least one that is not smaller."""
    return 1 << (count - 1).bit_length()


def _tail(matrix: Matrix, first: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, scale and bias from row `first` on."""
    scale = matrix.scale[:, first:] if matrix.bits == 8 else matrix.scale[first:]
    return matrix.weight[first:], scale, matrix.bias[first:]


def _rows_shape(matrix: Matrix, rows: int, tiles: Tiles) -> dict[str, int]:
    return {"BITS": matrix.bits, "BATCH": max(16, rows), "STAGES": tiles.stages}
