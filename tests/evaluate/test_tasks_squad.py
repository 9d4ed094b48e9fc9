"""SQuAD v2's metric, beside the official procedure written out once more, and cases by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from phinery.evaluate.tasks import squad


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The  Normans", "normans"),
        ("an apple, a pear", "apple pear"),
        ("in the U.S.", "in us"),
        ("A", ""),
        ("theatre", "theatre"),
        ("the-end", "theend"),
        ("Été 1944", "été 1944"),
        ("  \n", ""),
    ],
)
def test_answers_are_normalised(answer: str, expected: str):
    assert squad.normalised(answer) == expected


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("The Normans", ["Normans"], 1, 1),
        ("the Norman dynasty", ["Norman", "dynasty of Normandy"], 0, 2 / 3),
        ("red red blue", ["red blue blue"], 0, 2 / 3),
        ("", [], 1, 1),
        ("unanswerable", [], 0, 0),
        ("the", ["the"], 1, 1),
        ("", ["Normans"], 0, 0),
        ("Normans", ["the", "Norman"], 0, 0),
    ],
)
def test_predictions_are_compared(prediction: str, answers: list[str], exact: float, f1: float):
    assert squad.exact(prediction, answers) == exact
    assert squad.f1(prediction, answers) == pytest.approx(f1)


def test_without_an_answer_the_surer_questions_count():
    # In order of the probability of no answer: right, wrongly answered, right, unanswered.
    graded = [(1.0, 0.1, True, True), (0.0, 0.2, False, True), (1.0, 0.3, True, True)]
    graded.append((1.0, 0.9, False, False))
    # Two have no answer: 2, 3, 2, 3, 3 of 4 as the threshold rises.
    assert squad.best(graded) == 3 / 4
    assert squad.best([(0.0, 0.5, True, True)] * 3) == 0
    assert math.isnan(squad.best([]))


def test_a_metric_is_about_some_questions():
    found = squad.graded("Normans", 0.5, ["Normans"])
    assert (found["exact"], found["HasAns_exact"], found["HasAns_f1"]) == (1, 1, 1)
    assert "NoAns_exact" not in found
    found = squad.graded("Normans", 0.5, [])
    assert (found["exact"], found["NoAns_exact"]) == (0, 0)
    assert "HasAns_exact" not in found
    # Above the threshold, which only rounding brings about, a question counts as unanswered.
    assert squad.graded("Normans", 1.0000001, [])["exact"] == 1


def official(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The steps of the official script, one after another, in per cent."""

    def plain(text: str) -> str:
        kept = "".join(
            c for c in text.lower() if c not in set(r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~""")
        )
        return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))

    def overlap(one: str, other: str) -> float:
        left, right = plain(one).split(), plain(other).split()
        if not left or not right:
            return float(left == right)
        rest, same = list(right), 0
        for word in left:
            if word in rest:
                rest.remove(word)
                same += 1
        if not same:
            return 0.0
        precision, recall = same / len(left), same / len(right)
        return 2 * precision * recall / (precision + recall)

    exact: list[float] = []
    f1: list[float] = []
    for row in rows:
        golds = [text for text in row["answers"] if plain(text)] or [""]
        exact.append(max(float(plain(gold) == plain(row["prediction"])) for gold in golds))
        f1.append(max(overlap(row["prediction"], gold) for gold in golds))
    found = {"exact": 100 * sum(exact) / len(rows), "f1": 100 * sum(f1) / len(rows)}
    current = top = sum(not row["answers"] for row in rows)
    for number in sorted(range(len(rows)), key=lambda one: rows[one]["no_answer"]):
        row = rows[number]
        current += exact[number] if row["answers"] else (-1 if row["prediction"] else 0)
        top = max(top, current)
    return {**found, "best_exact": 100 * top / len(rows)}


def test_all_together_is_the_official_procedure():
    draw = random.Random(3)
    words = ["The", "a", "Norman", "normans,", "king", "of", "U.S.", "1066", "-", "red"]
    rows: list[dict[str, Any]] = []
    for _ in range(400):
        texts = [" ".join(draw.choices(words, k=draw.randint(0, 3))) for _ in range(4)]
        answers = [text for text in texts[: draw.randint(0, 3)] if text]
        no_answer = round(draw.random(), 1)  # with ties
        rows.append({"prediction": texts[3], "answers": answers, "no_answer": no_answer})
    graded = [squad.graded(row["prediction"], row["no_answer"], row["answers"]) for row in rows]
    expected = official(rows)
    for name in ("exact", "f1"):
        mean = math.fsum(one[name] for one in graded) / len(graded)
        assert 100 * mean == pytest.approx(expected[name])
    assert 100 * squad.best([one["best_exact"] for one in graded]) == pytest.approx(
        expected["best_exact"]
    )
    assert 10 < expected["exact"] < expected["best_exact"] < 80
