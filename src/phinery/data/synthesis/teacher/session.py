"""One question to a teacher model: waits for its turn, asks, asks again, or gives up."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, cast

from phinery.data.synthesis.teacher.errors import TeacherError
from phinery.data.synthesis.teacher.limits import Clock, RateLimit, backoff, retry_after

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_LONGEST_PAUSE = 600.0
"""Seconds that are waited when the server asks for it; who asks for more means another day."""
BYTES_PER_TOKEN = 4
"""UTF-8 bytes of English text a token, in round figures, where nobody counts."""


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is for a teacher whose tokenizer is not known."""
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)


@dataclass(frozen=True)
class Question:
    """A prompt, and how it is to be answered."""

    prompt: str
    max_tokens: int
    temperature: float


@dataclass(frozen=True)
class Answer:
    """What the teacher said, why it stopped there, and what it took."""

    text: str
    finish_reason: str | None
    input_tokens: int
    output_tokens: int
    estimated: bool
    """Whether the server told no usage and the tokens are estimated from the text."""
    retries: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Failure:
    """No answer came, and why."""

    reason: str
    permanent: bool
    """Whether the server refused this very question, so that asking it another day is no use."""
    retries: dict[str, int] = field(default_factory=dict[str, int])


class Session:
    """Open connections to a teacher. `Teacher.session()` makes one."""

    def __init__(
        self,
        client: AsyncOpenAI,
        model: str,
        *,
        limit: RateLimit,
        clock: Clock,
        generator: Random,
        timeout: float,
        max_retries: int,
        patience: int,
        on_result: Callable[[Answer | Failure], None],
        secret: str,
    ) -> None:
        self._client = client
        self._model = model
        self._limit = limit
        self._clock = clock
        self._random = generator
        self._timeout = timeout
        self._max_retries = max_retries
        self._patience = patience
        self._on_result = on_result
        self._secret = secret
        self._answered = False
        self._failed_in_a_row = 0
        self._stopped = False
        self._idle: set[asyncio.Task[Any]] = set()
        self._limit_name = "max_tokens"
        self._sends_temperature = True

    def stop(self) -> None:
        """Send nothing more: questions that wait for their turn are cancelled, open ones end."""
        self._stopped = True
        for task in self._idle:
            task.cancel()

    async def complete(self, question: Question) -> Answer | Failure:
        """Ask a question, again and again if need be.

        Raises TeacherError when no question would be answered.
        """
        retries: Counter[str] = Counter()
        while True:
            result = await self._attempt(question, dict(retries))
            if isinstance(result, Answer):
                self._answered, self._failed_in_a_row = True, 0
                self._on_result(result)
                return result
            if not result.permanent and retries.total() < self._max_retries and not self._stopped:
                retries[result.reason] += 1
                if result.pause is None:
                    with self._idling():
                        await self._clock.sleep(backoff(retries.total() - 1, self._random))
                continue
            failure = Failure(result.reason, result.permanent, dict(retries))
            self._failed_in_a_row += 1
            self._on_result(failure)
            if self._failed_in_a_row >= self._patience:
                raise TeacherError(
                    f"{self._failed_in_a_row} requests in a row failed at {self._place}, the last "
                    f"with: {result.reason}{result.detail}; what was answered is kept, run again "
                    "when it is mended"
                )
            return failure

    async def _attempt(self, question: Question, retries: dict[str, int]) -> Answer | _Trouble:
        import openai

        cost = estimate_tokens(question.prompt) + question.max_tokens
        with self._idling():
            await self._limit.wait(cost)
        try:
            async with asyncio.timeout(self._timeout):
                text = await self._send(question)
        except (openai.APITimeoutError, TimeoutError):
            return _Trouble("timeout")
        except openai.APIConnectionError as error:
            return self._unreachable(error)
        except openai.APIStatusError as error:
            return await self._status_trouble(error)
        answer = _read_answer(text, question, retries)
        if answer is None:
            return _Trouble("not an answer")
        self._limit.correct(answer.input_tokens + answer.output_tokens - cost)
        return answer

    async def _send(self, question: Question) -> str:
        prompt = question.prompt.encode(errors="replace").decode()  # no lone surrogates
        options: dict[str, Any] = {self._limit_name: question.max_tokens}
        if self._sends_temperature:
            options["temperature"] = question.temperature
        response = await self._client.chat.completions.with_raw_response.create(
            model=self._model, messages=[{"role": "user", "content": prompt}], **options
        )
        return response.text

    def _unreachable(self, error: BaseException) -> _Trouble:
        cause = error.__cause__
        if type(cause).__name__ == "ConnectError" and not self._answered:
            raise TeacherError(
                f"no teacher answers at {self._place} ({self._clean(str(cause))}): start the "
                "server, or mend the URL"
            ) from error
        return _Trouble("connection lost")

    async def _status_trouble(self, error: APIStatusError) -> _Trouble:
        status, said = error.status_code, self._clean(_message_of(error))
        wait = retry_after(error.response.headers, time.time())
        if status == 401:
            self._fail(error, "does not accept the key: set PHINERY_TEACHER_KEY")
        if status == 402 or "insufficient_quota" in (error.code, error.type):
            self._fail(error, f"says that the account's quota is used up: {said}")
        if status == 403:
            self._fail(error, f"does not let this key use {self._model}: {said}")
        if status == 404:
            self._fail(error, await self._what_is_missing())
        if wait is not None and wait > _LONGEST_PAUSE and status in (429, 503):
            self._fail(error, f"asks to wait {wait / 3600:.1f} hours: run again then")
        if status == 400 and self._adapts_to(said):
            return _Trouble("other parameters wanted", pause=0.0)
        if status in (408, 409, 425, 429) or status >= 500:
            if wait is not None and status in (429, 503):
                self._limit.pause(wait)
            else:
                wait = None
            return _Trouble(f"status {status}", pause=wait, detail=f": {said}" if said else "")
        return _Trouble(f"status {status}", permanent=True, detail=f": {said}" if said else "")

    def _adapts_to(self, said: str) -> bool:
        """Newer models of OpenAI's know `max_tokens` under another name, and one temperature."""
        if self._limit_name == "max_tokens" and "max_completion_tokens" in said:
            self._limit_name = "max_completion_tokens"
            return True
        if self._sends_temperature and "temperature" in said:
            self._sends_temperature = False
            return True
        # Others that were open when the first one learnt it were sent the old way.
        return "max_tokens" in said and self._limit_name != "max_tokens"

    async def _what_is_missing(self) -> str:
        import openai

        try:
            names = [model.id for model in (await self._client.models.list()).data]
        except (openai.OpenAIError, ValueError, AttributeError, TypeError):
            return "speaks no chat completions there: should the URL end in /v1?"
        if self._model in names:
            return f"has {self._model!r} but no chat completions for it"
        offered = ", ".join(sorted(names)[:8]) + (", ..." if len(names) > 8 else "")
        return f"has no model {self._model!r}; it has: {offered or 'none'}"

    def _fail(self, error: BaseException, what: str) -> NoReturn:
        raise TeacherError(f"{self._place} {self._clean(what)}") from error

    @property
    def _place(self) -> str:
        return str(self._client.base_url).rstrip("/")

    def _clean(self, text: str) -> str:
        """A server's words as one line of bounded length without the key in it."""
        if len(self._secret) > 4:
            text = text.replace(self._secret, "***")
        return " ".join(re.sub(r"\b(sk|key)-[\w*.-]+", "***", text).split())[:300]

    @contextmanager
    def _idling(self) -> Generator[None]:
        if self._stopped:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        try:
            yield
        finally:
            self._idle.discard(task)


@dataclass(frozen=True)
class _Trouble:
    """An attempt that brought no answer."""

    reason: str
    permanent: bool = False
    pause: float | None = None
    """Seconds that the server asked to wait; they are kept by everyone who asks."""
    detail: str = ""


def _message_of(error: APIStatusError) -> str:
    body = cast("dict[str, Any]", error.body) if isinstance(error.body, dict) else {}
    message = body.get("message", body.get("error", body.get("detail")))
    return message if isinstance(message, str) else error.response.text


def _read_answer(text: str, question: Question, retries: dict[str, int]) -> Answer | None:
    """The answer in a server's JSON, None when there is none in it.

    Servers differ in what they leave out, so only what is needed is asked for.
    """
    try:
        body = json.loads(text)
        choice = body["choices"][0]
        message = choice["message"]
        said = message.get("content")
    except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if said is None:
        said = message.get("refusal") or ""
    finish = choice.get("finish_reason")
    if not isinstance(said, str) or not isinstance(finish, str | None):
        return None
    if said == "" and finish not in ("length", "content_filter"):
        return None
    said = said.encode(errors="replace").decode()  # JSON can spell lone surrogates
    used = _read_usage(body)
    tokens_in, tokens_out = used or (estimate_tokens(question.prompt), estimate_tokens(said))
    return Answer(said, finish, tokens_in, tokens_out, used is None, retries)


def _read_usage(body: dict[str, Any]) -> tuple[int, int] | None:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    told = cast("dict[str, Any]", usage)
    tokens_in, tokens_out = told.get("prompt_tokens"), told.get("completion_tokens")
    if not isinstance(tokens_in, int) or not isinstance(tokens_out, int):
        return None
    return (tokens_in, tokens_out) if min(tokens_in, tokens_out) >= 0 else None
