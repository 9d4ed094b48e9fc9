"""The back end for NVIDIA GPUs.

Steps of few tokens, which is decoding and checking a draft's proposals, run as CUDA graphs of
Triton kernels that read the weights in the form they are stored in (`cuda_decode`). The others,
which is prompts and whatever has a LoRA adapter, run as torch's operations, with quantised weights
made floats a matrix at a time. Both work on one paged key-value cache in the type of the weights.
The residual stream is float32 throughout.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from phinery.infer.adapters import TARGETS, read_adapter
from phinery.infer.backend import Span, cache_pages
from phinery.infer.cuda_decode import LONGEST_SPAN, MOST_ROWS, Decoder, padded
from phinery.infer.cuda_weights import BITS, Block, Quantization, Weights, from_folder, from_model
from phinery.model.decoder import Phi, rotary_angles, rotate

Decoding = Literal["graphs", "kernels", "torch"]
LoraWeights = dict[tuple[int, str], tuple[Tensor, Tensor]]
"""Layer and name of a linear map -> (rank, in) and (out, rank)."""

_TYPES = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
}


@dataclass(frozen=True, slots=True)
class _Layout:
    """A step's tokens side by side; index tensors are int64.

    tokens, positions, pages, offsets : (tokens,), the last two where keys and values go.
    counts, ends : of each span its tokens, and its tokens with all before them.
    seen_pages, seen_offsets : (sum of ends,), where the spans' keys lie; None when no span has a
        past, so that they are the step's own.
    wanted : places of the tokens whose logits are wanted.
    adapted : an adapter, and the places of its tokens.
    """

    tokens: Tensor
    positions: Tensor
    pages: Tensor
    offsets: Tensor
    counts: list[int]
    ends: list[int]
    seen_pages: Tensor | None
    seen_offsets: Tensor | None
    wanted: Tensor
    adapted: list[tuple[LoraWeights, Tensor]]


class CudaBackend:
    """A Phi on a GPU; implements `phinery.infer.backend.Backend`. One step at a time.

    Parameters
    ----------
    model : the Phi whose weights are copied; what happens to it later changes nothing here.
        `CudaBackend.open` reads a folder without having the model in memory as well.
    dtype : bfloat16, float16 or float32, also of the cache.
    quantization : None, int8 or int4, the latter with the head in int8.
    cache_tokens, page_size, max_batch : as `Engine`'s. The memory is taken at once.
    device : a CUDA device by default.
    decoding : "graphs" replays captured kernels, "kernels" launches them one by one, "torch" does
        without Triton. By default the first when there are a GPU and Triton, else the last.

    Raises ValueError for options that do not exist, torch's OutOfMemoryError.
    """

    bitwise = False

    def __init__(
        self,
        model: Phi,
        *,
        dtype: str | torch.dtype = torch.bfloat16,
        quantization: Quantization | None = None,
        cache_tokens: int | None = None,
        page_size: int = 16,
        max_batch: int = 32,
        device: str | torch.device | None = None,
        decoding: Decoding | None = None,
    ) -> None:
        weights = from_model(
            model,
            dtype=_type(dtype),
            quantization=_known(quantization),
            device=_device(device),
        )
        self._set_up(weights, cache_tokens, page_size, max_batch, decoding)

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        dtype: str | torch.dtype | None = None,
        quantization: Quantization | None = None,
        cache_tokens: int | None = None,
        page_size: int = 16,
        max_batch: int = 32,
        device: str | torch.device | None = None,
        decoding: Decoding | None = None,
    ) -> CudaBackend:
        """Read a model folder straight to the device.

        A folder that `phinery export` quantised is taken as it is. Raises CheckpointError for a
        folder that is not in order, else as the class.
        """
        weights = from_folder(
            directory,
            dtype=_type(dtype or torch.bfloat16),
            quantization=_known(quantization),
            device=_device(device),
        )
        backend = cls.__new__(cls)
        backend._set_up(weights, cache_tokens, page_size, max_batch, decoding)
        return backend

    def _set_up(
        self,
        weights: Weights,
        cache_tokens: int | None,
        page_size: int,
        max_batch: int,
        decoding: Decoding | None,
    ) -> None:
        config = self.config = weights.config
        self.weights = weights
        self.page_size = page_size
        on_gpu = weights.device.type == "cuda"
        memory = torch.cuda.get_device_properties(weights.device).total_memory if on_gpu else None
        self.num_pages = cache_pages(
            config,
            page_size=page_size,
            cache_tokens=cache_tokens,
            max_batch=max_batch,
            bytes_per_token=config.kv_bytes_per_token(weights.dtype.itemsize),
            memory=memory,
        )
        # One page more, for the keys of rows that only fill up a batch.
        heads = config.num_attention_heads
        shape = (config.num_hidden_layers, self.num_pages + 1, heads, page_size, config.head_dim)
        self._keys = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self._values = torch.zeros_like(self._keys)
        self._adapters: list[LoraWeights] = []
        self._turn = threading.Lock()
        chosen = decoding or _best_decoding(weights.device)
        self._decoder = None
        if chosen != "torch":
            self._decoder = Decoder(
                weights,
                self._keys,
                self._values,
                max_rows=padded(min(max_batch, MOST_ROWS)),
                captures=chosen == "graphs",
            )

    @property
    def weight_bytes(self) -> int:
        """Bytes of the matrices, which one token reads all of."""
        return self.weights.num_bytes

    @property
    def decoder(self) -> Decoder | None:
        """What computes short steps; None where torch does."""
        return self._decoder

    def warm_up(self, sizes: Sequence[int] | None = None) -> None:
        """Compile and capture now for these batch sizes, by default all, not at the first steps."""
        if self._decoder is not None:
            with self._turn:
                self._decoder.warm_up(sizes)

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """See `Backend.step`."""
        assert self._keys.numel(), "the backend was closed"
        with self._turn, torch.inference_mode():
            decoder = self._decoder
            if decoder is not None and _is_short(spans, decoder.max_rows):
                logits = decoder.step(spans)
                wanted = _wanted(spans)
                if len(wanted) < len(logits):
                    logits = logits[torch.from_numpy(wanted).to(logits.device)]
            else:
                logits = self._compute(spans)
            return _to_host(logits)

    def load_adapter(self, directory: str | Path) -> int:
        """See `Backend.load_adapter`."""
        weights = self.weights

        def moved(values: NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(values).to(weights.device, weights.dtype)

        changes = read_adapter(directory, self.config)
        with self._turn:
            self._adapters.append(
                {place: (moved(part.down), moved(part.up)) for place, part in changes.items()}
            )
            return len(self._adapters)

    def close(self) -> None:
        """Free the memory; nothing may be called after it."""
        with self._turn:
            self._decoder = None
            self._keys = self._values = torch.empty(0)
            self._adapters.clear()
            self.weights.blocks.clear()

    # --- steps of any length, by torch

    def _compute(self, spans: Sequence[Span]) -> Tensor:
        """Logits float32 (wanted, vocab)."""
        layout = self._layout(spans)
        weights, config = self.weights, self.config
        hidden = weights.embedding[layout.tokens].float()
        rotation = rotary_angles(layout.positions[None], config)
        for index, block in enumerate(weights.blocks):
            hidden = self._run_block(index, block, hidden, rotation, layout)
        chosen = self._normed(hidden[layout.wanted], weights.gain, weights.shift)
        return weights.head.product(chosen).float() + weights.head.bias

    def _run_block(
        self,
        index: int,
        block: Block,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        layout: _Layout,
    ) -> Tensor:
        """(tokens, hidden) in and out, float32."""
        config = self.config
        width = config.hidden_size
        normed = self._normed(hidden, block.gain, block.shift)
        projected = block.reading.product(normed)
        projected += block.reading.bias.to(projected.dtype)
        for column, name in enumerate(("q_proj", "k_proj", "v_proj", "fc1")):
            end = None if name == "fc1" else (column + 1) * width
            self._adapt(index, name, normed, projected[:, column * width : end], layout)
        heads = projected[:, : 3 * width].unflatten(1, (3, config.num_attention_heads, -1))
        query = rotate(heads[None, :, 0], rotation)[0]
        key, value = rotate(heads[None, :, 1], rotation)[0], heads[:, 2]
        keys, values = self._keys[index], self._values[index]
        keys[layout.pages, :, layout.offsets] = key
        values[layout.pages, :, layout.offsets] = value
        if layout.seen_pages is not None:
            key = keys[layout.seen_pages, :, layout.seen_offsets]
            value = values[layout.seen_pages, :, layout.seen_offsets]
        attended = _attend(query, key, value, layout.counts, layout.ends).flatten(1)
        inner = functional.gelu(projected[:, 3 * width :], approximate="tanh")
        written = block.writing.product(torch.cat((attended, inner), dim=1)).float()
        written += block.writing.bias
        self._adapt(index, "dense", attended, written, layout)
        self._adapt(index, "fc2", inner, written, layout)
        return hidden + written

    def _normed(self, hidden: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        width, eps = self.config.hidden_size, self.config.layer_norm_eps
        return functional.layer_norm(hidden, (width,), gain, shift, eps).to(self.weights.dtype)

    def _adapt(self, layer: int, name: str, x: Tensor, outputs: Tensor, layout: _Layout) -> None:
        """Add to `outputs` what the tokens' adapters change of one linear map."""
        assert name in TARGETS
        for weights, rows in layout.adapted:
            pair = weights.get((layer, name))
            if pair is not None:
                change = functional.linear(functional.linear(x[rows], pair[0]), pair[1])
                outputs[rows] += change.to(outputs.dtype)

    def _layout(self, spans: Sequence[Span]) -> _Layout:
        size, device = self.page_size, self._keys.device
        counts = [len(span.tokens) for span in spans]
        ends = [span.start + count for span, count in zip(spans, counts, strict=True)]
        firsts = np.cumsum([0, *counts[:-1]])

        def tensor(parts: Sequence[NDArray[np.integer]]) -> Tensor:
            joined = np.concatenate(parts).astype(np.int64)
            return torch.from_numpy(joined).to(device)

        own = [np.arange(span.start, end) for span, end in zip(spans, ends, strict=True)]
        seen = [np.arange(end) for end in ends]
        has_past = any(span.start for span in spans)

        def pages(positions: Sequence[NDArray[np.integer]]) -> Tensor:
            return tensor(
                [span.pages[places // size] for span, places in zip(spans, positions, strict=True)]
            )

        by_adapter: dict[int, list[NDArray[np.integer]]] = {}
        for span, first, count in zip(spans, firsts, counts, strict=True):
            if span.adapter:
                by_adapter.setdefault(span.adapter, []).append(np.arange(first, first + count))
        return _Layout(
            tensor([span.tokens for span in spans]),
            tensor(own),
            pages(own),
            tensor([places % size for places in own]),
            counts,
            ends,
            pages(seen) if has_past else None,
            tensor([places % size for places in seen]) if has_past else None,
            torch.from_numpy(_wanted(spans)).to(device),
            [(self._adapters[number - 1], tensor(rows)) for number, rows in by_adapter.items()],
        )


def _attend(
    query: Tensor, key: Tensor, value: Tensor, counts: list[int], ends: list[int]
) -> Tensor:
    """(tokens, heads, head_dim) of queries in and out; a span's are the last of its keys.

    All at once by FlashAttention where there is a GPU, else one span after another.
    """
    dtype = query.dtype
    if query.is_cuda and dtype != torch.float32 and query.shape[2] % 8 == 0:
        cumulative = [
            torch.tensor([0, *sizes], device=query.device).cumsum(0).int()
            for sizes in (counts, ends)
        ]
        # torch has no public function for sequences of different lengths that both of the versions
        # this runs with agree on.
        return torch.ops.aten._flash_attention_forward(
            query.contiguous(), key.contiguous(), value.contiguous(), *cumulative,
            max(counts), max(ends), 0.0, True, False,
        )[0]  # fmt: skip
    mixed = torch.empty_like(query)
    first = first_key = 0
    for count, end in zip(counts, ends, strict=True):
        rows, seen = slice(first, first + count), slice(first_key, first_key + end)
        parts = [part.transpose(0, 1)[None] for part in (query[rows], key[seen], value[seen])]
        if dtype == torch.float16:
            # Phi-2's scores overflow it.
            parts = [part.float() for part in parts]
        ahead = torch.arange(end, device=query.device)
        visible = ahead[None] <= ahead[end - count :, None]
        done = functional.scaled_dot_product_attention(*parts, attn_mask=visible)
        mixed[rows] = done[0].transpose(0, 1).to(dtype)
        first, first_key = first + count, first_key + end
    return mixed


def _wanted(spans: Sequence[Span]) -> NDArray[np.int64]:
    """Places among the step's tokens of those whose logits are wanted."""
    ends = np.cumsum([len(span.tokens) for span in spans])
    return np.concatenate(
        [np.arange(end - span.num_logits, end) for span, end in zip(spans, ends, strict=True)]
    ).astype(np.int64)


def _is_short(spans: Sequence[Span], max_rows: int) -> bool:
    counts = [len(span.tokens) for span in spans]
    has_adapter = any(span.adapter for span in spans)
    return sum(counts) <= max_rows and max(counts) <= LONGEST_SPAN and not has_adapter


def _to_host(logits: Tensor) -> NDArray[np.float32]:
    if not logits.is_cuda:
        return logits.clone().numpy()
    # Memory that the GPU copies into without a detour; torch keeps it for the next step.
    room = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
    room.copy_(logits, non_blocking=True)
    torch.cuda.current_stream(logits.device).synchronize()
    return room.numpy()


def _best_decoding(device: torch.device) -> Decoding:
    if device.type != "cuda":
        return "torch"
    if importlib.util.find_spec("triton") is None:
        warnings.warn("Triton is not installed; decoding is slower without it", stacklevel=4)
        return "torch"
    return "graphs"


def _device(device: str | torch.device | None) -> torch.device:
    chosen = torch.device(device or "cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device on this machine; use device='cpu'")
    return chosen


def _type(dtype: str | torch.dtype) -> torch.dtype:
    chosen = _TYPES.get(str(dtype).removeprefix("torch."))
    if chosen is None:
        raise ValueError(f"dtype must be one of {', '.join(_TYPES)}, not {dtype!r}")
    return chosen


def _known(quantization: Quantization | None) -> Quantization | None:
    if quantization not in BITS:
        raise ValueError(f"quantization must be int8, int4 or None, not {quantization!r}")
    return quantization
