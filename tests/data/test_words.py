"""Hashed words against a plain reference."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.words import hash_words

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MARKS = {chr(code) for code in range(0x80, 0xC0)} - set("ªµº")
_MARKS |= {chr(code) for code in range(0x2000, 0x2070)} | set("×÷")
_MARKS |= {chr(code) for code in [*range(0x3000, 0x3004), *range(0x3008, 0x3012)]}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

_texts = st.lists(
    st.text(st.one_of(st.characters(), st.sampled_from("aB1 '’\x00\u00a0éÉª×…—。々\ud800")))
)


def _plain_words(text: str) -> list[str]:
    words = [""]
    for character in text.translate(_LOWER):
        if character.isalnum() if character.isascii() else character not in _MARKS:
            words[-1] += character
        else:
            words.append("")
    return [word for word in words if word]


def _plain_mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _plain_hash(word: str) -> int:
    data = word.encode("utf-8", "surrogatepass")
    total = len(data) * _GOLDEN
    for number, start in enumerate(range(0, len(data), 8), start=1):
        piece = int.from_bytes(data[start : start + 8], "little")
        total += _plain_mix((piece + number * _GOLDEN) & _MASK)
    return _plain_mix(total & _MASK)


@given(_texts)
def test_words_and_hashes_are_those_of_the_reference(texts: list[str]) -> None:
    words = hash_words(texts)
    assert words.hashes.dtype == np.uint64
    assert words.offsets.dtype == np.int64
    assert len(words) == len(texts)
    found = [
        words.hashes[start:end].tolist()
        for start, end in zip(words.offsets[:-1], words.offsets[1:], strict=True)
    ]
    assert found == [[_plain_hash(word) for word in _plain_words(text)] for text in texts]


@given(st.text(), st.text("abc 'é—", max_size=40))
def test_a_word_hashes_alike_wherever_it_stands(before: str, text: str) -> None:
    alone = hash_words([text]).hashes
    after = hash_words([f"{before} {text}"]).hashes
    assert np.array_equal(after[len(after) - len(alone) :], alone)


def test_case_apostrophes_and_marks() -> None:
    def words(text: str) -> list[int]:
        return hash_words([text]).hashes.tolist()

    assert words("Don’t stop—NOW…") == words("don't\u00a0stop now")
    assert len(words("don't stop now")) == 4
    assert words("É") != words("é")
    assert words("abc") != words("cba")


def test_hashes_never_change() -> None:
    assert hash_words(["The internationalisation"]).hashes.tolist() == [
        0x5C5A4A3FF8A2AE8,
        0xB475B0623473C3AF,
    ]


def test_a_hundred_thousand_words_do_not_collide() -> None:
    texts = [f"w{number} {number}abcdefghijk" for number in range(50_000)]
    assert len(np.unique(hash_words(texts).hashes)) == 100_000


def test_no_texts() -> None:
    words = hash_words([])
    assert words.hashes.shape == (0,)
    assert words.offsets.tolist() == [0]


def test_many_long_texts_are_hashed_like_each_alone() -> None:
    texts = [f"{number} word " * 20_000 for number in range(10)] + ["", "last"]
    words = hash_words(texts)
    assert np.diff(words.offsets).tolist() == [40_000] * 10 + [0, 1]
    assert np.array_equal(words.hashes[40_000:80_000], hash_words(texts[1:2]).hashes)
    assert words.hashes[-1] == hash_words(["last"]).hashes[0]
