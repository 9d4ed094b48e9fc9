"""Toxicity of texts by a linear model of words and pairs of words, fitted to people's ratings.

A text is its words and neighbouring pairs, hashed, and one term more that stands for any insult,
weighed by 1 + ln(count) and inverse document frequency, and brought to length 1. Ridge regression
(Hoerl and Kennard 1970) gives the expected rating, a logistic curve (Platt 1999) makes of it how
likely people call the text toxic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phinery.data.quality.features import pair_hashes, text_numbers
from phinery.data.words import hash_words

Floats = NDArray[np.float64]

RIDGE = 1.0
"""Weight of the penalty on squared coefficients."""

HARSH = (
    "abuse abusive attack awful bastard beat beaten bitch bomb brainless burn coward crap creep "
    "cretin criminal cripple crook cruel cunt damn deserve die dirty disgrace disgusting dumb evil "
    "execute exterminate failure fat filth filthy fool fuck fucking garbage gross hang hate hated "
    "hateful hell hideous horrible idiot idiotic idiots ignorant inferior insane invade jerk kill "
    "killed kills lazy liar liars loser losers lunatic moron morons murder nasty parasite pathetic "
    "pervert pig pigs plague poison primitive psycho punch rape rapist rapists rat rats repulsive "
    "retard rotten savage savages scum shit shoot shut sick slaughter slut smelly stab stink "
    "stupid subhuman suck sucks terrorist terrorists thief thieves threat thug thugs torture trash "
    "ugly useless vermin vile violent whore worst worthless"
)
"""Insults and words of violence, without slurs, in lower case."""

_HARSH_TERM = np.uint64(1)
_LEAST_TEXTS = 2  # that a term must stand in to count
_TOLERANCE = 1e-6
_MOST_STEPS = 300


class ToxicityScorer(Protocol):
    """What scores texts; anything with these may take the place of ours.

    name : in a few words.
    auc : how well it parts toxic from other texts that it has not seen; NaN if nobody measured it.
    note : what a reader of figures that rest on it must know, in a sentence.
    """

    @property
    def name(self) -> str: ...
    @property
    def auc(self) -> float: ...
    @property
    def note(self) -> str: ...

    def scores(self, texts: Sequence[str]) -> Floats:
        """(n,) toxicity of each text, 0 to 1, by itself; from 0.5 on a text counts as toxic."""
        ...


@dataclasses.dataclass(frozen=True)
class Terms:
    """Which terms stand in which texts: an entry for each different term of a text.

    text, hash, count : (entries,), ordered by text. texts : how many texts there are.
    """

    text: NDArray[np.int64]
    hash: NDArray[np.uint64]
    count: NDArray[np.int64]
    texts: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> Terms:
        """Words, pairs of neighbouring words and, as one term, harsh words of every text."""
        words = hash_words(texts)
        owners = text_numbers(words.offsets)
        pairs, inside = pair_hashes(words)
        harsh = owners[np.isin(words.hashes, hash_words([HARSH]).hashes)]
        hashes = np.concatenate([words.hashes, pairs[inside], np.full(len(harsh), _HARSH_TERM)])
        owners = np.concatenate([owners, owners[:-1][inside], harsh])
        order = np.lexsort((hashes, owners))
        hashes, owners = hashes[order], owners[order]
        new = np.ones(len(hashes), dtype=bool)
        new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
        firsts = np.flatnonzero(new)
        counts = np.diff(firsts, append=len(hashes))
        return cls(owners[firsts], hashes[firsts], counts, len(texts))


@dataclasses.dataclass(frozen=True, eq=False)
class LinearModel:
    """Made by `fit`.

    vocabulary : uint64 (terms,), ascending. idf, weights : float64 (terms,).
    offset : the rating of a text like no other. slope, middle : of the logistic curve.
    """

    vocabulary: NDArray[np.uint64]
    idf: Floats
    weights: Floats
    offset: float
    slope: float = 1.0
    middle: float = 0.5

    def ratings(self, terms: Terms) -> Floats:
        """(texts,) expected rating, about 0 to 1."""
        text, term, value = _weighed(terms, self.vocabulary, self.idf)
        return self.offset + _sums(text, value * self.weights[term], terms.texts)

    def scores(self, texts: Sequence[str]) -> Floats:
        """(n,) how likely people call each text toxic; 0 for a text without a word."""
        terms = Terms.of(texts)
        scores = _logistic(self.slope * (self.ratings(terms) - self.middle))
        scores[np.bincount(terms.text, minlength=len(texts)) == 0] = 0
        return scores


def fit(terms: Terms, ratings: Floats, chosen: NDArray[np.bool_]) -> LinearModel:
    """Ridge regression of (texts,) ratings, 0 to 1, on the texts marked in `chosen`."""
    used = chosen[terms.text]
    number = np.cumsum(chosen) - 1
    own = Terms(number[terms.text[used]], terms.hash[used], terms.count[used], int(chosen.sum()))
    vocabulary, frequency = np.unique(own.hash, return_counts=True)
    common = frequency >= _LEAST_TEXTS
    vocabulary, frequency = vocabulary[common], frequency[common]
    idf = np.log((1 + own.texts) / (1 + frequency)) + 1
    text, term, value = _weighed(own, vocabulary, idf)
    offset = float(ratings[chosen].mean())
    # Solved for one number a text; they are fewer than the terms.
    duals = _solve(text, term, value, len(vocabulary), ratings[chosen] - offset)
    weights = _sums(term, value * duals[text], len(vocabulary))
    return LinearModel(vocabulary, idf, weights, offset)


def calibrate(model: LinearModel, predicted: Floats, toxic: NDArray[np.bool_]) -> LinearModel:
    """The model with the logistic curve that fits ratings predicted for texts unseen in fitting.

    Newton's method on the log-loss, with Platt's softened targets.
    """
    positive, negative = int(toxic.sum()), int((~toxic).sum())
    target = np.where(toxic, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.stack([predicted, np.ones(len(predicted))], 1)
    curve = np.zeros(2)
    for _ in range(50):
        likely = _logistic(design @ curve)
        gradient = design.T @ (likely - target)
        spread = np.maximum(likely * (1 - likely), 1e-9)
        step = np.linalg.solve((design * spread[:, None]).T @ design + 1e-9 * np.eye(2), gradient)
        curve -= step
        if np.abs(step).max() < 1e-10:
            break
    slope, intercept = curve.tolist()
    if slope <= 0:  # predictions that are worth nothing: everything gets the share of toxic texts
        return dataclasses.replace(model, slope=0.0, middle=0.0)
    return dataclasses.replace(model, slope=slope, middle=-intercept / slope)


def area_under_curve(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive scores higher than a negative, ties counting half.

    That is Mann and Whitney's U (1947) over the number of pairs; NaN without both.
    """
    count, other = int(positive.sum()), int((~positive).sum())
    if not count or not other:
        return float("nan")
    _, place, repeats = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(repeats) - (repeats - 1) / 2
    return float((ranks[place[positive]].sum() - count * (count + 1) / 2) / (count * other))


def _weighed(
    terms: Terms, vocabulary: NDArray[np.uint64], idf: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Text, number in the vocabulary and value of each known term; a text's have length 1."""
    if not len(vocabulary):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)
    place = np.minimum(np.searchsorted(vocabulary, terms.hash), len(vocabulary) - 1)
    known = vocabulary[place] == terms.hash
    text, term = terms.text[known], place[known]
    value = (1 + np.log(terms.count[known])) * idf[term]
    length = np.sqrt(_sums(text, value * value, terms.texts))
    return text, term, value / length[text]


def _solve(
    text: NDArray[np.int64],
    term: NDArray[np.int64],
    value: Floats,
    terms: int,
    target: Floats,
) -> Floats:
    """(X X' + RIDGE) a = target by conjugate gradients (Hestenes and Stiefel 1952)."""
    found = np.zeros(len(target))
    rest = target.copy()
    direction = rest.copy()
    size = float(rest @ rest)
    goal = _TOLERANCE**2 * size
    for _ in range(_MOST_STEPS):
        if size <= goal:
            break
        by_term = _sums(term, value * direction[text], terms)
        image = _sums(text, value * by_term[term], len(target)) + RIDGE * direction
        step = size / float(direction @ image)
        found += step * direction
        rest -= step * image
        size, last = float(rest @ rest), size
        direction = rest + (size / last) * direction
    return found


def _sums(groups: NDArray[np.int64], values: Floats, count: int) -> Floats:
    """(count,) sum of each group's values, in order: it does not depend on the other groups."""
    return np.bincount(groups, values, count).astype(np.float64)


def _logistic(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
