"""A request on its way through the scheduler, and the ticket of the call that made it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phinery.infer.backend import Span
from phinery.infer.completion import Completion, CompletionDelta, Writing
from phinery.infer.pages import PagePool, chain_digests

if TYPE_CHECKING:
    from phinery.infer.sampling import Sampler

_arrivals = itertools.count()


class Prompt:
    """A prompt's tokens and what its completions share.

    `root` separates texts that must not share pages; `adapter` is the back end's number.
    `count_logprobs` asks for log-probabilities of the prompt's tokens and of so many likeliest
    ones; `logprobs` holds those known so far, the first token's being None.
    """

    __slots__ = ("_digests", "adapter", "count_logprobs", "logprobs", "root", "tokens")

    def __init__(
        self,
        tokens: Sequence[int],
        *,
        root: bytes = b"",
        adapter: int = 0,
        count_logprobs: int | None = None,
    ) -> None:
        self.tokens = np.array(tokens, dtype=np.int32)
        self.root = root
        self.adapter = adapter
        self.count_logprobs = count_logprobs
        self.logprobs: list[dict[int, float] | None] = [None]
        self._digests: list[bytes] | None = None

    def digests(self, page_size: int) -> list[bytes]:
        """Digests of the prompt's full pages."""
        if self._digests is None:
            self._digests = chain_digests(self.tokens, page_size, self.root)
        return self._digests

    @property
    def wants_logprobs(self) -> bool:
        """Whether log-probabilities of the prompt's tokens are still to be computed."""
        return self.count_logprobs is not None and len(self.logprobs) < len(self.tokens)


class Ticket:
    """What one call asked for, and what came of it so far.

    `deltas` is filled only for a call that `streams`.
    """

    __slots__ = ("deltas", "error", "requests", "streams", "unfinished")

    def __init__(self, requests: Sequence[Request], *, streams: bool) -> None:
        self.requests = list(requests)
        self.streams = streams
        self.deltas: deque[CompletionDelta] = deque()
        self.unfinished = len(self.requests)
        self.error: BaseException | None = None
        for request in self.requests:
            request.ticket = self

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return not self.unfinished or self.error is not None

    def completions(self) -> list[Completion]:
        """All completions, when the ticket is done; raises what went wrong, if something did."""
        if self.error is not None:
            raise self.error
        return [request.completion() for request in self.requests]


class Request:
    """One completion: its tokens, the pages that hold them, its sampler and its text.

    The first `computed` of `length` tokens are in the cache; what is missing is computed, in
    chunks, and the last one's logits give the next token. `draft_computed` is the same for the
    draft model's cache. `registered` pages are known by their digests.
    """

    __slots__ = (
        "arrival",
        "computed",
        "digests",
        "draft_computed",
        "length",
        "logprobs",
        "pages",
        "prompt",
        "registered",
        "sampler",
        "state",
        "table",
        "ticket",
        "tokens",
        "writing",
    )

    ticket: Ticket

    def __init__(
        self, prompt: Prompt, sampler: Sampler, writing: Writing, logprobs: int | None = None
    ) -> None:
        self.prompt = prompt
        self.sampler = sampler
        self.writing = writing
        self.logprobs = logprobs
        self.arrival = next(_arrivals)
        self.state = "waiting"  # then "running", perhaps "waiting" again, then "done"
        self.tokens: NDArray[np.int32] = prompt.tokens
        self.length = len(prompt.tokens)
        self.table: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self.pages: list[int] = []
        self.computed = 0
        self.draft_computed = 0
        self.digests: list[bytes] = []
        self.registered = 0

    @property
    def room(self) -> int:
        """How many tokens may still be chosen."""
        return self.writing.limit - len(self.writing.tokens)

    def begin(self, found: list[int], fresh: list[int], page_size: int) -> None:
        """Start, or start again: the first tokens are in the pages that were found."""
        if self.tokens is self.prompt.tokens:
            size = len(self.prompt.tokens) + self.writing.limit
            self.tokens = np.empty(size, dtype=np.int32)
            self.tokens[: self.length] = self.prompt.tokens
            self.table = np.empty(-(-size // page_size), dtype=np.int32)
        self.pages = []
        self.add_pages(found + fresh)
        self.computed = self.draft_computed = len(found) * page_size
        self.registered = len(found)
        self.state = "running"

    def add_pages(self, pages: list[int]) -> None:
        """Append to the page table."""
        count = len(self.pages)
        self.table[count : count + len(pages)] = pages
        self.pages += pages

    def span(self, start: int, end: int, num_logits: int, page_size: int, adapter: int) -> Span:
        """The tokens from `start` to before `end`, to be computed."""
        pages = self.table[: -(-end // page_size)]
        return Span(self.tokens[start:end], start, pages, num_logits, adapter)

    def append(self, token: int) -> None:
        """Take a chosen token as the text's last."""
        self.tokens[self.length] = token
        self.length += 1

    def known_digests(self, page_size: int) -> list[bytes]:
        """Digests of the full pages of all tokens, chosen ones included."""
        known = self.digests or self.prompt.digests(page_size)
        if len(known) < self.length // page_size:
            known = chain_digests(self.tokens[: self.length], page_size, self.prompt.root, known)
        self.digests = known
        return known

    def register_pages(self, pool: PagePool, page_size: int, full: int) -> None:
        """Make the first `full` pages findable."""
        digests = self.known_digests(page_size)
        for page in range(self.registered, full):
            pool.register(self.pages[page], digests[page])
        self.registered = full

    def leave(self, pool: PagePool, state: str) -> None:
        """Let go of the pages."""
        pool.release(self.pages)
        self.pages = []
        self.computed = self.draft_computed = self.registered = 0
        self.state = state

    def completion(self) -> Completion:
        """What was written, once it is finished."""
        prompt = self.prompt
        asked = prompt.count_logprobs is not None
        return self.writing.completion(list(prompt.logprobs) if asked else None)


class Work:
    """What a step computes of a request: `count` known tokens from `start`, then `proposals`.

    `extra` is how many proposals there may be; of `num_logits` tokens the logits are wanted.
    """

    __slots__ = ("count", "extra", "num_logits", "proposals", "request", "start")

    def __init__(self, request: Request, count: int, extra: int, num_logits: int) -> None:
        self.request = request
        self.start = request.computed
        self.count = count
        self.extra = extra
        self.num_logits = num_logits
        self.proposals: list[int] = []

    @property
    def end(self) -> int:
        """Position after the last known token that is computed."""
        return self.start + self.count

    def span(self, page_size: int) -> Span:
        """What the back end gets. With proposals the logits of all of them are wanted."""
        request = self.request
        adapter = request.prompt.adapter
        if not self.proposals:
            return request.span(self.start, self.end, self.num_logits, page_size, adapter)
        assert self.count == 1
        self.num_logits = 1 + len(self.proposals)
        tokens = np.array([request.tokens[self.start], *self.proposals], dtype=np.int32)
        pages = request.table[: -(-(self.start + len(tokens)) // page_size)]
        return Span(tokens, self.start, pages, len(tokens), adapter)
