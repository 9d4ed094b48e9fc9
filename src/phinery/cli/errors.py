"""What the command line itself refuses."""

from __future__ import annotations


class UsageError(ValueError):
    """What was asked for is wrong; nothing was begun."""
