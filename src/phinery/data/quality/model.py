"""The scorer: kernel ridge regression from rated excerpts to educational value and teachability.

An excerpt becomes whole numbers: its dense features, standardised and rounded, and its embedded
views. Three kinds of likeness E = exp(-distance / width) with every rated excerpt (in its features,
in each view) make the kernel; the ratings' weights come from ridge regression, which is the mean of
a Gaussian process (Rasmussen & Williams 2006, chapter 2), and a monotone map calibrates the result.
All sums over many terms are of whole numbers that floating point holds exactly, so that a score is
the same bit for bit whatever else is in the batch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from phinery.data.quality.embedding import UNIT, Embedding
from phinery.data.quality.excerpts import excerpts
from phinery.data.quality.features import FEATURE_NAMES, dense_features
from phinery.data.words import hash_words
from phinery.files import write_atomic

SCORES = ("educational_value", "teachability")
HIGHEST = 5.0

_VERSION = "1"
_STEPS = 16  # a standardised feature's unit
_LIMIT = 4 * _STEPS
_BATCH = 128  # excerpts
_KERNEL_STEPS = float(2**16)
_WEIGHT_STEPS = float(2**20)


class ScorerError(ValueError):
    """A scorer's file is not one that this version reads."""


@dataclass(frozen=True)
class Kernel:
    """How alike two excerpts are: 1 for an excerpt and itself, towards 0 for unlike ones.

    E_f = exp(-feature_rate * mean squared difference of standardised features); for each view v
    E_v = exp(-view_rate * squared distance of unit vectors). The kernel is the weighted mean of
    E_f ** 2, the E_v ** 2 and the products E_f E_v.
    """

    feature_rate: float = 0.3
    view_rate: float = 0.7
    feature_weight: float = 0.3
    view_weights: tuple[float, ...] = (0.3, 0.3)
    joint_weights: tuple[float, ...] = (0.5, 0.5)

    def __call__(self, left: Rows, right: Rows) -> NDArray[np.float32]:
        """(left, right)"""
        assert len(self.view_weights) == len(self.joint_weights) == len(left.views)
        scale = self.feature_rate / (_STEPS**2 * left.features.shape[1])
        features = _likeness(left.parts[0], right.parts[0], scale)
        total = np.square(features)
        total *= np.float32(self.feature_weight)
        weights = zip(self.view_weights, self.joint_weights, strict=True)
        for number, (weight, joint) in enumerate(weights, start=1):
            view = _likeness(left.parts[number], right.parts[number], self.view_rate / UNIT**2)
            other = np.float32(weight) * view
            other += np.float32(joint) * features
            total += np.multiply(other, view, out=other)
        norm = self.feature_weight + sum(self.view_weights) + sum(self.joint_weights)
        total /= np.float32(norm)
        return total


def _likeness(left: _Part, right: _Part, rate: float) -> NDArray[np.float32]:
    """exp(-rate * squared distance); the distance is exact below 2**24."""
    distance = left.values @ right.values.T
    distance *= -2
    distance += left.squares[:, None]
    distance += right.squares
    distance *= np.float32(-rate)
    return np.exp(distance, out=distance)


@dataclass(frozen=True)
class _Part:
    """Whole numbers as floating point, and each row's sum of squares."""

    values: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def of(cls, numbers: NDArray[np.integer[Any]]) -> _Part:
        values = numbers.astype(np.float32)
        return cls(values, np.square(values).sum(axis=1))


@dataclass(frozen=True)
class Rows:
    """Excerpts as the kernel sees them; no text can be read from these numbers."""

    features: NDArray[np.int8]
    """(n, features): standardised, in sixteenths, at most 4 from 0."""
    vectors: NDArray[np.int16]
    """(n, dimensions)"""
    views: tuple[int, ...]

    @cached_property
    def parts(self) -> list[_Part]:
        """The features, then each view."""
        edges = np.cumsum(self.views)[:-1]
        return [_Part.of(self.features), *map(_Part.of, np.split(self.vectors, edges, axis=1))]

    def __len__(self) -> int:
        """The number of excerpts."""
        return len(self.features)

    def __getitem__(self, chosen: NDArray[Any] | slice) -> Rows:
        """Some of the excerpts."""
        return Rows(self.features[chosen], self.vectors[chosen], self.views)

    def followed_by(self, other: Rows) -> Rows:
        """These excerpts, then the others."""
        assert self.views == other.views
        return Rows(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.vectors, other.vectors]),
            self.views,
        )


@dataclass(frozen=True)
class Encoder:
    """Excerpts to rows."""

    embedding: Embedding
    means: NDArray[np.float32]
    """(features,)"""
    deviations: NDArray[np.float32]
    """(features,): 0 for a feature that is not used."""

    def rows(self, pieces: Sequence[str]) -> Rows:
        """The rows of excerpts of at most `EXCERPT` characters."""
        words = hash_words(pieces)
        used = self.deviations > 0
        scaled = dense_features(pieces, words)[:, used] - self.means[used]
        scaled *= _STEPS / self.deviations[used]
        scaled[np.diff(words.offsets) == 0] = 0
        features = np.rint(np.clip(scaled, -_LIMIT, _LIMIT)).astype(np.int8, order="C")
        return Rows(features, self.embedding.embed(words), self.embedding.views)


@dataclass(frozen=True)
class Scorer:
    """Scores texts by their likeness to rated excerpts. Made by `train`, or read by `load`."""

    encoder: Encoder
    kernel: Kernel
    rated: Rows
    ratings: NDArray[np.float32]
    """(rated, 2)"""
    weights: NDArray[np.int32]
    """(rated, 2), in units of 2**-20"""
    offset: NDArray[np.float32]
    """(2,): what an excerpt like no other gets before calibration."""
    calibration: NDArray[np.float32]
    """(2 scores, 2, knots): results in ascending order, and the ratings they stand for."""

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Educational value and teachability of every text, (n, 2), each 0 to 5.

        The mean over a text's excerpts. A text without a letter or digit has 0.
        """
        pieces: list[str] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            found = excerpts(text)
            pieces += found
            owners += [number] * len(found)
        of_pieces = [
            self.excerpt_scores(self.encoder.rows(pieces[begin : begin + _BATCH]))
            for begin in range(0, len(pieces), _BATCH)
        ]
        values = np.concatenate([np.zeros((0, 2), np.float32), *of_pieces])
        counts = np.bincount(np.array(owners, np.int64), minlength=len(texts))
        sums = [
            np.bincount(np.array(owners, np.int64), values[:, score], len(texts))
            for score in range(len(SCORES))
        ]
        return (np.stack(sums, 1) / np.maximum(counts, 1)[:, None]).astype(np.float32)

    def excerpt_scores(self, rows: Rows) -> NDArray[np.float32]:
        """The scores of single excerpts, (n, 2)."""
        values = calibrated(self.raw_scores(rows), self.calibration)
        values[~rows.vectors.any(axis=1) & ~rows.features.any(axis=1)] = 0
        return values

    def raw_scores(self, rows: Rows) -> NDArray[np.float64]:
        """The regression's result before calibration, (n, 2)."""
        likeness = np.rint(self.kernel(rows, self.rated).astype(np.float64) * _KERNEL_STEPS)
        sums = likeness @ self.weights.astype(np.float64)
        return sums * (1 / (_KERNEL_STEPS * _WEIGHT_STEPS)) + self.offset

    def save(self, path: Path, card: dict[str, Any]) -> None:
        """Write one safetensors file, `card` in its metadata, atomically."""
        from safetensors.numpy import save

        embedding = self.encoder.embedding
        tensors: dict[str, NDArray[Any]] = {
            "vocabulary": embedding.vocabulary,
            "table": embedding.table,
            "scales": embedding.scales,
            "means": self.encoder.means,
            "deviations": self.encoder.deviations,
            "rated.features": self.rated.features,
            "rated.vectors": self.rated.vectors,
            "ratings": self.ratings,
            "weights": self.weights,
            "offset": self.offset,
            "calibration": self.calibration,
        }
        metadata = {
            "format": "phinery-scorer",
            "version": _VERSION,
            "features": json.dumps(FEATURE_NAMES),
            "views": json.dumps(embedding.views),
            "kernel": json.dumps(vars(self.kernel)),
            "card": json.dumps(card, ensure_ascii=False, allow_nan=False),
        }
        # safetensors writes memory as it lies, whatever an array's strides say.
        whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        write_atomic(path, save(whole, metadata))

    @classmethod
    def load(cls, path: Path) -> Scorer:
        """Read what `save` wrote. Raises ScorerError for anything else."""
        return _load(path)[0]


def load_card(path: Path) -> dict[str, Any]:
    """The card of a saved scorer. Raises ScorerError when the file is none."""
    return _load(path)[1]


def quantized_weights(weights: NDArray[np.float64]) -> NDArray[np.int32]:
    """Ridge weights in the units that a scorer keeps."""
    return np.rint(np.clip(weights * _WEIGHT_STEPS, -(2.0**30), 2.0**30)).astype(np.int32)


def calibrated(
    results: NDArray[np.float64], calibration: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Regression results as ratings: linear between the knots and beyond them, then 0 to 5."""
    columns: list[NDArray[np.float64]] = []
    for score, (knots, values) in enumerate(calibration.astype(np.float64)):
        result = results[:, score]
        slopes = np.diff(values) / np.diff(knots)
        inner = np.interp(result, knots, values)
        below = np.minimum(result - knots[0], 0) * slopes[0]
        above = np.maximum(result - knots[-1], 0) * slopes[-1]
        columns.append(np.clip(inner + below + above, 0, HIGHEST))
    return np.stack(columns, 1).astype(np.float32)


def _load(path: Path) -> tuple[Scorer, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = cast("dict[str, str]", file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ScorerError(f"{path} is not a safetensors file: {error}") from error
    version = metadata.get("version") if metadata.get("format") == "phinery-scorer" else None
    if version != _VERSION or json.loads(metadata["features"]) != list(FEATURE_NAMES):
        raise ScorerError(f"{path} is no scorer of this version: train it again")
    fields = json.loads(metadata["kernel"])
    views = tuple(json.loads(metadata["views"]))
    kernel = Kernel(
        fields["feature_rate"],
        fields["view_rate"],
        fields["feature_weight"],
        tuple(fields["view_weights"]),
        tuple(fields["joint_weights"]),
    )
    embedding = Embedding(tensors["vocabulary"], tensors["table"], tensors["scales"], views)
    encoder = Encoder(embedding, tensors["means"], tensors["deviations"])
    rated = Rows(tensors["rated.features"], tensors["rated.vectors"], views)
    scorer = Scorer(
        encoder, kernel, rated, tensors["ratings"], tensors["weights"],
        tensors["offset"], tensors["calibration"],
    )  # fmt: skip
    return scorer, json.loads(metadata["card"])
