from __future__ import annotations

import contextlib

import pytest
import torch

from phinery.train.optimizer import clipped_step, make_optimizer, set_learning_rate
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


@pytest.mark.parametrize(
    ("max_norm", "clipped"), [(0.05, [True] * 5), (1.0, [False, True] * 2 + [False]), (1e6, [])]
)
def test_a_clipped_step_is_torchs_clipping_and_a_step(max_norm: float, clipped: list[bool]) -> None:
    ours, plain = (make_model(vocab_size=50).train() for _ in range(2))
    optimizer = make_optimizer(ours, learning_rate=1e-2, weight_decay=0.1)
    reference = make_optimizer(plain, learning_rate=1e-2, weight_decay=0.1)
    generator = torch.Generator().manual_seed(3)
    seen: list[bool] = []
    for step in range(5):
        # Gradients that are the same to the bit, with a norm of 0.5 and 2 by turns.
        gradients = [torch.randn(w.shape, generator=generator) for w in ours.parameters()]
        size = (0.5, 2.0)[step % 2] / float(torch.nn.utils.get_total_norm(gradients))
        for weight, other, gradient in zip(
            ours.parameters(), plain.parameters(), gradients, strict=True
        ):
            weight.grad, other.grad = gradient * size, gradient * size
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), max_norm)
        reference.step()
        clipped_step(optimizer, norm, max_norm)
        seen.append(norm.item() > max_norm)
        for weight, other in zip(ours.parameters(), plain.parameters(), strict=True):
            close = {"rtol": 1e-6, "atol": 1e-7}
            torch.testing.assert_close(weight, other, **close)
            for key, wanted in reference.state[other].items():
                torch.testing.assert_close(optimizer.state[weight][key], wanted, **close)
    assert seen == (clipped or [False] * 5)


def test_clipping_leaves_nothing_on_the_optimiser() -> None:
    def state_after(*, clip: bool, fails: bool = False) -> tuple[set[str], set[str]]:
        layer = torch.nn.Linear(3, 2)
        optimizer = make_optimizer(layer, learning_rate=1e-2, weight_decay=0.1)
        before = set(vars(optimizer))
        for weight in layer.parameters():
            weight.grad = torch.ones_like(weight)

        def fail(*arguments: object) -> None:
            raise OSError("disk full")

        if fails:
            optimizer.register_step_pre_hook(fail)
        with pytest.raises(OSError) if fails else contextlib.nullcontext():
            clipped_step(optimizer, torch.tensor(2.8), 1.0 if clip else 10.0)
        keys = {key for state in optimizer.state.values() for key in state}
        return set(vars(optimizer)) - before, keys

    assert state_after(clip=True) == state_after(clip=False)
    assert state_after(clip=True)[0] == set()
    assert state_after(clip=True, fails=True)[0] == set()


def test_a_gradient_within_the_norm_is_not_scaled() -> None:
    scales: list[object] = []
    layer = torch.nn.Linear(3, 2)
    optimizer = make_optimizer(layer, learning_rate=1e-2, weight_decay=0.1)
    optimizer.register_step_pre_hook(
        lambda *_: scales.append(getattr(optimizer, "grad_scale", None))
    )
    for norm in (0.5, 0.999, 3.0):
        clipped_step(optimizer, torch.tensor(norm), 1.0)
    assert scales[:2] == [None, None]
    assert isinstance(scales[2], torch.Tensor)
    assert scales[2].item() == pytest.approx(3.0)
