"""What an answer holds before it is known whether its programs run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from phinery.sandbox import Verdict, run_sandboxed

_SECONDS, _MEMORY_BYTES = 5.0, 2**29


class RejectedError(Exception):
    """An answer is not kept; the message is the reason that it is counted under."""


@dataclass(frozen=True)
class Draft:
    """A document's text and what has to be tried before it is accepted."""

    text: str
    pairs: tuple[tuple[str, str], ...] = ()
    """Questions and their answers, exercises and their solutions."""
    program: str = ""
    """Must pass the tests: a function, and what it needs. Empty where nothing is to be run."""
    stub: str = ""
    """Must fail them: the same with a function of that name that does nothing."""
    tests: str = ""
    function: str = ""
    """The name of the function that the tests are about."""

    @property
    def programs_key(self) -> str:
        """What the verdict on the programs is kept under."""
        programs = [f"{self.program}\n\n{self.tests}\n", f"{self.stub}\n\n\n{self.tests}\n"]
        content = json.dumps(programs).encode()
        return hashlib.blake2b(content, digest_size=12).hexdigest()


def try_programs(draft: Draft) -> str:
    """Run a draft's programs; "" when the tests pass and prove something, else the reason.

    Runs what a model wrote, in the sandbox. Raises `phinery.sandbox.SandboxUnavailable`, an
    OSError, where there is none.
    """
    verdict = _run(draft.program, draft)
    if not verdict.passed:
        return f"tests failed: {verdict.reason}"
    return "tests pass without the function" if _run(draft.stub, draft).passed else ""


def _run(program: str, draft: Draft) -> Verdict:
    return run_sandboxed(
        program,
        draft.tests,
        entry_point=draft.function or None,
        timeout=_SECONDS,
        memory_bytes=_MEMORY_BYTES,
    )
