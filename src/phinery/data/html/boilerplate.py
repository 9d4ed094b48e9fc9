"""Lines that are on a page but not of its text: bylines, share buttons, notices, menus.

The phrases are those of the common content systems in several languages. A line is left out for
what it is as a whole: each rule has a length beyond which a line counts as prose, so that a
sentence about cookies or copyright stays.
"""

from __future__ import annotations

import re

from phinery.data.html.phrases import ANYWHERE, AT_START, END_HEADINGS, WHOLE

_LONGEST_START = 200
_LONGEST_ANYWHERE = 300
_LONGEST_WHOLE = 60
_LONGEST_HEADING = 80

# End matter is cut off at a heading that comes after this share of the text ...
_END_AFTER = 0.5
# ... with at most this share of it behind.
_END_SHARE = 0.35

_MENU_LINES = 8
_MENU_WORDS = 4
_SHORT_WORDS = 5

_SENTENCE_END = (".", "!", "?", ":", ";", "…", "。", "！", "？", "”", "“", '"', "»", ")")
_ONLY_MARKS = re.compile(r"[\s,|·•»«›‹/–—→←↑©]*")
_EDIT_LINK = re.compile(
    r"\s*\[\s*(?:edit|bearbeiten|quelltext bearbeiten|modifier|modifica|editar|bewerken|edytuj|"
    r"править)"
    r"(?:\s*\|\s*[\w ]+)?\s*\]$",
    re.IGNORECASE,
)
# "Home » News » An article": short parts between at least two marks.
_CRUMBS = re.compile(r"[^»›>|/\n]{3,40}(?:\s*[»›>]\s+[^»›>|/\n]{3,90}){2,}")
_BULLET_BEGINS = frozenset("•*·-0123456789")
_BULLET = re.compile(r"(?:[•*·-]|\d{1,3}\.)\s+")
_GAPS = re.compile(r"\n{3,}")


def without_boilerplate(text: str) -> str:
    """The text without its boilerplate lines and without the end matter behind its last section."""
    lowered = text.lower()
    notices = [phrase for phrase in ANYWHERE if phrase in lowered]
    kept = [
        _EDIT_LINK.sub("", line) if line.endswith("]") else line
        for line, low in zip(text.split("\n"), lowered.split("\n"), strict=True)
        if not line or len(line) > _LONGEST_ANYWHERE or not _is_boilerplate(low, notices)
    ]
    kept = _without_end_matter(kept)
    kept = _without_menu(_without_menu(kept)[::-1])[::-1]
    return _GAPS.sub("\n\n", "\n".join(kept)).strip("\n")


def without_short_lines(text: str) -> str:
    """The lines of five words or more and those that end like sentences, for text with menus in it.

    Scripts without spaces between words count four characters as a word.
    """
    kept: list[str] = []
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or _words(stripped) >= _SHORT_WORDS or stripped.endswith(_SENTENCE_END[:4]):
            kept.append(line)
    return _GAPS.sub("\n\n", "\n".join(kept)).strip("\n")


def _words(line: str) -> int:
    words = line.count(" ") + 1
    return words if line.isascii() else max(words, sum(c > "\u2e80" for c in line) // 4)


def _content(line: str) -> str:
    """A line without its bullet or number and the spaces around."""
    stripped = line.strip()
    if not stripped or stripped[0] not in _BULLET_BEGINS:
        return stripped
    bullet = _BULLET.match(stripped)
    return stripped[bullet.end() :] if bullet else stripped


def _is_boilerplate(low: str, notices: list[str]) -> bool:
    """Whether a line in lower case, not empty, is none of the text."""
    content = _content(low)
    if not content:
        return bool(low.strip())
    if not content[0].isalnum() and _ONLY_MARKS.fullmatch(content):
        return True
    length = len(content)
    if length <= _LONGEST_START and AT_START.match(content):
        return True
    if length <= _LONGEST_START and _has_crumbs(content):
        return True
    if length <= _LONGEST_WHOLE and WHOLE.fullmatch(content):
        return True
    return bool(notices) and any(phrase in content for phrase in notices)


def _has_crumbs(content: str) -> bool:
    if "»" not in content and "›" not in content and "> " not in content:
        return False
    return _CRUMBS.fullmatch(content) is not None


def _without_end_matter(lines: list[str]) -> list[str]:
    """The lines before the first heading such as "Related articles", where little follows it."""
    total = sum(map(len, lines))
    before = 0
    for number, line in enumerate(lines):
        is_near_end = before >= _END_AFTER * total and total - before <= _END_SHARE * total
        is_short = 0 < len(line) <= _LONGEST_HEADING
        if is_near_end and is_short and END_HEADINGS.fullmatch(_content(line).lower()):
            return lines[:number]
        before += len(line)
    return lines


def _without_menu(lines: list[str]) -> list[str]:
    """Without a run of short list items at the start: a menu that looked like content."""
    items = 0
    for number, line in enumerate(lines):
        content = _content(line)
        if not content:
            continue
        is_item = content != line.strip() and _words(content) <= _MENU_WORDS
        if not is_item or content.endswith(_SENTENCE_END):
            return lines[number:] if items >= _MENU_LINES else lines
        items += 1
    return lines
