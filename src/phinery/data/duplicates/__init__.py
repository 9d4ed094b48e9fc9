"""Texts that occur twice, or nearly: fingerprints, and clusters of near-duplicates."""

from __future__ import annotations

from phinery.data.duplicates.clusters import Clusters, near_duplicates
from phinery.data.duplicates.minhash import (
    AGREEMENT,
    BANDS,
    NO_SIGNATURE,
    NUM_HASHES,
    ROWS,
    SHINGLE_WORDS,
    band_key,
    band_keys,
    exact_hash,
    has_signature,
    normalized,
    signature,
)

__all__ = [
    "AGREEMENT",
    "BANDS",
    "NO_SIGNATURE",
    "NUM_HASHES",
    "ROWS",
    "SHINGLE_WORDS",
    "Clusters",
    "band_key",
    "band_keys",
    "exact_hash",
    "has_signature",
    "near_duplicates",
    "normalized",
    "signature",
]
