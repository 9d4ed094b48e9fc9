"""Ratings from a teacher: questions, answers, what to ask about, and learning from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.quality import (
    Rating,
    annotate,
    choose,
    extend,
    parse_answer,
    prompt,
    shipped_scorer,
    train,
)
from phinery.data.quality.features import FEATURE_NAMES, dense_features
from phinery.data.quality.training import fit_calibration, fold_numbers, spread
from phinery.data.words import hash_words


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        ("educational value: 3, teachability: 4", (3, 4)),
        ("**Educational Value:** 0\n**Teachability:** 5", (0, 5)),
        ('{"educational_value": 2, "teachability": 1}', (2, 1)),
        ("I'd say educational value: 5?\nFinal: educational value: 4, teachability: 2.", (4, 2)),
        ("3 4", (3, 4)),
        ("3/5, 4/5", (3, 4)),
        (" 2.0, 3.0\n", (2, 3)),
        ("educational value: 6, teachability: 2", None),
        ("educational value: 2.5, teachability: 2", None),
        ("educational value: 3", None),
        ("3", None),
        ("1 2 3", None),
        ("I can't judge 2 of the 5 points.", None),
        ("", None),
    ],
)
def test_answers(answer: str, values: tuple[int, int] | None) -> None:
    assert parse_answer(answer) == values


@given(st.text())
def test_any_answer_is_read_or_refused(answer: str) -> None:
    values = parse_answer(answer)
    assert values is None or all(0 <= value <= 5 for value in values)


def test_a_teacher_is_asked_and_wrong_answers_are_counted() -> None:
    asked: list[str] = []

    def ask(prompts: Sequence[str]) -> list[str | None]:
        asked.extend(prompts)
        return ["educational value: 3, teachability: 2", None, "no idea"]

    result = annotate(["first text", "second text", "third text"], ask, ["a", "b", "c"])
    assert result.ratings == [Rating("first text", 3, 2, "a")]
    assert (result.unanswered, result.unreadable) == (1, 1)
    assert asked == [prompt("first text"), prompt("second text"), prompt("third text")]
    with pytest.raises(ValueError, match="3 answers to 1"):
        annotate(["one"], ask)


def test_a_rating_is_from_0_to_5() -> None:
    with pytest.raises(ValueError, match="from 0 to 5"):
        Rating("text", 6, 0)


def _texts(count: int, subject: str) -> list[str]:
    random = np.random.default_rng(len(subject))
    words = ["zorb", "quill", "frand", "mope", "tessel", subject]
    return [" ".join(random.choice(words, 60)) + "." for _ in range(count)]


def test_new_ratings_move_scores_towards_them_and_leave_the_others() -> None:
    scorer = shipped_scorer()
    unknown = _texts(30, "glim")
    known = ["A cell membrane is made of lipids. It is called a bilayer: it has two layers."]
    known += ["Buy now!!! www.example.com", "In article <1> someone wrote:\n> no\nYou are wrong."]
    before = scorer.scores(unknown)[:, 0].mean()
    raised = extend(scorer, [Rating(text, 5, 5, text) for text in unknown[:20]])
    lowered = extend(scorer, [Rating(text, 0, 0, text) for text in unknown[:20]])
    assert raised.scores(unknown[20:])[:, 0].mean() > max(before + 1, 3.5)
    assert lowered.scores(unknown[20:])[:, 0].mean() < 0.8
    for other in (raised, lowered):
        assert np.abs(other.scores(known) - scorer.scores(known)).max() < 0.3
        assert len(other.rated) == len(scorer.rated) + 20
    assert extend(scorer, []) is scorer


def test_training_is_deterministic_and_fits() -> None:
    embedding = shipped_scorer().encoder.embedding
    ratings = [Rating(text, 4, 3) for text in _texts(40, "glim")]
    ratings += [Rating(f"> {text}!!!", 0, 1) for text in _texts(40, "brask")]
    first, second = train(ratings, embedding), train(ratings, embedding)
    texts = [rating.text for rating in ratings]
    assert np.array_equal(first.scores(texts), second.scores(texts))
    scores = first.scores(texts)
    assert np.allclose(scores[:40].mean(0), [4, 3], atol=0.3)
    assert np.allclose(scores[40:].mean(0), [0, 1], atol=0.3)
    with pytest.raises(ValueError, match="too few"):
        train(ratings[:10], embedding)


def test_an_excerpt_that_was_rated_is_no_longer_in_doubt() -> None:
    scorer = shipped_scorer()
    texts = _texts(4, "glim")
    rows = scorer.encoder.rows(texts)
    before = spread(scorer, rows)
    after = spread(extend(scorer, [Rating(text, 2, 2) for text in texts]), rows)
    assert ((before > 0.5) & (before <= 1)).all()
    assert (after < before - 0.15).all()


def test_the_unsure_are_chosen_from_every_source() -> None:
    scorer = shipped_scorer()
    strange = _texts(40, "glim")
    plain = [f"Buy now {number}!!! www.example.com click here" for number in range(200)]
    texts = strange + plain + ["", "tiny source"]
    sources = ["mixed"] * 120 + ["plain"] * 120 + ["small"] * 2
    chosen = choose(scorer, texts, sources, 41)
    assert chosen == choose(scorer, texts, sources, 41)
    assert chosen == sorted(set(chosen))
    assert Counter(sources[number] for number in chosen) == {"mixed": 20, "plain": 20, "small": 1}
    doubt = spread(scorer, scorer.encoder.rows(texts[:120]))
    is_chosen = np.isin(np.arange(120), chosen)
    assert doubt[is_chosen].mean() > doubt[~is_chosen].mean() + 0.02
    assert choose(scorer, texts, sources, 41, seed=1) != chosen
    assert len(choose(scorer, texts, sources, 1000)) == 241
    with pytest.raises(ValueError, match="as many sources"):
        choose(scorer, texts, ["one"], 2)


def test_calibration_rises_and_meets_the_means() -> None:
    random = np.random.default_rng(0)
    results = random.normal(size=(600, 2))
    ratings = np.clip(np.round(2 + results + random.normal(size=(600, 2)) / 2), 0, 5)
    knots = fit_calibration(results, ratings)
    assert knots.shape == (2, 2, 12)
    assert (np.diff(knots, axis=2) > 0).all()
    assert abs(knots[0, 1].mean() - ratings[:, 0].mean()) < 0.05


def test_folds_keep_documents_together() -> None:
    folds = fold_numbers(["a", "", "a", "", "b", "a"] * 10, 5)
    assert len(set(folds[[0, 2, 5, 6, 8, 11]].tolist())) == 1
    assert len(set(folds[1::6].tolist() + folds[3::6].tolist())) == 5


def test_features_count_what_they_name() -> None:
    texts = [
        "Subject: x\n> quoted line here\n> another one\nmy own line",
        "A cell is called small. For example, 3 cells.",
        "",
    ]
    table = dense_features(texts, hash_words(texts))
    assert table.shape == (3, len(FEATURE_NAMES))
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)

    def value(text: int, name: str) -> float:
        return float(table[text, FEATURE_NAMES.index(name)])

    assert value(0, "lines:quoted") == 0.5
    assert value(1, "lines:quoted") == 0
    assert value(0, "pattern:'\\n>'") == pytest.approx(np.log(3))
    assert value(0, "pattern:'Subj'") == pytest.approx(np.log(2))
    assert value(1, "phrases:definition") == pytest.approx(np.log1p(2000 / 9))  # "called" also
    assert value(1, "phrases:example") == pytest.approx(np.log1p(2000 / 9))
    assert value(1, "signs:digit") == pytest.approx(np.log1p(1000 / (len(texts[1]) + 1)))
    assert not table[2].any()
    alone = np.concatenate([dense_features([text], hash_words([text])) for text in texts])
    assert np.array_equal(alone, table)
