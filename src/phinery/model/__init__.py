"""What a Phi is: configuration, decoder, checkpoint files.

What rests on torch is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from phinery.model.config import PhiConfig, preset
from phinery.model.stored import CheckpointError

if TYPE_CHECKING:
    from phinery.model.cache import KVCache
    from phinery.model.checkpoint import load_model, save
    from phinery.model.decoder import Phi
    from phinery.model.growth import grow, prune

_LAZY = {
    "KVCache": "phinery.model.cache",
    "Phi": "phinery.model.decoder",
    "grow": "phinery.model.growth",
    "load_model": "phinery.model.checkpoint",
    "prune": "phinery.model.growth",
    "save": "phinery.model.checkpoint",
}

__all__ = [
    "CheckpointError",
    "KVCache",
    "Phi",
    "PhiConfig",
    "grow",
    "load_model",
    "preset",
    "prune",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'phinery.model' has no attribute {name!r}")
