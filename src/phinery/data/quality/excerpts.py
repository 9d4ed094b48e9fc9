"""The pieces of a document that are read for its scores."""

from __future__ import annotations

import re

EXCERPT = 1500
"""Characters of the longest excerpt: ratings were made on pieces of this size."""

_MOST_EXCERPTS = 4
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_REACH = 200  # characters


def excerpts(text: str) -> list[str]:
    """Up to four excerpts, spread evenly over the text; each begins at a line or a word.

    A text of up to 1.25 excerpts gives its beginning alone. Of longer ones the first excerpt is
    their beginning and the last their end. A text without a visible character gives none.
    """
    size = len(text)
    count = min(_MOST_EXCERPTS, -(-(size - EXCERPT // 4) // EXCERPT))
    if count <= 1:
        found = [_tidy(text, 0)]
    else:
        last = size - EXCERPT
        found = [_tidy(text, last * number // (count - 1)) for number in range(count)]
    return [excerpt for excerpt in found if excerpt]


def _tidy(text: str, start: int) -> str:
    """The excerpt from `start` on, moved to the next line or word if one begins soon."""
    if start:
        near = text[start : start + _REACH]
        moved = near.find("\n") + 1 or near.find(" ") + 1
        start += moved
    # Blanks that are taken out make place for more of the text.
    piece = text[start : start + 2 * EXCERPT].strip()
    return _BLANK_LINES.sub("\n\n", piece)[:EXCERPT]
