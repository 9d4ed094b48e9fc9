"""Fingerprints of texts: 128 bits for equality, MinHash signatures for likeness.

A signature holds, for each of 112 hash functions, the least hash among a text's word 5-grams. The
share of places at which two signatures agree estimates the Jaccard similarity of the two sets of
5-grams, with a standard error of sqrt(J (1 - J) / 112) (Broder, "On the resemblance and
containment of documents", 1997). Split into 14 bands of 8, two signatures share a whole band with
probability 1 - (1 - J**8)**14: 0.77 at J = 0.75, 0.99 at J = 0.85.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import daft

NUM_HASHES = 112
BANDS = 14
ROWS = 8
SHINGLE_WORDS = 5
AGREEMENT = 0.6
"""The share of equal places from which two signatures count as near-duplicates."""

NO_SIGNATURE = np.uint32(2**32 - 1)
"""Fills the signature of a text of fewer than five words, which has no 5-gram."""

_SEED = 1
_HAS_A_SHINGLE = rf"^\S+(?: \S+){{{SHINGLE_WORDS - 1}}}"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def normalized(text: daft.Expression) -> daft.Expression:
    """Text as signatures see it: lower case, without ASCII punctuation, words one space apart."""
    from daft.functions import normalize

    return normalize(text, remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)


def signature(text: daft.Expression) -> daft.Expression:
    """A text's MinHash signature over its word 5-grams: 112 uint32, a column of a fixed size.

    Words are what stands between white space in `normalized` text, so that a text in a script
    without spaces has few. A text of fewer than five words (or of punctuation alone, or none at
    all) has no 5-gram: its signature is 112 x `NO_SIGNATURE`. Null stays null.
    """
    from daft.functions import minhash, regexp, when

    words = normalized(text)
    # Daft takes a shorter text as one shingle and an empty one as all ones: the latter is wanted.
    long_enough = when(regexp(words, _HAS_A_SHINGLE), words).otherwise("")
    enough = when(words.is_null(), words).otherwise(long_enough)
    return minhash(enough, num_hashes=NUM_HASHES, ngram_size=SHINGLE_WORDS, seed=_SEED)


def has_signature(signatures: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which rows of `signatures`, (n, 112), come from a text of five words or more: (n,)."""
    return (signatures[:, :ROWS] != NO_SIGNATURE).any(axis=1)


def band_keys(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One key for each band of 8 places: (n, 112) to (n, 14). Equal bands have equal keys.

    Unequal bands share a key with probability 2**-64, so that candidates want verification.
    """
    return np.stack([band_key(signatures, band) for band in range(BANDS)], axis=1)


def band_key(signatures: NDArray[np.uint32], band: int) -> NDArray[np.uint64]:
    """The keys of one band, (n,): a column of `band_keys`."""
    _check_signatures(signatures)
    places = np.ascontiguousarray(signatures[:, band * ROWS : (band + 1) * ROWS])
    pairs = places.view(np.uint64)  # (n, 4)
    keys = np.full(len(pairs), band, dtype=np.uint64)
    for column in range(pairs.shape[1]):
        keys = (keys ^ pairs[:, column]) * _MULTIPLIER
        keys ^= keys >> _SHIFT
    return keys


def _check_signatures(signatures: NDArray[np.uint32]) -> None:
    if signatures.ndim != 2 or signatures.shape[1] != NUM_HASHES or signatures.dtype != np.uint32:
        raise ValueError(
            f"signatures are {signatures.dtype} {signatures.shape}, but uint32 (n, {NUM_HASHES}) "
            "is needed: make them with `signature`"
        )


def exact_hash(texts: Iterable[str]) -> NDArray[np.uint64]:
    """128 bits of BLAKE2b of each text's UTF-8 bytes, as two uint64: (n, 2).

    Two different texts among a thousand million share them with probability 1e-21.
    """
    digests = b"".join(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    )
    return np.frombuffer(digests, dtype="<u8").reshape(-1, 2).astype(np.uint64, copy=False)
