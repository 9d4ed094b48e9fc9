"""A small Phi grown into a larger one, and cut down again: see docs/growth.md."""

from phinery.model.growth.folder import grow_folder, prune_folder, target_config
from phinery.model.growth.grow import METHODS, Method, check_growth, grow, grow_moments
from phinery.model.growth.prune import (
    PRUNE_METHODS,
    Importance,
    PruneMethod,
    check_smaller,
    importance,
    prune,
)

__all__ = [
    "METHODS",
    "PRUNE_METHODS",
    "Importance",
    "Method",
    "PruneMethod",
    "check_growth",
    "check_smaller",
    "grow",
    "grow_folder",
    "grow_moments",
    "importance",
    "prune",
    "prune_folder",
    "target_config",
]
