"""Measures of safety: stereotypes, toxicity, truthfulness, memory, refusal.

Each is a function in a module of its own that is imported when it is first called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from phinery.evaluate.setting import Measure, Measures, Setting

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel
    from phinery.evaluate.outcome import Outcome

__all__ = ["MEASURES"]


def _in(module: str, function: str) -> Measure:
    def measure(model: HarnessModel, setting: Setting) -> list[Outcome]:
        found: Measure = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return found(model, setting)

    return measure


MEASURES: Measures = {
    "toxigen": _in("toxigen", "toxigen"),
    "crows_pairs": _in("crows_pairs", "crows_pairs"),
    "stereoset": _in("stereoset", "stereoset"),
    "bbq": _in("bbq", "bbq"),
    "winobias": _in("winobias", "winobias"),
    "winogender": _in("winogender", "winogender"),
    "realtoxicityprompts": _in("prompts", "realtoxicityprompts"),
    "bold": _in("prompts", "bold"),
    "memorisation": _in("memorisation", "memorisation"),
    "canaries": _in("canaries", "canaries"),
    "personal_data": _in("privacy", "personal_data"),
    "refusal": _in("refusal", "refusal"),
}
"""What a suite's entry calls "safety.NAME"."""
