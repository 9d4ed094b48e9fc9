from __future__ import annotations

import gzip
import importlib.util
import json
import random
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.html import extract
from phinery.data.html.boilerplate import without_boilerplate
from phinery.data.html.encoding import decode_page
from phinery.data.html.extract import LARGEST_PAGE
from phinery.data.html.taming import DEEPEST, tamed
from phinery.data.sources.http_body import parse_response
from phinery.data.sources.warc import read_records

WARC = Path(__file__).resolve().parents[4] / "shared" / "corpora" / "warc"
GOLD = WARC / "cc-licensed-pages.gold.json"
HAS_TRAFILATURA = all(map(importlib.util.find_spec, ("trafilatura", "lxml_html_clean")))

TEXT = "A sentence of the article that is long enough to be content. "
ARTICLE = f"<article><h1>Title</h1><p>{TEXT * 3}</p><p>{TEXT * 2}</p></article>"


def page(body: str) -> bytes:
    return f"<!doctype html><html><head><title>T</title></head><body>{body}</body></html>".encode()


def gold_counts(precise: bool) -> list[tuple[int, int, int]]:
    """For each annotated page wanted strings found, wanted ones missed, unwanted ones found."""
    gold = json.loads(GOLD.read_text(encoding="utf-8"))
    counts: list[tuple[int, int, int]] = []
    with (WARC / "cc-licensed-pages.repacked.warc.gz").open("rb") as file:
        for record in read_records(file, types=frozenset({"response"}), longest=2**25):
            assert record.block is not None
            response = parse_response(record.block)
            assert response is not None
            text = extract(response.body(2**25), url=record.url, precise=precise)
            wanted, unwanted = gold[record.url]["with"], gold[record.url]["without"]
            found = sum(string in text for string in wanted)
            counts.append((found, len(wanted) - found, sum(s in text for s in unwanted)))
    assert len(counts) == len(gold) == 22
    return counts


def f1(counts: list[tuple[int, int, int]]) -> float:
    found, missed, unwanted = (sum(column) for column in zip(*counts, strict=True))
    return 2 * found / (2 * found + missed + unwanted)


@pytest.mark.skipif(not GOLD.is_file(), reason="the shared corpora are not here")
@pytest.mark.parametrize(("precise", "least"), [(False, 0.96), (True, 0.98)])
def test_f1_on_annotated_pages(precise: bool, least: float):
    if precise and not HAS_TRAFILATURA:
        pytest.skip("trafilatura is not installed")
    counts = gold_counts(precise)
    assert f1(counts) >= least
    draw = random.Random(1)
    resampled = sorted(f1(draw.choices(counts, k=len(counts))) for _ in range(1000))
    assert resampled[25] >= 0.92


def test_the_article_and_nothing_around_it():
    html = page(
        "<nav><a href=/>Home</a> <a href=/a>About us</a></nav>"
        f"{ARTICLE}"
        "<div class=share><a>Share this on Facebook</a></div>"
        "<footer>Copyright 2024 Example. All rights reserved.</footer>"
    )
    assert extract(html) == f"Title\n\n{(TEXT * 3).strip()}\n\n{(TEXT * 2).strip()}"


def test_code_tables_and_lists_stay():
    html = page(
        f"<main><p>{TEXT * 3}</p><pre>def f(x):\n    return {{}}\n\n\n}}</pre>"
        "<ul><li>flour</li><li>two eggs</li></ul><table><tr><td>1</td><td>2</td></tr></table>"
        f"<p>{TEXT}</p></main>"
    )
    text = extract(html)
    assert "def f(x):\n    return {}\n" in text
    assert "• flour" in text
    assert "• two eggs" in text
    assert "1\t\t2" in text


def test_a_page_of_nothing_but_a_list_keeps_its_lines():
    items = "".join(
        f"<li><a href=/{i}>Version {i}: a new release with many improvements</a></li>"
        for i in range(20)
    )
    html = page(f"<ul><li><a href=/>Home</a></li></ul><div id=sidebar><ul>{items}</ul></div>")
    text = extract(html)
    assert "Version 19: a new release with many improvements" in text
    assert "Home" not in text


BOILERPLATE = [
    "Posted on 5 May 2020 by Anna | Leave a comment",
    "Veröffentlicht am 13. März 2019 von",
    "Publié le 3 mai 2020 par Marie",
    "Tagged with: rust, go",
    "Kategorie: News",
    "• This entry was posted in news. Bookmark the permalink.",
    "3 Kommentare",
    "No comments yet",
    "Laisser un commentaire",
    "Deja un comentario",
    "Share this:",
    "Read more »",
    "Weiterlesen →",
    "Home » News » An article",
    "Skip to content",
    "© 2023 Example Ltd",
    "Alle Rechte vorbehalten.",
    "We use cookies to improve your experience.",
    "Diese Website verwendet Cookies.",
    ", , , ,",
    "Permalink",
    "Sign in",
    "Newsletter",
]
PROSE = [
    "Tags are small pieces of cloth that are sewn into a garment, and we collected them.",
    "By the end of the day, everyone had posted a letter to the museum.",
    "The cookies are done when the edges are brown; let them cool for ten minutes.",
    "Copyright is a right that protects an author's work, and it began with the Statute of Anne.",
    "Comments in Python begin with a hash mark.",
    "Read the whole chapter before you answer the questions below.",
    "x > 0 > y",
    "Share of renewable energy in 2020",
    "3. Follow the path to the river",
    "Home is where the heart is, said the old man who had left it.",
    "}",
    "References",
    "Author of the novel is unknown",
    "• flour",
]


@pytest.mark.parametrize("line", BOILERPLATE)
def test_boilerplate_lines_go(line: str):
    assert without_boilerplate(f"{TEXT}\n\n{line}\n\n{TEXT * 2}") == f"{TEXT}\n\n{TEXT * 2}"


@pytest.mark.parametrize("line", PROSE)
def test_lines_of_the_text_stay(line: str):
    text = f"{TEXT}\n\n{line}\n\n{TEXT * 2}"
    assert without_boilerplate(text) == text


@pytest.mark.parametrize("heading", ["Related Articles", "About the author", "Ähnliche Beiträge"])
def test_end_matter_goes_and_the_same_heading_in_the_middle_stays(heading: str):
    body = f"{TEXT * 4}\n\n{TEXT * 4}"
    assert without_boilerplate(f"{body}\n\n{heading}\n\nOne title\nA second title") == body
    start = f"{TEXT}\n\n{heading}\n\n{body}"
    assert without_boilerplate(start) == start


def test_a_long_line_with_a_notice_in_it_is_prose():
    line = f"{TEXT * 6}It ended with the words: all rights reserved."
    assert without_boilerplate(line) == line


@pytest.mark.parametrize(
    ("html", "charset", "text"),
    [
        (b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe", "latin-1", "Grüße"),
        ("Grüße".encode("utf-16-be").join([b"\xfe\xff", b""]), None, "Grüße"),
        (b"Gr\xfc\xdfe", None, "Grüße"),
        (b"Gr\xfc\xdfe", "utf-8", "Grüße"),
        (b"<meta charset=windows-1251>\xcf\xf0\xe8\xe2\xe5\xf2", None, "Привет"),
        (b"<meta charset=utf-8>\x93quoted\x94 na\xefve", "utf-8", "“quoted” naïve"),
        ("é".encode() * 40 + b"\xff", None, "é" * 40 + "\ufffd"),
        ("ü".encode()[:1], None, "Ã"),
    ],
)
def test_decoding(html: bytes, charset: str | None, text: str):
    assert decode_page(html, charset).endswith(text)


@pytest.mark.parametrize(
    "html",
    [b"", b" \n", b"\0\0\0", b"<", b"<html>", b"<!--", b"\xff\xfe", b"</div>" * 9, b"<script>x()"],
)
def test_pages_without_text_give_none(html: bytes):
    assert extract(html).replace("<", "") == ""


@given(st.binary(max_size=300), st.sampled_from([b"", b"<p>", b"<meta charset=utf-16>", b"\x1b$B"]))
def test_no_bytes_are_fatal(content: bytes, start: bytes):
    text = extract(start + content)
    assert "\0" not in text
    text.encode()


HOSTILE = {
    "deep": "<div>" * 400_000 + "x",
    "deep and closed": "<div>" * 200_000 + "x" + "</div>" * 200_000,
    "deep with words": "<div>some words " * 100_000,
    "attributes": "<a " + " ".join(f"a{i}=1" for i in range(200_000)) + ">x</a>",
    "an open tag": "<a " + " ".join(f"a{i}=1" for i in range(200_000)),
    "formatting": "<p><font><b>" * 30_000 + "x",
    "comments": "<!--" * 500_000,
    "long": "<p>hello world this is text</p>\n" * 400_000,
    "many lines": "<br>Posted on Monday by" * 100_000,
    "one line": "»" * 1_000_000,
    "brackets": "[ [" * 300_000 + "]",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pages_take_seconds_at_most(case: str):
    html = HOSTILE[case].encode()
    start = time.process_time()
    text = extract(html)
    # Without the defences the first of these takes an hour, so this bound is no measurement.
    assert time.process_time() - start < 60
    assert len(text) <= LARGEST_PAGE


def test_of_a_long_page_the_beginning_is_read():
    html = b"<p>hello world this is text</p>\n" * 1_000_000
    text = extract(html)
    assert text.startswith("hello world this is text")
    assert 0.7 * LARGEST_PAGE < len(text) < LARGEST_PAGE


def test_taming_changes_nothing_but_what_is_too_much():
    plain = page(ARTICLE + "<br>" * 2000 + "<div>" * 200 + "x" + "</div>" * 200).decode()
    assert tamed(plain) == plain
    deep = tamed("<div>" * 1000 + "<script>if (a<b) {}</script>kept" + "</div>" * 1000)
    assert deep.count("<div>") == deep.count("</div>") == DEEPEST
    assert "<script>if (a<b) {}</script>kept" in deep
    long = tamed(f"<a title='{'x' * 40_000}'>kept</a>")
    assert long == "<a>kept</a>"


def test_precise_without_trafilatura_tells_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(ValueError, match=r"pip install 'phinery\[precise\]'"):
        extract(page(ARTICLE), precise=True)


@pytest.mark.skipif(not HAS_TRAFILATURA, reason="trafilatura is not installed")
def test_precise_extracts_and_survives_what_is_no_page():
    assert TEXT.strip() in extract(page(ARTICLE), url="https://a.example/", precise=True)
    for html in (b"", b"\0\xff", gzip.compress(b"x"), b"<div>" * 200_000 + b"x", b"not html"):
        extract(html, precise=True)
