"""A back end for the engine that reads a beginning which many texts share once for all of them.

The harness's prompts begin with the same examples, which are most of their length. When each text
reads its own keys and values, a step's time goes into reading the same memory again and again.
Here the texts of a step that share pages look at those together, in one matrix product, and only at
the rest by themselves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phinery.evaluate.harness.arithmetic import apply_linear, finish_block, project
from phinery.infer.backend import Span, cache_pages
from phinery.infer.torch_backend import inference
from phinery.model.attention import attend
from phinery.model.decoder import Phi, PhiBlock, rotary_angles

# How many pages more than its texts need a group's keys and values have room for.
_SPARE_PAGES = 4


@dataclasses.dataclass(frozen=True)
class _Chunk:
    """Several tokens of one text.

    rows : which of the step's tokens; before : int64, places of the heads of the pages before them
    in a layer's storage; mask : boolean (queries, before + queries), None where nothing is before.
    """

    rows: slice
    before: Tensor
    length: int
    mask: Tensor | None


@dataclasses.dataclass(frozen=True)
class _Group:
    """The next token of several texts that begin alike.

    rows : int64 (m,), which of the step's tokens; shared : as `_Chunk.before`, of the pages that
    all have in common; own : the same of each text's other pages, padded to the longest; hidden :
    boolean (m, 1, positions), True after a text's end; ends : int64 (m,), the own position of the
    token of this step; gathered : what earlier steps laid out, empty where this one has to.
    """

    rows: Tensor
    shared: Tensor
    own: Tensor
    hidden: Tensor
    ends: Tensor
    gathered: _Gathered


class _Gathered:
    """A group's keys and values, laid out side by side, and kept from step to step.

    shared : (layers, heads, positions, head_dim) of the pages that all texts have in common; own :
    (layers, m, heads, room, head_dim) of each text's other pages. While the same texts go on by
    one token each, only that token's keys and values are put in.
    """

    def __init__(self, identity: bytes, starts: NDArray[np.int64]) -> None:
        self.identity = identity
        self.starts = starts
        self.shared: list[tuple[Tensor, Tensor]] = []
        self.own: list[tuple[Tensor, Tensor]] = []

    def goes_on(self, identity: bytes, starts: NDArray[np.int64], room: int) -> bool:
        """Whether these are the same texts, one token further, and there is room for it."""
        return (
            identity == self.identity
            and len(self.own) > 0
            and room <= self.own[0][0].shape[2]
            and bool((starts == self.starts + 1).all())
        )


class SharingBackend:
    """A Phi with a paged key-value cache; implements `phinery.infer.backend.Backend`.

    The cache's keys and values are (layers, pages * heads, page_size * head_dim) and take memory as
    they are used. The weights must not change while there is an engine.
    """

    bitwise = False

    def __init__(self, model: Phi, *, page_size: int = 16, max_batch: int = 32) -> None:
        self.model = model
        self.config = model.config
        self.page_size = page_size
        memory = None
        if model.device.type == "cuda":
            memory = torch.cuda.get_device_properties(model.device).total_memory
        self.num_pages = cache_pages(
            model.config,
            page_size=page_size,
            cache_tokens=None,
            max_batch=max_batch,
            bytes_per_token=model.kv_bytes_per_token(model.dtype),
            memory=memory,
        )
        self._keys = self._storage(0)
        self._values = self._storage(0)
        # By the first page of a group's texts, of the last step only.
        self._gathered: dict[int, _Gathered] = {}

    def load_adapter(self, directory: str | Path) -> int:
        """Refuse: an evaluated model has its adapters merged."""
        raise ValueError(f"adapters such as {directory} are merged into a model before evaluation")

    def close(self) -> None:
        """Free the cache."""
        self._gathered = {}
        self._keys = self._storage(0)
        self._values = self._storage(0)

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """Compute the spans; see `phinery.infer.backend.Backend.step`."""
        model, device, size = self.model, self.model.device, self.page_size
        counts = np.array([len(span.tokens) for span in spans])
        firsts = np.concatenate(([0], np.cumsum(counts)))
        positions = np.concatenate([span.start + np.arange(len(span.tokens)) for span in spans])
        pages = np.concatenate(
            [
                span.pages[positions[first : first + count] // size]
                for span, first, count in zip(spans, firsts[:-1], counts, strict=True)
            ]
        )
        wanted = np.concatenate(
            [
                np.arange(end - span.num_logits, end)
                for span, end in zip(spans, firsts[1:], strict=True)
            ]
        )
        with inference(model):
            self._reserve(1 + max(int(span.pages.max()) for span in spans))
            tokens = self._tensor(np.concatenate([span.tokens for span in spans]))
            places = self._tensor(pages), self._tensor(positions % size)
            chunks, groups = self._layout(spans, firsts)
            rows = self._tensor(wanted)
            rotation = rotary_angles(self._tensor(positions)[None], model.config)
            hidden = model.model.embed_tokens(tokens[None])[0]
            for number, layer in enumerate(model.model.layers):
                assert isinstance(layer, PhiBlock)
                normed = layer.input_layernorm(hidden)
                query, key, value = project(layer.self_attn, normed, rotation)
                self._paged(self._keys, number)[places[0], :, places[1]] = key
                self._paged(self._values, number)[places[0], :, places[1]] = value
                mixed = torch.empty_like(query)
                for chunk in chunks:
                    mixed[chunk.rows] = self._of_chunk(number, chunk, query, key, value)
                for group in groups:
                    mixed[group.rows] = self._of_group(number, group, query, key, value)
                mixed = mixed.flatten(1)
                if number == len(model.model.layers) - 1:
                    mixed, normed, hidden = mixed[rows], normed[rows], hidden[rows]
                hidden = finish_block(layer, mixed, normed, hidden)
            logits = apply_linear(model.lm_head, model.model.final_layernorm(hidden))
            assert logits.device == device
            return logits.float().cpu().numpy()

    # --- the cache

    def _storage(self, pages: int) -> Tensor:
        config = self.config
        return torch.zeros(
            config.num_hidden_layers,
            pages * config.num_attention_heads,
            self.page_size * config.head_dim,
            dtype=self.model.dtype,
            device=self.model.device,
        )

    def _reserve(self, pages: int) -> None:
        have = self._keys.shape[1] // self.config.num_attention_heads
        if pages <= have:
            return
        assert pages <= self.num_pages
        size = min(self.num_pages, max(pages, 2 * have))
        for name in ("_keys", "_values"):
            grown = self._storage(size)
            grown[:, : getattr(self, name).shape[1]] = getattr(self, name)
            setattr(self, name, grown)

    def _paged(self, stored: Tensor, layer: int) -> Tensor:
        """A layer's (pages, heads, page_size, head_dim)."""
        config = self.config
        return stored[layer].view(-1, config.num_attention_heads, self.page_size, config.head_dim)

    def _heads_of(self, pages: NDArray[np.int64]) -> Tensor:
        """Places of pages' heads in a layer's storage, (..., heads, pages) of (..., pages)."""
        heads = self.config.num_attention_heads
        return self._tensor(pages[..., None, :] * heads + np.arange(heads)[:, None])

    def _read(self, stored: Tensor, layer: int, places: Tensor) -> Tensor:
        """Keys or values (..., heads, positions, head_dim) of such places."""
        found = stored[layer].index_select(0, places.flatten())
        return found.view(*places.shape[:-1], -1, self.config.head_dim)

    def _tensor(self, values: NDArray[np.int64] | NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(self.model.device)

    # --- attention

    def _layout(
        self, spans: Sequence[Span], firsts: NDArray[np.int64]
    ) -> tuple[list[_Chunk], list[_Group]]:
        chunks: list[_Chunk] = []
        alike: dict[int, list[int]] = {}
        for number, span in enumerate(spans):
            if len(span.tokens) == 1:
                alike.setdefault(int(span.pages[0]), []).append(number)
            else:
                chunks.append(self._chunk(span, int(firsts[number])))
        groups = {
            page: self._group(page, [spans[number] for number in numbers], firsts[numbers])
            for page, numbers in alike.items()
        }
        self._gathered = {page: group.gathered for page, group in groups.items()}
        return chunks, list(groups.values())

    def _chunk(self, span: Span, first: int) -> _Chunk:
        count = len(span.tokens)
        pages = span.pages[: -(-span.start // self.page_size)].astype(np.int64)
        mask = None
        if span.start:
            visible = np.arange(span.start + count) <= span.start + np.arange(count)[:, None]
            mask = torch.from_numpy(visible).to(self.model.device)
        return _Chunk(slice(first, first + count), self._heads_of(pages), span.start, mask)

    def _group(self, page: int, spans: Sequence[Span], rows: NDArray[np.int64]) -> _Group:
        size = self.page_size
        full = min(span.start for span in spans) // size
        tables = np.stack([span.pages[:full] for span in spans]).astype(np.int64)
        same = (tables == tables[0]).all(0)
        shared = full if same.all() else int(same.argmin())
        lengths = np.array([span.start + 1 for span in spans]) - shared * size
        used = -(-lengths // size)
        # Where a text has fewer pages, its last stands in for more; what it holds is hidden.
        own = np.stack(
            [
                np.pad(span.pages[shared : shared + count], (0, int(used.max()) - count), "edge")
                for span, count in zip(spans, used, strict=True)
            ]
        ).astype(np.int64)
        # Pages of its own tell texts apart, and what all share tells groups apart.
        identity = tables[0, :shared].tobytes() + own[:, 0].tobytes()
        starts = np.array([span.start for span in spans])
        room = int(used.max()) * size
        gathered = self._gathered.get(page)
        if gathered is not None and gathered.goes_on(identity, starts, room):
            gathered.starts = starts
            room = gathered.own[0][0].shape[2]
        else:
            gathered = _Gathered(identity, starts)
            # Room for some pages more, so that a text's next page is no reason to begin anew.
            spare = np.repeat(own[:, -1:], _SPARE_PAGES, axis=1)
            own = np.concatenate([own, spare], axis=1)
            room += _SPARE_PAGES * size
        hidden = np.arange(room) >= lengths[:, None]
        return _Group(
            self._tensor(rows),
            self._heads_of(tables[0, :shared]),
            self._heads_of(own),
            torch.from_numpy(hidden[:, None]).to(self.model.device),
            self._tensor(lengths - 1),
            gathered,
        )

    def _of_chunk(
        self, layer: int, chunk: _Chunk, query: Tensor, key: Tensor, value: Tensor
    ) -> Tensor:
        queries, keys, values = (
            part[chunk.rows].transpose(0, 1)[None] for part in (query, key, value)
        )
        if chunk.length:
            before = (
                self._read(stored, layer, chunk.before)[None, :, : chunk.length]
                for stored in (self._keys, self._values)
            )
            keys, values = (
                torch.cat((old, new), dim=2)
                for old, new in zip(before, (keys, values), strict=True)
            )
        return attend(queries, keys, values, chunk.mask)[0].transpose(0, 1)

    def _gather(
        self, layer: int, group: _Group, key: Tensor, value: Tensor, exact: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Keys and values of what all share, and of what each text has besides."""
        gathered = group.gathered
        if layer == len(gathered.own):
            stored = self._keys, self._values
            keys, values = (self._read(one, layer, group.shared).to(exact) for one in stored)
            own_keys, own_values = (self._read(one, layer, group.own).to(exact) for one in stored)
            gathered.shared.append((keys, values))
            gathered.own.append((own_keys, own_values))
        else:
            texts = torch.arange(len(group.rows), device=key.device)
            for kept, new in zip(gathered.own[layer], (key, value), strict=True):
                kept[texts, :, group.ends] = new[group.rows].to(exact)
        return *gathered.shared[layer], *gathered.own[layer]

    def _of_group(
        self, layer: int, group: _Group, query: Tensor, key: Tensor, value: Tensor
    ) -> Tensor:
        """The weighted mean over both parts, whose weights are normalised together."""
        query = query[group.rows]
        # As `attend`: Phi-2's scores overflow float16.
        exact = torch.float32 if query.dtype == torch.float16 else query.dtype
        shared_keys, shared_values, own_keys, own_values = self._gather(
            layer, group, key, value, exact
        )
        scaled = query.to(exact) / math.sqrt(query.shape[-1])  # (m, heads, head_dim)
        together = torch.matmul(scaled.transpose(0, 1), shared_keys.transpose(1, 2))
        alone = torch.matmul(own_keys, scaled[..., None])[..., 0]  # (m, heads, positions)
        alone = alone.masked_fill(group.hidden, -math.inf)
        count = together.shape[-1]
        weights = torch.cat((together.transpose(0, 1), alone), dim=-1).softmax(-1)
        mixed = torch.matmul(weights[..., :count].transpose(0, 1), shared_values).transpose(0, 1)
        mixed = mixed + torch.matmul(weights[..., None, count:], own_values)[..., 0, :]
        return mixed.to(query.dtype)
