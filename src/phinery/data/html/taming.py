"""Pages made, or broken, so that parsing them takes forever."""

from __future__ import annotations

import re

_SEGMENT = 4096
_UNCLOSED = 400
DEEPEST = 256
"""Elements within each other that are kept. Browsers stop at 512; parsing is quadratic in it."""
_LONGEST_TAG = 2**14
_LONG_TAG = re.compile(rf"<(/?[a-zA-Z][\w:-]{{0,40}})[^<>]{{{_LONGEST_TAG},}}>?")
_TAG = re.compile(r"<(/?)([a-zA-Z][\w:-]{0,40})[^<>]*>")
# They have no end tag (HTML standard, 13.1.2), often go without, or hold what is no markup.
_NOT_COUNTED = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li td th tr dt dd "  # noqa: SIM905
    "script style title textarea template noscript iframe".split()
)


def tamed(html: str) -> str:
    """The page with elements below DEEPEST opened no more and without tags of 16 KiB or more.

    A page that has neither is returned as it is, after a scan of a tenth of a millisecond.
    """
    if _may_have_long_tag(html):
        html = _LONG_TAG.sub(r"<\1>", html)
    return _flattened(html) if _may_be_deep(html) else html


def _may_have_long_tag(html: str) -> bool:
    """Whether there is a window without the end of a tag; each tag that is too long has one."""
    window = _LONGEST_TAG // 2
    return any(
        html.find(">", start, start + window) < 0
        for start in range(0, len(html) - window + 1, window)
    )


def _may_be_deep(html: str) -> bool:
    """Whether more than _UNCLOSED tags are open somewhere, as far as counting them tells."""
    unclosed = 0
    for start in range(0, len(html), _SEGMENT):
        end = start + _SEGMENT
        unclosed += html.count("<", start, end) - 2 * html.count("</", start, end)
        if unclosed > _UNCLOSED:
            return True
    return False


def _flattened(html: str) -> str:
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2].lower() in _NOT_COUNTED or tag[0].endswith("/>"):
            return tag[0]
        if tag[1]:
            depth = max(0, depth - 1)
            return tag[0] if depth < DEEPEST else " "
        depth += 1
        return tag[0] if depth <= DEEPEST else " "

    return _TAG.sub(keep, html)
