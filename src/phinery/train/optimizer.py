"""The optimiser: AdamW with decoupled weight decay on matrices only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def make_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-7,
) -> torch.optim.AdamW:
    """Fused AdamW (arXiv 1711.05101) over all weights of `model` that require a gradient.

    Weights of two and more dimensions decay; biases and normalisation gains do not. The default
    `betas` and `eps` are those of phi-1.5 (arXiv 2309.05463).
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in weights if w.dim() >= 2], "weight_decay": weight_decay},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, eps=eps, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Take the next step with this rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def clipped_step(optimizer: torch.optim.AdamW, grad_norm: Tensor, max_norm: float) -> None:
    """Take a step with gradients scaled down to `max_norm`, if `grad_norm`, theirs, is larger.

    The same as `torch.nn.utils.clip_grad_norm_` and a step, but for rounding. Fused AdamW reads all
    gradients anyway and divides them by `grad_scale`, its interface to `torch.amp.GradScaler`, so
    clipping needs no pass of its own. `grad_norm` is finite, float32, of shape ().
    """
    scale = ((grad_norm + 1e-6) / max_norm).clamp(min=1.0)
    if scale.item() == 1.0:
        optimizer.step()
        return
    scaled: Any = optimizer
    scaled.grad_scale = scale
    try:
        optimizer.step()
    finally:
        del scaled.grad_scale
