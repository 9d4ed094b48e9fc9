"""Asks a teacher model: any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

from phinery.data.synthesis.teacher.errors import TeacherError
from phinery.data.synthesis.teacher.limits import Clock, RateLimit, RealClock
from phinery.data.synthesis.teacher.session import Answer, Failure, Question, Session

_T = TypeVar("_T")
_NO_KEY = "none"  # the client sends some key; local servers take any


@dataclass
class Usage:
    """What a teacher was asked and what that took, as long as the `Teacher` lives."""

    answers: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    """Reason -> questions that got no answer."""
    retries: Counter[str] = field(default_factory=Counter[str])
    """Reason -> attempts that failed and were followed by another."""
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: int = 0
    """Answers whose tokens the server didn't tell, so that they are estimated from the text."""

    def add(self, result: Answer | Failure) -> None:
        """Count what came of a question."""
        self.retries.update(result.retries)
        if isinstance(result, Failure):
            self.failures[result.reason] += 1
            return
        self.answers += 1
        self.input_tokens += result.input_tokens
        self.output_tokens += result.output_tokens
        self.estimated += result.estimated


class Teacher:
    """A model behind an OpenAI-compatible endpoint, and how fast it may be asked.

    `url` is the endpoint's base, usually ending in `/v1`. The key is `api_key`, else the variable
    PHINERY_TEACHER_KEY, else OPENAI_API_KEY, else none, as local servers want it; OPENAI_API_KEY is
    not sent over plain HTTP to another machine. It is kept out of files, logs and errors.
    `requests_per_minute` and `tokens_per_minute` (prompts and answers together) are the account's
    limits, if it has any; `concurrency` requests are open at most. A request may take `timeout`
    seconds in all and is sent again up to `max_retries` times when the server is busy, fails or
    says something that is no answer; `seed` draws the jitter of the waits in between.

    Raises ValueError when the openai package is missing, and for settings that can't work.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        concurrency: int = 8,
        timeout: float = 300.0,
        max_retries: int = 5,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        _require_openai()
        if concurrency < 1 or max_retries < 0 or not timeout > 0:
            raise ValueError(
                f"concurrency {concurrency}, timeout {timeout}, max_retries {max_retries}: "
                "at least 1, more than 0 and at least 0 are needed"
            )
        if not model:
            raise ValueError("the teacher model has no name: give the one that the server lists")
        self.url = _checked_url(url)
        self.model = model
        self.concurrency = concurrency
        self.timeout = timeout
        self.max_retries = max_retries
        self.usage = Usage()
        self._key = _find_key(self.url, api_key)
        self._random = Random(seed)
        self._clock = clock or RealClock()
        self._limit = RateLimit(self._clock, requests_per_minute, tokens_per_minute)

    def __repr__(self) -> str:
        return f"Teacher({self.url!r}, {self.model!r})"

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        """Open connections, on the running event loop, that this teacher is asked through."""
        from openai import AsyncOpenAI, Timeout

        timeout = Timeout(self.timeout, connect=min(self.timeout, 20.0))
        async with AsyncOpenAI(
            base_url=self.url, api_key=self._key, timeout=timeout, max_retries=0
        ) as client:
            if not (urlsplit(self.url).hostname or "").endswith("openai.com"):
                # Read from variables by the package; they are nobody else's business.
                client.organization = client.project = None
            yield Session(
                client,
                self.model,
                limit=self._limit,
                clock=self._clock,
                generator=self._random,
                timeout=self.timeout,
                max_retries=self.max_retries,
                # A few failures in a row can be chance, as many as are open at once can't.
                patience=max(5, self.concurrency),
                on_result=self.usage.add,
                secret=self._key,
            )

    def ask(
        self, prompts: Sequence[str], *, temperature: float = 0.0, max_tokens: int = 1024
    ) -> list[str | None]:
        """The answers to prompts, in their order; None where there was none after all retries.

        Raises TeacherError when asking on is pointless: nobody listens at the URL, the key or the
        model is unknown, the account's quota is used up, or request after request fails.
        """
        questions = [Question(prompt, max_tokens, temperature) for prompt in prompts]
        return run_blocking(lambda: self._ask_all(questions))

    async def _ask_all(self, questions: list[Question]) -> list[str | None]:
        answers: list[str | None] = [None] * len(questions)

        async def work(session: Session, numbers: Iterator[int]) -> None:
            for number in numbers:
                result = await session.complete(questions[number])
                answers[number] = result.text if isinstance(result, Answer) else None

        numbers = iter(range(len(questions)))
        async with self.session() as session:
            workers = [
                asyncio.create_task(work(session, numbers))
                for _ in range(min(self.concurrency, len(questions)))
            ]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        return answers


def run_blocking(start: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine to its end, also below an event loop that runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
        is_running = True
    except RuntimeError:
        is_running = False
    if not is_running:
        return asyncio.run(start())
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(start())).result()


def _require_openai() -> None:
    try:
        import openai  # pyright: ignore[reportUnusedImport]  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "a teacher model needs the openai package: pip install 'phinery[teacher]'"
        ) from error


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"the teacher's URL is {url!r}: give one such as http://localhost:8000/v1"
            if "@" not in url
            else "the teacher's URL is none: give one such as http://localhost:8000/v1"
        )
    if parts.username or parts.password or parts.query:
        raise ValueError(
            f"the teacher's URL may hold no name, password or query: give the key of "
            f"{parts.hostname} in PHINERY_TEACHER_KEY"
        )
    return url.rstrip("/")


def _find_key(url: str, api_key: str | None) -> str:
    parts = urlsplit(url)
    stays_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    key = api_key or os.environ.get("PHINERY_TEACHER_KEY")
    if not key and (parts.scheme == "https" or stays_here):
        key = os.environ.get("OPENAI_API_KEY")
    key = (key or _NO_KEY).strip()
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise TeacherError(
            "the teacher's key has characters that no key has: look at PHINERY_TEACHER_KEY and "
            "OPENAI_API_KEY"
        )
    return key
