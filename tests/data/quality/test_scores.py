"""The shipped scorer: what it says of ratings, and that a score is a text's own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from phinery.data.quality import (
    SHIPPED,
    Scorer,
    ScorerError,
    load_card,
    quality_scores,
    shipped_scorer,
)
from phinery.data.quality.excerpts import EXCERPT, excerpts
from phinery.data.quality.training import fold_numbers, out_of_fold, rating_scale

RATINGS = Path(__file__).resolve().parents[3].parent / "shared/annotations/ratings.jsonl.gz"

LESSON = """# Fractions

A fraction is a part of a whole. The number below the line is called the denominator: it tells into
how many equal parts the whole is cut. The number above the line is called the numerator: it tells
how many of those parts are taken. For example, if a cake is cut into 4 equal pieces and you eat 3
of them, you have eaten 3/4 of the cake, because 3 of the 4 parts are gone.

To add two fractions with the same denominator, add the numerators. For example, 1/4 + 2/4 = 3/4.
Why does this work? The denominator only names the size of the parts, so we count the parts.

Problem: What is 2/7 + 3/7?

Solution: The parts are sevenths in both fractions, therefore we add 2 and 3. The sum is 5/7.
"""
SPAM = """CHEAP watches!!! BUY NOW >>> click here <<< best price $$$ www.example.com
free shipping | sale | sale | sale
contact: sales@example.com, phone 555 0100
"""


@pytest.fixture(scope="module")
def ratings() -> list[dict[str, Any]]:
    if not RATINGS.exists():
        pytest.skip("../shared/annotations is absent")
    with gzip.open(RATINGS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_a_lesson_is_worth_more_than_spam() -> None:
    lesson, spam = quality_scores([LESSON, SPAM])
    assert lesson.min() > 3
    assert spam.max() < 1


def test_shape_type_range_and_texts_without_words() -> None:
    scores = quality_scores(["", " \n\t", "...!?\u2014", "\x00", "a", LESSON])
    assert scores.shape == (6, 2)
    assert scores.dtype == np.float32
    assert (scores[:4] == 0).all()
    assert (scores >= 0).all()
    assert (scores <= 5).all()
    assert quality_scores([]).shape == (0, 2)


def test_a_score_does_not_depend_on_the_batch(ratings: list[dict[str, Any]]) -> None:
    texts = [row["text"] for row in ratings[:300]]
    texts += ["\n\n".join(texts[:7]), "", "word"]
    together = quality_scores(texts)
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = quality_scores([texts[number] for number in order])
    assert np.array_equal(shuffled, together[order])
    alone = [quality_scores([text])[0] for text in texts[::5]]
    assert np.array_equal(np.stack(alone), together[::5])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.lists(st.text(max_size=50), max_size=3))
def test_any_text_has_a_score_of_its_own(text: str, others: list[str]) -> None:
    alone = quality_scores([text])
    assert np.isfinite(alone).all()
    assert np.array_equal(quality_scores([*others, text])[-1:], alone)


def test_scores_agree_with_the_ratings_that_were_learnt(ratings: list[dict[str, Any]]) -> None:
    scores = quality_scores([row["text"] for row in ratings])
    truth = np.array([[row["educational_value"], row["teachability"]] for row in ratings])
    for column in range(2):
        assert 0.94 < spearmanr(scores[:, column], truth[:, column]).statistic < 0.999
        assert abs(scores[:, column].mean() - truth[:, column].mean()) < 0.15


def test_ratings_of_unseen_documents_are_foretold(ratings: list[dict[str, Any]]) -> None:
    scorer = shipped_scorer()
    assert len(scorer.rated) == len(ratings)
    folds = fold_numbers([row["id"] for row in ratings], 5, seed=3)
    likeness = scorer.kernel(scorer.rated, scorer.rated).astype(np.float64)
    truth = scorer.ratings.astype(np.float64)
    results = out_of_fold(likeness, rating_scale(truth), folds, noise=0.2)
    assert spearmanr(results[:, 0], truth[:, 0]).statistic > 0.895
    assert spearmanr(results[:, 1], truth[:, 1]).statistic > 0.86


def test_the_card_tells_how_well_it_agrees() -> None:
    card = load_card(SHIPPED)
    assert card == json.loads(SHIPPED.with_name("card.json").read_text(encoding="utf-8"))
    for score in ("educational_value", "teachability"):
        measured = card["agreement"][score]
        low, high = measured["spearman"]["interval"]
        assert 0.8 < low < measured["spearman"]["value"] < high < 0.95
        assert sum(part["n"] for part in measured["calibration"]) == measured["n"]
        for part in measured["calibration"]:
            assert abs(part["mean_score"] - part["mean_rating"]) < 0.35
    assert SHIPPED.stat().st_size < 5e6


def test_a_saved_scorer_is_read_again(tmp_path: Path) -> None:
    scorer = shipped_scorer()
    path = tmp_path / "scores.safetensors"
    scorer.save(path, {"name": "copy"})
    assert np.array_equal(Scorer.load(path).scores([LESSON, SPAM]), scorer.scores([LESSON, SPAM]))
    assert load_card(path) == {"name": "copy"}
    path.write_bytes(b"not a scorer")
    with pytest.raises(ScorerError, match="not a safetensors file"):
        Scorer.load(path)


def test_excerpts_are_spread_over_a_text() -> None:
    lines = [f"line {number} of the text\n" for number in range(2000)]
    text = "".join(lines)
    found = excerpts(text)
    assert len(found) == 4
    assert found[0].startswith("line 0 ")
    assert found[-1].endswith("line 1999 of the text")
    assert all(len(piece) <= EXCERPT and piece.startswith("line ") for piece in found)
    assert excerpts("short") == ["short"]
    assert excerpts(" \n ") == []
    assert excerpts("a\n\n \n\nb") == ["a\n\nb"]


def test_of_a_very_long_text_four_excerpts_are_read() -> None:
    middle = SPAM * 10
    text = LESSON * 5 + middle + LESSON * 20_000
    assert [len(piece) > 1000 for piece in excerpts(text)] == [True] * 4
    assert np.abs(quality_scores([text]) - quality_scores([LESSON * 5])).max() < 0.7
