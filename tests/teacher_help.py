"""A teacher on this machine: speaks chat completions over HTTP, answers from the prompt alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

_WORDS = (
    "water light number reason table garden machine answer window measure river pattern summer "
    "market letter engine shadow farmer journey signal colour weight simple careful open small "
    "quick warm deep early useful carries shows explains turns follows needs builds changes keeps "
    "finds grows moves holds before after under between always often never sometimes"
)
WORDS = _WORDS.split()


@dataclass(frozen=True)
class Reply:
    """What the server does with a request."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    finish: str = "stop"
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 300}
    )
    body: bytes | None = None
    """Sent as it is instead of a completion."""
    delay: float = 0.0
    drops: bool = False
    """Closes the connection without an answer."""


@dataclass
class Asked:
    prompt: str
    body: dict[str, Any]
    headers: dict[str, str]
    """By lower-case names."""

    @property
    def authorization(self) -> str:
        return self.headers["authorization"]


class Server:
    """Runs in a thread; `asked` is what it was asked, in order of arrival."""

    def __init__(self, respond: Callable[[str, int], Reply], models: tuple[str, ...]) -> None:
        self.asked: list[Asked] = []
        self.counts: Counter[str] = Counter()
        """Prompt -> how often it was asked."""
        self.most_open = 0
        self._open = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                listed = {"object": "list", "data": [{"id": n, "object": "model"} for n in models]}
                status = 200 if self.path == "/v1/models" else 404
                self._send(status, json.dumps(listed).encode(), {})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][0]["content"]
                headers = {name.lower(): value for name, value in self.headers.items()}
                with server._lock:
                    server.asked.append(Asked(prompt, body, headers))
                    server.counts[prompt] += 1
                    attempt = server.counts[prompt]
                    server._open += 1
                    server.most_open = max(server.most_open, server._open)
                try:
                    if not self.path.endswith("/v1/chat/completions"):
                        self._send(404, b'{"error": "no such path"}', {})
                    elif body["model"] not in models:
                        self._send(404, b'{"error": {"message": "no such model"}}', {})
                    else:
                        self._reply(respond(prompt, attempt))
                finally:
                    with server._lock:
                        server._open -= 1

            def _reply(self, reply: Reply) -> None:
                time.sleep(reply.delay)
                if reply.drops:
                    self.close_connection = True
                    return
                message = {"role": "assistant", "content": reply.text}
                completion: dict[str, Any] = {
                    "object": "chat.completion",
                    "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
                }
                if reply.usage is not None:
                    completion["usage"] = reply.usage
                body = json.dumps(completion).encode() if reply.body is None else reply.body
                self._send(reply.status, body, reply.headers)

            def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the one who asked is gone

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class JumpingClock:
    """Time passes only when somebody waits: then at once."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, until)


@contextmanager
def serving(
    respond: Callable[[str, int], Reply], models: tuple[str, ...] = ("wise",)
) -> Iterator[Server]:
    server = Server(respond, models)
    try:
        yield server
    finally:
        server.close()


def good_answer(prompt: str) -> str:
    """What a good teacher says to a prompt of ours: always the same."""
    random = Random(hashlib.sha256(prompt.encode()).digest())
    if called := re.search(r"The function is called (\w+)", prompt):
        return code_answer(called[1], random.randrange(10**6))
    if "Q:" in prompt:
        pairs = [
            f"Q: Why is it that {prose(random, 60)}\nA: {prose(random, 200)}" for _ in range(4)
        ]
        return "\n\n".join(pairs)
    if "Exercise:" in prompt:
        pairs = [f"Exercise: {prose(random, 90)}\nSolution: {prose(random, 200)}" for _ in range(4)]
        return "\n\n".join(pairs)
    paragraphs = "\n\n".join(prose(random, 400) for _ in range(4))
    return f"# The {random.choice(WORDS)} of a {random.choice(WORDS)}\n\n{paragraphs}"


def prose(random: Random, characters: int) -> str:
    sentences: list[str] = []
    while sum(map(len, sentences)) < characters:
        words = " ".join(random.choice(WORDS) for _ in range(4))
        tail = " ".join(random.choice(WORDS) for _ in range(3))
        sentences.append(f"The {words} is what the {tail} has, and so it is with you.")
    return " ".join(sentences)


def code_answer(function: str, number: int) -> str:
    return f'''Here is the exercise:

```python
def {function}(values: list[int]) -> int:
    """The sum of the values and {number}. Empty lists give {number}.

    >>> {function}([1, 2])
    {number + 3}
    """
    total = {number}
    for value in values:
        total += value
    return total
```

```python
assert {function}([]) == {number}
assert {function}([1, 2]) == {number + 3}
assert {function}([-{number}]) == 0
assert {function}([5] * 3) == {number + 15}
```
'''
