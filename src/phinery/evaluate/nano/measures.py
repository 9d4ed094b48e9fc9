"""How the items of the nano suite are asked, and what is counted."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phinery.evaluate.nano.items import SET, Item
from phinery.evaluate.nano.mathematics import written_sums
from phinery.evaluate.outcome import Outcome
from phinery.evaluate.setting import Measure, Setting

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel

_NOTE = "the answer that this context makes likelier than the set's other contexts do"
_NUMBER = re.compile(r"\s*(-?[\d,]*\d)")


def matched(items: Callable[[], list[Item]]) -> Measure:
    """A measure: in which share of the contexts the right answer gains most by the context.

    An answer gains the difference of its log-likelihood after the context and its mean
    log-likelihood after the contexts of its set: pointwise mutual information, whose prior is taken
    from the set (Holtzman et al., "Surface form competition", EMNLP 2021, equation 4, take it from
    a neutral context). A long or a rare answer is at no disadvantage, so that a model that knows
    little shows what it knows; one that looks at the answers alone scores chance.
    """

    def measure(model: HarnessModel, setting: Setting) -> list[Outcome]:
        from lm_eval.api.instance import Instance

        shown = whole_sets(items(), setting)
        answers = model.loglikelihood(
            [
                Instance("loglikelihood", {}, (item.context, choice), number)
                for number, item in enumerate(shown)
                for choice in item.choices
            ]
        )
        values = np.array([value for value, _ in answers]).reshape(len(shown), SET)
        return [outcome_of(shown, picked(values))]

    return measure


def whole_sets(items: Sequence[Item], setting: Setting) -> list[Item]:
    """The sets that the setting chooses, as many as its number of items needs."""

    def of_sets(count: int | None) -> int | None:
        return None if count is None else -(-count // SET)

    of_items = dataclasses.replace(
        setting, limit=of_sets(setting.limit), sample=of_sets(setting.sample)
    )
    starts = [SET * place for place in of_items.chosen(len(items) // SET)]
    return [item for start in starts for item in items[start : start + SET]]


def picked(loglikelihoods: NDArray[np.float64]) -> list[int]:
    """Which answer gains most by each context.

    `loglikelihoods` are (contexts, SET): a set's contexts stand together, in order.
    """
    by_set = loglikelihoods.reshape(-1, SET, SET)
    gains = by_set - by_set.mean(axis=1, keepdims=True)
    choices: list[int] = gains.argmax(axis=2).reshape(-1).tolist()
    return choices


def outcome_of(items: Sequence[Item], choices: Sequence[int]) -> Outcome:
    """The outcome of having chosen so."""
    task = items[0].id.split("/")[0]
    right = [float(item.right == choice) for item, choice in zip(items, choices, strict=True)]
    several = len({item.level for item in items}) > 1
    return Outcome(
        task=task,
        metric="matched",
        ids=tuple(item.id for item in items),
        values=np.array(right).reshape(-1, 1),
        benchmark="nano",
        groups=tuple(item.level for item in items) if several else (),
        units=tuple(item.set for item in items),
        chance=1 / SET,
        # Each answer is right once in its set, so that no fixed rule does better: neither a place,
        # nor the longest answer, nor the commonest.
        majority=1 / SET,
        note=_NOTE,
    )


def written(model: HarnessModel, setting: Setting) -> list[Outcome]:
    """A measure: sums whose answer the model writes, greedily; right to the last digit."""
    from lm_eval.api.instance import Instance

    everything = written_sums()
    chosen = [everything[place] for place in setting.chosen(len(everything))]
    how = {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}
    texts = model.generate_until(
        [
            Instance("generate_until", {}, (one.context, how), number)
            for number, (_, one) in enumerate(chosen)
        ]
    )
    wanted = [one.answer.strip(" .") for _, one in chosen]
    right = [float(number_of(text) == answer) for text, answer in zip(texts, wanted, strict=True)]
    return [
        Outcome(
            task="written_sums",
            metric="exact_match",
            ids=tuple(name for name, _ in chosen),
            values=np.array(right).reshape(-1, 1),
            benchmark="nano",
            chance=0.0,
            majority=Counter(wanted).most_common(1)[0][1] / len(wanted),
        )
    ]


def number_of(text: str) -> str:
    """The number that a text begins with; empty when it begins with something else."""
    found = _NUMBER.match(text)
    return found[1] if found else ""
