"""The text of a web page, without its menus, comments and footers."""

from __future__ import annotations

import re

from phinery.data.html.boilerplate import without_boilerplate, without_short_lines
from phinery.data.html.encoding import decode_page
from phinery.data.html.taming import tamed

LARGEST_PAGE = 2**22
"""Bytes of a page that are parsed, at most. A parsed page takes up to 150 times its size."""

# Space characters other than the space, and marks that nobody sees.
_SPACES = re.compile(r"[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile("[\xad\u200b\u200e\u200f\u2060\ufeff]")
_BLANK_LINES = re.compile(r"\n\s*\n")
# Control characters that are no spaces; NUL among them, which a Document must not have.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# Main content of fewer characters than this is compared with all text, ...
_SHORT_CONTENT = 600
# ... and must be this share of it at least.
_LEAST_SHARE = 0.12

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


def extract(html: bytes, *, url: str | None = None, precise: bool = False) -> str:
    """The main text of a web page: paragraphs apart by blank lines, "" when there is none.

    The encoding is taken from a byte order mark, the page's own declaration or its bytes. Comments,
    navigation, share buttons, bylines and legal lines are left out. Bytes that are no page give
    what text there is and raise nothing; of a page longer than 4 MiB, the first 4 MiB are read.

    `precise` extracts with trafilatura, which is slower by an order of magnitude; `url` helps it.
    Raises ValueError when it is not installed.
    """
    return page_text(decode_page(html[:LARGEST_PAGE]), url=url, precise=precise)


def page_text(html: str, *, url: str | None = None, precise: bool = False) -> str:
    """`extract` of a page that is decoded already, of LARGEST_PAGE characters at most."""
    html = tamed(html)
    if precise:
        return _tidy(_precise_text(html, url))
    return _main_text(html)


def _main_text(html: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    # resiliparse takes a list that is hardly nested for a menu; here lists of plain pages stay.
    html = _BODY.sub(r"\g<0><div><div><div>", html, count=1)
    main = _tidy(
        extract_plain_text(html, main_content=True, alt_texts=False, comments=False, noscript=False)
    )
    if len(main) < _SHORT_CONTENT:
        whole = _tidy(extract_plain_text(html, alt_texts=False, comments=False, noscript=False))
        # Pages of nothing but lists and tables look like navigation to the main content's rules.
        if len(main) < _LEAST_SHARE * len(whole):
            main = without_short_lines(whole)
    return without_boilerplate(main)


def _precise_text(html: str, url: str | None) -> str:
    try:
        import trafilatura
    except ImportError as error:
        raise ValueError(
            "precise extraction needs trafilatura: pip install 'phinery[precise]'"
        ) from error
    return trafilatura.extract(html, url=url, include_comments=False) or ""


def _tidy(text: str) -> str:
    """Plain spaces, no invisible characters, at most one blank line between lines."""
    text = _CONTROL.sub("", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()
