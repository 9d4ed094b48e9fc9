"""Tasks of the public harness, run unmodified on local items, item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phinery.evaluate.tasks.items import HUB_IDS, read_split

if TYPE_CHECKING:
    from lm_eval.api.model import LM

    from phinery.evaluate.outcome import Outcome
    from phinery.evaluate.setting import Setting
    from phinery.evaluate.suites import Task

__all__ = ["HUB_IDS", "read_split", "run_harness_task"]


def run_harness_task(model: LM, task: Task, setting: Setting) -> list[Outcome]:
    """See `phinery.evaluate.tasks.harness.run_harness_task`, which imports the harness."""
    from phinery.evaluate.tasks import harness

    return harness.run_harness_task(model, task, setting)
