from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from phinery.data import Document
from phinery.data.quality import Scorer, shipped_scorer
from phinery.data.quality.retrain import RATINGS, SCORER, read_ratings, retrain
from refine_help import texts

# Line ends for Python's splitlines, but not for JSON lines.
ODD_ENDS = "\u2028 \x85 \x0b"


def documents(count: int) -> list[Document]:
    return [Document(f"d{n}", f"{text} {ODD_ENDS}", "a") for n, text in enumerate(texts()[:count])]


def praise(prompts: Sequence[str]) -> list[str | None]:
    return ["educational value: 5, teachability: 5"] * len(prompts)


def test_ratings_add_up_over_calls(tmp_path: Path):
    first = retrain(documents(30), 5, praise, tmp_path, scorer=shipped_scorer())
    assert (first.ratings, first.pool) == (5, 30)
    second = retrain(documents(30), 5, praise, tmp_path, scorer=shipped_scorer())
    assert (second.ratings, second.pool) == (10, 25)
    ratings = read_ratings(tmp_path / RATINGS)
    assert len({rating.document for rating in ratings}) == 10
    assert all(rating.educational_value == 5 for rating in ratings)
    made = Scorer.load(tmp_path / SCORER)
    rated = [rating.text for rating in ratings]
    assert (made.scores(rated) > shipped_scorer().scores(rated)).all()


def test_answers_are_kept_when_the_teacher_fails_later(tmp_path: Path):
    asked = 0

    def tire(prompts: Sequence[str]) -> list[str | None]:
        nonlocal asked
        asked += len(prompts)
        if asked > 16:
            raise ValueError("the quota is used up")
        return praise(prompts)

    with pytest.raises(ValueError, match="quota"):
        retrain(documents(60), 40, tire, tmp_path, scorer=shipped_scorer())
    assert len(read_ratings(tmp_path / RATINGS)) == 16


def test_useless_answers_are_said(tmp_path: Path):
    def mumble(prompts: Sequence[str]) -> list[str | None]:
        return [None, *["well, that depends"] * (len(prompts) - 1)]

    with pytest.raises(ValueError, match=r"1 questions without an answer, 3 answers"):
        retrain(documents(30), 4, mumble, tmp_path, scorer=shipped_scorer())
    with pytest.raises(ValueError, match="ask for one at least"):
        retrain(documents(30), 0, praise, tmp_path, scorer=shipped_scorer())


def test_a_damaged_file_of_ratings_is_not_overwritten(tmp_path: Path):
    (tmp_path / RATINGS).write_text(json.dumps({"text": "x"}) + "\n")
    with pytest.raises(ValueError, match="does not hold ratings"):
        retrain(documents(30), 4, praise, tmp_path, scorer=shipped_scorer())
    assert (tmp_path / RATINGS).read_text() == json.dumps({"text": "x"}) + "\n"
