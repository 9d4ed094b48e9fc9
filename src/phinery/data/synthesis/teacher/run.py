"""Carries out a plan: asks what was not asked yet, and writes the documents and the ledger."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phinery.data.synthesis.teacher.answers import AnswersLog
from phinery.data.synthesis.teacher.client import Teacher, run_blocking
from phinery.data.synthesis.teacher.draft import Draft, RejectedError
from phinery.data.synthesis.teacher.errors import TeacherError
from phinery.data.synthesis.teacher.formats import read_answer
from phinery.data.synthesis.teacher.gather import Gatherer, Progress
from phinery.data.synthesis.teacher.ledger import Ledger, estimate
from phinery.data.synthesis.teacher.plan import CODE, Plan, Request
from phinery.files import sha256_file, write_atomic, write_json
from phinery.sandbox import run_sandboxed

ANSWERS = "answers.log"
LEDGER = "ledger.json"
_DOCUMENTS_PER_FILE = 5000


@dataclass(frozen=True)
class Summary:
    """What `synthesize` made."""

    directory: Path
    ledger: Ledger
    cost: float | None
    """Of all answers in the log; None without prices."""

    def text(self) -> str:
        """One line for a person."""
        ledger = self.ledger
        rejected = sum(reasons.total() for reasons in ledger.rejected.values())
        line = (
            f"{ledger.documents:,} documents of about {ledger.tokens:,} tokens from "
            f"{ledger.used.answers:,} answers, {rejected:,} rejected"
        )
        if ledger.failed:
            line += f", {ledger.failed.total():,} requests without an answer (run again for them)"
        return line if self.cost is None else f"{line}; cost {self.cost:,.2f}"


def synthesize(
    plan: Plan,
    teacher: Teacher,
    directory: str | Path,
    *,
    tokens: int | None = None,
    requests: int | None = None,
    run_code: bool = False,
    input_price: float | None = None,
    output_price: float | None = None,
    answers: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Let a teacher write documents, until there are `tokens` of them or `requests` were asked.

    Writes `documents-*.jsonl.gz`, which `read_documents` reads, and last `ledger.json`. Tokens are
    estimated at 4 bytes each. Every answer is kept in `answers.log` (or the file `answers`), on the
    disk before the next step: when the process is stopped or killed, the same call goes on with
    what is missing, and the documents come out as if it had never stopped. They are those of the
    shortest run of requests from number 0 that reaches the target, in the order of the requests.
    Requests that failed, but not for good, are asked again by the next call.

    Code exercises are accepted only when their tests were run and passed: that runs programs a
    model wrote, in the sandbox (`phinery.sandbox`), so `run_code` must be True for a plan that has
    them. Prices are per million tokens.

    Raises ValueError for a target that is missing or given twice, for code without `run_code`, and
    when another process writes to the same log; `phinery.sandbox.SandboxUnavailable`, an OSError,
    for code on a machine that can't isolate it; TeacherError when the teacher can't be used, or
    when (almost) nothing that it says can. On Ctrl-C, answers that are on their way are waited
    for and kept, then KeyboardInterrupt is raised; a second Ctrl-C gives them up.
    """
    target = tokens if requests is None else requests
    if target is None or (tokens is not None and requests is not None) or target < 1:
        raise ValueError("say how much to synthesize: tokens or requests, one of them, 1 or more")
    if plan.kinds.get(CODE) and not run_code:
        raise ValueError(
            f"{CODE!r} are accepted only when their tests pass, which runs what the teacher wrote: "
            "allow it (--run-code), or leave that kind out"
        )
    if plan.kinds.get(CODE):
        run_sandboxed("", timeout=10.0, memory_bytes=2**28)  # refuses before any answer is paid for
    estimate(plan, 1, input_price=input_price, output_price=output_price)  # checks the prices
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with AnswersLog(answers or directory / ANSWERS) as log:
        gatherer = Gatherer(plan, teacher, log, tokens, requests, on_progress)
        count = run_blocking(gatherer.run)
        (directory / LEDGER).unlink(missing_ok=True)  # it stands for finished documents
        ledger = Ledger()
        rows = _rows(plan, teacher.model, log, count, ledger)
        names = _write_documents(directory, rows)
    ledger.check()
    cost = ledger.cost(input_price, output_price)
    record = {
        "teacher": {"url": teacher.url, "model": teacher.model},
        "plan": plan.settings(),
        "target": {"tokens": tokens, "requests": requests},
        **ledger.record(),
        "prices_per_million": {"input": input_price, "output": output_price},
        "cost": cost,
        "files": {name: sha256_file(directory / name) for name in names},
    }
    write_json(directory / LEDGER, record)
    if not ledger.documents:
        raise TeacherError(f"nothing came of {count} requests: {directory / LEDGER} says why")
    return Summary(directory, ledger, cost)


def _rows(
    plan: Plan, model: str, log: AnswersLog, count: int, ledger: Ledger
) -> Iterator[dict[str, Any]]:
    """The accepted documents in order; all that happened is counted in `ledger`."""
    keys: set[str] = set()
    for request in plan.requests(count):
        key = request.key(model)
        keys.add(key)
        ledger.requests += 1
        if key not in log:
            ledger.failed[log.failures[key][-1].reason] += 1
            continue
        answer = log.answer(key)
        ledger.used.add(answer)
        try:
            draft = read_answer(request.brief, answer.text, answer.finish_reason)
            verdict = log.verdict(draft.programs_key) if draft.program else ""
            assert verdict is not None, "every program was run when its answer came"
            if verdict:
                raise RejectedError(verdict)
        except RejectedError as error:
            ledger.reject(request.kind, str(error), key)
        else:
            ledger.accept(request.kind, draft.text)
            yield _row(request, draft, key, model)
    for key in log.keys() - keys:
        ledger.unused.add(log.answer(key))
    for failures in log.failures.values():
        ledger.failures.update(failure.reason for failure in failures)
    ledger.retries.update(log.retries)


def _row(request: Request, draft: Draft, key: str, model: str) -> dict[str, Any]:
    brief = request.brief
    return {
        "id": key,
        "text": draft.text,
        "source": "teacher-" + request.kind.replace(" ", "-"),
        "language": "en",
        "kind": "code" if request.kind == CODE else request.kind,
        "topic": brief.topic,
        "subject": brief.subject,
        "difficulty": brief.difficulty,
        "audience": brief.audience,
        "voice": brief.voice,
        "words": list(brief.words),
        "function": brief.function,
        "page": brief.page,
        "questions": [{"prompt": first, "answer": second} for first, second in draft.pairs],
        "teacher": model,
        "request": request.index,
    }


def _write_documents(directory: Path, rows: Iterator[dict[str, Any]]) -> list[str]:
    names: list[str] = []
    lines: list[str] = []

    def flush() -> None:
        name = f"documents-{len(names):05d}.jsonl.gz"
        # Without a time in it, the same documents are the same bytes.
        data = gzip.compress("".join(lines).encode(), compresslevel=6, mtime=0)
        write_atomic(directory / name, data)
        names.append(name)
        lines.clear()

    for row in rows:
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        if len(lines) == _DOCUMENTS_PER_FILE:
            flush()
    if lines:
        flush()
    for path in directory.glob("documents-*.jsonl.gz"):
        if path.name not in names:
            os.unlink(path)
    return names
