"""What goes wrong with a teacher in a way that asking again can't mend."""

from __future__ import annotations


class TeacherError(ValueError):
    """The teacher can't be used as it is: the message says why, in one line, and what to do."""
