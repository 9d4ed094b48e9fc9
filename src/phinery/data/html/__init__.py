"""Web pages into text: decoding, main content, and the filter of boilerplate lines."""

from __future__ import annotations

from phinery.data.html.extract import extract

__all__ = ["extract"]
