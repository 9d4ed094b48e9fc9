"""The characters of a web page, whatever encoding it claims or hides."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# A page declares its encoding in its first 1,024 bytes (HTML standard, 13.2.3.2).
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)
_DECLARED_WITHIN = 4096
_ESCAPE = b"\x1b"


def decode_page(html: bytes, charset: str | None = None) -> str:
    """The characters of a page; `charset` is what HTTP said of it. Never fails.

    A byte order mark decides. Bytes that are UTF-8 are read as UTF-8, whatever is declared: a text
    in another encoding is hardly ever valid UTF-8. Then comes the first of `charset` and the
    page's own declaration that fits, then what the bytes look like; what still does not fit
    becomes U+FFFD.
    """
    for mark, name in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(name, errors="replace")
    declared = [name for name in (charset, _own_declaration(html)) if name]
    if _ESCAPE not in html:  # ISO-2022's text is ASCII bytes with escape sequences
        text = html.decode("utf-8", errors="replace")
        if _is_mostly_utf8(text, len(html)):
            return text
    for name in [*declared, _looks_like(html)]:
        text = _decoded(html, name)
        if text is not None:
            return text
    return html.decode("utf-8", errors="replace")


def _is_mostly_utf8(text: str, length: int) -> bool:
    """Whether what does not decode is rare beside the sequences of several bytes that do."""
    damage = text.count("\ufffd")
    if not damage:
        return True
    # Each character of several bytes makes the text shorter than its bytes by one at least.
    return damage * 10 < length - len(text)


def _own_declaration(html: bytes) -> str | None:
    found = _DECLARED.search(html, 0, _DECLARED_WITHIN)
    return found[1].decode("ascii", errors="replace") if found else None


def _looks_like(html: bytes) -> str:
    from resiliparse.parse.encoding import detect_encoding

    return detect_encoding(html) or "cp1252"


def _decoded(html: bytes, name: str) -> str | None:
    """The text, None when it is not in that encoding or there is none of that name."""
    from resiliparse.parse.encoding import map_encoding_to_html5

    # Browsers read Latin-1 as Windows-1252, GB 2312 as GB 18030 and so on (WHATWG Encoding).
    name = map_encoding_to_html5(name, fallback_utf8=False) or name
    try:
        # Not the end of the input: a page cut within a character is whole before it.
        return codecs.getincrementaldecoder(name)("strict").decode(html)
    except (UnicodeError, LookupError):
        return None
