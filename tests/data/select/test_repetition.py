from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.data.select import repetition
from phinery.data.select.repetition import REASONS, repetition_reason

_CORPORA = Path(__file__).resolve().parents[3].parent / "shared" / "corpora"


def _repeats(parts: list[str]) -> tuple[float, float]:
    """Shares of parts, and of their characters, that an earlier part equals."""
    seen: set[str] = set()
    repeated = [part for part in parts if part in seen or seen.add(part)]
    characters = sum(map(len, parts))
    return len(repeated) / max(len(parts), 1), sum(map(len, repeated)) / max(characters, 1)


def _plain_reason(text: str) -> str | None:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    for name, parts in (("line", lines), ("paragraph", paragraphs)):
        share, characters = _repeats(parts)
        if share > 0.30:
            return f"duplicate_{name}s"
        if characters > 0.20:
            return f"duplicate_{name}_characters"
    words = text.split()
    total = sum(map(len, words))
    for n, limit in ((2, 0.20), (3, 0.18), (4, 0.16)):
        counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        sizes = [count * len("".join(gram)) for gram, count in counts.items() if count > 1]
        if max(sizes, default=0) > limit * total:
            return f"top_{n}_gram"
    for n, limit in repetition.DUPLICATE_NGRAM_CHARACTERS.items():
        seen: set[tuple[str, ...]] = set()
        covered: set[int] = set()
        for i in range(len(words) - n + 1):
            gram = tuple(words[i : i + n])
            if gram in seen:
                covered.update(range(i, i + n))
            seen.add(gram)
        if sum(len(words[i]) for i in covered) > limit * total:
            return f"duplicate_{n}_grams"
    return None


_PROSE = " ".join(f"word{i}" for i in range(200))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", None),
        (_PROSE, None),
        ("one\ntwo\none\ntwo\n" + _PROSE, "duplicate_lines"),
        (f"{_PROSE}\n" + f"{_PROSE[:700]}\n" * 2 + "a\nb\nc", "duplicate_line_characters"),
        ("one\n\n" * 2 + _PROSE.replace(" ", "\n", 20), "duplicate_paragraphs"),
        (_PROSE + " so it goes" * 60, "top_2_gram"),
    ],
)
def test_names_the_rule(text: str, reason: str | None) -> None:
    assert repetition_reason([text]) == [reason] == [_plain_reason(text)]


def test_limits_of_duplicate_ngrams_are_twice_those_of_gopher() -> None:
    """The other limits, Gopher's own, stand in the plain reference."""
    table_a1 = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}  # arXiv 2112.11446
    twice = {n: pytest.approx(2 * limit) for n, limit in table_a1.items()}
    assert twice == repetition.DUPLICATE_NGRAM_CHARACTERS


def test_reasons_are_known_and_in_order() -> None:
    text = " ".join(f"again{i}" for i in range(20)) + " "
    text = text * 2 + _PROSE[:180]
    (reason,) = repetition_reason([text])
    assert reason == "duplicate_5_grams"
    assert list(REASONS).index("top_4_gram") < list(REASONS).index("duplicate_5_grams")


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["a", "bb", "ccc", "\n", "\n\n", " ", "é", "dddd"]), max_size=80
        ).map(" ".join),
        max_size=5,
    )
)
def test_equals_the_plain_reference(texts: list[str]) -> None:
    assert repetition_reason(texts) == [_plain_reason(text) for text in texts]


@settings(deadline=None, max_examples=100)
@given(st.integers(5, 12), st.integers(1, 12), st.integers(30, 200), st.integers(0, 9))
def test_equals_the_plain_reference_on_repeated_phrases(
    length: int, times: int, others: int, gap: int
) -> None:
    phrase = [f"p{i}" for i in range(length)]
    filler = [f"f{i}" for i in range(others)]
    words = [word for i in range(times) for word in (*phrase, *filler[i * gap : (i + 1) * gap])]
    text = " ".join(words + filler[times * gap :])
    assert repetition_reason([text, text]) == [_plain_reason(text)] * 2


@pytest.mark.skipif(not _CORPORA.exists(), reason="needs ../shared/corpora")
def test_equals_the_plain_reference_on_real_texts() -> None:
    texts: list[str] = []
    for name in ("textbooks/openstax", "web/digitalgov", "web/unverified-licence/newsgroups"):
        with gzip.open(_CORPORA / f"{name}.jsonl.gz", "rt") as lines:
            texts += [json.loads(line)["text"][:6_000] for line in lines][::25]
    found = repetition_reason(texts)
    assert found == [_plain_reason(text) for text in texts]
    assert len(set(found)) > 5
    assert 0.8 < found.count(None) / len(found) < 0.99
