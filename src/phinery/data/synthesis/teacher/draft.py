"""What an answer holds before it is known whether its programs run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from phinery.data.synthesis.teacher.execution import run_limited


class RejectedError(Exception):
    """An answer is not kept; the message is the reason that it is counted under."""


@dataclass(frozen=True)
class Draft:
    """A document's text and what has to be tried before it is accepted."""

    text: str
    pairs: tuple[tuple[str, str], ...] = ()
    """Questions and their answers, exercises and their solutions."""
    program: str = ""
    """Must run to its end: a function, then its tests. Empty where nothing is to be run."""
    stub: str = ""
    """Must fail: the same tests on a function of that name that does nothing."""

    @property
    def programs_key(self) -> str:
        """What the verdict on the programs is kept under."""
        content = json.dumps([self.program, self.stub]).encode()
        return hashlib.blake2b(content, digest_size=12).hexdigest()


def try_programs(draft: Draft) -> str:
    """Run a draft's programs; "" when the tests pass and prove something, else the reason.

    Runs what a model wrote, within `run_limited`.
    """
    result = run_limited(draft.program)
    if not result.passed:
        return f"tests failed: {result.reason}"
    return "tests pass without the function" if run_limited(draft.stub).passed else ""
