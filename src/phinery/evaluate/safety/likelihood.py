"""What measures share: items with the fields that they need, and how likely texts are to a model.

All log-likelihoods are in nats. `lm_eval` and `torch` are imported when a model is asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phinery.evaluate.outcome import Values
from phinery.evaluate.setting import Setting
from phinery.evaluate.tasks.items import read_split

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel

Rows = list[dict[str, Any]]


def items_with(
    benchmark: str, config: str | None, split: str, fields: Iterable[str], setting: Setting
) -> tuple[list[str], Rows]:
    """All items of a split, which must have these fields.

    Raises ValueError when they have not: other editions of a data set have other fields.
    """
    ids, rows = read_split(benchmark, config, split, setting)
    missing = [field for field in fields if any(field not in row for row in rows)]
    if missing or not rows:
        place = "/".join(part for part in (benchmark, config, split) if part)
        what = f"no field {missing[0]}" if rows else "no items"
        if setting.items is None:
            raise ValueError(
                f"{place} has {what}: needs --items (the hub's copy has other columns)"
            )
        raise ValueError(
            f"{place} has {what}: name a folder whose items have {', '.join(fields)} (--items DIR)"
        )
    return ids, rows


def chosen_items(
    benchmark: str, config: str | None, split: str, fields: Iterable[str], setting: Setting
) -> tuple[list[str], Rows]:
    """Those of `items_with` that the setting chooses."""
    ids, rows = items_with(benchmark, config, split, tuple(fields), setting)
    chosen = setting.chosen(len(rows))
    return [ids[row] for row in chosen], [rows[row] for row in chosen]


def log_likelihoods(model: HarnessModel, texts: Sequence[tuple[str, str]]) -> Values:
    """(n,) log-likelihood of each continuation after its context, as the harness asks for it."""
    from lm_eval.api.instance import Instance

    asked = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(texts)]
    return np.array([value for value, _ in model.loglikelihood(asked)], dtype=np.float64)


def token_counts(model: HarnessModel, texts: Sequence[tuple[str, str]]) -> Values:
    """(n,) how many tokens each continuation has, cut as the harness cuts it."""
    from phinery.evaluate.harness.requests import Encoder, encode_pairs

    pairs = encode_pairs(texts, Encoder(model.tokenizer), model.prefix_token_id)
    return np.array([len(continuation) for _, continuation in pairs], dtype=np.float64)


def perplexities(model: HarnessModel, texts: Sequence[str]) -> tuple[Values, Values]:
    """(n,) perplexity of each text by itself, and (n,) how many tokens it has.

    As transformers' loss of a causal model: exp of the mean over all tokens but the first, with
    nothing before the first. NaN for a text of fewer than two tokens. A text that is longer than
    the model's context is cut at its end.
    """
    from phinery.evaluate.harness.requests import Encoder
    from phinery.evaluate.harness.results import Pending, Results, model_hash
    from phinery.evaluate.harness.scoring import TreeScorer
    from phinery.evaluate.harness.tree import Query

    tokens = Encoder(model.tokenizer).encode(texts)
    queries = [np.array(tokens[text][: model.max_length], dtype=np.int32) for text in texts]
    lengths = np.array([len(query) for query in queries], dtype=np.float64)
    asked = np.flatnonzero(lengths > 1).tolist()
    options = model.options
    with contextlib.ExitStack() as stack:
        kept = None
        if options.cache is not None:
            kept = Results(options.cache, model_hash(model.model, model.tokenizer))
            stack.enter_context(contextlib.closing(kept))
        pending = Pending([["perplexity", queries[number].tolist()] for number in asked], kept)
        missing = [asked[place] for place in pending.missing]
        scorer = TreeScorer(model.model, budget=options.batch_tokens)
        for done in scorer.scores([Query(queries[n], len(queries[n]) - 1) for n in missing]):
            pending.put((pending.missing[place], value) for place, value, _ in done)
    totals = np.full(len(texts), np.nan)
    totals[asked] = pending.results
    return np.exp(-totals / np.maximum(lengths - 1, 1)), lengths


def difference(values: Values) -> float:
    """Mean of the first column where the second is 1, minus its mean where that is 0."""
    first = values[:, 1] == 1
    if first.all() or not first.any():
        return float("nan")
    return float(values[first, 0].mean() - values[~first, 0].mean())
