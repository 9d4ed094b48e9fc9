"""What a Phi is: configuration, decoder, checkpoint files."""

from phinery.model.cache import KVCache
from phinery.model.checkpoint import CheckpointError, load_model, save
from phinery.model.config import PhiConfig, preset
from phinery.model.decoder import Phi

__all__ = ["CheckpointError", "KVCache", "Phi", "PhiConfig", "load_model", "preset", "save"]
