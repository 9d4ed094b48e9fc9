"""A cell of the decoding benchmark: one shape, format and number of threads, all participants."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np
from peers.decode_shape import FORMATS, Shape
from workers import Worker, WorkerError

HERE = Path(__file__).parent
# Who can take part, and in which formats; llama_cpp_f16 is llama.cpp with a float16 file,
# llama_cpp_avx2 a build without AVX-512.
PARTICIPANTS = {
    "phinery": FORMATS,
    "llama_cpp": FORMATS,
    "llama_cpp_avx2": FORMATS,
    "llama_cpp_f16": ("bf16",),
    "transformers": ("bf16",),
    "openvino": FORMATS,
}
# OpenVINO's own loop of requests is another package, which wants its tokenizer too.
WITHOUT_REQUESTS = ("openvino",)
# Logits of the same weights correlate this much at least; in few bits everyone rounds otherwise.
AGREEMENT = {"bf16": 0.999, "int8": 0.99, "int4": 0.9}
# Whose logits the others' are held against: the first of them that is there.
REFERENCES = ("llama_cpp", "llama_cpp_avx2", "transformers", "openvino", "phinery")
_BYTES = {"bf16": 2.0, "int8": 1.1, "int4": 0.7}


@dataclasses.dataclass(frozen=True)
class Measure:
    """What is measured: steps after a prompt ("decode"), a prompt, or whole requests."""

    kind: str
    batch: int
    prompt: int
    tokens: int

    @property
    def name(self) -> str:
        """As in the tables: decode-16, prefill-512, generate-1."""
        return f"{self.kind}-{self.prompt if self.kind == 'prefill' else self.batch}"

    @property
    def position(self) -> float:
        """Of a token whose key and value are written, on average."""
        if self.kind == "prefill":
            return (self.prompt - 1) / 2
        return self.prompt + (self.tokens - 1) / 2


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all participants of a cell are asked for.

    `own` are the benchmark's own processes, which do not disturb it.
    """

    shape: Shape
    format: str
    threads: int
    measures: tuple[Measure, ...]
    rounds: int
    seconds: float
    own: tuple[int, ...]
    one_at_a_time: bool = False


def program_of(participant: str) -> str:
    """Which of the peers' programs a participant runs."""
    return "llama_cpp" if participant.startswith("llama_cpp") else participant


class Entry:
    """A participant in a cell, and what was measured of it."""

    def __init__(self, participant: str, python: Path, opening: dict[str, Any]) -> None:
        self.participant = participant
        self.facts: dict[str, Any] = {}
        self.measures: dict[str, dict[str, Any]] = {}
        self.error: str | None = None
        self._python = python
        self._opening = opening
        self._worker: Worker | None = None

    @contextlib.contextmanager
    def process(self, *, prepare: bool) -> Generator[None]:
        """The participant's process; the model is opened for single calls when `prepare`."""
        program = program_of(self.participant)
        with Worker(self._python, HERE / "peers" / f"decode_{program}.py") as worker:
            self._worker = worker
            self._ask("open", **self._opening)
            if prepare:
                self.facts = self._ask("prepare") or self.facts
            yield
            self._worker = None

    def start(self, measure: Measure) -> None:
        """Get ready for single calls; the fastest variant is found at the first time, and kept."""
        known = self.measures.setdefault(measure.name, {"rates": [], "other_load": []})
        sizes = {name: getattr(measure, name) for name in ("batch", "prompt", "tokens")}
        answer = self._ask("start", **sizes, variant=known.get("variant"))
        if answer and "variant" not in known:
            known |= answer

    def measure(self, measure: Measure, plan: Plan) -> None:
        """One turn: note the rate, and how much others computed meanwhile."""
        if self.error is not None or self._worker is None:
            return
        load = machine.OtherLoad([self._worker.pid, os.getpid(), *plan.own])
        if measure.kind == "generate":
            sizes = {name: getattr(measure, name) for name in ("batch", "prompt", "tokens")}
            answer = self._ask("generate", **sizes, seconds=plan.seconds)
        else:
            answer = self._ask("measure", seconds=plan.seconds)
        if answer:
            known = self.measures.setdefault(measure.name, {"rates": [], "other_load": []})
            known["other_load"].append(load.share())
            known["rates"].append(answer["tokens"] / answer["seconds"])
            if "logits" in answer:
                known["logits"] = answer["logits"]

    def _ask(self, command: str, **fields: Any) -> dict[str, Any]:
        if self.error is not None or self._worker is None:
            return {}
        try:
            return self._worker.ask(command, **fields)
        except WorkerError as error:
            self.error = str(error)
            print(f"{self.participant} failed: {error}", file=sys.stderr)
            return {}

    def result(self, plan: Plan) -> dict[str, Any]:
        """What goes into the table and the JSON file."""
        measures: dict[str, dict[str, Any]] = {}
        facts = {"participant": self.participant, **self.facts, "measures": measures}
        if self.error is not None:
            facts["error"] = self.error
        if "matrix_bytes" in self.facts:
            weights = plan.shape.matrix_weights
            facts["bits_per_weight"] = 8 * self.facts["matrix_bytes"] / weights
        for name, known in self.measures.items():
            if not known["rates"]:
                continue
            turns = zip(known["rates"], known["other_load"], strict=True)
            alone = [rate for rate, load in turns if load <= machine.BUSY]
            measures[name] = {
                "tokens_per_second": statistics.median(alone or known["rates"]),
                "turns_alone": len(alone),
                **{key: value for key, value in known.items() if key != "logits"},
            }
        return facts


def measure_cell(plan: Plan, entries: Sequence[Entry]) -> dict[str, Any]:
    """All participants, in turns; their results and the machine's limits.

    Only one process computes at a time. Where not all models fit into the memory side by side, a
    process lives for its turn only.
    """
    single = [measure for measure in plan.measures if measure.kind != "generate"]
    requests = [measure for measure in plan.measures if measure.kind == "generate"]
    size = plan.shape.num_parameters * _BYTES[plan.format] * 1.5 * len(entries)
    together = size < 0.6 * available_memory() and not plan.one_at_a_time
    limits: list[dict[str, Any]] = []
    with Worker(Path(sys.executable), HERE / "peers" / "measure_limits.py") as meter:
        run = _side_by_side if together else _one_at_a_time
        if single:
            run(plan, entries, single, True, meter, limits)
        asked = [entry for entry in entries if entry.participant not in WITHOUT_REQUESTS]
        if requests and asked:
            run(plan, asked, requests, False, meter, limits)
    _check_agreement(plan, entries)
    return {
        "format": plan.format,
        "threads": plan.threads,
        "shape": dataclasses.asdict(plan.shape),
        "parameters": plan.shape.num_parameters,
        "side_by_side": together,
        "limits": _median_limits(limits),
        "measures": [dataclasses.asdict(measure) for measure in plan.measures],
        "entries": [entry.result(plan) for entry in entries],
    }


def _side_by_side(
    plan: Plan,
    entries: Sequence[Entry],
    measures: Sequence[Measure],
    prepare: bool,
    meter: Worker,
    limits: list[dict[str, Any]],
) -> None:
    """All processes are alive; one measure after the other, the order turned by one each round."""
    with contextlib.ExitStack() as stack:
        for entry in entries:
            progress(f"opening {entry.participant}")
            stack.enter_context(entry.process(prepare=prepare))
        for measure in measures:
            if prepare:
                for entry in entries:
                    progress(f"{measure.name}: starting {entry.participant}")
                    entry.start(measure)
            for number in range(plan.rounds):
                limits.append(_limits(meter, plan))
                for entry in _turned(entries, number):
                    progress(f"{measure.name}: round {number + 1}, {entry.participant}")
                    entry.measure(measure, plan)
    progress("")


def _one_at_a_time(
    plan: Plan,
    entries: Sequence[Entry],
    measures: Sequence[Measure],
    prepare: bool,
    meter: Worker,
    limits: list[dict[str, Any]],
) -> None:
    """A process is opened for its turn, which is all measures once, and closed before the next."""
    for number in range(plan.rounds):
        limits.append(_limits(meter, plan))
        for entry in _turned(entries, number):
            progress(f"round {number + 1}: opening {entry.participant}")
            with entry.process(prepare=prepare):
                for measure in measures:
                    progress(f"round {number + 1}: {measure.name}, {entry.participant}")
                    if prepare:
                        entry.start(measure)
                    entry.measure(measure, plan)
    progress("")


def _turned(entries: Sequence[Entry], number: int) -> list[Entry]:
    turn = number % len(entries)
    return [*entries[turn:], *entries[:turn]]


def _limits(meter: Worker, plan: Plan) -> dict[str, Any]:
    load = machine.OtherLoad([meter.pid, os.getpid(), *plan.own])
    answer = meter.ask("limits", threads=plan.threads, seconds=plan.seconds)
    return answer | {"other_load": load.share()}


def _median_limits(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The medians of undisturbed rounds, of all rounds when there is none."""
    alone = [limits for limits in rounds if limits["other_load"] <= machine.BUSY]
    chosen = alone or rounds
    return {
        "read_bytes_per_second": statistics.median(one["read_bytes_per_second"] for one in chosen),
        "matmul_flops": {
            dtype: statistics.median(one["matmul_flops"][dtype] for one in chosen)
            for dtype in chosen[0]["matmul_flops"]
        },
        "rounds_alone": len(alone),
    }


def _check_agreement(plan: Plan, entries: Sequence[Entry]) -> None:
    """Note how the logits correlate with the reference's; who computes another model has failed."""
    for measure in plan.measures:
        logits = {
            entry.participant: np.array(entry.measures[measure.name]["logits"])
            for entry in entries
            if "logits" in entry.measures.get(measure.name, {})
        }
        reference = next((logits[name] for name in REFERENCES if name in logits), None)
        if reference is None:
            continue
        for entry in entries:
            if entry.participant not in logits:
                continue
            agreement = float(np.corrcoef(reference, logits[entry.participant])[0, 1])
            entry.measures[measure.name]["agreement"] = agreement
            if not agreement >= AGREEMENT[plan.format]:
                entry.error = f"other logits than the others in {measure.name}: {agreement:.4f}"
                print(f"{entry.participant}: {entry.error}", file=sys.stderr)


def available_memory() -> int:
    """Bytes that new processes can have without swapping."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this benchmark reads /proc/meminfo; it runs on Linux")


def progress(text: str) -> None:
    """Replace the status line on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
