from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from phinery.model import KVCache, Phi, native, preset, training_block
from phinery.model.kernels import PLAIN_KERNELS
from phinery.model.loss import linear_cross_entropy


def small_phi(seed: int = 0, **overrides: object) -> Phi:
    torch.manual_seed(seed)
    model = Phi(preset("nano", **{"vocab_size": 211, "num_hidden_layers": 2, **overrides}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
    return model


def random_ids(batch: int, seq: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 211, (batch, seq), generator=torch.Generator().manual_seed(seed))


FORMS = ("plain", "default", "compiled")


def use_form(model: Phi, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain torch, what a model does by itself (C++ kernels where they were built), or compiled."""
    if form == "plain":
        monkeypatch.setattr(native, "is_available", lambda: False)
        model.model.use_kernels(PLAIN_KERNELS)
    elif form == "compiled":
        model.compile_kernels()


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    actual, expected = actual.detach(), expected.detach()
    return float((actual - expected).norm() / expected.norm().clamp_min(1e-12))


def gradients(model: Phi, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def plain_loss(
    model: Phi, ids: torch.Tensor, labels: torch.Tensor, **extra: object
) -> torch.Tensor:
    """Forward through the unfused blocks, all logits, torch's own cross-entropy."""
    model.eval()
    loss = functional.cross_entropy(model(ids, **extra).flatten(0, 1), labels.flatten())
    model.train()
    return loss


def test_causality() -> None:
    model = small_phi().eval()
    ids = random_ids(2, 20)
    changed = ids.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % 211
    with torch.no_grad():
        before, after = model(ids), model(changed)
    assert torch.equal(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12:], after[:, 12:])


@pytest.mark.parametrize("pieces", [(1,) * 17, (5, 12), (16, 1), (3, 1, 9, 4)])
def test_cache_gives_the_logits_of_one_pass(pieces: tuple[int, ...]) -> None:
    model = small_phi().eval()
    ids = random_ids(3, 17)
    cache = KVCache(model.config, 3, 17)
    with torch.no_grad():
        whole = model(ids)
        parts, start = [], 0
        for piece in pieces:
            parts.append(model(ids[:, start : start + piece], cache=cache))
            start += piece
    assert cache.length == 17
    assert relative_error(torch.cat(parts, 1), whole) < 1e-6


def test_cache_with_left_padding() -> None:
    model = small_phi().eval()
    ids = random_ids(1, 12)
    padded = torch.cat((torch.zeros(1, 5, dtype=torch.int64), ids), 1)
    mask = torch.ones(1, 17, dtype=torch.int64)
    mask[:, :5] = 0
    cache = KVCache(model.config, 1, 17)
    with torch.no_grad():
        expected = model(ids)
        first = model(padded[:, :11], mask[:, :11], cache=cache)
        steps = [
            model(padded[:, at : at + 1], mask[:, : at + 1], cache=cache) for at in range(11, 17)
        ]
    actual = torch.cat((first[:, 5:], *steps), 1)
    assert relative_error(actual, expected) < 1e-5


def test_full_cache_and_wrong_shapes_are_refused() -> None:
    model = small_phi().eval()
    cache = KVCache(model.config, 1, 4)
    with pytest.raises(ValueError, match="holds 4 positions"):
        model(random_ids(1, 5), cache=cache)
    with pytest.raises(ValueError, match="attention_mask must be"):
        model(random_ids(2, 5), torch.ones(2, 4))
    with pytest.raises(ValueError, match="position_ids must have seq"):
        model(random_ids(2, 5), position_ids=torch.arange(4)[None])
    with pytest.raises(ValueError, match=r"must be \(batch, seq\)"):
        model(torch.arange(5))
    with pytest.raises(ValueError, match="labels have shape"):
        model.loss(random_ids(2, 5), random_ids(2, 4))


@pytest.mark.parametrize("training", [False, True])
def test_packed_documents_do_not_see_each_other(training: bool) -> None:
    model = small_phi().train(training)
    first, second = random_ids(1, 7, 1), random_ids(1, 9, 2)
    packed = torch.cat((first, second), 1)
    documents = torch.tensor([[0] * 7 + [1] * 9])
    together = model(packed, document_ids=documents)
    apart = torch.cat((model(first), model(second)), 1)
    assert relative_error(together, apart) < 1e-5
    assert relative_error(model(packed), apart) > 1e-3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [(2, 30), (3, 400)])
def test_training_pass_has_the_gradients_of_the_plain_form(
    rows: tuple[int, int], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_phi().double()
    use_form(model, form, monkeypatch)
    ids, labels = random_ids(*rows), random_ids(*rows, seed=1)
    labels[0, : rows[1] // 2] = -100
    expected = plain_loss(model, ids, labels)
    actual = model.train().loss(ids, labels)
    assert abs(actual.item() - expected.item()) < 1e-12
    reference = gradients(model, expected)
    for name, gradient in gradients(model, actual).items():
        assert (gradient - reference[name]).abs().max() < 1e-12, name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("padded", [False, True])
def test_training_pass_in_float32_and_with_documents(
    form: str, padded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_phi()
    use_form(model, form, monkeypatch)
    ids, labels = random_ids(2, 40), random_ids(2, 40, seed=1)
    documents = (torch.arange(40)[None] // 13).expand(2, 40)
    extra = {"document_ids": documents}
    if padded:
        extra["attention_mask"] = (torch.arange(40)[None] >= torch.tensor([[0], [5]])).long()
    expected = plain_loss(model, ids, labels, **extra)
    actual = model.train().loss(ids, labels, **extra)
    assert abs(actual.item() - expected.item()) < 1e-6
    reference = gradients(model, expected)
    for name, gradient in gradients(model, actual).items():
        if "k_proj.bias" in name:  # its true gradient is zero: softmax ignores a common shift
            continue
        assert relative_error(gradient, reference[name]) < 1e-5, name


@pytest.mark.parametrize("products", ["bfloat16", "float32"])
@pytest.mark.parametrize("form", FORMS)
def test_autocast_is_at_least_as_exact_as_torchs(
    form: str, products: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both kinds of processor, whichever this is.
    is_short = products == "bfloat16"
    monkeypatch.setattr(training_block, "multiplies_bfloat16", lambda device: is_short)
    model = small_phi()
    use_form(model, form, monkeypatch)
    ids, labels = random_ids(4, 64), random_ids(4, 64, seed=1)
    exact = gradients(model, plain_loss(model, ids, labels))
    with torch.autocast("cpu", torch.bfloat16):
        theirs = plain_loss(model, ids, labels)
        ours = model.train().loss(ids, labels)
    assert ours.dtype == torch.float32
    our_gradients, their_gradients = gradients(model, ours), gradients(model, theirs)
    ours_worse = [
        name
        for name in exact
        if relative_error(our_gradients[name], exact[name])
        > 1.5 * relative_error(their_gradients[name], exact[name])
    ]
    assert not ours_worse
    # It is still reduced precision, not float32 by another name.
    assert relative_error(our_gradients["lm_head.weight"], exact["lm_head.weight"]) > 1e-5


def test_frozen_or_hooked_blocks_train_through_the_plain_pass() -> None:
    model = small_phi().train()
    ids = random_ids(2, 10)
    seen: list[torch.Tensor] = []
    block = model.model.layers[0]
    handle = block.mlp.register_forward_hook(lambda *call: seen.append(call[-1]))
    model.loss(ids, ids).backward()
    assert len(seen) == 1
    handle.remove()
    model.zero_grad()
    block.mlp.fc1.weight.requires_grad_(False)
    assert not block.is_plain_training()
    model.loss(ids, ids).backward()
    assert block.mlp.fc1.weight.grad is None
    assert block.mlp.fc2.weight.grad is not None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("rows", [1, 511, 512, 513, 1500])
def test_chunked_cross_entropy_is_the_plain_one(rows: int, reduction: str) -> None:
    generator = torch.Generator().manual_seed(rows)
    hidden = torch.randn(rows, 16, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(67, 16, dtype=torch.float64, generator=generator, requires_grad=True)
    bias = torch.randn(67, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.randint(0, 67, (rows,), generator=generator)
    labels[1::3] = -100
    ours = linear_cross_entropy(hidden, weight, bias, labels, reduction=reduction)
    plain = functional.cross_entropy(hidden @ weight.T + bias, labels, reduction=reduction)
    assert abs(ours.item() - plain.item()) < 1e-11 * max(1.0, abs(plain.item()))
    for one, other in zip(
        torch.autograd.grad(3 * ours, (hidden, weight, bias)),
        torch.autograd.grad(3 * plain, (hidden, weight, bias)),
        strict=True,
    ):
        assert (one - other).abs().max() < 1e-11


def test_cross_entropy_of_nothing_and_of_huge_logits() -> None:
    hidden = torch.full((4, 8), 1e4, requires_grad=True)
    weight = torch.eye(8)
    bias = torch.zeros(8)
    nothing = linear_cross_entropy(hidden, weight, bias, torch.full((4,), -100))
    assert nothing.item() == 0.0
    (gradient,) = torch.autograd.grad(nothing, hidden)
    assert not gradient.any()
    huge = linear_cross_entropy(hidden, weight, bias, torch.zeros(4, dtype=torch.int64))
    assert abs(huge.item() - torch.tensor(8.0).log().item()) < 1e-4
    with pytest.raises(ValueError, match="reduction"):
        linear_cross_entropy(hidden, weight, bias, torch.zeros(4).long(), reduction="none")


def test_loss_never_holds_all_logits() -> None:
    model = small_phi(vocab_size=4096)
    shapes: list[tuple[int, ...]] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                shapes.append(tuple(result.shape))
            return result

    ids = random_ids(4, 256)
    with Watch():
        model.train().loss(ids, ids).backward()
    widest = max(shape[0] for shape in shapes if len(shape) == 2 and shape[1] == 4096)
    assert widest == 512 < ids.numel()


def test_dropout_only_in_training() -> None:
    model = small_phi(resid_pdrop=0.3, embd_pdrop=0.1, attention_dropout=0.1)
    ids = random_ids(2, 16)
    model.eval()
    assert torch.equal(model(ids), model(ids))
    model.train()
    assert not torch.allclose(model(ids), model(ids))
    model.loss(ids, ids).backward()


def test_accounting() -> None:
    model = small_phi()
    config = model.config
    assert model.num_parameters() == config.num_parameters()
    assert model.kv_bytes_per_token(torch.bfloat16) == 2 * 2 * 128 * 2
    weights = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if name.endswith("weight") and "norm" not in name and "embed" not in name
    )
    assert model.flops_per_token(100) == 6 * weights + 12 * 2 * 128 * 100
