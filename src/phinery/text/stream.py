"""Decoding while tokens come: text is shown as soon as nothing that follows can change it."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from phinery.text.tokenizer import Tokenizer


class TextStream:
    """Turns tokens into text one by one, up to a stop string.

    What `push` and `finish` return, joined, is `tokenizer.decode` of the tokens, cut before the
    stop string that is complete first (of several that end at once, the longest). Text is held back
    while its last character is incomplete or its end may be the beginning of a stop string.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        stop: str | Sequence[str] = (),
        *,
        skip_special_tokens: bool = False,
    ) -> None:
        """Begin a text; ValueError for an empty stop string, which would end it at once."""
        self._stops = (stop,) if isinstance(stop, str) else tuple(stop)
        if "" in self._stops:
            raise ValueError("a stop string is empty: leave it out")
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self.stopped: str | None = None
        """The stop string that ended the text, if one did."""

    def push(self, token_id: int) -> str:
        """Take a token; the text that can be shown now. Nothing after a stop string."""
        if self._skip_special_tokens and self._tokenizer.is_special(token_id):
            return ""
        return self._take(self._decoder.decode(self._tokenizer.token_bytes(token_id)))

    def finish(self) -> str:
        """End the text: what was held back, unless a stop string ended it before."""
        shown = self._take(self._decoder.decode(b"", final=True))
        held, self._held = self._held, ""
        return shown + held

    def _take(self, text: str) -> str:
        if self.stopped is not None:
            return ""
        pending = self._held + text
        starts = [(pending.find(stop), stop) for stop in self._stops]
        found = [(start + len(stop), start, stop) for start, stop in starts if start >= 0]
        if found:
            _, start, self.stopped = min(found)
            self._held = ""
            return pending[:start]
        safe = len(pending) - max((_overlap(pending, stop) for stop in self._stops), default=0)
        self._held = pending[safe:]
        return pending[:safe]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`, but not all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
