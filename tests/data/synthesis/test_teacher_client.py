from __future__ import annotations

import asyncio
import email.utils
import logging
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.synthesis.teacher import Teacher, TeacherError
from phinery.data.synthesis.teacher.limits import RateLimit, TokenBucket, backoff, retry_after
from teacher_help import JumpingClock, Reply, serving

KEY = "very-secret-1234567890"


class SharedClock:
    """Time passes when all tasks wait, to the moment when the first one wakes."""

    def __init__(self) -> None:
        self.time = 0.0
        self._waiting: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        until = self.time + seconds
        self._waiting.append(until)
        while self.time < until:
            for _ in range(50):  # everybody else gets to where they wait
                await asyncio.sleep(0)
            if until == min(self._waiting):
                self.time = max(self.time, until)
        self._waiting.remove(until)


def teacher(url: str, **options: object) -> Teacher:
    settings: dict[str, object] = {"clock": JumpingClock(), **options}
    return Teacher(url, "wise", **settings)  # type: ignore[arg-type]


def test_answers_come_in_the_order_of_the_prompts():
    def respond(prompt: str, attempt: int) -> Reply:
        return Reply(prompt.upper(), delay=0.05 if prompt == "a" else 0.0)

    with serving(respond) as server:
        asking = teacher(server.url)
        assert asking.ask(["a", "b", "c"]) == ["A", "B", "C"]
        assert asking.ask([]) == []
        body = server.asked[0].body
    assert body["temperature"] == 0
    assert body["max_tokens"] == 1024
    assert (asking.usage.answers, asking.usage.input_tokens, asking.usage.output_tokens) == (
        3,
        300,
        900,
    )
    assert asking.usage.estimated == 0


def test_no_more_requests_are_open_than_allowed():
    with serving(lambda prompt, attempt: Reply("yes", delay=0.02)) as server:
        teacher(server.url, concurrency=3).ask([f"{i}" for i in range(20)])
        assert server.most_open == 3


def test_it_works_where_an_event_loop_runs_already():
    async def notebook(url: str) -> list[str | None]:
        return teacher(url).ask(["x"])

    with serving(lambda prompt, attempt: Reply("yes")) as server:
        assert asyncio.run(notebook(server.url)) == ["yes"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply(status=500, body=b"oops"), "status 500"),
        (Reply(status=429, body=b"{}"), "status 429"),
        (Reply(drops=True), "connection lost"),
        (Reply(body=b'{"choices": [{"mess'), "not an answer"),
        (Reply(body=b'{"choices": []}'), "not an answer"),
        (Reply(body=b'["a"]'), "not an answer"),
        (Reply(""), "not an answer"),
        (Reply("late", delay=1.0), "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_goes_wrong_once_is_tried_again(fault: Reply, reason: str):
    def respond(prompt: str, attempt: int) -> Reply:
        return fault if attempt <= 2 else Reply("right")

    with serving(respond) as server:
        asking = teacher(server.url, timeout=0.3, max_retries=2)
        assert asking.ask(["x"]) == ["right"]
        assert asking.usage.retries == {reason: 2}
        asking = teacher(server.url, timeout=0.3, max_retries=1)
        assert asking.ask(["y"]) == [None]
        assert asking.usage.failures == {reason: 1}


def test_waits_grow_and_are_the_same_for_the_same_seed():
    def waits(seed: int) -> list[float]:
        clock = JumpingClock()
        with serving(lambda prompt, attempt: Reply(status=500)) as server:
            assert teacher(server.url, clock=clock, seed=seed).ask(["x"]) == [None]
            assert len(server.asked) == 6
        return clock.slept

    first = waits(1)
    assert first == waits(1) != waits(2)
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(first))


def test_everybody_waits_as_long_as_the_server_asks():
    clock = JumpingClock()
    times: list[float] = []

    def respond(prompt: str, attempt: int) -> Reply:
        times.append(clock.now())
        if len(times) == 1:
            return Reply(status=429, headers={"Retry-After": "90"})
        return Reply("yes")

    with serving(respond) as server:
        asking = teacher(server.url, clock=clock, concurrency=1)
        assert asking.ask(["a", "b"]) == ["yes", "yes"]
    assert times == [0.0, 90.0, 90.0]


def test_a_wait_of_hours_ends_the_run():
    busy = Reply(status=429, headers={"Retry-After": "7200"})
    with serving(lambda prompt, attempt: busy) as server:
        with pytest.raises(TeacherError, match=r"asks to wait 2\.0 hours"):
            teacher(server.url).ask(["a"])
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=401, body=b"{}"), "does not accept the key: set PHINERY_TEACHER_KEY"),
        (Reply(status=402, body=b"{}"), "quota is used up"),
        (
            Reply(status=429, body=b'{"error": {"code": "insufficient_quota", "message": "pay"}}'),
            "quota is used up: pay",
        ),
        (Reply(status=403, body=b'{"error": {"message": "no"}}'), "does not let this key use wise"),
    ],
)
def test_what_asking_again_cannot_mend_ends_at_once(reply: Reply, message: str):
    with serving(lambda prompt, attempt: reply) as server:
        with pytest.raises(TeacherError, match=message) as caught:
            teacher(server.url, concurrency=2).ask(["a"] * 100)
        assert "\n" not in str(caught.value)
        assert len(server.asked) <= 2


def test_an_unknown_model_is_told_with_those_there_are():
    with (
        serving(lambda prompt, attempt: Reply("x"), models=("big", "small")) as server,
        pytest.raises(TeacherError, match="has no model 'wise'; it has: big, small"),
    ):
        teacher(server.url).ask(["a"])


def test_a_url_without_its_path_is_told():
    def respond(prompt: str, attempt: int) -> Reply:
        raise AssertionError("not reached")

    with serving(respond) as server, pytest.raises(TeacherError, match="end in /v1"):
        teacher(server.url.removesuffix("/v1")).ask(["a"])


def test_nobody_there_ends_at_once():
    with serving(lambda prompt, attempt: Reply("x")) as server:
        url = server.url
    with pytest.raises(TeacherError, match=r"no teacher answers at http://127.*start the server"):
        teacher(url).ask(["a"] * 1000)


def test_a_teacher_that_dies_is_not_asked_thousands_of_times():
    def respond(prompt: str, attempt: int) -> Reply:
        return Reply("x") if int(prompt) < 10 else Reply(status=503, body=b'"down"')

    with serving(respond) as server:
        with pytest.raises(TeacherError, match=r"8 requests in a row failed.*status 503.*down"):
            teacher(server.url, max_retries=1).ask([f"{i}" for i in range(3000)])
        assert len(server.asked) <= 10 + 2 * 8 + 2 * 8


def test_a_refused_question_is_no_death():
    def respond(prompt: str, attempt: int) -> Reply:
        return Reply(status=400, body=b"{}") if int(prompt) % 2 else Reply("x")

    with serving(respond) as server:
        answers = teacher(server.url, concurrency=1).ask([f"{i}" for i in range(20)])
        assert answers == ["x", None] * 10
        assert len(server.asked) == 20, "a question that is refused is not asked again"


def test_newer_parameters_are_learnt():
    def picky(prompt: str, attempt: int) -> Reply:
        body = server.asked[-1].body
        for name in ("max_tokens", "temperature"):
            if name in body:
                said = f'{{"error": {{"message": "{name}: use max_completion_tokens instead"}}}}'
                return Reply(status=400, body=said.encode())
        assert body["max_completion_tokens"] == 1024
        return Reply("x")

    with serving(picky) as server:
        assert teacher(server.url, concurrency=1).ask(["a", "b"]) == ["x", "x"]
        assert len(server.asked) == 4


def test_usage_that_is_not_told_is_estimated_and_marked():
    with serving(lambda prompt, attempt: Reply("four" * 10, usage=None)) as server:
        asking = teacher(server.url)
        asking.ask(["12345678", "1"])
    usage = asking.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (3, 20, 2)


def test_the_key_is_sent_and_never_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("PHINERY_TEACHER_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    said = f'{{"error": {{"message": "bad {KEY} and sk-part***890"}}}}'.encode()
    for status in (400, 401, 403, 500):
        with serving(lambda prompt, attempt: Reply(status=status, body=said)) as server:  # noqa: B023
            asking = teacher(server.url, max_retries=0)
            with pytest.raises(TeacherError) as caught:
                asking.ask(["a"] * 20)
            assert server.asked[0].authorization == f"Bearer {KEY}"
        assert KEY not in str(caught.value)
        assert "sk-part" not in str(caught.value)
        assert KEY not in repr(asking) + repr(asking.usage)
    assert KEY not in caplog.text


def test_nothing_else_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch):
    for name in ("ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", f"private-{name}")
    with serving(lambda prompt, attempt: Reply("x")) as server:
        teacher(server.url, api_key=KEY).ask(["a"])
        headers = server.asked[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert not [value for value in headers.values() if "private" in value]


def test_a_prompt_may_hold_anything():
    with serving(lambda prompt, attempt: Reply(prompt)) as server:
        assert teacher(server.url).ask(["a\ud800b \0 é 数"]) == ["a?b \0 é 数"]


def test_an_answer_may_hold_anything():
    body = b'{"choices": [{"message": {"content": "\\ud83d \\u0000 x"}}]}'
    with serving(lambda prompt, attempt: Reply(body=body)) as server:
        assert teacher(server.url).ask(["a"]) == ["? \0 x"]


def test_which_key_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PHINERY_TEACHER_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(lambda prompt, attempt: Reply("x")) as server:
        teacher(server.url).ask(["no key"])
        monkeypatch.setenv("OPENAI_API_KEY", "second")
        teacher(server.url).ask(["the usual variable"])
        monkeypatch.setenv("PHINERY_TEACHER_KEY", "first")
        teacher(server.url).ask(["ours"])
        teacher(server.url, api_key="given").ask(["argument"])
        sent = [asked.authorization for asked in server.asked]
    assert sent == ["Bearer none", "Bearer second", "Bearer first", "Bearer given"]
    monkeypatch.delenv("PHINERY_TEACHER_KEY")
    assert teacher("http://example.com/v1")._key == "none", "in the clear, to a stranger"
    assert teacher("https://example.com/v1")._key == "second"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "", "http://", "http://u:p@h/v1"])
def test_urls_that_cannot_work(url: str):
    with pytest.raises(ValueError, match="the teacher's URL") as caught:
        teacher(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("key", ["two words", "line\nend", "ключ"])
def test_keys_that_cannot_work(key: str):
    with pytest.raises(ValueError, match="characters that no key has") as caught:
        teacher("http://localhost/v1", api_key=key)
    assert key not in str(caught.value)


def test_settings_that_cannot_work():
    for options in ({"concurrency": 0}, {"timeout": 0}, {"max_retries": -1}):
        with pytest.raises(ValueError, match="are needed"):
            teacher("http://localhost/v1", **options)
    for options in ({"requests_per_minute": 0}, {"tokens_per_minute": -5}):
        with pytest.raises(ValueError, match="lets nothing through"):
            teacher("http://localhost/v1", **options)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(ValueError, match=r"pip install 'phinery\[teacher\]'"):
        teacher("http://localhost/v1")


def test_the_rate_limit_holds_over_the_real_client():
    clock = JumpingClock()
    times: list[float] = []

    def respond(prompt: str, attempt: int) -> Reply:
        times.append(clock.now())
        return Reply("x")

    with serving(respond) as server:
        teacher(server.url, clock=clock, requests_per_minute=30, concurrency=1).ask(["q"] * 100)
    assert most_in_a_minute(times) == 30
    assert times[-1] == pytest.approx(99 * 2)


def test_the_limit_on_tokens_counts_what_was_used():
    clock = JumpingClock()
    times: list[float] = []

    def respond(prompt: str, attempt: int) -> Reply:
        times.append(clock.now())
        return Reply("x", usage={"prompt_tokens": 200, "completion_tokens": 300})

    with serving(respond) as server:
        asking = teacher(server.url, clock=clock, tokens_per_minute=6000, concurrency=1)
        asking.ask(["q"] * 50, max_tokens=2000)
    # 500 tokens each at 100 a second, whatever was feared before.
    assert times == pytest.approx([5.0 * n for n in range(50)])


@pytest.mark.parametrize("tasks", [1, 8])
def test_the_rate_limit_holds_for_many_at_once(tasks: int):
    async def run() -> list[float]:
        clock = SharedClock()
        limit = RateLimit(clock, 20, None)
        times: list[float] = []

        async def work() -> None:
            for _ in range(80 // tasks):
                await limit.wait(1)
                times.append(clock.now())
                await clock.sleep(0.5)

        await asyncio.gather(*(work() for _ in range(tasks)))
        return times

    times = asyncio.run(run())
    assert len(times) == 80
    assert most_in_a_minute(times) == 20


def most_in_a_minute(times: list[float]) -> int:
    """In any window of 60 s that is open at its end; a hair shorter, for the rounding of floats."""
    return max(sum(start <= t < start + 60 - 1e-6 for t in times) for start in times)


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 30)), max_size=60),
    st.floats(1, 10_000),
)
def test_no_minute_sees_more_than_the_limit_and_one_withdrawal(
    asked: list[tuple[float, float]], per_minute: float
):
    bucket, now = TokenBucket(per_minute), 0.0
    starts: list[tuple[float, float]] = []
    for units, later in asked:
        now += later
        starts.append((bucket.reserve(units, now), units))
        assert starts[-1][0] >= now
    for start, _ in starts:
        inside = [units for t, units in starts if start <= t < start + 60]
        assert sum(inside) <= per_minute * (1 + 1e-9) + max(inside) + 1e-6


@given(st.integers(0, 5000))
def test_retry_after_in_all_its_forms(seconds: int):
    now = 1_800_000_000.0
    assert retry_after({"retry-after": str(seconds)}, now) == seconds
    assert retry_after({"retry-after-ms": str(seconds * 1000)}, now) == pytest.approx(seconds)
    date = email.utils.formatdate(now + seconds, usegmt=True)
    assert retry_after({"retry-after": date}, now) == seconds
    assert retry_after({"retry-after": email.utils.formatdate(now - 50)}, now) == 0


@given(st.text())
def test_retry_after_takes_any_text(text: str):
    waited = retry_after({"retry-after": text}, time.time())
    assert waited is None or waited >= 0
    assert retry_after({}, 0.0) is None


def test_backoff_is_bounded():
    waits = [backoff(attempt, Random(attempt)) for attempt in range(40)]
    assert max(waits) <= 30
    assert 0.25 <= waits[0] <= 0.5


def test_asking_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with serving(lambda prompt, attempt: Reply("x")) as server:
        teacher(server.url, api_key=KEY).ask(["a"])
    assert list(tmp_path.iterdir()) == []
