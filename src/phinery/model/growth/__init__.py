"""A small Phi grown into a larger one, and cut down again: see docs/growth.md."""

from phinery.model.growth.folder import grow_folder, prune_folder, target_config
from phinery.model.growth.grow import METHODS, Method, grow, grow_moments
from phinery.model.growth.prune import PRUNE_METHODS, Importance, PruneMethod, importance, prune

__all__ = [
    "METHODS",
    "PRUNE_METHODS",
    "Importance",
    "Method",
    "PruneMethod",
    "grow",
    "grow_folder",
    "grow_moments",
    "importance",
    "prune",
    "prune_folder",
    "target_config",
]
