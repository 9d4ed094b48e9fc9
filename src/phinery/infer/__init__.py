"""Text from a model: sampling, batches, streams.

Needs no torch, unless an engine computes with it. Everything is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phinery.infer.completion import Completion, CompletionDelta, FinishReason
    from phinery.infer.engine import Engine
    from phinery.infer.sampling import SamplingParams

_LAZY = {
    "Completion": "phinery.infer.completion",
    "CompletionDelta": "phinery.infer.completion",
    "Engine": "phinery.infer.engine",
    "FinishReason": "phinery.infer.completion",
    "SamplingParams": "phinery.infer.sampling",
}

__all__ = ["Completion", "CompletionDelta", "Engine", "FinishReason", "SamplingParams"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
