r"""The ids of the `tokenizers` library, several times as fast, for tokenizers of GPT-2's shape.

tiktoken does the byte-pair merging, and other threads may work meanwhile. What it is given is
prepared so that it has little else to do, in a few passes over whole arrays of characters:

- GPT-2's pattern ends a run of whitespace one character early when a word follows, `\s+(?!\S)`.
  This look-ahead costs half of the time, because a regular expression that has one cannot run as an
  automaton. Here a mark is put in front of that last character instead, and the pattern does
  without.
- Runs of a whitespace character that are added tokens (CodeGen's) are part of the pattern, and a
  mark is put in front of each that other whitespace precedes.
- Other added tokens are found here, and a mark is left in place of each.
- Many texts are encoded in one call, with a mark after each.

A mark is a control character that the pattern takes by itself, so that it ends what comes before it
as the end of a text does, and becomes the token of its byte. Texts that have one of these
characters in them, and texts with added tokens whose rules are more involved, are left to
`tokenizers`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import tiktoken
import tokenizers
from numpy.typing import NDArray
from tokenizers import AddedToken

# The characters with Unicode's property White_Space, which is `\s` in the pattern; Python's has
# four control characters more.
_ASCII_WHITESPACE = "\t\n\v\f\r "
_WHITESPACE = _ASCII_WHITESPACE + (
    "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_BREAK, _END = "\x00", "\x01"
_FAMILY_MARKS = "\x02\x03\x04\x05\x06\x07\x08"
_ALL_MARKS = frozenset({_BREAK, _END, *_FAMILY_MARKS})
# tiktoken searches every text for special tokens, and needs one; no two breaks stand together.
_NEVER = _BREAK + _BREAK
_MOST_ADDED_TOKENS = 1000
_CHUNK_CHARACTERS = 2**18
_SMALLEST_CHUNK = 2**15


@dataclass(frozen=True)
class _Family:
    """Added tokens that are found together, for they share characters with no other ones."""

    pattern: re.Pattern[str]
    ids: Mapping[str, int]
    mark: str


@dataclass(frozen=True)
class _Run:
    """Added tokens that are a character of ASCII's whitespace 2, 3 and so on times, each length."""

    character: str
    ids: Sequence[int]

    @property
    def longest(self) -> int:
        return len(self.ids) + 1


@dataclass(frozen=True)
class _AddedTokens:
    """A tokenizer's added tokens, by how they are found."""

    families: Sequence[_Family]
    runs: Sequence[_Run]
    involved: Sequence[str]
    """What must be in a text for it to be left to `tokenizers`."""


class FastEncoding:
    """Encodes texts to the ids that a `tokenizers.Tokenizer` gives. Make one with `of`."""

    def __init__(
        self, backend: tokenizers.Tokenizer, ids_of_tokens: Mapping[bytes, int], added: _AddedTokens
    ) -> None:
        """Put the parts together that `of` found; `ids_of_tokens` in the order of their merges."""
        self._backend = backend
        self._families = added.families
        marks = [_BREAK, _END, *(family.mark for family in added.families)]
        self._last_mark = ord(marks[-1])
        self._left_to_backend = [*marks, *added.involved]
        self._run_characters = [ord(run.character) for run in added.runs]
        # Nothing else than a run has its character twice in a row, so that its tokens, if they are
        # in the merges too, occur nowhere else and may have the added tokens' ids.
        ids = {
            **ids_of_tokens,
            **{
                run.character.encode() * length: number
                for run in added.runs
                for length, number in enumerate(run.ids, start=2)
            },
        }
        # Ids that increase with the merges are ranks; others are looked up.
        numbers = [*ids_of_tokens.values()]
        is_rising = all(one < other for one, other in pairwise(numbers))
        are_ranks = is_rising and len({*ids.values()}) == len(ids)
        ranks = ids if are_ranks else {token: rank for rank, token in enumerate(ids)}
        self._encoding = tiktoken.Encoding(
            "phinery",
            pat_str=_pattern(marks[-1], added.runs),
            mergeable_ranks=ranks,
            special_tokens={_NEVER: max(ranks.values()) + 1},
        )
        self._ids_by_rank = None if are_ranks else np.array([*ids.values()], dtype=np.uint32)
        self._break_rank, self._end_rank, *self._family_ranks = (ranks[m.encode()] for m in marks)

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
        added = _added_tokens(
            backend.get_added_tokens_decoder(), skips_special=backend.encode_special_tokens
        )
        if added is None:
            return None
        byte_of = bytes_of_characters()
        ids_of_tokens = {
            bytes(byte_of[character] for character in token): int(vocab[token]) for token in order
        }
        return cls(backend, ids_of_tokens, added)

    def encode(self, texts: Sequence[str], *, threads: int = 1) -> list[NDArray[np.uint32]]:
        """The ids of each text, whatever the number of threads.

        Raises UnicodeEncodeError for a text with lone surrogates.
        """
        chunks = list(_chunks(texts, threads))
        results: list[list[NDArray[np.uint32]]] = [[] for _ in chunks]
        left = deque(range(len(chunks)))

        def work() -> None:
            try:
                while (number := _take(left)) is not None:
                    results[number] = self._encode_chunk(chunks[number])
            finally:
                left.clear()  # after an error or Ctrl-C the others need not go on

        # The calling thread works too: in a new one tiktoken's pattern takes a moment to be fast.
        others = min(threads, len(chunks)) - 1
        if others > 0:
            with ThreadPoolExecutor(others) as pool:
                futures = [pool.submit(work) for _ in range(others)]
                work()
            for future in futures:
                future.result()
        else:
            work()
        return [ids for arrays in results for ids in arrays]

    def _encode_chunk(self, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        involved = [self._is_involved(text) for text in texts]
        if not any(involved):
            return self._encode_joined(texts)
        slow = [text for text, is_slow in zip(texts, involved, strict=True) if is_slow]
        answers = self._backend.encode_batch_fast(slow, add_special_tokens=False)
        left = iter([np.array(answer.ids, dtype=np.uint32) for answer in answers])
        rest = [text for text, is_slow in zip(texts, involved, strict=True) if not is_slow]
        own = iter(self._encode_joined(rest) if rest else [])
        return [next(left if is_slow else own) for is_slow in involved]

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
            self._with_breaks(joined), allowed_special=frozenset(), disallowed_special=()
        )
        ranks = ranks[ranks != self._break_rank]
        ids = ranks.copy() if self._ids_by_rank is None else self._ids_by_rank[ranks]
        for rank, numbers in zip(self._family_ranks, added, strict=True):
            if numbers:
                ids[ranks == rank] = numbers
        ends = np.flatnonzero(ranks == self._end_rank)
        starts = [0, *(ends[:-1] + 1).tolist()]
        return [ids[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]

    def _with_breaks(self, text: str) -> str:
        """`text` with a mark wherever the pattern alone would take too much whitespace together.

        That is, after whitespace: before the last one when a word follows, and before a run of
        added tokens.
        """
        # One item a character, but two for those above U+FFFF, which aren't whitespace. A string is
        # stored so, or nearly, so that the way there and back is short.
        is_ascii = text.isascii()
        form = "ascii" if is_ascii else "utf-16-le"
        characters = np.frombuffer(
            text.encode(form), dtype=np.uint8 if is_ascii else np.dtype("<u2")
        )
        # Tab to carriage return and the space; below a tab the difference wraps around.
        whitespace = (characters == ord(" ")) | (characters - characters.dtype.type(9) < 5)
        if not is_ascii:
            beyond = np.flatnonzero(characters - np.uint16(0x80) <= 0x3000 - 0x80)
            whitespace[beyond] = _IS_WHITESPACE[characters[beyond]]
        begins_word = ~whitespace & (characters > self._last_mark)
        # Whether a character and the next one belong to the same run of added tokens.
        joined = np.zeros(max(0, len(characters) - 1), dtype=np.bool_)
        for character in self._run_characters:
            found = characters == character
            joined |= found[:-1] & found[1:]
        ends_part = begins_word[2:] | joined[1:]
        places = np.flatnonzero(whitespace[:-2] & whitespace[1:-1] & ~joined[:-1] & ends_part) + 1
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


def _added_tokens(added: Mapping[int, AddedToken], *, skips_special: bool) -> _AddedTokens | None:
    """Added tokens in groups that share characters, by how each group is found.

    Matches of tokens that share no character cannot overlap, so that each group is found by
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
    runs: list[_Run] = []
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
        elif run := _as_run(group):
            runs.append(run)
        elif len(families) == len(_FAMILY_MARKS):
            return None
        else:
            families.append(_Family(_longest_first(group), group, _FAMILY_MARKS[len(families)]))
    return _AddedTokens(families, runs, involved)


def _as_run(group: Mapping[str, int]) -> _Run | None:
    """Tokens of one character of ASCII's whitespace, 2, 3 and so on times; None for others."""
    ordered = sorted(group, key=len)
    character = ordered[0][0]
    expected = [character * length for length in range(2, len(group) + 2)]
    if character not in _ASCII_WHITESPACE or ordered != expected:
        return None
    return _Run(character, [group[content] for content in ordered])


def _longest_first(contents: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds the longest of `contents` at a place."""
    ordered = sorted(contents, key=lambda content: (-len(content), content))
    return re.compile("|".join(map(re.escape, ordered)))


def _pattern(last_mark: str, runs: Iterable[_Run]) -> str:
    r"""GPT-2's pattern (https://github.com/openai/gpt-2/blob/master/src/encoder.py), but:

    `\s+(?!\S)` is left out, runs of added tokens come first, and each mark is taken by itself.
    """
    of_runs = "".join(rf"\x{ord(run.character):02x}{{2,{run.longest}}}|" for run in runs)
    marks = rf"\x00-\x{ord(last_mark):02x}"
    words = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+"
    return rf"{of_runs}{words}| ?[^\s\p{{L}}\p{{N}}{marks}]+|\s+|[{marks}]"


def _whitespace_table() -> NDArray[np.bool_]:
    """Whether a code point up to U+3000 is whitespace; no higher one is."""
    table = np.zeros(0x3001, dtype=np.bool_)
    table[[ord(character) for character in _WHITESPACE]] = True
    return table


_IS_WHITESPACE = _whitespace_table()


def _take(numbers: deque[int]) -> int | None:
    """The first of what several threads take from; None when nothing is left."""
    try:
        return numbers.popleft()
    except IndexError:
        return None


def _chunks(texts: Sequence[str], threads: int) -> Iterable[list[str]]:
    """Texts in groups of a bounded number of characters, one text at least.

    For more than one thread the groups become smaller towards the end, so that all threads are busy
    until then.
    """
    chunk: list[str] = []
    characters = 0
    left = sum(map(len, texts))
    for text in texts:
        chunk.append(text)
        characters += len(text)
        share = left if threads == 1 else left // (2 * threads)
        if characters >= min(_CHUNK_CHARACTERS, max(_SMALLEST_CHUNK, share)):
            yield chunk
            left -= characters
            chunk, characters = [], 0
    if chunk:
        yield chunk
