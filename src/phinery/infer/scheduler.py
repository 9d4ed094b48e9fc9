"""Continuous batching: which tokens of which requests a step computes, and what becomes of them.

A step takes every running request one piece further: a decoding one by a token (or several, when a
draft model proposed them), one whose prompt is not yet in the cache by a chunk. Requests come and
go between steps. Nothing here does arithmetic or knows threads: `Backend.step` computes, and
whoever drives calls `step`, `add` and `remove` one at a time.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from phinery.infer.backend import Backend, Span
from phinery.infer.pages import PagePool
from phinery.infer.request import Request, Ticket, Work
from phinery.infer.sampling import log_probabilities
from phinery.infer.speculation import propose

# More rows of logits than this are not held for a prompt's log-probabilities: a row is up to
# 200 KB.
_SCORED_CHUNK = 64


@dataclasses.dataclass(slots=True)
class Statistics:
    """What was done since the engine was made; token counts unless said otherwise.

    prefill_tokens : prompt tokens computed, those computed again after a preemption included.
    cached_tokens : prompt tokens that were found in the prefix cache instead.
    decode_tokens : tokens chosen.
    steps : passes through the model.
    proposed, accepted : the draft model's proposals, and those that stood.
    preemptions : how often a request lost its pages to an older one.
    """

    prefill_tokens: int = 0
    cached_tokens: int = 0
    decode_tokens: int = 0
    steps: int = 0
    proposed: int = 0
    accepted: int = 0
    preemptions: int = 0


class Scheduler:
    """Runs requests together on a back end.

    Parameters
    ----------
    backend : computes; its cache belongs to this scheduler alone.
    max_batch : how many requests run at a time; more wait for their turn.
    prefill_chunk : how many prompt tokens a step computes at most, beside decoding.
    keep_prefixes : whether pages of finished requests can be found by later ones while there is
        room for them; else only while some request is at work.
    draft : a smaller model with the same vocabulary, and pages of the same number and size.
    num_draft_tokens : how many tokens it proposes a step.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        max_batch: int = 32,
        prefill_chunk: int = 512,
        keep_prefixes: bool = True,
        draft: Backend | None = None,
        num_draft_tokens: int = 4,
    ) -> None:
        if draft is not None:
            assert (draft.page_size, draft.num_pages) == (backend.page_size, backend.num_pages)
        self.backend = backend
        self.draft = draft
        self.max_batch = max_batch
        self.prefill_chunk = prefill_chunk
        self.keep_prefixes = keep_prefixes
        self.num_draft_tokens = num_draft_tokens
        self.stats = Statistics()
        self.pool = PagePool(backend.num_pages)
        self._page_size = backend.page_size
        self._waiting: deque[Request] = deque()  # those that were removed are passed over
        self._num_waiting = 0
        self._running: list[Request] = []  # by arrival
        # Full pages that a running request is about to compute: others wait for them.
        self._promised: dict[bytes, Request] = {}

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._running and not self._num_waiting

    def add(self, ticket: Ticket) -> None:
        """Take a ticket's requests in; they must fit into the cache alone."""
        for request in ticket.requests:
            most = request.length + request.writing.limit
            assert most <= self.backend.num_pages * self._page_size
            self._waiting.append(request)
        self._num_waiting += len(ticket.requests)

    def remove(self, ticket: Ticket) -> None:
        """Drop what is unfinished of a ticket; its pages are free at once."""
        for request in ticket.requests:
            if request.state == "running":
                self._running.remove(request)
                self._break_promises(request)
                request.leave(self.pool, "done")
            elif request.state == "waiting":
                request.state = "done"
                self._num_waiting -= 1
        if len(self._waiting) > 2 * self._num_waiting + 64:
            self._waiting = deque(r for r in self._waiting if r.state == "waiting")
        ticket.unfinished = 0
        self._forget_if_idle()

    def step(self) -> None:
        """Take every running request one piece further.

        An error in one request ends its ticket only; an interrupt leaves all as they were before.
        """
        if self.is_idle:
            return
        self._admit()
        plan = self._plan()
        assert plan, "there are requests, but none can run"
        if self.draft is not None and not propose(self.draft, plan):
            self.draft = None
        for work, logits in self._compute(plan):
            if work.request.state == "running":
                self._take(work, logits)
        self._forget_if_idle()

    # --- who runs

    def _admit(self) -> None:
        """Let waiting requests in, the oldest first, while there are places and pages."""
        places = self.max_batch - len(self._running)
        if places <= 0 or not self._num_waiting:
            return
        passed: list[Request] = []
        looked_at = 0
        try:
            while self._waiting and places > 0 and looked_at < 4 * self.max_batch:
                request = self._waiting.popleft()
                if request.state != "waiting":
                    continue
                passed.append(request)
                looked_at += 1
                verdict = self._try_to_admit(request)
                if verdict == "runs":
                    passed.pop()
                    places -= 1
                elif verdict == "no pages":
                    break
        finally:
            self._waiting.extendleft(reversed(passed))

    def _try_to_admit(self, request: Request) -> str:
        page_size, pool = self._page_size, self.pool
        digests: Sequence[bytes] = ()
        found: list[int] = []
        if not request.prompt.wants_logprobs:
            # One token at least is computed, for its logits.
            most = (request.length - 1) // page_size
            digests = request.known_digests(page_size)[:most]
            found = pool.find(digests)
            if len(found) < most and digests[len(found)] in self._promised:
                return "waits for another's pages"
        idle = sum(1 for page in found if pool.is_idle(page))
        needed = -(-request.length // page_size) - len(found)
        # Each running request may soon want a page; without this they would take turns in
        # preempting each other.
        spare = len(self._running)
        if pool.available - idle < needed + spare:
            return "no pages"
        pool.hold(found)
        fresh = pool.allocate(needed)
        assert fresh is not None
        if not request.writing.tokens:
            self.stats.cached_tokens += len(found) * page_size
        request.begin(found, fresh, page_size)
        self._num_waiting -= 1
        bisect.insort(self._running, request, key=_arrival)
        for digest in digests[len(found) :]:
            self._promised.setdefault(digest, request)
        return "runs"

    def _break_promises(self, request: Request) -> None:
        if self._promised:
            for digest in request.digests[request.registered :]:
                if self._promised.get(digest) is request:
                    del self._promised[digest]

    def _preempt(self, request: Request) -> None:
        """Take a request's pages; it is computed again later, and goes on where it was."""
        self._running.remove(request)
        self._break_promises(request)
        request.leave(self.pool, "waiting")
        # Younger ones may have been preempted before: the oldest waits in front.
        self._waiting.appendleft(request)
        self._num_waiting += 1
        self.stats.preemptions += 1

    def _forget_if_idle(self) -> None:
        if not self.keep_prefixes and self.is_idle:
            self.pool.forget_idle()

    # --- what is computed

    def _plan(self) -> list[Work]:
        budget = self.prefill_chunk
        plan: list[Work] = []
        position = 0
        # Older requests come first; what a preemption removes is at the list's end.
        while position < len(self._running):
            request = self._running[position]
            position += 1
            count = request.length - request.computed
            extra = 0
            num_logits = 1
            is_scored = False
            if count > 1:
                if not budget:
                    continue
                count = min(count, budget)
                is_scored = request.prompt.wants_logprobs
                if is_scored:
                    count = min(count, _SCORED_CHUNK)
                budget -= count
            elif self.draft is not None:
                extra = min(self.num_draft_tokens, request.room - 1)
            end = request.computed + count
            if extra or end > len(request.pages) * self._page_size:
                extra = self._make_room(request, end, extra)
                if extra < 0:
                    break
            if end < request.length:
                num_logits = 0
            if is_scored:
                unscored = max(request.computed, len(request.prompt.logprobs) - 1)
                num_logits = max(num_logits, end - unscored)
            plan.append(Work(request, count, extra, num_logits))
        return plan

    def _make_room(self, request: Request, end: int, extra: int) -> int:
        """Pages for positions before `end`, and for `extra` more as far as nobody loses his.

        The number of extra positions that have pages; -1 when the request had to give up its own.
        """
        page_size, pool = self._page_size, self.pool
        missing = -(-end // page_size) - len(request.pages)
        while missing > pool.available:
            youngest = self._running[-1]
            self._preempt(youngest)
            if youngest is request:
                return -1
        if extra:
            missing_extra = -(-(end + extra) // page_size) - len(request.pages)
            missing = max(missing, min(missing_extra, pool.available))
        if missing > 0:
            pages = pool.allocate(missing)
            assert pages is not None
            request.add_pages(pages)
        return min(extra, len(request.pages) * page_size - end)

    def _compute(self, plan: list[Work]) -> Iterator[tuple[Work, NDArray[np.float32]]]:
        """Each piece of work with its rows of logits; what cannot be computed fails alone."""
        spans = [work.span(self._page_size) for work in plan]
        try:
            logits = self.backend.step(spans)
        except Exception as error:  # noqa: BLE001 (the request's owner gets it)
            if len(plan) == 1:
                self._fail(plan[0].request, error)
            else:
                yield from self._compute_one_by_one(plan, spans)
            return
        self.stats.steps += 1
        row = 0
        for work in plan:
            yield work, logits[row : row + work.num_logits]
            row += work.num_logits

    def _compute_one_by_one(
        self, plan: list[Work], spans: list[Span]
    ) -> Iterator[tuple[Work, NDArray[np.float32]]]:
        for work, span in zip(plan, spans, strict=True):
            if work.request.state != "running":
                continue
            try:
                logits = self.backend.step([span])
            except Exception as error:  # noqa: BLE001 (the request's owner gets it)
                self._fail(work.request, error)
                continue
            self.stats.steps += 1
            yield work, logits

    # --- what becomes of it

    def _take(self, work: Work, logits: NDArray[np.float32]) -> None:
        request = work.request
        try:
            if request.prompt.wants_logprobs:
                self._score_prompt(work, logits)
            self._advance(work, logits)
        except Exception as error:  # noqa: BLE001 (the request's owner gets it)
            self._fail(request, error)
        except BaseException as error:
            # An interrupt may have come between the sampler and the text.
            self._fail(request, error)
            raise

    def _advance(self, work: Work, logits: NDArray[np.float32]) -> None:
        request, stats = work.request, self.stats
        end = work.start + work.count
        if work.start < len(request.prompt.tokens) or work.count > 1:
            stats.prefill_tokens += work.count
        request.computed = end
        if end == request.length:
            if work.proposals:
                self._verify(work, logits)
            else:
                self._choose(request, logits[-1])
        full = request.computed
        if self.draft is not None:
            full = request.draft_computed = min(request.draft_computed, full)
        full //= self._page_size
        if full > request.registered:
            self._register(request, full)
        if request.writing.finish_reason is not None:
            self._finish(request)

    def _choose(self, request: Request, logits: NDArray[np.float32]) -> int:
        """The next token: into the text, to whoever listens, and to be computed next."""
        sampler, writing = request.sampler, request.writing
        token = sampler.next(logits)
        scores = None
        if request.logprobs is not None:
            scores = log_probabilities(logits, token, request.logprobs)
        constraint = sampler.constraint
        complete = constraint is not None and constraint.is_finished
        delta = writing.push(token, scores, complete=complete)
        request.append(token)
        self.stats.decode_tokens += 1
        if request.ticket.streams:
            request.ticket.deltas.append(delta)
        return token

    def _verify(self, work: Work, logits: NDArray[np.float32]) -> None:
        """Choose from the model's own logits for as long as the proposals are what it chooses."""
        request, stats = work.request, self.stats
        stats.proposed += len(work.proposals)
        # The draft model has computed all proposals but the last; `_advance` takes back those that
        # don't stand.
        request.draft_computed = work.start + len(work.proposals)
        for row, proposal in zip(logits, [*work.proposals, None], strict=True):
            token = self._choose(request, row)
            if token != proposal or request.writing.finish_reason is not None:
                break
            stats.accepted += 1
        request.computed = request.length - 1

    def _score_prompt(self, work: Work, logits: NDArray[np.float32]) -> None:
        """Log-probabilities of the prompt's tokens that the logits of those before them give."""
        prompt = work.request.prompt
        assert prompt.count_logprobs is not None
        first = work.start + work.count - work.num_logits
        for position, row in enumerate(logits, start=first + 1):
            if len(prompt.logprobs) == position < len(prompt.tokens):
                token = int(prompt.tokens[position])
                prompt.logprobs.append(log_probabilities(row, token, prompt.count_logprobs))

    def _register(self, request: Request, full: int) -> None:
        first = request.registered
        request.register_pages(self.pool, self._page_size, full)
        if self._promised:
            for digest in request.digests[first:full]:
                if self._promised.get(digest) is request:
                    del self._promised[digest]

    def _finish(self, request: Request) -> None:
        self._running.remove(request)
        self._break_promises(request)
        request.leave(self.pool, "done")
        request.ticket.unfinished -= 1

    def _fail(self, request: Request, error: BaseException) -> None:
        request.ticket.error = error
        self.remove(request.ticket)


def _arrival(request: Request) -> int:
    return request.arrival
