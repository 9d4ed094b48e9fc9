"""What a measure says when something that it needs is not at hand."""

from __future__ import annotations


class Missing(ValueError):
    """A measure cannot run here; the message is one line that says what to give."""
