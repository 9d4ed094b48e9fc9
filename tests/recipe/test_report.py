from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from phinery.files import read_json
from phinery.recipe.report_data import curve_of, longest_words
from phinery.recipe.report_text import bytes_text, score_sentence
from phinery.recipe.terminal import duration

_VOID = {"meta", "br", "line", "circle", "polyline"}


class Checker(HTMLParser):
    """Collects links to the outside, and tags that are never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [f"{tag} {k}={v}" for k, v in attrs if k in ("src", "href", "srcset")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def page(tiny: Path) -> str:
    return (tiny / "run" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    return checker


def test_page_needs_nothing_from_outside(page: str, checked: Checker):
    assert checked.outside == []
    assert "@import" not in page
    assert "url(" not in page
    assert [link for link in re.findall(r"https?://\S+", page) if "w3.org" not in link] == []


def test_page_is_well_formed(checked: Checker):
    assert checked.open == []


def test_page_follows_the_readers_light_or_dark(page: str):
    assert "prefers-color-scheme: dark" in page


def test_page_shows_scores_samples_and_recipe(tiny: Path, checked: Checker):
    text = "".join(checked.text)
    scores = read_json(tiny / "run" / "evaluate" / "scores.json")
    assert f"{scores['bits_per_byte']:.3f}" in text
    assert f"{scores['xz_bits_per_byte']:.3f}" in text
    for sample in read_json(tiny / "run" / "evaluate" / "samples.json"):
        assert sample["prompt"] in text
        assert sample["completion"] in text
    assert "vocab_size = 290" in text
    assert "exact duplicate" in text


def test_page_has_the_three_curves(page: str):
    assert page.count("<figure") == 3
    assert "Loss, in nats per token" in page
    assert "held out" in page


def test_what_a_model_writes_cannot_become_markup(page: str):
    assert "<b><b>&</b>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_markdown_tells_the_same(tiny: Path):
    text = (tiny / "run" / "report.md").read_text(encoding="utf-8")
    scores = read_json(tiny / "run" / "evaluate" / "scores.json")
    assert f"{scores['bits_per_byte']:.3f}" in text
    for heading in ("# tiny", "## Score", "## Corpus", "## Stages", "## Recipe", "## Machine"):
        assert f"{heading}\n" in text
    held_out = [line for line in text.splitlines() if line.startswith("| ") and "held out" in line]
    assert held_out


@pytest.mark.parametrize(
    ("xz", "words"),
    [(2.0, "50% less"), (0.5, "100% more"), (1.0, "as much"), (None, "xz was not asked")],
)
def test_score_is_put_beside_xz(xz: float | None, words: str):
    scores = {
        "loss": 2.0,
        "bits_per_byte": 1.0,
        "bytes": 1000,
        "xz_bits_per_byte": xz,
        "training_bytes": 2000,
    }
    assert words in score_sentence(scores)


def test_curve_of_skipped_steps_has_holes():
    step = {"step": 1, "tokens": 8, "loss": None, "learning_rate": 0.1, "tokens_per_second": 5.0}
    curve = curve_of("pretrain", [step, {**step, "step": 2, "tokens": 16, "loss": 3.0}], before=4.0)
    assert curve.loss[0] != curve.loss[0], "a loss that was not finite is NaN"
    assert curve.loss[1] == 3.0
    assert curve.tokens == [12.0, 20.0]


def test_longest_words_are_words(tiny: Path):
    words = longest_words(tiny / "run" / "tokenizer")
    assert " finds" in words
    assert words == sorted(words, key=len, reverse=True)
    assert "<|endoftext|>" not in words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.21, "4.2 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (59.97, "1 min 00 s")],
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


def test_sizes():
    assert bytes_text(999) == "999 bytes"
    assert bytes_text(24_100_000) == "24.1 MB"
