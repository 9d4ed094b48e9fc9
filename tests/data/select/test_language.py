from __future__ import annotations

import gzip
import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.data.select.language import detect_language, detect_languages

_CORPORA = Path(__file__).resolve().parents[3].parent / "shared" / "corpora"
_needs_corpora = pytest.mark.skipif(not _CORPORA.exists(), reason="needs ../shared/corpora")


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(_CORPORA / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat sat on the mat while the dog was looking out of the window.", "en"),
        ("THE CAT SAT ON THE MAT WHILE THE DOG WAS LOOKING OUT OF THE WINDOW.", "en"),
        ("Die Katze saß auf der Matte, während der Hund aus dem Fenster sah.", "de"),
        ("Le chat dormait sur le tapis pendant que le chien regardait dehors.", "fr"),
        ("Все люди, которые жили в этом городе, хорошо знали друг друга ещё с детства.", "ru"),
        ("猫はマットの上に座り、犬は窓の外を見ていました。", "ja"),
        ("고양이가 매트 위에 앉아 있는 동안 개는 창밖을 보고 있었다.", "ko"),
        ("", "und"),
        ("  \n\t", "und"),
        ("12,345 67.8 (9) 2024-01-01", "und"),
        ("* --- | === # !!", "und"),
    ],
)
def test_detects_the_language_of_a_sentence(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_a_notice_in_english_does_not_make_a_text_english() -> None:
    german = "Die Katze saß auf der Matte, während der Hund aus dem Fenster sah. " * 30
    notice = "This text and all of the others on this page are in the public domain. " * 8
    assert detect_language(german + notice) == "de"


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=3_000))
def test_takes_any_text(text: str) -> None:
    code = detect_language(text)
    assert code == "und" or (len(code) == 2 and set(code) <= set(string.ascii_lowercase))


@_needs_corpora
def test_english_recall() -> None:
    """At least 0.998 of documents of 200 characters and more, over all sources."""
    sources = (
        "textbooks/openstax textbooks/d2l web/18f web/stackexchange web/wikitext2 web/speeches "
        "web/unverified-licence/newsgroups"
    )
    texts = [
        row["text"] for source in sources.split() for row in _rows(source) if len(row["text"]) > 199
    ]
    found = detect_languages(texts)
    assert found.count("en") / len(texts) > 0.998
    # A few are in Swedish, Dutch, German and Spanish: not all may be called English.
    assert {"sv", "nl", "de", "es"} <= set(found)


@_needs_corpora
def test_only_scots_is_taken_for_english() -> None:
    rows = _rows("multilingual/udhr")
    found = detect_languages([row["text"] for row in rows])
    english = {row["lang"] for row, code in zip(rows, found, strict=True) if code == "en"}
    assert english == {"eng", "sco"}


@_needs_corpora
def test_other_languages_are_told_apart() -> None:
    rows = _rows("multilingual/tldr")[::5]
    found = detect_languages([row["text"] for row in rows])
    # The sets' codes of Norwegian's forms, "no" and "nb", mean the same.
    right = sum(
        {"nb": "no"}.get(row["lang"], row["lang"][:2]) == code
        for row, code in zip(rows, found, strict=True)
    )
    assert 0.97 < right / len(rows) <= 1.0
