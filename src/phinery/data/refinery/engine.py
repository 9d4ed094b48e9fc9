"""Daft: the one module that starts it, here or on a Ray cluster, and gives it work.

Work comes in tasks that don't depend on each other. Each is a text (JSON) that a worker turns into
another; what is large stays in files. Within a task, expressions are evaluated on one batch at a
time, so that memory is bounded by the batch whatever the input.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from daft import Expression

_PATIENCE = 10.0
"""Seconds to wait for a cluster to answer."""
_QUIET = {
    "DO_NOT_TRACK": "1",
    "DAFT_ANALYTICS_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def import_daft() -> Any:
    """The module daft, its telemetry and progress bars off."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import daft

    return daft


def evaluate(table: pa.Table, expressions: Mapping[str, Expression]) -> pa.Table:
    """Native expressions over the columns of a table, as a table with a column for each.

    Computed in this process; what expressions have in common is computed once.
    """
    daft = import_daft()
    frame = daft.from_arrow(table)
    return frame.select(*(e.alias(name) for name, e in expressions.items())).to_arrow()


def run_tasks(
    work: Callable[[str], str], tasks: Sequence[str], *, engine: str = "embedded", workers: int = 1
) -> Iterator[str]:
    """The results of tasks, as they come.

    Parameters
    ----------
    work
        Turns a task into its result. Made of plain data, since it travels to other processes.
    tasks
        Independent of each other.
    engine
        "embedded"; "ray", a Ray cluster on this machine; "HOST:PORT" or "ray://HOST:PORT", one that
        runs elsewhere and sees the same files.
    workers
        How many tasks run at a time.

    Raises
    ------
    ValueError
        When the cluster cannot be reached, Ray is not installed, this process already uses another
        engine, or a task failed with a ValueError or OSError.
    """
    if not tasks:
        return
    daft = import_daft()
    in_ray = engine != "embedded"
    if in_ray:
        _start_ray(daft, engine, workers)
    if not in_ray and min(workers, len(tasks)) == 1:
        for task in tasks:
            yield work(task)
        return
    runner = _runner_class(daft, min(workers, len(tasks)))(work)
    frame = daft.from_pydict({"task": list(tasks)})
    frame = frame.into_partitions(len(tasks)) if in_ray else frame.into_batches(1)
    received = 0
    for row in frame.select(runner.run(daft.col("task")).alias("result")).iter_rows():
        received += 1
        outcome = json.loads(row["result"])
        if "error" in outcome:
            raise ValueError(outcome["error"])
        yield outcome["result"]
    if received < len(tasks):
        # Daft takes Ctrl-C for itself, and then ends as if there were no more results.
        raise KeyboardInterrupt


def _runner_class(daft: Any, workers: int) -> Any:
    class Runner:
        """Does one task after another in a process of its own."""

        def __init__(self, work: Callable[[str], str]) -> None:
            self._work = work

        def run(self, task: str) -> str:
            # What users can mend comes back as it is, not as a traceback of the engine.
            try:
                return json.dumps({"result": self._work(task)})
            except (ValueError, OSError) as error:
                return json.dumps({"error": str(error)})

    return daft.cls(Runner, max_concurrency=workers, use_process=True)


def _start_ray(daft: Any, engine: str, workers: int) -> None:
    try:
        import ray
    except ImportError as error:
        raise ValueError("engine = ray needs Ray: pip install 'phinery[ray]'") from error
    address = None if engine == "ray" else engine
    if address is not None:
        _check_reachable(address)
    if not ray.is_initialized():
        ray.init(
            address=address,
            num_cpus=workers if address is None else None,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            # Workers compute in their own process; only the driver asks the cluster.
            runtime_env={"env_vars": {**_QUIET, "DAFT_RUNNER": "native"}},
        )
    try:
        daft.set_runner_ray(noop_if_initialized=True)
    except daft.exceptions.DaftCoreException as error:
        raise ValueError(
            f"this process already computes without Ray, so {engine} needs a process of its own"
        ) from error


def _check_reachable(address: str) -> None:
    """Ray itself would wait for minutes, and then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_PATIENCE):
            pass
    except (OSError, ValueError) as error:
        raise ValueError(
            f"there is no Ray cluster at {address}: start one with `ray start --head`, or write "
            "engine = ray for one on this machine"
        ) from error
