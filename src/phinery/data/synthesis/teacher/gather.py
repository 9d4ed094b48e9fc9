"""Gets the answers that a plan needs: from the log what is there, from the teacher the rest."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from phinery.data.synthesis.teacher.answers import AnswersLog
from phinery.data.synthesis.teacher.client import Teacher
from phinery.data.synthesis.teacher.draft import RejectedError, try_programs
from phinery.data.synthesis.teacher.errors import TeacherError
from phinery.data.synthesis.teacher.formats import read_answer
from phinery.data.synthesis.teacher.ledger import EXPECTED_TOKENS, requests_for
from phinery.data.synthesis.teacher.plan import Plan, Request
from phinery.data.synthesis.teacher.session import Answer, Session, estimate_tokens

_ENOUGH_TO_JUDGE = 50
_MOST_WASTE = 20
"""Requests per request that would do if all answers were accepted."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    requests: int
    """Dealt with, of those that count towards the target."""
    documents: int
    tokens: int
    in_flight: int
    stopping: bool
    """Whether nothing more is asked and only what is on its way is waited for."""


class Gatherer:
    """Asks until the first requests of the plan, in an unbroken row, reach the target.

    Which requests those are depends on the answers alone, not on the order they come in.
    """

    def __init__(
        self,
        plan: Plan,
        teacher: Teacher,
        log: AnswersLog,
        tokens: int | None,
        requests: int | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._plan = plan
        self._teacher = teacher
        self._log = log
        self._tokens = tokens
        self._requests = requests
        self._on_progress = on_progress
        self._next = 0
        self._done = 0  # requests 0 .. done - 1 are dealt with
        self._done_tokens = 0
        self._ahead: dict[int, int] = {}
        """Number of a request after those -> tokens of the document that came of it, 0 for none."""
        self._documents = 0
        self._reasons: Counter[str] = Counter()
        # Programs of the model are run beside the requests, as many as there are processors.
        self._processors = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(self) -> int:
        """How many requests, from number 0, reach the target."""
        async with self._teacher.session() as session:
            running: set[asyncio.Task[None]] = set()
            try:
                while not self._is_reached():
                    while len(running) < self._teacher.concurrency and self._wants(len(running)):
                        request = self._plan.request(self._next)
                        running.add(asyncio.create_task(self._deal_with(session, request)))
                        self._next += 1
                    finished, running = await asyncio.wait(
                        running, return_when=asyncio.FIRST_COMPLETED
                    )
                    errors = [error for task in finished if (error := task.exception())]
                    if errors:
                        raise errors[0]
                    self._advance()
                    self._report(len(running), stopping=False)
            finally:
                session.stop()
                if running:
                    self._report(len(running), stopping=True)
                    await asyncio.gather(*running, return_exceptions=True)
        return self._done

    def _is_reached(self) -> bool:
        if self._requests is not None:
            return self._done >= self._requests
        assert self._tokens is not None
        return self._done_tokens >= self._tokens

    def _wants(self, in_flight: int) -> bool:
        """Whether to ask another: not when those on their way will do."""
        if self._requests is not None:
            return self._next < self._requests
        assert self._tokens is not None
        if in_flight == 0:
            return True
        known = self._done_tokens + sum(self._ahead.values())
        dealt_with = self._done + len(self._ahead)
        usual = known / dealt_with if dealt_with >= 20 else min(EXPECTED_TOKENS.values())
        return known + in_flight * usual < self._tokens

    async def _deal_with(self, session: Session, request: Request) -> None:
        key = request.key(self._teacher.model)
        if key not in self._log and not self._log.is_refused(key):
            result = await session.complete(request.question())
            self._log.add(key, result)
        if key not in self._log:
            self._ahead[request.index] = 0
            self._reasons[self._log.failures[key][-1].reason] += 1
            return
        self._ahead[request.index] = await self._tokens_of(request, self._log.answer(key))

    async def _tokens_of(self, request: Request, answer: Answer) -> int:
        """Tokens of the document in an answer, 0 when it is rejected."""
        try:
            draft = read_answer(request.brief, answer.text, answer.finish_reason)
            if draft.program:
                verdict = self._log.verdict(draft.programs_key)
                if verdict is None:
                    async with self._processors:
                        verdict = await asyncio.to_thread(try_programs, draft)
                    self._log.add_verdict(draft.programs_key, verdict)
                if verdict:
                    raise RejectedError(verdict)
        except RejectedError as error:
            self._reasons[str(error)] += 1
            return 0
        self._documents += 1
        return estimate_tokens(draft.text)

    def _advance(self) -> None:
        while self._done in self._ahead and not self._is_reached():
            self._done_tokens += self._ahead.pop(self._done)
            self._done += 1
            self._check_worth()

    def _check_worth(self) -> None:
        """Stop before money is spent on answers of which nothing can be used."""
        most = float("inf")
        if self._tokens is not None:
            most = _ENOUGH_TO_JUDGE + _MOST_WASTE * requests_for(self._plan, self._tokens)
        is_hopeless = self._done == _ENOUGH_TO_JUDGE and self._done_tokens == 0
        if is_hopeless or self._done >= most:
            reason, number = self._reasons.most_common(1)[0]
            raise TeacherError(
                f"of {self._done} answers too few can be used, {number} were rejected for: "
                f"{reason}; try another model, or fewer kinds"
            )

    def _report(self, in_flight: int, *, stopping: bool) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(self._done, self._documents, self._done_tokens, in_flight, stopping)
            )
