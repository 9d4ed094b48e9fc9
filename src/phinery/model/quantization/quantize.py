"""A whole Phi, layer by layer, each made for what the layers before it now give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from phinery.model.config import PhiConfig
from phinery.model.decoder import Phi, PhiBlock
from phinery.model.quantization.blocks import (
    HEAD,
    LINEARS,
    READ_NORMED,
    READ_THEIRS,
    block_of,
    copied,
    embed,
    linear_of,
    run_block,
)
from phinery.model.quantization.gptq import Moments, gptq
from phinery.model.quantization.rounding import GROUP_SIZE, QuantizedWeight, round_to_nearest

Method = Literal["rtn", "gptq"]
METHODS: tuple[Method, ...] = get_args(Method)
Calibration = Tensor | Callable[[], Tensor]


@dataclasses.dataclass(frozen=True)
class QuantizedPhi:
    """What `quantize` makes: codes for the linear maps, everything else as it was."""

    config: PhiConfig
    bits: int
    method: Method
    linears: Mapping[str, QuantizedWeight]
    """By module: `model.layers.0.self_attn.q_proj`, ..., `lm_head` (always 8 bits)."""
    others: Mapping[str, Tensor]
    """Embedding, LayerNorms and biases by parameter, in the model's type; float32 the biases that
    GPTQ corrected."""

    def dequantize(self) -> Phi:
        """The Phi that the codes stand for, in float32, evaluation mode."""
        with torch.device("meta"):
            model = Phi(self.config)
        weights = {name: tensor.float() for name, tensor in self.others.items()}
        weights |= {f"{name}.weight": w.dequantize() for name, w in self.linears.items()}
        model.load_state_dict(weights, assign=True)
        return model.eval()

    @property
    def num_bytes(self) -> int:
        """Bytes of all weights as they are stored."""
        quantized = sum(weight.num_bytes for weight in self.linears.values())
        return quantized + sum(tensor.nbytes for tensor in self.others.values())


def quantize(
    model: Phi,
    bits: int,
    *,
    calibration: Calibration | None = None,
    method: Method | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> QuantizedPhi:
    """Round the linear maps of a Phi, which stays as it is, to 8 or 4 bits.

    Parameters
    ----------
    model
        In any floating-point type; computed in float32, a layer at a time.
    bits
        8: scales by rows. 4: scales by groups of 32 inputs, the head in 8 bits.
    calibration
        Token ids (sequences, seq) of text like that which the model will read, or a function that
        gives them; only GPTQ needs it. Some tens of thousands of tokens are enough.
    method
        "rtn", rounding to nearest; or "gptq", which also takes off the biases what the rounding
        adds to the mean of the outputs. The default is rtn for 8 bits and gptq for 4.
    on_progress
        Told layers done and layers in all.

    Raises ValueError for other bits, a width that is no multiple of 32 with 4 bits, weights that
    are not finite, and when GPTQ has no calibration.
    """
    chosen: Method = method or ("rtn" if bits == 8 else "gptq")
    _check(model, bits, chosen)
    tokens = _calibration_tokens(model, calibration) if chosen == "gptq" else None
    linears: dict[str, QuantizedWeight] = {}
    others = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.removesuffix(".weight") not in quantized_names(model.config)
    }
    layers = model.config.num_hidden_layers
    with torch.no_grad():
        hidden = [] if tokens is None else embed(model, tokens)
        for index in range(layers):
            block = copied(block_of(model, index))
            prefix = f"model.layers.{index}"
            if chosen == "rtn":
                made = {n: round_to_nearest(linear_of(block, n).weight, bits) for n in LINEARS}
            else:
                made = _gptq_block(block, hidden, bits)
                hidden = run_block(block, hidden)
                others |= {f"{prefix}.{name}.bias": linear_of(block, name).bias for name in LINEARS}
            linears |= {f"{prefix}.{name}": weight for name, weight in made.items()}
            if on_progress is not None:
                on_progress(index + 1, layers)
        linears[HEAD] = round_to_nearest(model.lm_head.weight.float(), 8)
    others = {name: tensor.detach() for name, tensor in others.items()}
    return QuantizedPhi(model.config, bits, chosen, linears, others)


def _gptq_block(block: PhiBlock, hidden: list[Tensor], bits: int) -> dict[str, QuantizedWeight]:
    """Quantise a block's linear maps for its inputs `hidden`, and put the result into `block`.

    First those that read the LayerNorm; then the two that read what comes of these, for what they
    are given by then.
    """
    normed = Moments()
    for batch in hidden:
        normed.add(block.input_layernorm(batch))
    made = _replace(block, READ_NORMED, normed, bits)
    inputs = {name: Moments() for name in READ_THEIRS}

    def see(name: str, given: Tensor) -> None:
        if name in inputs:
            inputs[name].add(given)

    run_block(block, hidden, see)
    for name in READ_THEIRS:
        made |= _replace(block, (name,), inputs[name], bits)
    return made


def _replace(
    block: PhiBlock, names: Sequence[str], inputs: Moments, bits: int
) -> dict[str, QuantizedWeight]:
    """Quantise linear maps that read the same inputs, as the one matrix that they are together."""
    linears = [linear_of(block, name) for name in names]
    weight = torch.cat([linear.weight for linear in linears])
    quantized = gptq(weight, inputs.covariance, bits)
    rounded = quantized.dequantize()
    shifts = (weight - rounded) @ inputs.mean
    made: dict[str, QuantizedWeight] = {}
    start = 0
    for name, linear in zip(names, linears, strict=True):
        rows = slice(start, start + linear.out_features)
        made[name] = QuantizedWeight(bits, quantized.codes[rows], quantized.scale[rows])
        linear.weight.copy_(rounded[rows])
        linear.bias.add_(shifts[rows])
        start = rows.stop
    return made


def quantized_names(config: PhiConfig) -> set[str]:
    """The linear maps that are quantised: all of the blocks, and the head."""
    layers = range(config.num_hidden_layers)
    return {HEAD, *(f"model.layers.{index}.{name}" for index in layers for name in LINEARS)}


def _check(model: Phi, bits: int, method: str) -> None:
    if bits not in (4, 8):
        raise ValueError(f"bits must be 8 or 4, not {bits}")
    if method not in METHODS:
        raise ValueError(f"method must be {' or '.join(METHODS)}, not {method!r}")
    config = model.config
    for name in ("hidden_size", "mlp_size"):
        if bits == 4 and getattr(config, name) % GROUP_SIZE:
            raise ValueError(
                f"{name} is {getattr(config, name)}, no multiple of {GROUP_SIZE}: int4 has scales "
                f"for groups of {GROUP_SIZE}; use int8"
            )
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise ValueError(f"{name} has weights that are not finite: there is nothing to round")


def _calibration_tokens(model: Phi, calibration: Calibration | None) -> Tensor:
    if calibration is None:
        raise ValueError("gptq needs calibration: token ids of text that the model reads well")
    tokens = calibration() if callable(calibration) else calibration
    if tokens.dim() != 2 or tokens.numel() == 0:
        raise ValueError(
            f"calibration must be token ids (sequences, seq), not {tuple(tokens.shape)}"
        )
    if tokens.min() < 0 or tokens.max() >= model.config.vocab_size:
        raise ValueError("calibration has token ids that the model has no row for")
    return tokens.to(model.device)
