"""What a Phi is: configuration, decoder, checkpoint files."""

from phinery.model.cache import KVCache
from phinery.model.config import PhiConfig, preset
from phinery.model.decoder import Phi

__all__ = ["KVCache", "Phi", "PhiConfig", "preset"]
