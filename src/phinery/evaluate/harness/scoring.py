"""Log-likelihoods of token sequences, each common beginning computed once.

What a position sees is a path through a tree (`phinery.evaluate.harness.tree`); all else is as in
a `Phi`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from phinery.evaluate.harness.arithmetic import apply_linear, finish_block, project
from phinery.evaluate.harness.tree import Ints, Plan, Query, Step
from phinery.infer.torch_backend import inference
from phinery.model.attention import Rotation, attend
from phinery.model.cache import KVCache
from phinery.model.decoder import Phi, PhiAttention, PhiBlock, rotary_angles

# Rows of logits held at once. More gained nothing on a CPU, and a row of them is large.
_HEAD_ROWS = 128
# Copying a cached key and value to one more row of a group costs as much as this many queries' look
# at them (measured on two CPUs; of little weight).
_COPY_COST = 16


@dataclasses.dataclass(frozen=True)
class _Group:
    """Rows of branches, of similar length, whose attention is computed together.

    places : int64 (rows, length) of the step's positions; a shorter row repeats its last.
    mask : boolean (rows, 1, length, depth + length), True where it may look; None for a path that
        begins at position 0.
    """

    places: Tensor
    mask: Tensor | None


def budget_of(device: torch.device) -> int:
    """Tokens a step by default: enough for the full rate of the matrix products."""
    return 1024 if device.type == "cpu" else 8192


class TreeScorer:
    """Scores sequences with a Phi.

    `budget` is the number of tokens that a forward pass has at most (`budget_of` the device when
    None). Scores do not depend on it but for rounding.
    """

    def __init__(self, model: Phi, *, budget: int | None = None) -> None:
        self.model = model
        self._budget = budget or budget_of(model.device)
        self.computed_tokens = 0
        """Positions computed so far, the measure of work."""

    def scores(self, queries: Sequence[Query]) -> Iterator[list[tuple[int, float, bool]]]:
        """For each forward pass, what it completed: (number, log-likelihood, is greedy).

        The log-likelihood is in nats, the sum over a query's last `count` tokens; greedy means that
        each of them is the likeliest in its place. Queries must not be longer than the model's
        context.
        """
        overhead = self._budget // 32
        plan = Plan(queries, budget=self._budget, overhead=overhead)
        cache: KVCache | None = None
        total = np.zeros(len(queries))
        greedy = np.ones(len(queries), dtype=bool)
        missing = np.array([query.count for query in queries], dtype=np.int64)
        for step in plan.steps():
            if step.keep and cache is None:
                cache = self._cache(plan.longest)
            self.computed_tokens += len(step.tokens)
            found = self._compute(step, cache)
            if found is None:
                continue
            numbers = step.asked_queries
            np.add.at(total, numbers, found[0])
            np.logical_and.at(greedy, numbers, found[1] > 0)
            np.subtract.at(missing, numbers, 1)
            done = np.unique(numbers[missing[numbers] == 0])
            if len(done):
                yield [(int(n), float(total[n]), bool(greedy[n])) for n in done]
        assert not missing.any()

    def _cache(self, length: int) -> KVCache:
        model = self.model
        return KVCache(model.config, 1, length, dtype=model.dtype, device=model.device)

    def _compute(self, step: Step, cache: KVCache | None) -> np.ndarray | None:
        """float64 (2, asked): log-probabilities, and 1 where the token is the likeliest."""
        with inference(self.model):
            hidden = self._hidden(step, cache)
            if not len(step.rows):
                return None
            found = self._look_up(hidden, step)
            return found.cpu().numpy().astype(np.float64)

    def _hidden(self, step: Step, cache: KVCache | None) -> Tensor:
        """Final hidden states (rows, hidden) of the positions that were asked for."""
        model, device = self.model, self.model.device
        tokens = torch.from_numpy(step.tokens).to(device)
        positions = torch.from_numpy(step.positions).to(device)[None]
        rows = torch.from_numpy(step.rows).to(device)
        groups = _groups(step, device)
        decoder = model.model
        hidden = decoder.embed_tokens(tokens[None])[0]
        rotation = rotary_angles(positions, model.config)
        if cache is not None:
            cache.length = step.depth
        for number, layer in enumerate(decoder.layers):
            assert isinstance(layer, PhiBlock)
            # Of the last layer only keys and values of all positions are needed.
            chosen = rows if number == len(decoder.layers) - 1 else None
            hidden = self._block(layer, hidden, rotation, step, groups, cache, chosen)
        return decoder.final_layernorm(hidden)

    def _block(
        self,
        layer: PhiBlock,
        hidden: Tensor,
        rotation: Rotation,
        step: Step,
        groups: Sequence[_Group],
        cache: KVCache | None,
        chosen: Tensor | None,
    ) -> Tensor:
        """(n, hidden) in, and out again or (chosen, hidden)."""
        normed = layer.input_layernorm(hidden)
        mixed = self._attention(layer.self_attn, normed, rotation, step, groups, cache)
        if chosen is not None:
            mixed, normed, hidden = mixed[chosen], normed[chosen], hidden[chosen]
        return finish_block(layer, mixed, normed, hidden)

    def _attention(
        self,
        module: PhiAttention,
        normed: Tensor,
        rotation: Rotation,
        step: Step,
        groups: Sequence[_Group],
        cache: KVCache | None,
    ) -> Tensor:
        """What each position gathers, before the output projection: (n, hidden) in and out."""
        query, key, value = project(module, normed, rotation)
        before: tuple[Tensor, Tensor] | None = None
        if step.depth:
            assert cache is not None
            seen = (module.index, slice(None), slice(None), slice(step.depth))
            before = cache.keys[seen], cache.values[seen]
        if step.keep:
            assert cache is not None
            cache.append(module.index, *(part.transpose(0, 1)[None] for part in (key, value)))
        mixed = torch.empty_like(query)
        for group in groups:
            queries, keys, values = (
                part[group.places].transpose(1, 2) for part in (query, key, value)
            )
            if before is not None:
                shape = (len(group.places), -1, -1, -1)
                keys = torch.cat((before[0].expand(shape), keys), dim=2)
                values = torch.cat((before[1].expand(shape), values), dim=2)
            mixed[group.places] = attend(queries, keys, values, group.mask).transpose(1, 2)
        return mixed.flatten(1)

    def _look_up(self, hidden: Tensor, step: Step) -> Tensor:
        """Log-probability and likeliness (2, asked) of the tokens that were asked for."""
        device, head = hidden.device, self.model.lm_head
        order = np.argsort(step.asked_rows, kind="stable")
        rows = step.asked_rows[order]
        tokens = torch.from_numpy(step.asked_tokens[order]).to(device)
        places = torch.from_numpy(rows).to(device)
        found = torch.empty(2, len(rows), device=device)
        for start in range(0, len(hidden), _HEAD_ROWS):
            part = slice(*np.searchsorted(rows, [start, start + _HEAD_ROWS]))
            logits = apply_linear(head, hidden[start : start + _HEAD_ROWS]).float()
            row, token = places[part] - start, tokens[part]
            found[0, part] = logits[row, token] - logits.logsumexp(-1)[row]
            found[1, part] = (logits.argmax(-1)[row] == token).float()
        return found[:, torch.from_numpy(np.argsort(order)).to(device)]


def _rows(lengths: Ints, depth: int) -> list[list[int]]:
    """Which branches to lay side by side, so that a row's look at the cache pays for its copy.

    The longest first; no row is longer than the first branch in it unless it is short beside the
    cache.
    """
    worthwhile = math.sqrt(_COPY_COST * depth)
    rows: list[list[int]] = []
    room = 0.0
    for branch in np.argsort(-lengths, kind="stable").tolist():
        length = float(lengths[branch])
        if length <= room:
            rows[-1].append(branch)
            room -= length
        else:
            rows.append([branch])
            room = max(worthwhile, length) - length
    return rows


def _groups(step: Step, device: torch.device) -> list[_Group]:
    """A step's branches in rows, and rows of similar length in groups."""
    if step.keep and not step.depth:
        places = torch.arange(len(step.tokens), device=device)[None]
        return [_Group(places, None)]
    bounds = step.branches
    rows = [
        np.concatenate([np.arange(bounds[branch], bounds[branch + 1]) for branch in row])
        for row in _rows(np.diff(bounds), step.depth)
    ]
    rows.sort(key=len, reverse=True)
    groups: list[_Group] = []
    start = 0
    while start < len(rows):
        longest = len(rows[start])
        stop = start
        while stop < len(rows) and 4 * len(rows[stop]) >= 3 * longest:
            stop += 1
        groups.append(_group(step, rows[start:stop], device))
        start = stop
    return groups


def _group(step: Step, rows: Sequence[Ints], device: torch.device) -> _Group:
    lengths = np.array([len(row) for row in rows])[:, None]
    longest = int(lengths.max())
    places = np.stack([np.pad(row, (0, longest - len(row)), mode="edge") for row in rows])
    queries, keys = places[:, :, None], places[:, None, :]
    visible = (keys <= queries) & (queries < step.ends[keys])
    visible &= (np.arange(longest) < lengths)[:, None, :]
    cached = np.ones((len(rows), longest, step.depth), dtype=bool)
    mask = torch.from_numpy(np.concatenate((cached, visible), axis=2)[:, None])
    return _Group(torch.from_numpy(places).to(device), mask.to(device))
