"""Growing a model in memory, and the moments of its optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from phinery.model import layouts
from phinery.model.config import PhiConfig
from phinery.model.decoder import Phi
from phinery.model.growth.lossless import Lossless
from phinery.model.growth.methods import Growth, Random, Tile, check_no_smaller

Method = Literal["lossless", "tile", "stack", "random"]
METHODS: tuple[str, ...] = get_args(Method)


def growth_of(source: PhiConfig, target: PhiConfig, method: str, seed: int) -> Growth:
    """What makes the larger model's tensors. Raises ValueError when it cannot be done."""
    check_no_smaller(source, target)
    match method:
        case "lossless":
            return Lossless(source, target, seed)
        case "stack":
            return Lossless(source, target, seed, stacked=True)
        case "tile":
            return Tile(source, target, seed)
        case "random":
            return Random(source, target, seed)
        case _:
            raise ValueError(f"there is no method {method!r}; there are {', '.join(METHODS)}")


def check_growth(source: PhiConfig, target: PhiConfig, *, method: str = "lossless") -> None:
    """Raise ValueError, in one line, when a model of `source` cannot become one of `target`."""
    growth_of(source, target, method, seed=0)
    if source.num_parameters() == target.num_parameters():
        raise ValueError(
            f"the model has {source.num_hidden_layers} layers of {source.hidden_size} already: "
            "name a larger shape"
        )


def grow(model: Phi, config: PhiConfig, *, method: str = "lossless", seed: int = 0) -> Phi:
    """A Phi of the larger shape `config` that begins with what `model` knows.

    - "lossless": the same logits for the same tokens, and every new parameter can learn;
    - "tile": Phi-2's way, weights repeated (arXiv 2412.13663, appendix A.3), layers of the same
      relative depth;
    - "stack": the layers repeated as a whole (G_stack, arXiv 2405.15319), width as by "lossless";
    - "random": the control, a new model.

    The grown model is on the same device, of the same type and in the same mode; `model` stays as
    it is. Values are computed in float32 (float64 for a model of float64), and random ones depend
    on `seed` and the parameter's name alone. Raises ValueError, in one line, when the shapes do not
    allow it.
    """
    growth = growth_of(model.config, config, method, seed)
    weights = dict(model.named_parameters())
    compute = torch.float64 if model.dtype == torch.float64 else torch.float32

    def read(name: str) -> Tensor:
        return weights[name].detach().to(device="cpu", dtype=compute)

    with torch.device("meta"):
        grown = Phi(config)
    grown.load_state_dict(
        {
            name: growth.tensor(name, read).to(device=model.device, dtype=model.dtype)
            for name in layouts.shapes(config)
        },
        assign=True,
    )
    return grown.train(model.training)


def grow_moments(
    moments: Mapping[str, Tensor],
    source: PhiConfig,
    config: PhiConfig,
    *,
    method: str = "lossless",
    seed: int = 0,
) -> dict[str, Tensor]:
    """AdamW's state under the map by which `grow` made the weights, with the same arguments.

    `moments` are `NAME.exp_avg`, `NAME.exp_avg_sq` and `NAME.step` for each parameter of the
    smaller model, as in a training checkpoint; so is what comes back. Where a value was multiplied
    by c, its gradient is divided by c, and so the mean by c and the mean square by c^2; the m
    copies of a unit get an m-th of the gradient of what feeds it. What is new starts from zero.
    """
    growth = growth_of(source, config, method, seed)
    grown: dict[str, Tensor] = {}
    # AdamW counts steps for a whole weight. What is new in it thus gets no correction for moments
    # that start at zero: its first step is (1 - beta1) / sqrt(1 - beta2) of a usual one.
    step = moments["lm_head.weight.step"]
    for name in layouts.shapes(config):
        for key, power in (("exp_avg", 1), ("exp_avg_sq", 2)):

            def read(parameter: str, key: str = key) -> Tensor:
                return moments[f"{parameter}.{key}"].to("cpu")

            grown[f"{name}.{key}"] = growth.moment(name, read, power)
        grown[f"{name}.step"] = step.clone()
    return grown
