from __future__ import annotations

import torch

from phinery.train.optimizer import make_optimizer, set_learning_rate
from training_help import make_model


def test_only_matrices_decay_and_every_weight_is_there_once() -> None:
    model = make_model()
    optimizer = make_optimizer(model, learning_rate=1e-3, weight_decay=0.3)
    decaying, plain = optimizer.param_groups
    assert (decaying["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    assert {id(w) for w in decaying["params"]} == {id(w) for w in model.parameters() if w.dim() > 1}
    assert len(decaying["params"]) + len(plain["params"]) == len(list(model.parameters()))


def test_frozen_weights_are_left_out() -> None:
    model = make_model()
    model.lm_head.weight.requires_grad_(False)
    optimizer = make_optimizer(model, learning_rate=1e-3, weight_decay=0.3)
    assert all(w is not model.lm_head.weight for g in optimizer.param_groups for w in g["params"])


def test_a_step_follows_the_formula() -> None:
    weight = torch.nn.Linear(3, 2, bias=False)
    before = weight.weight.detach().double()
    optimizer = make_optimizer(weight, learning_rate=9.0, weight_decay=0.5)
    set_learning_rate(optimizer, 0.1)
    gradient = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    weight.weight.grad = gradient.clone()
    optimizer.step()
    # After one step both bias-corrected moments are the gradient and its square.
    moved = gradient.double() / (gradient.double().abs() + 1e-7)
    expected = before * (1 - 0.1 * 0.5) - 0.1 * moved
    torch.testing.assert_close(weight.weight.detach().double(), expected, rtol=0, atol=1e-6)
