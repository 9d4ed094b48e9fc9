"""The C++ kernels against float64 and against torch, in every build that this processor runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from phinery.model import kernels, native

ROOT = Path(__file__).resolve().parents[2]
DTYPES = (torch.float32, torch.bfloat16)

pytestmark = pytest.mark.skipif(
    not native.is_available(), reason="the package was built without a C++ compiler"
)


@pytest.fixture(params=native._targets(), autouse=True)
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test with each build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_targets", lambda: [request.param])
        native._library.cache_clear()
        if native._library() is None:
            pytest.skip(f"the package was built without {request.param}")
        yield request.param
    native._library.cache_clear()


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual.double() - expected).norm() / expected.norm().clamp_min(1e-30))


def rotated(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = cos.shape[-1]
    first, second, rest = heads.split((half, half, heads.shape[-1] - 2 * half), dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin, rest), dim=-1)


def reference_attention(
    heads: tuple[torch.Tensor, ...],
    cos: torch.Tensor,
    sin: torch.Tensor,
    documents: torch.Tensor | None,
    grad: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    """Result and gradients in float64, by torch."""
    seq = grad.shape[1]
    inputs = tuple(one.double().requires_grad_() for one in heads)
    query, key, value = inputs
    query, key = (rotated(one, cos.double(), sin.double()) for one in (query, key))
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()[None, None]
    if documents is not None:
        mask = mask & (documents[:, None, :, None] == documents[:, None, None, :])
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask
    ).transpose(1, 2)
    return mixed.detach(), *torch.autograd.grad(mixed, inputs, grad.double())


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    seq=st.sampled_from([1, 2, 15, 16, 17, 47, 48, 49, 96, 131]),
    heads=st.integers(1, 3),
    width=st.sampled_from([2, 8, 24, 64, 80, 96]),
    rotary=st.floats(0, 1),
    batched_angles=st.booleans(),
    documents=st.sampled_from(["one", "packed", "scattered"]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_attention(
    batch: int,
    seq: int,
    heads: int,
    width: int,
    rotary: float,
    batched_angles: bool,
    documents: str,
    dtype: torch.dtype,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    *qkv, grad = (normal(batch, seq, heads, width).to(dtype) for _ in range(4))
    angles = 3 * normal(batch if batched_angles else 1, seq, 1, int(rotary * width / 2))
    cos, sin = angles.cos(), angles.sin()
    ids = torch.randint(0, 3, (batch, seq), generator=generator) * 2**40
    if documents == "packed":
        ids = ids.sort().values
    given_ids = None if documents == "one" else ids
    expected = reference_attention(tuple(qkv), cos, sin, given_ids, grad)
    actual = (
        native.attention_forward(*qkv, cos, sin, given_ids),
        *native.attention_backward(*qkv, cos, sin, given_ids, grad),
    )
    # One rounding of the result errs by 2e-3 at most. Where products are of bfloat16 pairs, the
    # weights, their gradient, and rotated queries and keys are rounded as well.
    rounded = 8e-3 if str(native.build()).endswith("bf16") else 4e-3
    limit = 3e-6 if dtype == torch.float32 else rounded
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == dtype
        # Gradients that are zero in truth (a first word sees only itself) are so up to rounding.
        assert (one.double() - other).norm() <= limit * (other.norm() + 0.1 * grad.norm().double())


def test_attention_does_not_depend_on_threads() -> None:
    *qkv, grad = (torch.randn(2, 100, 3, 64) for _ in range(4))
    angles = torch.randn(1, 100, 1, 16)
    arguments = (*qkv, angles.cos(), angles.sin(), None)
    threads = torch.get_num_threads()
    results: list[tuple[torch.Tensor, ...]] = []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            mixed = native.attention_forward(*arguments)
            results.append((mixed, *native.attention_backward(*arguments, grad)))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert torch.equal(one, two)


def test_attention_passes_on_what_is_not_finite() -> None:
    query, key, value = (torch.randn(1, 60, 1, 16) for _ in range(3))
    none = torch.ones(1, 60, 1, 0)
    key[0, 30] = torch.nan
    mixed = native.attention_forward(query, key, value, none, none, None)
    assert mixed[0, :30].isfinite().all()
    assert mixed[0, 30:].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 15, 16, 17, 4096, 10_007])
def test_gelu(dtype: torch.dtype, count: int) -> None:
    pre = (4 * torch.randn(count, generator=torch.Generator().manual_seed(count))).to(dtype)
    grad = torch.randn(count, generator=torch.Generator().manual_seed(1)).to(dtype)
    exact = pre.double().requires_grad_()
    value = functional.gelu(exact, approximate="tanh")
    (expected,) = torch.autograd.grad(value, exact, grad.double())
    # Rounding to the nearest bfloat16 errs by 1.1e-3 in the mean, cutting off by 2.2e-3.
    limit = 1e-6 if dtype == torch.float32 else 2e-3
    assert relative_error(native.gelu(pre), value.detach()) < limit
    turned, again = native.gelu_backward(grad.clone(), pre)
    assert torch.equal(again, native.gelu(pre))
    assert relative_error(turned, expected) < limit


def test_gelu_at_the_ends() -> None:
    value = native.gelu(torch.tensor([-1e30, -50.0, -10.0, 0.0, 50.0, 1e30, torch.inf, torch.nan]))
    assert (value[:4].abs() < 1e-20).all()
    assert torch.equal(value[4:7], torch.tensor([50.0, 1e30, torch.inf]))
    assert value[7].isnan()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vocab", [2, 16, 67, 4096])
def test_softmax_gradient_is_the_plain_one(dtype: torch.dtype, vocab: int) -> None:
    generator = torch.Generator().manual_seed(vocab)
    logits = (5 * torch.randn(9, vocab, generator=generator)).to(dtype)
    bias = torch.randn(vocab, generator=generator)
    targets = torch.randint(0, vocab, (9, 1), generator=generator)
    scale = torch.rand(9, 1, generator=generator)
    exact = (logits.double() + bias).requires_grad_()
    nll = functional.cross_entropy(exact, targets[:, 0], reduction="none")
    (expected,) = torch.autograd.grad((nll * scale[:, 0]).sum(), exact)
    actual_nll, gradient = native.softmax_gradient(logits, bias, targets, scale)
    assert gradient.data_ptr() == logits.data_ptr()
    assert relative_error(actual_nll[:, 0], nll.detach()) < 1e-6
    assert relative_error(gradient, expected) < (2e-6 if dtype == torch.float32 else 2e-3)


def test_softmax_gradient_shows_what_is_not_finite() -> None:
    logits = torch.zeros(3, 40)
    logits[1, 7] = torch.nan
    logits[2, 7] = torch.inf
    targets, scale = torch.zeros(3, 1, dtype=torch.int64), torch.ones(3, 1)
    nll, _ = native.softmax_gradient(logits, torch.zeros(40), targets, scale)
    assert nll[0].isfinite()
    assert not nll[1:].isfinite().any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_add_branches(dtype: torch.dtype) -> None:
    hidden = torch.randn(5, 33)
    attention, mlp = (torch.randn(5, 33).to(dtype) for _ in range(2))
    expected = hidden.double() + attention.double() + mlp.double()
    assert relative_error(native.add_branches(hidden, attention, mlp), expected) < 1e-7


def test_what_the_kernels_cannot_take_goes_to_torch() -> None:
    double = torch.randn(4, 5, dtype=torch.float64)
    assert not native.takes(double)
    assert not native.takes(torch.randn(4, 5).T)
    assert not native.takes(torch.randn(4), torch.randn(4).bfloat16())
    assert not native.takes(torch.empty(4, device="meta"))
    assert torch.equal(kernels.NATIVE_KERNELS.gelu(double), kernels.gelu(double))
