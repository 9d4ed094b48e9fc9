"""What can be counted in an excerpt: its signs, its lines and its ways of speaking.

Everything here is a count over the bytes or the hashed words of one excerpt, so that an excerpt's
features never depend on its neighbours in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phinery.data.quality.lexicon import PAIRS, PHRASES, QUADS
from phinery.data.words import Words, hash_words, mix

Floats = NDArray[np.float64]


def dense_features(texts: Sequence[str], words: Words) -> Floats:
    """The features of every excerpt, (n, len(FEATURE_NAMES)); `words` are those of `texts`.

    An excerpt without a letter has a row of zeros.
    """
    features = np.concatenate(
        [
            _sign_features(texts),
            _line_features(texts),
            _sentence_features(texts, words),
            _word_features(words),
            _phrase_features(words),
            _pattern_features(texts),
        ],
        axis=1,
    )
    features[np.diff(words.offsets) == 0] = 0
    return features


def pair_hashes(words: Words) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash for every two words in a row, and whether one text has both: (words - 1,)."""
    pairs = mix(words.hashes[:-1] * _SECOND + words.hashes[1:])
    inside = np.ones(max(len(words.hashes) - 1, 0), np.bool_)
    borders = words.offsets[1:-1] - 1
    inside[borders[(borders >= 0) & (borders < len(inside))]] = False
    return pairs[: len(inside)], inside


def text_numbers(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every word the number of its text."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


_SECOND = np.uint64(0xD6E8FEB86659FD93)
_SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\t"
_OTHER_CLASSES = ("lower", "upper", "digit", "space", "latin", "typographic", "script", "inside")
_CLASS_NAMES = (*_OTHER_CLASSES, *(f"U+{ord(sign):04X}" for sign in _SIGNS))


def _byte_classes() -> NDArray[np.int64]:
    classes = np.full(256, 3, np.int64)
    classes[ord("a") : ord("z") + 1] = 0
    classes[ord("A") : ord("Z") + 1] = 1
    classes[ord("0") : ord("9") + 1] = 2
    classes[0x80:0xC0] = 7  # inside a character
    classes[0xC0:0xE0] = 4  # Latin letters with accents, Greek, Cyrillic, Hebrew, Arabic
    classes[0xE0:0xE4] = 5  # begins typographic signs, among others
    classes[0xE4:] = 6
    for number, sign in enumerate(_SIGNS):
        classes[ord(sign)] = len(_OTHER_CLASSES) + number
    return classes


_CLASS_OF_BYTE = _byte_classes()


def _per_thousand(counts: NDArray[np.int64], totals: NDArray[np.int64]) -> Floats:
    """Logarithms of how often things occur in a thousand."""
    return np.log1p(counts * (1000.0 / np.maximum(totals, 1))[:, None])


def _bytes(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All texts as bytes, each followed by a newline, and where each begins (n + 1,)."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in encoded], out=starts[1:])
    return np.frombuffer(b"\n".join([*encoded, b""]), np.uint8), starts


def _counts(groups: NDArray[np.int64], size: int, classes: NDArray[np.int64], kinds: int):
    return np.bincount(groups * kinds + classes, minlength=size * kinds).reshape(size, kinds)


def _sign_features(texts: Sequence[str]) -> Floats:
    data, starts = _bytes(texts)
    sizes = np.diff(starts)
    counts = _counts(text_numbers(starts), len(texts), _CLASS_OF_BYTE[data], len(_CLASS_NAMES))
    return np.concatenate([_per_thousand(counts, sizes), np.log(sizes)[:, None]], axis=1)


_LINE_KINDS = (
    "quoted", "heading", "bullet", "numbered", "table", "markup", "lower", "upper", "other",
)  # fmt: skip
_KIND_OF_FIRST = np.full(256, 8, np.int64)
for _signs, _kind in ((b">", 0), (b"#", 1), (b"-*+", 2), (b"0123456789", 3), (b"|", 4)):
    _KIND_OF_FIRST[np.frombuffer(_signs, np.uint8)] = _kind
_KIND_OF_FIRST[np.frombuffer(b"<{[\\.:`=$", np.uint8)] = 5
_KIND_OF_FIRST[ord("a") : ord("z") + 1] = 6
_KIND_OF_FIRST[ord("A") : ord("Z") + 1] = 7
_END_KINDS = ("stop", "question", "colon", "comma", "letter", "else")
_KIND_OF_LAST = np.full(256, 5, np.int64)
for _signs, _kind in ((b".!", 0), (b"?", 1), (b":", 2), (b",;", 3)):
    _KIND_OF_LAST[np.frombuffer(_signs, np.uint8)] = _kind
_KIND_OF_LAST[ord("a") : ord("z") + 1] = 4
_LINE_NAMES = (
    *(f"lines:{kind}" for kind in _LINE_KINDS),
    *(f"bytes in lines:{kind}" for kind in _LINE_KINDS),
    *(f"lines ending:{kind}" for kind in _END_KINDS),
    "lines", "blank lines", "indented", "line length", "spread of line lengths", "short lines",
    "bytes in long lines", "begins:lower", "begins:heading",
)  # fmt: skip


def _line_features(texts: Sequence[str]) -> Floats:
    data, starts = _bytes(texts)
    size = len(texts)
    ends = np.flatnonzero(data == ord("\n"))
    begins = np.concatenate([[0], ends[:-1] + 1])
    text_of = np.searchsorted(starts, begins, side="right") - 1
    visible = np.flatnonzero(data > ord(" "))
    # The first and the last visible byte of each line that has one.
    first = np.searchsorted(visible, begins)
    last = np.searchsorted(visible, ends) - 1
    filled = first <= last
    lines = np.bincount(text_of, minlength=size)
    text_of, begins, ends = text_of[filled], begins[filled], ends[filled]
    first, last = visible[first[filled]], visible[last[filled]]
    lengths = last - first + 1
    count = np.bincount(text_of, minlength=size)
    share = 1.0 / np.maximum(count, 1)[:, None]
    kinds = _KIND_OF_FIRST[data[first]]
    by_kind = _counts(text_of, size, kinds, len(_LINE_KINDS))
    bytes_by_kind = np.bincount(
        text_of * len(_LINE_KINDS) + kinds, weights=lengths, minlength=size * len(_LINE_KINDS)
    ).reshape(size, -1)
    ending = _counts(text_of, size, _KIND_OF_LAST[data[last]], len(_END_KINDS))
    total = np.maximum(bytes_by_kind.sum(1), 1)
    logs = np.log(lengths)
    mean = np.bincount(text_of, logs, size) * share[:, 0]
    square = np.bincount(text_of, logs * logs, size) * share[:, 0]
    opening = np.zeros((size, 2))
    heads = np.flatnonzero(np.diff(text_of, prepend=-1))
    opening[text_of[heads], 0] = kinds[heads] == 6
    opening[text_of[heads], 1] = kinds[heads] == 1
    return np.concatenate(
        [
            by_kind * share,
            bytes_by_kind / total[:, None],
            ending * share,
            np.log1p(count)[:, None],
            ((lines - count) / np.maximum(lines, 1))[:, None],
            np.bincount(text_of, first - begins >= 2, size)[:, None] * share,
            mean[:, None],
            np.sqrt(np.maximum(square - mean * mean, 0))[:, None],
            np.bincount(text_of, lengths < 40, size)[:, None] * share,
            (np.bincount(text_of, lengths * (lengths > 200), size) / total)[:, None],
            opening,
        ],
        axis=1,
    )


_SENTENCE_NAMES = ("sentences", "sentence length", "spread of sentence lengths", "long sentences")


def _sentence_features(texts: Sequence[str], words: Words) -> Floats:
    data, starts = _bytes(texts)
    size = len(texts)
    stops = (data == ord(".")) | (data == ord("!")) | (data == ord("?"))
    ends = np.flatnonzero(stops[:-1] & (data[1:] <= ord(" ")))
    text_of = np.searchsorted(starts, ends, side="right") - 1
    lengths = np.diff(ends, prepend=0)
    heads = np.diff(text_of, prepend=-1) > 0
    lengths[heads] = ends[heads] - starts[text_of[heads]]
    count = np.bincount(text_of, minlength=size)
    logs = np.log(np.maximum(lengths, 1))
    share = 1.0 / np.maximum(count, 1)
    mean = np.bincount(text_of, logs, size) * share
    square = np.bincount(text_of, logs * logs, size) * share
    per_word = count * (100.0 / np.maximum(np.diff(words.offsets), 1))
    return np.stack(
        [
            np.log1p(per_word),
            mean,
            np.sqrt(np.maximum(square - mean * mean, 0)),
            np.bincount(text_of, lengths > 200, size) * share,
        ],
        axis=1,
    )


_WORD_NAMES = ("words", "different words", "words used once", "repeated pairs")


def _word_features(words: Words) -> Floats:
    size = len(words)
    text_of = text_numbers(words.offsets)
    total = np.diff(words.offsets)
    different, once = _distinct(text_of, words.hashes, size)
    pairs, inside = pair_hashes(words)
    different_pairs, _ = _distinct(text_of[:-1][inside], pairs[inside], size)
    return np.stack(
        [
            np.log1p(total),
            # Herdan's measure, which depends less on the length than the plain ratio does.
            np.log(np.maximum(different, 1)) / np.log(np.maximum(total, 2)),
            once / np.maximum(total, 1),
            1 - (different_pairs + 1) / np.maximum(total, 1),
        ],
        axis=1,
    )


def _distinct(
    groups: NDArray[np.int64], hashes: NDArray[np.uint64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many different hashes each group has, and how many that occur once."""
    # 44 bits of the hash are enough to tell a few hundred words apart.
    keys = (groups << 44) | (hashes >> np.uint64(20)).astype(np.int64)
    keys.sort()
    news = np.flatnonzero(np.diff(keys, prepend=-1))
    owner = keys[news] >> 44
    repeats = np.diff(news, append=len(keys))
    return np.bincount(owner, minlength=size), np.bincount(owner, repeats == 1, size).astype(int)


def _lexicon() -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of all phrases in order, and the class of each."""
    entries = [(phrase, kind) for kind, listed in enumerate(PHRASES.values()) for phrase in listed]
    words = hash_words([phrase for phrase, _ in entries])
    pairs, _ = pair_hashes(words)
    lengths = np.diff(words.offsets)
    assert set(lengths.tolist()) <= {1, 2}
    starts = words.offsets[:-1]
    hashes = np.where(lengths == 1, words.hashes[starts], pairs[np.minimum(starts, len(pairs) - 1)])
    order = np.argsort(hashes)
    return hashes[order], np.array([kind for _, kind in entries], np.int64)[order]


_PHRASE_HASHES, _PHRASE_KINDS = _lexicon()


def _phrase_features(words: Words) -> Floats:
    size = len(words)
    text_of = text_numbers(words.offsets)
    pairs, inside = pair_hashes(words)
    hashes = np.concatenate([words.hashes, pairs[inside]])
    owners = np.concatenate([text_of, text_of[:-1][inside]])
    # Few words are in the lexicon; 16 bits of the hash rule out nearly all the others.
    likely = _LIKELY[(hashes >> np.uint64(48)).astype(np.int64)]
    hashes, owners = hashes[likely], owners[likely]
    at = np.minimum(np.searchsorted(_PHRASE_HASHES, hashes), len(_PHRASE_HASHES) - 1)
    found = _PHRASE_HASHES[at] == hashes
    counts = _counts(owners[found], size, _PHRASE_KINDS[at[found]], len(PHRASES))
    return _per_thousand(counts, np.diff(words.offsets))


_LIKELY = np.zeros(1 << 16, np.bool_)
_LIKELY[(_PHRASE_HASHES >> np.uint64(48)).astype(np.int64)] = True


def _pattern_features(texts: Sequence[str]) -> Floats:
    # A newline before each text makes its first line begin like the others; after it, zeros keep
    # patterns from reaching into the next one.
    encoded = [b"\n%b\n\0\0\0" % text.encode("utf-8", "surrogatepass") for text in texts]
    starts = np.cumsum([0, *(len(text) for text in encoded)])
    size = len(texts)
    joined = b"".join([*encoded, b"\0\0\0\0"])
    pairs = np.ndarray(len(joined) - 4, "<u2", joined, strides=(1,))
    quads = np.ndarray(len(joined) - 4, "<u4", joined, strides=(1,))
    kinds = _KIND_OF_PAIR[pairs]
    at = np.flatnonzero(kinds)
    owners = np.searchsorted(starts, at, side="right") - 1
    pair_counts = _counts(owners, size, kinds[at].astype(np.int64) - 1, len(PAIRS))
    # Two bytes decide for most places that they begin no pattern.
    at = np.flatnonzero(_MAY_BE_QUAD[pairs])
    values = quads[at]
    place = np.minimum(np.searchsorted(_QUAD_VALUES, values), len(QUADS) - 1)
    found = _QUAD_VALUES[place] == values
    owners = np.searchsorted(starts, at[found], side="right") - 1
    quad_counts = _counts(owners, size, place[found], len(QUADS))
    return np.log1p(np.concatenate([pair_counts, quad_counts], axis=1).astype(np.float64))


_KIND_OF_PAIR = np.zeros(1 << 16, np.int8)
_KIND_OF_PAIR[np.frombuffer(b"".join(PAIRS), "<u2")] = np.arange(1, len(PAIRS) + 1)
_QUAD_VALUES = np.sort(np.frombuffer(b"".join(QUADS), "<u4"))
_MAY_BE_QUAD = np.zeros(1 << 16, np.bool_)
_MAY_BE_QUAD[np.frombuffer(b"".join(quad[:2] for quad in QUADS), "<u2")] = True
_QUAD_NAMES = tuple(int(value).to_bytes(4, "little").decode() for value in _QUAD_VALUES)


FEATURE_NAMES: tuple[str, ...] = (
    *(f"signs:{name}" for name in _CLASS_NAMES),
    "bytes",
    *_LINE_NAMES,
    *_SENTENCE_NAMES,
    *_WORD_NAMES,
    *(f"phrases:{name}" for name in PHRASES),
    *(f"pattern:{pair.decode()!r}" for pair in PAIRS),
    *(f"pattern:{quad!r}" for quad in _QUAD_NAMES),
)
