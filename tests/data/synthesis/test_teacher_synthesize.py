from __future__ import annotations

import gc
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from phinery.data import Document, ReadReport, read_documents
from phinery.data.synthesis.teacher import KINDS, Plan, Progress, Teacher, TeacherError, synthesize
from phinery.data.synthesis.teacher.answers import AnswersLog
from phinery.data.synthesis.teacher.limits import RealClock
from phinery.data.synthesis.teacher.session import Answer, Failure, estimate_tokens
from teacher_help import JumpingClock, Reply, Server, good_answer, serving

TEXTS = {"textbook": 2.0, "exercises": 1.0, "questions and answers": 1.0}


def good(prompt: str, attempt: int) -> Reply:
    return Reply(good_answer(prompt))


def faulty(prompt: str, attempt: int) -> Reply:
    """Of the same prompts always the same go wrong, some at first and some in the end."""
    fate = hashlib.sha256(prompt.encode()).digest()[0] % 16
    if attempt == 1:
        if fate == 0:
            return Reply(status=500)
        if fate == 1:
            return Reply(drops=True)
        if fate == 2:
            return Reply(body=b"<html>")
        if fate == 3:
            return Reply(status=429, headers={"Retry-After": "0.01"})
    if fate == 4:
        return Reply(good_answer(prompt)[:900], finish="length")
    if fate == 5:
        return Reply("I'm sorry, but I can't help with that.")
    if fate == 6:
        return Reply(status=400, body=b'{"error": {"message": "filtered"}}')
    if fate == 7:
        return Reply(good_answer(prompt), usage=None)
    return Reply(good_answer(prompt))


def teacher(server: Server, **options: Any) -> Teacher:
    settings = {"concurrency": 4, "clock": JumpingClock(), **options}
    return Teacher(server.url, "wise", **settings)


def documents_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("documents-*")}


def rows_of(directory: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(directory.glob("documents-*"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def ledger_of(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "ledger.json").read_text())


def test_every_kind_becomes_documents_that_are_read_back(tmp_path: Path):
    pages = [Document("the page", "The mill by the river turns slowly. \n" * 60, "web")]
    plan = Plan(3, dict.fromkeys(KINDS, 1.0), pages)
    seen: list[Progress] = []
    with serving(good) as server:
        asked = teacher(server)
        summary = synthesize(
            plan, asked, tmp_path, requests=25, run_code=True, on_progress=seen.append
        )
        assert len(server.asked) == 25
        assert {asked.body["temperature"] for asked in server.asked} == {1.0}
    rows = rows_of(tmp_path)
    assert summary.ledger.documents == len(rows) == 25
    assert [row["request"] for row in rows] == list(range(25))
    report = ReadReport()
    documents = list(read_documents(tmp_path, report))
    assert [d.text for d in documents] == [row["text"] for row in rows]
    assert {d.source for d in documents} == {f"teacher-{k.replace(' ', '-')}" for k in KINDS}
    assert {d.language for d in documents} == {"en"}
    assert set(report.skipped) == {"other file ending"}, "the log and the ledger are no documents"
    for row, request in zip(rows, plan.requests(25), strict=True):
        brief = request.brief
        assert (row["topic"], row["difficulty"], row["audience"], row["teacher"]) == (
            brief.topic, brief.difficulty, brief.audience, "wise"
        )  # fmt: skip
        assert row["page"] == ("the page" if request.kind == "rewrite" else "")
        assert (row["kind"] == "code") == (request.kind == "code exercises")
        assert bool(row["questions"]) == (request.kind in ("exercises", "questions and answers"))
    assert seen[-1].requests == seen[-1].documents == 25
    assert [p.requests for p in seen] == sorted(p.requests for p in seen)


def test_the_ledger_counts_everything(tmp_path: Path):
    plan = Plan(1, TEXTS)
    with serving(faulty) as server:
        summary = synthesize(
            plan, teacher(server), tmp_path, requests=120, input_price=1.0, output_price=4.0
        )
        fates = [hashlib.sha256(r.prompt.encode()).digest()[0] % 16 for r in plan.requests(120)]
        assert len(server.asked) == 120 + sum(fate < 4 for fate in fates)
    ledger = ledger_of(tmp_path)
    assert ledger["requests"] == 120
    assert ledger["failed"] == ledger["failures"] == {"status 400": fates.count(6)}
    assert ledger["retries"] == {
        "status 500": fates.count(0),
        "connection lost": fates.count(1),
        "not an answer": fates.count(2),
        "status 429": fates.count(3),
    }
    reasons = [r for kind in ledger["rejected"].values() for r in kind.items()]
    assert {r for r, _ in reasons} == {"cut off", "refusal"}
    assert sum(n for r, n in reasons if r == "cut off") == fates.count(4)
    assert sum(n for r, n in reasons if r == "refusal") == fates.count(5)
    answered = 120 - fates.count(6)
    assert ledger["used"]["answers"] == answered
    assert ledger["used"]["estimated"] == fates.count(7) > 0
    assert ledger["unused"]["answers"] == 0
    rows = rows_of(tmp_path)
    assert ledger["documents"] == len(rows) == answered - fates.count(4) - fates.count(5)
    assert ledger["tokens"] == sum(estimate_tokens(row["text"]) for row in rows)
    made = ledger["accepted"].values()
    assert sum(kind["bytes"] for kind in made) == sum(len(row["text"].encode()) for row in rows)
    told = answered - fates.count(7)
    assert ledger["used"]["input_tokens"] > 100 * told
    cost = ledger["used"]["input_tokens"] * 1e-6 + ledger["used"]["output_tokens"] * 4e-6
    assert summary.cost == ledger["cost"] == pytest.approx(cost)
    for name, digest in ledger["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert f"{len(rows)} documents" in summary.text()
    assert "without an answer" in summary.text()


def test_a_second_run_asks_for_nothing_and_changes_nothing(tmp_path: Path):
    with serving(good) as server:
        synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=20)
        before = documents_of(tmp_path), ledger_of(tmp_path)
        synthesize(Plan(1, TEXTS), teacher(server, concurrency=1), tmp_path, requests=20)
        assert (documents_of(tmp_path), ledger_of(tmp_path)) == before
        assert len(server.asked) == 20
        synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=30)
        assert len(server.asked) == 30, "more is asked for by what is more"
        synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=20)
        assert documents_of(tmp_path) == before[0]
        assert ledger_of(tmp_path)["unused"]["answers"] == 10
        synthesize(Plan(2, TEXTS), teacher(server), tmp_path, requests=20)
        assert len(server.asked) == 50


def test_the_documents_do_not_depend_on_the_order_of_answers(tmp_path: Path):
    def jittery(prompt: str, attempt: int) -> Reply:
        delay = hashlib.sha256(prompt[::-1].encode()).digest()[0] / 5000
        return Reply(good_answer(prompt), delay=delay)

    made: list[dict[str, bytes]] = []
    for name, respond, concurrency in (("a", good, 1), ("b", jittery, 8), ("c", jittery, 3)):
        with serving(respond) as server:
            summary = synthesize(
                Plan(4, TEXTS),
                teacher(server, concurrency=concurrency),
                tmp_path / name,
                tokens=12_000,
            )
            # The last few that are on their way are not needed, but not more than those.
            assert len(server.asked) - summary.ledger.requests < concurrency
        made.append(documents_of(tmp_path / name))
        assert summary.ledger.tokens >= 12_000
        last = estimate_tokens(rows_of(tmp_path / name)[-1]["text"])
        assert summary.ledger.tokens - last < 12_000, "no more documents than are needed"
    assert made[0] == made[1] == made[2]


def test_answers_that_came_early_are_not_taken_beyond_the_target(tmp_path: Path):
    plan = Plan(4, {"textbook": 1.0})
    first = plan.request(0).prompt

    def respond(prompt: str, attempt: int) -> Reply:
        numbers = " ".join(hashlib.sha256(f"{prompt}{n}".encode()).hexdigest() for n in range(60))
        text = f"{good_answer(prompt)}\n\nThe numbers of it: {numbers}"
        return Reply(text, delay=0.4 if prompt == first else 0.0)

    with serving(respond) as server:
        asking = teacher(server, concurrency=6)
        summary = synthesize(plan, asking, tmp_path, tokens=2600)
        assert len(server.asked) == 6, "all of them were open before the first answer came"
    assert [row["request"] for row in rows_of(tmp_path)] == [0, 1]
    assert (summary.ledger.requests, summary.ledger.unused.answers) == (2, 4)


def test_what_failed_is_asked_again_and_what_was_refused_is_not(tmp_path: Path):
    down = True

    def respond(prompt: str, attempt: int) -> Reply:
        fate = hashlib.sha256(prompt.encode()).digest()[0] % 8
        if fate == 0:
            return Reply(status=400)
        return Reply(status=500) if fate == 1 and down else good(prompt, attempt)

    with serving(respond) as server:
        asking = teacher(server, max_retries=0)
        first = synthesize(Plan(1, TEXTS), asking, tmp_path, requests=40)
        failed, refused = first.ledger.failed["status 500"], first.ledger.failed["status 400"]
        assert failed > 0
        assert refused > 0
        down = False
        second = synthesize(Plan(1, TEXTS), asking, tmp_path, requests=40)
        assert len(server.asked) == 40 + failed
        assert second.ledger.failed == {"status 400": refused}
        assert second.ledger.failures == {"status 400": refused, "status 500": failed}
        assert second.ledger.documents == 40 - refused


def test_code_is_run_once_and_only_when_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def respond(prompt: str, attempt: int) -> Reply:
        text = good_answer(prompt)
        is_wrong = hashlib.sha256(prompt.encode()).digest()[0] % 2
        return Reply(text.replace("total += value", "total -= value") if is_wrong else text)

    plan = Plan(1, {"code exercises": 1.0})
    with serving(respond) as server:
        with pytest.raises(
            ValueError, match=r"runs what the teacher wrote: allow it \(--run-code\)"
        ):
            synthesize(plan, teacher(server), tmp_path, requests=8)
        assert server.asked == []
        synthesize(plan, teacher(server), tmp_path, requests=8, run_code=True)
        before = documents_of(tmp_path)
        wrong = [hashlib.sha256(r.prompt.encode()).digest()[0] % 2 for r in plan.requests(8)]
        assert 0 < sum(wrong) < 8
        assert [r["request"] for r in rows_of(tmp_path)] == [i for i in range(8) if not wrong[i]]
        reasons = ledger_of(tmp_path)["rejected"]["code exercises"]
        assert reasons == {"tests failed: AssertionError": sum(wrong)}

        def not_again(*args: Any, **options: Any) -> None:
            raise AssertionError("a verdict that is known is not sought again")

        monkeypatch.setattr("phinery.data.synthesis.teacher.gather.try_programs", not_again)
        synthesize(plan, teacher(server), tmp_path, requests=8, run_code=True)
        assert documents_of(tmp_path) == before


CHILD = """
import sys
from phinery.data.synthesis.teacher import Plan, Teacher, synthesize
plan = Plan(9, {"textbook": 2.0, "exercises": 1.0, "code exercises": 0.3})
teacher = Teacher(sys.argv[1], "wise", concurrency=4)
synthesize(plan, teacher, sys.argv[2], requests=int(sys.argv[3]), run_code=True)
"""


def start_child(url: str, directory: Path, requests: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, url, str(directory), str(requests)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def test_killed_again_and_again_it_comes_out_the_same(tmp_path: Path):
    def slow(prompt: str, attempt: int) -> Reply:
        return Reply(faulty(prompt, 2).text or good_answer(prompt), delay=0.01)

    total, kills = 70, 3
    with serving(slow) as server:
        for kill in range(kills):
            child = start_child(server.url, tmp_path / "killed", total)
            until = len(server.asked) + 12 + kill
            while len(server.asked) < until and child.poll() is None:
                time.sleep(0.002)
            assert child.poll() is None, child.stderr and child.stderr.read().decode()
            child.kill()
            child.communicate()
            assert not (tmp_path / "killed" / "ledger.json").exists()
            # Cut off in the middle of a line, as a power cut leaves it.
            with (tmp_path / "killed" / "answers.log").open("ab") as log:
                log.write(b'{"key": "torn')
        child = start_child(server.url, tmp_path / "killed", total)
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors.decode()
        assert max(server.counts.values()) <= 1 + kills
        repeated = sum(server.counts.values()) - total
        assert len(server.counts) == total
        assert repeated <= 4 * kills, "no more is paid twice than was on its way"
    with serving(slow) as server:
        plan = Plan(9, {"textbook": 2.0, "exercises": 1.0, "code exercises": 0.3})
        unbroken = tmp_path / "unbroken"
        synthesize(plan, teacher(server), unbroken, requests=total, run_code=True)
        assert len(server.asked) == total
    assert documents_of(tmp_path / "killed") == documents_of(unbroken)
    ledgers = [ledger_of(tmp_path / name) for name in ("killed", "unbroken")]
    for ledger in ledgers:
        del ledger["teacher"]  # the port differs
    assert ledgers[0] == ledgers[1]


def test_ctrl_c_waits_for_what_is_on_its_way_and_loses_nothing(tmp_path: Path):
    def slow(prompt: str, attempt: int) -> Reply:
        return Reply(good_answer(prompt), delay=0.3)

    with serving(slow) as server:
        child = start_child(server.url, tmp_path, 400)
        while len(server.asked) < 6 and child.poll() is None:
            time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        assert b"KeyboardInterrupt" in errors.splitlines()[-1]
        asked = len(server.asked)
    with AnswersLog(tmp_path / "answers.log") as log:
        assert len(log) == asked < 20
    assert not (tmp_path / "ledger.json").exists()


def test_ctrl_c_does_not_wait_for_requests_that_were_not_sent(tmp_path: Path):
    with serving(good) as server:
        asking = teacher(server, requests_per_minute=1, clock=RealClock())

        def interrupt() -> None:
            while not server.asked:
                time.sleep(0.005)
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            synthesize(Plan(1, TEXTS), asking, tmp_path, requests=50)
        thread.join()
        assert time.monotonic() - start < 50
        assert len(server.asked) == 1
    with AnswersLog(tmp_path / "answers.log") as log:
        assert len(log) == 1


def test_a_teacher_that_dies_leaves_its_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    def respond(prompt: str, attempt: int) -> Reply:
        return good(prompt, attempt) if len(server.asked) <= 30 else Reply(status=503)

    with serving(respond) as server:
        asking = teacher(server, max_retries=0)
        with pytest.raises(TeacherError, match="in a row failed"):
            synthesize(Plan(1, TEXTS), asking, tmp_path, requests=1000)
        assert len(server.asked) < 60
        assert not (tmp_path / "ledger.json").exists()
    with AnswersLog(tmp_path / "answers.log") as log:
        assert len(log) == 30
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_a_teacher_that_is_of_no_use_is_not_paid_for_long(tmp_path: Path):
    with serving(lambda prompt, attempt: Reply("I'm sorry, but I can't.")) as server:
        with pytest.raises(TeacherError, match="rejected for: refusal; try another model"):
            synthesize(Plan(1, TEXTS), teacher(server), tmp_path, tokens=10**9)
        assert len(server.asked) < 60
        with pytest.raises(TeacherError, match=r"nothing came of 10 requests.*ledger.json"):
            synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=10)
        assert ledger_of(tmp_path)["documents"] == 0


def test_two_runs_do_not_share_a_log(tmp_path: Path):
    with AnswersLog(tmp_path / "answers.log"), serving(good) as server:
        with pytest.raises(ValueError, match="being written by another run"):
            synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=1)
        synthesize(
            Plan(1, TEXTS), teacher(server), tmp_path, requests=1, answers=tmp_path / "mine.log"
        )


def test_the_key_is_in_no_file(tmp_path: Path):
    with serving(faulty) as server:
        asking = teacher(server, api_key="sk-very-secret-123")
        synthesize(Plan(1, TEXTS), asking, tmp_path, requests=30)
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert b"very-secret" not in (gzip.decompress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize(
    "target", [{}, {"tokens": 5, "requests": 5}, {"tokens": 0}, {"requests": -1}]
)
def test_targets_that_cannot_be(tmp_path: Path, target: dict[str, int]):
    asking = Teacher("http://localhost/v1", "wise")
    with pytest.raises(ValueError, match="say how much"):
        synthesize(Plan(1, TEXTS), asking, tmp_path / "none", **target)
    assert not (tmp_path / "none").exists()


def test_the_log_survives_any_cut(tmp_path: Path):
    path = tmp_path / "answers.log"
    answers = {f"k{i}": Answer(f"text {i} é", "stop", i, 2 * i, False, {"x": i}) for i in range(4)}
    with AnswersLog(path) as log:
        for key, answer in answers.items():
            log.add(key, answer)
        log.add("bad", Failure("status 400", True))
        log.add_verdict("p", "")
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in sorted({*range(0, len(whole), 5), *ends, *(end - 1 for end in ends)}):
        path.write_bytes(whole[:cut])
        with AnswersLog(path) as log:
            complete = sum(end <= cut for end in ends)
            kept = {key: log.answer(key) for key in answers if key in log}
            assert kept == dict(list(answers.items())[:complete])
            assert len(log) == len(kept)
            assert log.is_refused("bad") == (complete >= 5)
            assert log.verdict("p") == ("" if complete >= 6 else None)
            assert log.damaged == 0
            log.add("after", answers["k1"])
        with AnswersLog(path) as log:
            assert log.answer("after") == answers["k1"]


def test_damage_within_the_log_costs_only_what_it_hit(tmp_path: Path):
    path = tmp_path / "answers.log"
    with serving(good) as server:
        synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=10)
        before = documents_of(tmp_path)
        lines = path.read_bytes().splitlines(keepends=True)
        lines[3] = b"\xff\x00 garbage\n"
        lines[5] = b'{"key": 3}\n'
        lines[7] = b"[1, 2]\n"
        path.write_bytes(b"".join(lines))
        synthesize(Plan(1, TEXTS), teacher(server), tmp_path, requests=10)
        assert len(server.asked) == 13
        assert documents_of(tmp_path) == before
