r"""The ids of the `tokenizers` library, several times as fast, for tokenizers of GPT-2's shape.

tiktoken does the byte-pair merging. What it is given is prepared so that it has little else to do:

- GPT-2's pattern ends a run of whitespace one character early when a word follows, `\s+(?!\S)`.
  This look-ahead costs half of the time, because a regular expression that has one cannot run as an
  automaton. Here a mark is put in front of that last character instead, and the pattern does
  without.
- Added tokens are found here, and a mark is left in place of each: tiktoken's own search takes the
  first alternative that matches, not the longest.
- Many texts are encoded in one call, with a mark after each.

A mark is a control character that tiktoken knows as a special token of its own. It ends what the
pattern sees, as the end of a text does. Texts that have one of these characters in them, and texts
with added tokens whose rules are more involved, are left to `tokenizers`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import tiktoken
import tokenizers
from numpy.typing import NDArray
from tokenizers import AddedToken

# GPT-2's (https://github.com/openai/gpt-2/blob/master/src/encoder.py) but for `\s+(?!\S)`.
_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"
# The characters with Unicode's property White_Space, which is `\s` in the pattern; Python's has
# four control characters more.
_WHITESPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_BREAK, _END = "\x00", "\x01"
_FAMILY_MARKS = "\x02\x03\x04\x05\x06\x07\x08"
_ALL_MARKS = frozenset({_BREAK, _END, *_FAMILY_MARKS})
_OTHER_KIND, _WHITESPACE_KIND, _MARK_KIND = 0, 1, 2
_MOST_ADDED_TOKENS = 1000
_CHUNK_CHARACTERS = 2**18


@dataclass(frozen=True)
class _Family:
    """Added tokens that are found together, for they share characters with no other ones."""

    pattern: re.Pattern[str]
    ids: Mapping[str, int]
    mark: str


class FastEncoding:
    """Encodes texts to the ids that a `tokenizers.Tokenizer` gives. Make one with `of`."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        ids_by_rank: NDArray[np.uint32],
        ranks: dict[bytes, int],
        families: Sequence[_Family],
        involved: Sequence[str],
    ) -> None:
        """Put the parts together that `of` found."""
        self._backend = backend
        self._families = families
        self._marks = [_BREAK, _END, *(family.mark for family in families)]
        self._left_to_backend = [*self._marks, *involved]
        self._allowed = set(self._marks)
        first_mark = len(ranks)
        marks = {mark: first_mark + number for number, mark in enumerate(self._marks)}
        self._encoding = tiktoken.Encoding(
            "phinery", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens=marks
        )
        self._ids_by_rank = np.append(ids_by_rank, np.zeros(len(marks), dtype=np.uint32))
        self._is_identity = bool((ids_by_rank == np.arange(first_mark)).all())
        self._break_rank, self._end_rank = marks[_BREAK], marks[_END]
        self._family_ranks = [marks[family.mark] for family in families]
        self._kinds = _table_of_kinds(self._marks)

    @classmethod
    def of(cls, backend: tokenizers.Tokenizer) -> FastEncoding | None:
        """The fast way to `backend`'s ids, or None where it isn't known to give the same.

        It is known for byte-level BPE with GPT-2's pattern, no normaliser, and merges that make
        every one of their tokens from its own bytes. (Where that holds, two neighbours whose
        joint bytes are a token are always the two that its merge joins: what happened between
        these bytes so far is what happens to them alone. So merging whatever makes the token of
        the lowest rank, as tiktoken does, is applying the merges in their order.)
        """
        state = json.loads(backend.to_str())
        if not _has_plain_shape(state):
            return None
        order = _merge_order(state["model"])
        if order is None:
            return None
        vocab = state["model"]["vocab"]
        model = backend.model
        # Each token of the merges, encoded as if it were a word, must be itself.
        if any([part.id for part in model.tokenize(token)] != [vocab[token]] for token in order):
            return None
        split = _families(
            backend.get_added_tokens_decoder(), skips_special=backend.encode_special_tokens
        )
        if split is None:
            return None
        byte_of = bytes_of_characters()
        ranks = {
            bytes(byte_of[character] for character in token): rank
            for rank, token in enumerate(order)
        }
        ids = np.array([vocab[token] for token in order], dtype=np.uint32)
        return cls(backend, ids, ranks, *split)

    def encode(self, texts: Sequence[str], *, threads: int = 1) -> list[NDArray[np.uint32]]:
        """The ids of each text, whatever the number of threads.

        Raises UnicodeEncodeError for a text with lone surrogates.
        """
        encoded: dict[int, NDArray[np.uint32]] = {}
        slow = [number for number, text in enumerate(texts) if self._is_involved(text)]
        if slow:
            answers = self._backend.encode_batch_fast(
                [texts[number] for number in slow], add_special_tokens=False
            )
            encoded = {
                number: np.array(answer.ids, dtype=np.uint32)
                for number, answer in zip(slow, answers, strict=True)
            }
        rest = [number for number in range(len(texts)) if number not in encoded]
        chunks = list(_chunks(rest, texts))
        joined = [[texts[number] for number in chunk] for chunk in chunks]
        if threads == 1 or len(chunks) == 1:
            results = list(map(self._encode_joined, joined))
        else:
            with ThreadPoolExecutor(threads) as pool:
                results = list(pool.map(self._encode_joined, joined))
        for chunk, arrays in zip(chunks, results, strict=True):
            encoded.update(zip(chunk, arrays, strict=True))
        return [encoded[number] for number in range(len(texts))]

    def _is_involved(self, text: str) -> bool:
        return any(content in text for content in self._left_to_backend)

    def _encode_joined(self, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        joined = _END.join([*texts, ""])
        added: list[list[int]] = []
        for family in self._families:
            found = family.pattern.findall(joined)
            if found:
                joined = family.pattern.sub(family.mark, joined)
            added.append([family.ids[content] for content in found])
        ranks = self._encoding.encode_to_numpy(
            self._with_breaks(joined), allowed_special=self._allowed, disallowed_special=()
        )
        ranks = ranks[ranks != self._break_rank]
        ids = ranks.copy() if self._is_identity else self._ids_by_rank[ranks]
        for rank, numbers in zip(self._family_ranks, added, strict=True):
            if numbers:
                ids[ranks == rank] = numbers
        ends = np.flatnonzero(ranks == self._end_rank)
        starts = [0, *(ends[:-1] + 1).tolist()]
        return [ids[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]

    def _with_breaks(self, text: str) -> str:
        """`text` with a mark before the last of two and more whitespaces that a word follows."""
        # One item a character in both.
        form = "ascii" if text.isascii() else "utf-32-le"
        characters = np.frombuffer(
            text.encode(form), dtype=np.uint8 if form == "ascii" else np.uint32
        )
        kinds = np.take(self._kinds, characters, mode="clip")
        whitespace = kinds == _WHITESPACE_KIND
        before_word = kinds[2:] == _OTHER_KIND
        places = np.flatnonzero(whitespace[:-2] & whitespace[1:-1] & before_word) + 1
        if len(places) == 0:
            return text
        return np.insert(characters, places, ord(_BREAK)).tobytes().decode(form)


def bytes_of_characters() -> dict[str, int]:
    """GPT-2's byte-level alphabet: the character that stands for a byte -> the byte.

    Printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 and following
    (`bytes_to_unicode` in https://github.com/openai/gpt-2/blob/master/src/encoder.py).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    itself = {chr(byte): byte for byte in printable}
    return itself | {chr(0x100 + rank): byte for rank, byte in enumerate(others)}


def _has_plain_shape(state: Mapping[str, Any]) -> bool:
    """Whether text reaches BPE through GPT-2's pattern alone, and BPE has no special rules."""
    before = state["pre_tokenizer"] or {}
    model = state["model"]
    return (
        state["normalizer"] is None
        and before.get("type") == "ByteLevel"
        and before.get("add_prefix_space") is False
        and before.get("use_regex") is True
        and model["type"] == "BPE"
        and not model.get("dropout")
        and not model.get("continuing_subword_prefix")
        and not model.get("end_of_word_suffix")
        and not model.get("ignore_merges")
    )


def _merge_order(model: Mapping[str, Any]) -> list[str] | None:
    """All bytes, then what the merges make, in their order; None when a token is made twice."""
    alphabet = bytes_of_characters()
    order = [*alphabet, *("".join(_parts(merge)) for merge in model["merges"])]
    is_spelt = set("".join(order)) <= alphabet.keys()
    if len(set(order)) < len(order) or not is_spelt or not set(order) <= model["vocab"].keys():
        return None
    return order


def _parts(merge: str | Sequence[str]) -> Sequence[str]:
    """What a merge joins; older versions of the library write both in one string."""
    return merge.split(" ") if isinstance(merge, str) else merge


def _families(
    added: Mapping[int, AddedToken], *, skips_special: bool
) -> tuple[list[_Family], list[str]] | None:
    """Added tokens in groups that share characters, and the contents to leave to `tokenizers`.

    Matches of tokens that share no character cannot overlap, so that each family is found by
    itself: at each place the longest, from left to right. Special tokens, where they are text like
    any other, concern nobody unless they share characters with tokens that are found. None when
    there are too many tokens, or more families than marks.
    """
    if len(added) > _MOST_ADDED_TOKENS:
        return None
    groups: list[dict[str, int]] = []
    for number, token in sorted(added.items()):
        characters = set(token.content)
        touched = [group for group in groups if not characters.isdisjoint("".join(group))]
        together = {content: ids for group in touched for content, ids in group.items()}
        groups = [group for group in groups if group not in touched]
        groups.append({**together, token.content: number})
    families: list[_Family] = []
    involved: list[str] = []
    for group in groups:
        tokens = [added[number] for number in group.values()]
        skipped = [skips_special and token.special for token in tokens]
        if all(skipped):
            continue
        has_rules = any(token.lstrip or token.rstrip or token.single_word for token in tokens)
        has_marks = not _ALL_MARKS.isdisjoint("".join(group))
        if has_rules or has_marks or any(skipped) or len({t.normalized for t in tokens}) > 1:
            involved += group
        elif len(families) == len(_FAMILY_MARKS):
            return None
        else:
            families.append(_Family(_longest_first(group), group, _FAMILY_MARKS[len(families)]))
    return families, involved


def _longest_first(contents: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds the longest of `contents` at a place."""
    ordered = sorted(contents, key=lambda content: (-len(content), content))
    character, longest = ordered[0][0], len(ordered[0])
    if ordered == [character * length for length in range(longest, 1, -1)]:
        # The same as the alternatives, and ten times as fast: it begins with fixed characters.
        one = re.escape(character)
        return re.compile(f"{one}{one}{{1,{longest - 1}}}")
    return re.compile("|".join(map(re.escape, ordered)))


def _table_of_kinds(marks: Iterable[str]) -> NDArray[np.uint8]:
    """What a character is, by its code point; those beyond the table are what its last is."""
    table = np.full(ord(max(_WHITESPACE)) + 2, _OTHER_KIND, dtype=np.uint8)
    table[[ord(character) for character in _WHITESPACE]] = _WHITESPACE_KIND
    table[[ord(mark) for mark in marks]] = _MARK_KIND
    return table


def _chunks(numbers: Iterable[int], texts: Sequence[str]) -> Iterable[list[int]]:
    """The numbers of texts in groups of a bounded number of characters, one text at least."""
    chunk: list[int] = []
    characters = 0
    for number in numbers:
        chunk.append(number)
        characters += len(texts[number])
        if characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
