"""SQuAD v2's metric, and the harness's task with it.

The metric is that of the official evaluation script (Rajpurkar, Jia and Liang 2018,
https://arxiv.org/abs/1806.03822), which the harness would fetch from the hub: answers are compared
without case, punctuation, articles and superfluous spaces, and the best of several answers counts.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# A question counts as unanswered where the model holds that likelier than this.
_THRESHOLD = 1.0

Graded = tuple[float, float, bool, bool]
"""A score, the probability of no answer, whether there is an answer, whether one was given."""


def normalised(answer: str) -> str:
    """An answer in lower case without punctuation, articles and superfluous spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact(prediction: str, answers: Sequence[str]) -> float:
    """1 if the prediction is one of the answers; of a question without answers, if it is empty."""
    return max(float(normalised(prediction) == normalised(one)) for one in _golds(answers))


def f1(prediction: str, answers: Sequence[str]) -> float:
    """The largest F1 score over the words that prediction and an answer have in common."""
    return max(_f1(normalised(prediction).split(), normalised(a).split()) for a in _golds(answers))


def best(graded: Sequence[Graded]) -> float:
    """The mean score with the threshold on the probability of no answer that makes it largest.

    From the surest answer on, each question's answer is let stand, those before it too, and the
    others count as unanswered. NaN of nothing.
    """
    if not graded:
        return math.nan
    rows = np.array(graded, dtype=np.float64)
    rows = rows[np.argsort(rows[:, 1], kind="stable")]
    answerable, given = rows[:, 2] > 0, rows[:, 3] > 0
    gain = np.where(answerable, rows[:, 0], np.where(given, -1.0, 0.0))
    unanswerable = float((~answerable).sum())
    return (unanswerable + max(0.0, float(np.cumsum(gain).max()))) / len(rows)


def corrected(task_class: type[Any]) -> type[Any]:
    """The harness's class for squadv2 with our metric, and with examples.

    Its prompts and requests are unchanged. In lm-evaluation-harness 0.4.13 the class's own
    `doc_to_text` and `doc_to_target` lack the second argument that `fewshot_context` gives them,
    so that examples end in a TypeError (https://github.com/EleutherAI/lm-evaluation-harness/pull/3686,
    open). Here they take it, as in that request, and like there ignore it. Two spaces stand before
    an example's answer then: one is the harness's delimiter, the other the task's own.

    Metrics are shares from 0 to 1, where the official script gives per cent.
    """
    from lm_eval.api.metrics import mean

    class SquadV2(task_class):
        def doc_to_text(self, doc: Mapping[str, Any], doc_to_text: Any = None) -> str:
            return super().doc_to_text(doc)

        def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> str:
            return super().doc_to_target(doc)

        def process_results(self, doc: Mapping[str, Any], results: Any) -> dict[str, Any]:
            prediction, truth = super().process_results(doc, results)["exact"]
            return graded(
                prediction["prediction_text"],
                prediction["no_answer_probability"],
                truth["answers"]["text"],
            )

        def aggregation(self) -> dict[str, Callable[[Any], float]]:
            names = self.higher_is_better()
            return {name: best if name.startswith("best") else mean for name in names}

        def majority(self, metric: str, docs: Sequence[Mapping[str, Any]]) -> float | None:
            """What a model scores that never answers."""
            empty = sum(not doc["answers"]["text"] for doc in docs) / len(docs)
            alone = {"HasAns": 0.0, "NoAns": 1.0}
            return alone.get(metric.partition("_")[0], empty)

    return SquadV2


def graded(prediction: str, no_answer: float, answers: Sequence[str]) -> dict[str, Any]:
    """All metrics of one question that are about it."""
    has_answer = bool(answers)
    found: dict[str, Any] = {}
    for name, score in (("exact", exact(prediction, answers)), ("f1", f1(prediction, answers))):
        kept = float(not has_answer) if no_answer > _THRESHOLD else score
        found[name] = kept
        found[f"{'HasAns' if has_answer else 'NoAns'}_{name}"] = kept
        found[f"best_{name}"] = (score, no_answer, has_answer, bool(prediction))
    return found


def _golds(answers: Sequence[str]) -> list[str]:
    return [answer for answer in answers if normalised(answer)] or [""]


def _f1(prediction: list[str], answer: list[str]) -> float:
    if not prediction or not answer:
        return float(prediction == answer)
    common = (Counter(prediction) & Counter(answer)).total()
    # 2PR / (P + R) for precision common / prediction and recall common / answer
    return 2 * common / (len(prediction) + len(answer))
