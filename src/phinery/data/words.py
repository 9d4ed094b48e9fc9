"""Words of texts as 64-bit hashes, by the million: what scoring and contamination checks share.

A word is a maximal run of letters and digits in the UTF-8 of a text. ASCII letters and digits
count, and so does every character beyond ASCII except the Latin-1 signs (U+0080 to U+00BF without
ª µ º, and × ÷), general punctuation (U+2000 to U+206F: “ ” ‘ ’ – — … and the wide spaces) and the
commonest CJK marks (U+3000 to U+3003 and U+3008 to U+3011). Apostrophes, straight or curly, part
words: "don't" is "don" and "t". ASCII letters are lower-cased, no others are: "É" is not "é".
Script without spaces comes as long words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Words:
    """The words of n texts: those of text i are `hashes[offsets[i] : offsets[i + 1]]`, in order."""

    hashes: NDArray[np.uint64]
    """(total_words,): equal words have equal hashes wherever they stand, on every machine."""
    offsets: NDArray[np.int64]
    """(n + 1,)"""

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.offsets) - 1


def hash_words(texts: Sequence[str]) -> Words:
    """The hashed words of every text.

    A hash is a 64-bit mix of the word's length and its bytes in pieces of 8, so that two different
    words among a million agree with a probability of about 3e-8. Lone surrogates count as letters.
    """
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    blocks = [_hash_block(block) for block in _blocks(encoded)]
    hashes = [np.zeros(0, np.uint64), *(hashes for hashes, _ in blocks)]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(np.concatenate([offsets[:0], *(counts for _, counts in blocks)]), out=offsets[1:])
    return Words(np.concatenate(hashes), offsets)


def _blocks(encoded: list[bytes]) -> Iterator[list[bytes]]:
    """Neighbouring texts, as many as a processor's cache holds at a time."""
    start = size = 0
    for number, text in enumerate(encoded):
        size += len(text)
        if size > _BLOCK:
            yield encoded[start : number + 1]
            start, size = number + 1, 0
    if start < len(encoded):
        yield encoded[start:]


def _hash_block(encoded: list[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The words of all texts, and how many each has."""
    # A space after every text, so that no word reaches into the next.
    joined = b" ".join([*encoded, b"", b" " * _PIECE])
    edges = np.flatnonzero(np.diff(_is_letter(joined).view(np.int8), prepend=np.int8(0)))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    text_starts = np.cumsum([0, *(len(text) + 1 for text in encoded)])
    counts = np.diff(np.searchsorted(starts, text_starts)).astype(np.int64)
    return _hash_runs(joined.translate(_LOWER), starts, lengths), counts


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit integers, one to one (the finaliser of SplitMix64: Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


_BLOCK = 2**19  # bytes
_PIECE = 8  # bytes
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOWER = bytes(range(256)).lower()
_LETTERS = bytes(chr(byte).isalnum() if byte < 0x80 else True for byte in range(256))
# Masks that keep a little-endian piece's first 0 to 8 bytes.
_FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(_PIECE + 1)], np.uint64)


def _is_letter(utf8: bytes) -> NDArray[np.bool_]:
    """For every byte whether it belongs to a letter or digit."""
    letters = np.frombuffer(utf8.translate(_LETTERS), np.bool_)
    if utf8.isascii():
        return letters
    letters = letters.copy()
    values = np.frombuffer(utf8, np.uint8)
    # Lead bytes never stand inside a character, so finding one finds the character's start.
    at = np.flatnonzero(values == 0xC2)
    second = values[at + 1]
    _clear(letters, at[(second != 0xAA) & (second != 0xB5) & (second != 0xBA)], 2)
    at = np.flatnonzero(values == 0xC3)
    second = values[at + 1]
    _clear(letters, at[(second == 0x97) | (second == 0xB7)], 2)
    at = np.flatnonzero(values == 0xE2)
    second, third = values[at + 1], values[at + 2]
    _clear(letters, at[(second == 0x80) | ((second == 0x81) & (third < 0xB0))], 3)
    at = np.flatnonzero(values == 0xE3)
    second, third = values[at + 1], values[at + 2]
    _clear(letters, at[(second == 0x80) & ((third < 0x84) | ((third >= 0x88) & (third < 0x92)))], 3)
    return letters


def _clear(letters: NDArray[np.bool_], starts: NDArray[np.int64], size: int) -> None:
    for place in range(size):
        letters[starts + place] = False


def _hash_runs(
    data: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """A hash of each run of `data`; every start has 8 readable bytes from it on."""
    if not len(starts):
        return np.zeros(0, np.uint64)
    pieces = (lengths + (_PIECE - 1)) // _PIECE
    firsts = np.cumsum(pieces) - pieces
    number = np.arange(firsts[-1] + pieces[-1]) - np.repeat(firsts, pieces)
    before = number * _PIECE
    # The 8 bytes from every byte on, as overlapping integers.
    windows = np.ndarray((len(data) - _PIECE + 1,), "<u8", data, strides=(1,))
    values = windows[np.repeat(starts, pieces) + before].astype(np.uint64)
    values &= _FIRST_BYTES[np.minimum(np.repeat(lengths, pieces) - before, _PIECE)]
    # Each piece is keyed by its number, so that the sum tells their order.
    scattered = mix(values + (number + 1).astype(np.uint64) * _GOLDEN)
    return mix(np.add.reduceat(scattered, firsts) + lengths.astype(np.uint64) * _GOLDEN)
