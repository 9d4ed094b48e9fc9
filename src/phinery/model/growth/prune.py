"""The way down: a model cut to a smaller shape, keeping what is most active on given text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from phinery.model import layouts
from phinery.model.config import PhiConfig
from phinery.model.decoder import Phi, PhiBlock
from phinery.model.growth.axes import generator
from phinery.model.growth.names import Layer, Part, axes_of, source_name

PruneMethod = Literal["activations", "random"]
PRUNE_METHODS: tuple[str, ...] = get_args(PruneMethod)


@dataclasses.dataclass(frozen=True)
class Importance:
    """How much each part of a model does on some text. Larger is more; float64, on the CPU."""

    layers: Tensor
    """(layers,): 1 - cosine of a block's input and output (arXiv 2403.03853)."""
    width: Tensor
    """(hidden,): mean absolute value after a LayerNorm, over all of them (arXiv 2407.14679)."""
    heads: Tensor
    """(layers, heads): mean norm of what a head gives to `dense`."""
    units: Tensor
    """(layers, mlp): mean absolute value after the GELU."""


def prune(
    model: Phi,
    config: PhiConfig,
    calibration: Tensor,
    *,
    method: str = "activations",
    seed: int = 0,
) -> Phi:
    """A Phi of the smaller shape `config`, made of parts of `model`, in the order that they had.

    Layers, residual dimensions, heads and MLP units that do least on `calibration` go, by
    `importance`; "random" lets chance decide, as a control. Tokens beyond `vocab_size` go. What is
    left has the values that it had, so the model has to be trained on: see docs/growth.md.

    Parameters
    ----------
    calibration : int64 (windows, seq)

    Raises ValueError, in one line, when `config` has more of something, or other heads.
    """
    check_smaller(model.config, config)
    if method == "activations":
        found = importance(model, calibration)
    elif method == "random":
        found = _chance(model.config, seed)
    else:
        raise ValueError(f"there is no method {method!r}; there are {', '.join(PRUNE_METHODS)}")
    sources = _most(found.layers, config.num_hidden_layers)
    layers = [Layer(int(source), adds_nothing=False) for source in sources]
    width = _most(found.width, config.hidden_size)
    heads = [_most(found.heads[layer], config.num_attention_heads) for layer in sources]
    units = [_most(found.units[layer], config.mlp_size) for layer in sources]
    dimensions = torch.arange(config.head_dim)
    words = torch.arange(config.vocab_size)
    weights = dict(model.named_parameters())

    def kept(name: str) -> Tensor:
        part = Part.of(name)
        # Outside the blocks there are neither heads nor units.
        layer = part.layer or 0
        rows, columns = axes_of(
            part,
            words=words,
            width=width,
            attention=(heads[layer][:, None] * config.head_dim + dimensions).flatten(),
            units=units[layer],
        )
        weight = weights[source_name(name, layers)].detach()
        weight = weight[rows.to(weight.device)]
        return weight if columns is None else weight[:, columns.to(weight.device)]

    with torch.device("meta"):
        pruned = Phi(config)
    state = {name: kept(name).clone() for name in layouts.shapes(config)}
    pruned.load_state_dict(state, assign=True)
    return pruned.train(model.training)


@torch.no_grad()
def importance(model: Phi, calibration: Tensor) -> Importance:
    """Measure what each part of `model` does on `calibration`, int64 (windows, seq).

    The model is run in evaluation mode, a window at a time, and is as it was afterwards.
    """
    config = model.config
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    found = Importance(
        torch.zeros(layers, dtype=torch.float64),
        torch.zeros(config.hidden_size, dtype=torch.float64),
        torch.zeros(layers, heads, dtype=torch.float64),
        torch.zeros(layers, config.mlp_size, dtype=torch.float64),
    )

    def on_norm(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        found.width.add_(_summed(output.double().abs()))

    def watch(index: int, block: PhiBlock) -> list[Any]:
        def on_block(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            alike = torch.cosine_similarity(inputs[0].double(), output.double(), dim=-1)
            found.layers[index] += (1 - alike).sum().cpu()

        def on_dense(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            split = inputs[0].double().unflatten(-1, (heads, config.head_dim))
            found.heads[index] += _summed(split.norm(dim=-1))

        def on_fc2(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            found.units[index] += _summed(inputs[0].double().abs())

        return [
            block.register_forward_hook(on_block),
            block.input_layernorm.register_forward_hook(on_norm),
            block.self_attn.dense.register_forward_pre_hook(on_dense),
            block.mlp.fc2.register_forward_pre_hook(on_fc2),
        ]

    was_training = model.training
    model.eval()
    hooks: list[Any] = []
    try:
        hooks.append(model.model.final_layernorm.register_forward_hook(on_norm))
        for index, block in enumerate(model.model.layers):
            assert isinstance(block, PhiBlock)
            hooks += watch(index, block)
        for window in calibration:
            model.model(window[None].to(model.device))
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    for total in (found.layers, found.width, found.heads, found.units):
        total /= calibration.numel()
    found.width.div_(layers + 1)
    return found


def _summed(values: Tensor) -> Tensor:
    """(batch, seq, ...) summed over tokens, on the CPU."""
    return values.flatten(0, 1).sum(0).cpu()


def _chance(config: PhiConfig, seed: int) -> Importance:
    random = generator(seed, "pruning")
    layers = config.num_hidden_layers

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float64)

    return Importance(
        draw(layers),
        draw(config.hidden_size),
        draw(layers, config.num_attention_heads),
        draw(layers, config.mlp_size),
    )


def _most(values: Tensor, count: int) -> Tensor:
    """The indices of the `count` largest, in the order in which they stand."""
    return values.topk(count).indices.sort().values


def check_smaller(source: PhiConfig, target: PhiConfig) -> None:
    """Raise ValueError, in one line, when a model of `source` cannot be cut down to `target`."""
    for name in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size"):
        before, after = getattr(source, name), getattr(target, name)
        if after > before:
            raise ValueError(f"{name} would grow from {before} to {after}: pruning only takes away")
    same: tuple[Callable[[PhiConfig], float], ...] = (
        lambda config: config.head_dim,
        lambda config: config.rotary_dim,
        lambda config: config.rope_theta,
    )
    for name, value in zip(("head_dim", "rotary_dim", "rope_theta"), same, strict=True):
        if value(source) != value(target):
            raise ValueError(
                f"{name} is {value(source):g} and would become {value(target):g}: heads are kept "
                "or taken away as they are"
            )
