"""Training a scorer from rated excerpts, and going on from one with further ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phinery.data.quality.embedding import Embedding
from phinery.data.quality.excerpts import excerpts
from phinery.data.quality.features import dense_features
from phinery.data.quality.model import (
    HIGHEST,
    Encoder,
    Kernel,
    Rows,
    Scorer,
    quantized_weights,
)
from phinery.data.words import hash_words

NOISE = 0.2
"""The ridge: the variance of a rating's error, as a share of the scores' own (the kernel's 1)."""

_KNOTS = 12
_FOLDS = 10


@dataclass(frozen=True)
class Rating:
    """What a judge said about an excerpt of up to `EXCERPT` characters: two numbers, 0 to 5."""

    text: str
    educational_value: float
    teachability: float
    document: str = ""
    """Excerpts of one document are never on both sides of a validation; "" for a document alone."""

    def __post_init__(self) -> None:
        """Raise ValueError for a rating outside 0 to 5."""
        for value in (self.educational_value, self.teachability):
            if not 0 <= value <= HIGHEST:
                raise ValueError(f"a rating is from 0 to 5, not {value}")


def train(
    ratings: Sequence[Rating],
    embedding: Embedding,
    *,
    kernel: Kernel | None = None,
    noise: float = NOISE,
) -> Scorer:
    """A scorer from ratings alone. Deterministic. Raises ValueError for fewer than 50 ratings."""
    if len(ratings) < 50:
        raise ValueError(f"{len(ratings)} ratings are too few to train on: give 50 or more")
    pieces = [_excerpt(rating) for rating in ratings]
    features = dense_features(pieces, hash_words(pieces))
    deviations = features.std(axis=0).astype(np.float32)
    deviations[deviations < 1e-6] = 0
    encoder = Encoder(embedding, features.mean(axis=0).astype(np.float32), deviations)
    return _solve(
        encoder,
        kernel or Kernel(),
        encoder.rows(pieces),
        _targets(ratings),
        fold_numbers([rating.document for rating in ratings], _FOLDS),
        noise,
    )


def extend(scorer: Scorer, ratings: Sequence[Rating], *, noise: float = NOISE) -> Scorer:
    """The scorer that the old ratings and these make together.

    A scorer carries the rows of the excerpts it learnt from, so the regression is solved anew with
    all of them; only the features' means and deviations stay as they were.
    """
    if not ratings:
        return scorer
    fresh = scorer.encoder.rows([_excerpt(rating) for rating in ratings])
    old = [""] * len(scorer.rated)
    folds = fold_numbers([*old, *(rating.document for rating in ratings)], _FOLDS)
    return _solve(
        scorer.encoder,
        scorer.kernel,
        scorer.rated.followed_by(fresh),
        np.concatenate([scorer.ratings, _targets(ratings)]),
        folds,
        noise,
    )


def spread(scorer: Scorer, rows: Rows, *, noise: float = NOISE) -> NDArray[np.float64]:
    """How unsure the scorer is of each excerpt, (n,): 0 where it has rated ones alike, to 1.

    The posterior standard deviation of the Gaussian process, the kernel's scale being 1.
    """
    likeness = scorer.kernel(scorer.rated, scorer.rated).astype(np.float64)
    likeness[np.diag_indices(len(likeness))] += noise
    inverse = np.linalg.inv(likeness)
    cross = scorer.kernel(rows, scorer.rated).astype(np.float64)
    explained = np.einsum("ij,ij->i", cross @ inverse, cross)
    return np.sqrt(np.clip(1 - explained, 0, 1))


def out_of_fold(
    likeness: NDArray[np.float64],
    targets: NDArray[np.float64],
    folds: NDArray[np.int64],
    noise: float,
) -> NDArray[np.float64]:
    """Raw results for every rated excerpt from the excerpts of the other folds, (n, 2)."""
    results = np.zeros_like(targets)
    for fold in np.unique(folds):
        inside = folds == fold
        fitted, mean = _ridge(likeness[np.ix_(~inside, ~inside)], targets[~inside], noise)
        results[inside] = likeness[np.ix_(inside, ~inside)] @ fitted + mean
    return results


def fold_numbers(documents: Sequence[str], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """A fold for every excerpt, at random by `seed`; those of one document share theirs."""
    names = [name or f"\0{number}" for number, name in enumerate(documents)]
    different, index = np.unique(names, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(different))
    return order[index] % folds


def fit_calibration(
    results: NDArray[np.float64], ratings: NDArray[np.float64]
) -> NDArray[np.float32]:
    """A rising map from results to the mean rating of excerpts with such results, (2, 2, knots).

    Means over twelve equal parts of the results in order, pooled where they fall (isotonic
    regression), with a small slope everywhere, so that different results stay different.
    """
    maps: list[NDArray[np.float64]] = []
    for score in range(ratings.shape[1]):
        order = np.argsort(results[:, score], kind="stable")
        parts = np.array_split(order, _KNOTS)
        knots = np.array([results[part, score].mean() for part in parts])
        means = _rising([ratings[part, score].mean() for part in parts])
        knots += 1e-6 * np.arange(_KNOTS)
        maps.append(np.stack([knots, means + 1e-3 * np.arange(_KNOTS)]))
    return np.stack(maps).astype(np.float32)


def rating_scale(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the regression is fitted to: half of all ratings are 0 or 1, so low ones are spread."""
    return 2 * np.sqrt(ratings + 0.5)


def _solve(
    encoder: Encoder,
    kernel: Kernel,
    rows: Rows,
    ratings: NDArray[np.float32],
    folds: NDArray[np.int64],
    noise: float,
) -> Scorer:
    likeness = kernel(rows, rows).astype(np.float64)
    targets = rating_scale(ratings.astype(np.float64))
    results = out_of_fold(likeness, targets, folds, noise)
    fitted, mean = _ridge(likeness, targets, noise)
    return Scorer(
        encoder,
        kernel,
        rows,
        ratings,
        quantized_weights(fitted),
        mean.astype(np.float32),
        fit_calibration(results, ratings.astype(np.float64)),
    )


def _ridge(
    likeness: NDArray[np.float64], targets: NDArray[np.float64], noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = targets.mean(axis=0)
    regular = likeness + noise * np.eye(len(likeness))
    return np.linalg.solve(regular, targets - mean), mean


def _rising(values: list[float]) -> NDArray[np.float64]:
    """The closest sequence that never falls: neighbours that do are pooled."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pool = (value, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, size = pools.pop()
            total = size + pool[1]
            pool = ((mean * size + pool[0] * pool[1]) / total, total)
        pools.append(pool)
    return np.repeat([mean for mean, _ in pools], [size for _, size in pools])


def _excerpt(rating: Rating) -> str:
    found = excerpts(rating.text)
    return found[0] if found else ""


def _targets(ratings: Sequence[Rating]) -> NDArray[np.float32]:
    return np.array([(r.educational_value, r.teachability) for r in ratings], np.float32)
