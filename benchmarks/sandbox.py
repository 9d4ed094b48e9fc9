"""What the sandbox costs: MBPP's references in it, beside the same in a bare child process.

Per program: the time that `run_sandboxed` takes longer than a fresh `python -I -S` that runs
program and tests together, both by the clock and by processor time, in turns. Then all references
with `--workers` at once. By the clock the figures hold on a machine that does nothing else;
processor time holds on a busy one too. It is that of a control group, because the kernel doesn't
add up the time of processes that end with their namespace; so it takes root.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import machine

from phinery.sandbox import run_sandboxed

HERE = Path(__file__).parent
ITEMS = HERE.parents[1] / "shared/benchmarks/mbpp/full/test.jsonl.gz"
MOST_ADDED, MOST_SECONDS = 0.040, 60.0  # what is promised


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line for each figure, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100, help="in turns with a bare process")
    parser.add_argument("--references", type=int, default=500, help="with all workers")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HERE / "results/sandbox.json")
    options = parser.parse_args(arguments)
    with gzip.open(ITEMS, "rt", encoding="utf-8") as lines:
        items = [json.loads(line) for line in lines]
    tasks = [(i["code"], "\n".join([i["test_setup_code"], *i["test_list"]])) for i in items]
    busy = os.getloadavg()[0]
    with ControlGroup() as group:
        added = measure_added(group, tasks[: options.programs])
        together = measure_together(group, tasks[: options.references], options.workers)
    print(
        f"added per program, median of {options.programs}: {added['added_seconds'] * 1e3:.1f} ms "
        f"by the clock, {added['added_processor_seconds'] * 1e3:.1f} ms of processor time "
        f"(bare {added['bare_seconds'] * 1e3:.1f}, {added['bare_processor_seconds'] * 1e3:.1f}); "
        f"promised: at most {MOST_ADDED * 1e3:.0f} ms"
    )
    print(
        f"{together['passed']} of {together['references']} references passed with "
        f"{options.workers} workers in {together['seconds']:.1f} s, "
        f"{together['processor_seconds']:.1f} s of processor time; "
        f"promised: 500 in less than {MOST_SECONDS:.0f} s on two cores"
    )
    print(f"load average before: {busy:.1f} on {os.cpu_count()} cores")
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "load_average_before": busy,
        "added": added,
        "together": together,
    }
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure_added(group: ControlGroup, tasks: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Medians over the programs; "added" is the median of the differences."""
    rows: list[tuple[float, float, float, float]] = []
    for program, tests in tasks:
        bare = group.measured(lambda p=program, t=tests: run_bare(p, t))
        ours = group.measured(lambda p=program, t=tests: run_ours(p, t))
        rows.append((*bare, *ours))
    return {
        "bare_seconds": statistics.median(row[0] for row in rows),
        "bare_processor_seconds": statistics.median(row[1] for row in rows),
        "sandbox_seconds": statistics.median(row[2] for row in rows),
        "sandbox_processor_seconds": statistics.median(row[3] for row in rows),
        "added_seconds": statistics.median(row[2] - row[0] for row in rows),
        "added_processor_seconds": statistics.median(row[3] - row[1] for row in rows),
        "programs": len(rows),
    }


def measure_together(
    group: ControlGroup, tasks: Sequence[tuple[str, str]], workers: int
) -> dict[str, Any]:
    """All references, as many at once as there are workers."""
    passed: list[bool] = []

    def run_all() -> None:
        with ThreadPoolExecutor(workers) as pool:
            passed.extend(pool.map(lambda task: run_ours(*task), tasks))

    seconds, processor_seconds = group.measured(run_all)
    return {
        "references": len(tasks),
        "passed": sum(passed),
        "workers": workers,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
    }


class ControlGroup:
    """A control group that holds this process and all that it starts, for their processor time."""

    def __init__(self) -> None:
        first, second = Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup")
        self._root = first if first.is_dir() else second
        self._folder = self._root / f"phinery-sandbox-{os.getpid()}"

    def __enter__(self) -> ControlGroup:
        self._folder.mkdir()
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))
        return self

    def __exit__(self, *error: object) -> None:
        (self._root / "cgroup.procs").write_text(str(os.getpid()))
        while (self._folder / "cgroup.procs").read_text():
            time.sleep(0.1)
        self._folder.rmdir()

    def measured(self, action: Callable[[], object]) -> tuple[float, float]:
        """Seconds by the clock, and of processor time."""
        used, start = self._processor_time(), time.perf_counter()
        action()
        return time.perf_counter() - start, self._processor_time() - used

    def _processor_time(self) -> float:
        usage = self._folder / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        return int((self._folder / "cpu.stat").read_text().split()[1]) / 1e6


def run_bare(program: str, tests: str) -> None:
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{program}\n{tests}"], check=True, capture_output=True
    )


def run_ours(program: str, tests: str) -> bool:
    return run_sandboxed(program, tests, timeout=20.0, memory_bytes=2**29).passed


if __name__ == "__main__":
    main()
