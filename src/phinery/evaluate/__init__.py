"""Scores that mean what the public harness means, with far less work.

`HarnessModel` is an lm-evaluation-harness model. It, and what it rests on, is imported when it is
first used: it needs the optional `lm-eval` (`pip install phinery[evaluate]`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel

__all__ = ["HarnessModel"]


def __getattr__(name: str) -> Any:
    if name == "HarnessModel":
        from phinery.evaluate.harness import HarnessModel

        return HarnessModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
