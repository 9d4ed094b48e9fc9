"""The back end that runs everywhere torch does, in any type of weights.

It computes with the modules of a `Phi` itself, so that their weights may be trained on, and their
hooks run, between and during generation; only attention differs, which reads keys and values from
pages. In float32 the log-probabilities agree with the model's own forward pass to 1e-5, whatever
the batch, the chunks and the pages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from phinery.infer.adapters import read_adapter
from phinery.infer.backend import Span, cache_pages
from phinery.model.attention import attend
from phinery.model.decoder import Phi, PhiAttention, PhiBlock, rotary_angles, rotate

LoraWeights = dict[tuple[int, str], tuple[Tensor, Tensor]]
"""Layer and name of a linear map -> (rank, in) and (out, rank)."""


@dataclass(frozen=True)
class _Group:
    """Spans of similar length over similarly many pages, whose attention is computed together.

    rows : int64 (spans, queries), places of the queries among the step's tokens; a shorter span
        repeats its last one.
    heads : int64 (spans * heads * pages), places of the pages' heads in a layer's storage.
    mask : boolean (spans, 1, queries, pages * page_size), where each may look; None for a single
        span that begins its text, and is plainly causal.
    """

    rows: Tensor
    heads: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class _Layout:
    """A step's tokens side by side: where they come from and where they go."""

    tokens: Tensor  # int64 (1, tokens)
    positions: Tensor  # int64 (1, tokens)
    pages: Tensor  # int64 (tokens,)
    offsets: Tensor  # int64 (tokens,), within the page
    groups: list[_Group]
    wanted: Tensor  # int64, places of the tokens whose logits are wanted
    adapted: list[tuple[LoraWeights, Tensor]]  # an adapter, and places of its tokens


class TorchBackend:
    """A Phi with a paged key-value cache; implements `phinery.infer.backend.Backend`.

    The cache has `cache_pages` pages at most, and takes memory as they are used. Its keys and
    values are (layers, pages, heads, page_size, head_dim), in the type of the weights.
    """

    bitwise = False

    def __init__(
        self,
        model: Phi,
        *,
        cache_tokens: int | None = None,
        page_size: int = 16,
        max_batch: int = 32,
    ) -> None:
        self.model = model
        self.config = model.config
        self.page_size = page_size
        self.num_pages = cache_pages(
            model.config,
            page_size=page_size,
            cache_tokens=cache_tokens,
            max_batch=max_batch,
            bytes_per_token=model.kv_bytes_per_token(model.dtype),
            memory=_device_memory(model.device),
        )
        self._adapters: list[LoraWeights] = []
        self._keys = self._storage(0)
        self._values = self._storage(0)

    def load_adapter(self, directory: str | Path) -> int:
        """Read a LoRA adapter in peft's layout; its number for `Span.adapter`."""
        weights = {
            place: (self._to_weights(part.down), self._to_weights(part.up))
            for place, part in read_adapter(directory, self.config).items()
        }
        self._adapters.append(weights)
        return len(self._adapters)

    def close(self) -> None:
        """Free the cache."""
        self._keys = self._storage(0)
        self._values = self._storage(0)

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """Compute the spans; see `phinery.infer.backend.Backend.step`."""
        with inference(self.model):
            self._reserve(1 + max(int(span.pages.max()) for span in spans))
            layout = self._layout(spans)
            self._clear_new_pages(spans)
            decoder = self.model.model
            hidden = decoder.embed_tokens(layout.tokens)
            rotation = rotary_angles(layout.positions, self.config)
            for layer in decoder.layers:
                assert isinstance(layer, PhiBlock)
                normed = layer.input_layernorm(hidden)
                attention = self._attention(layer.self_attn, normed, rotation, layout)
                hidden = attention + self._mlp(layer, normed, layout) + hidden
            chosen = decoder.final_layernorm(hidden[:, layout.wanted])
            return self.model.lm_head(chosen)[0].float().cpu().numpy()

    # --- the cache

    def _storage(self, pages: int) -> Tensor:
        config = self.config
        shape = (config.num_hidden_layers, pages, config.num_attention_heads)
        return torch.zeros(
            (*shape, self.page_size, config.head_dim),
            dtype=self.model.dtype,
            device=self.model.device,
        )

    def _reserve(self, pages: int) -> None:
        """Room for this many pages, in the weights' type and where they are now."""
        model, keys = self.model, self._keys
        moved = keys.device != model.device or keys.dtype != model.dtype
        have = 0 if moved else keys.shape[1]
        if pages <= have:
            return
        assert pages <= self.num_pages
        size = min(self.num_pages, max(pages, 2 * have))
        for name in ("_keys", "_values"):
            grown = self._storage(size)
            if have:
                grown[:, :have] = getattr(self, name)
            setattr(self, name, grown)

    def _clear_new_pages(self, spans: Sequence[Span]) -> None:
        """Zeros into pages that begin to be used.

        Positions after a text's end are masked, but a NaN that another text left there would still
        spoil the sum.
        """
        size = self.page_size
        fresh = [span.pages[-(-span.start // size) : _pages_of(span, size)] for span in spans]
        pages = torch.from_numpy(np.concatenate(fresh).astype(np.int64))
        if len(pages):
            pages = pages.to(self._keys.device)
            self._keys.index_fill_(1, pages, 0)
            self._values.index_fill_(1, pages, 0)

    # --- the arithmetic

    def _attention(
        self,
        module: PhiAttention,
        normed: Tensor,
        rotation: tuple[Tensor, Tensor],
        layout: _Layout,
    ) -> Tensor:
        """(1, tokens, hidden) in and out."""
        config, index = self.config, module.index
        split = (1, -1, config.num_attention_heads, config.head_dim)

        def projected(name: str, linear: nn.Module) -> Tensor:
            return self._linear(index, name, linear, normed, layout).view(split)

        query = rotate(projected("q_proj", module.q_proj), rotation)
        key = rotate(projected("k_proj", module.k_proj), rotation)
        value = projected("v_proj", module.v_proj)
        # (tokens, heads, head_dim): token t's go to one place in its page.
        self._keys[index][layout.pages, :, layout.offsets] = key[0]
        self._values[index][layout.pages, :, layout.offsets] = value[0]
        mixed = torch.empty_like(query[0])
        for group in layout.groups:
            shape = (group.rows.shape[0], config.num_attention_heads, -1, config.head_dim)
            if group.mask is None:
                keys, values = (part[0, group.rows].transpose(1, 2) for part in (key, value))
            else:
                keys = self._gather(self._keys[index], group).view(shape)
                values = self._gather(self._values[index], group).view(shape)
            queries = query[0, group.rows].transpose(1, 2)
            mixed[group.rows] = attend(queries, keys, values, group.mask).transpose(1, 2)
        return self._linear(index, "dense", module.dense, mixed.flatten(1)[None], layout)

    def _gather(self, stored: Tensor, group: _Group) -> Tensor:
        """A layer's (pages, heads, page_size, head_dim) in the order of a group's page tables."""
        flat = stored.view(-1, self.page_size * self.config.head_dim)
        return flat.index_select(0, group.heads)

    def _mlp(self, layer: PhiBlock, normed: Tensor, layout: _Layout) -> Tensor:
        if not layout.adapted:
            return layer.mlp(normed)
        index = layer.self_attn.index
        inner = self._linear(index, "fc1", layer.mlp.fc1, normed, layout)
        inner = functional.gelu(inner, approximate="tanh")
        return self._linear(index, "fc2", layer.mlp.fc2, inner, layout)

    def _linear(
        self, layer: int, name: str, linear: nn.Module, inputs: Tensor, layout: _Layout
    ) -> Tensor:
        """A linear map, and what their adapters add for some of the tokens."""
        outputs = linear(inputs)
        for weights, rows in layout.adapted:
            pair = weights.get((layer, name))
            if pair is not None:
                down, up = (part.to(inputs) for part in pair)
                outputs[0, rows] += functional.linear(functional.linear(inputs[0, rows], down), up)
        return outputs

    # --- where everything is

    def _layout(self, spans: Sequence[Span]) -> _Layout:
        size, device = self.page_size, self._keys.device
        counts = [len(span.tokens) for span in spans]
        firsts = np.cumsum([0, *counts[:-1]])
        positions = np.concatenate(
            [
                np.arange(span.start, span.start + count)
                for span, count in zip(spans, counts, strict=True)
            ]
        )
        pages = np.concatenate(
            [
                span.pages[positions[first : first + count] // size]
                for span, first, count in zip(spans, firsts, counts, strict=True)
            ]
        )
        wanted = np.concatenate(
            [
                np.arange(first + count - span.num_logits, first + count)
                for span, first, count in zip(spans, firsts, counts, strict=True)
            ]
        )
        together: dict[tuple[int, int], list[int]] = {}
        by_adapter: dict[int, list[int]] = {}
        for number, (span, count) in enumerate(zip(spans, counts, strict=True)):
            used = _pages_of(span, size)
            together.setdefault((_magnitude(count), _magnitude(used)), []).append(number)
            if span.adapter:
                places = range(firsts[number], firsts[number] + count)
                by_adapter.setdefault(span.adapter, []).extend(places)

        def tensor(values: NDArray[np.int64] | NDArray[np.int32] | list[int]) -> Tensor:
            return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(device)

        return _Layout(
            tensor(np.concatenate([span.tokens for span in spans]))[None],
            tensor(positions)[None],
            tensor(pages),
            tensor(positions % size),
            [
                self._group([spans[number] for number in numbers], firsts[numbers])
                for numbers in together.values()
            ],
            tensor(wanted),
            [(self._adapters[number - 1], tensor(rows)) for number, rows in by_adapter.items()],
        )

    def _group(self, spans: Sequence[Span], firsts: NDArray[np.int64]) -> _Group:
        size, heads, device = self.page_size, self.config.num_attention_heads, self._keys.device
        counts = np.array([len(span.tokens) for span in spans])[:, None]
        starts = np.array([span.start for span in spans])[:, None]
        queries = np.minimum(np.arange(counts.max()), counts - 1)  # (spans, queries)
        rows = torch.from_numpy(firsts[:, None] + queries).to(device)
        if len(spans) == 1 and not spans[0].start:
            return _Group(rows, rows, None)
        used = [_pages_of(span, size) for span in spans]
        # Where a table is shorter, its own first page stands in; the mask hides it.
        table = np.stack(
            [
                np.concatenate((span.pages[:count], np.full(max(used) - count, span.pages[0])))
                for span, count in zip(spans, used, strict=True)
            ]
        ).astype(np.int64)
        places = table[:, None, :] * heads + np.arange(heads)[None, :, None]
        visible = (starts + queries)[:, :, None] >= np.arange(max(used) * size)
        return _Group(
            rows,
            torch.from_numpy(places.ravel()).to(device),
            torch.from_numpy(visible[:, None]).to(device),
        )

    def _to_weights(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(values).to(self.model.device, self.model.dtype)


def _pages_of(span: Span, page_size: int) -> int:
    return -(-(span.start + len(span.tokens)) // page_size)


def _magnitude(count: int) -> int:
    """Sizes between two powers of two are padded to the largest of them, not further."""
    return (count - 1).bit_length()


def _device_memory(device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    return torch.cuda.get_device_properties(device).total_memory


@contextlib.contextmanager
def inference(model: Phi) -> Generator[None, None, None]:
    """No gradients, no dropout; a model in training is back in training afterwards."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if training:
            model.train()
