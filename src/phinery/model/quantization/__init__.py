"""A Phi in 8 or 4 bits a weight: rounding, GPTQ, the folder, and what it costs."""

from phinery.model.quantization.folder import is_quantized, load_quantized, save_quantized
from phinery.model.quantization.measure import Damage, damage_by_layer, perplexity
from phinery.model.quantization.quantize import METHODS, Method, QuantizedPhi, quantize
from phinery.model.quantization.rounding import GROUP_SIZE, QuantizedWeight, round_to_nearest

__all__ = [
    "GROUP_SIZE",
    "METHODS",
    "Damage",
    "Method",
    "QuantizedPhi",
    "QuantizedWeight",
    "damage_by_layer",
    "is_quantized",
    "load_quantized",
    "perplexity",
    "quantize",
    "round_to_nearest",
    "save_quantized",
]
