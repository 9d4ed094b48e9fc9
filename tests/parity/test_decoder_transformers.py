"""The decoder against transformers' PhiForCausalLM, and both against float64."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import transformers

from phinery.model import Phi, PhiConfig, preset


def random_peer(config: PhiConfig, seed: int, attention: str = "eager") -> Any:
    """A Phi of transformers with weights N(0, 0.02) and biases N(0, 0.1)."""
    values = config.to_dict()
    for key in ("architectures", "model_type"):
        values.pop(key)
    peer = transformers.PhiForCausalLM(
        transformers.PhiConfig(**values, attn_implementation=attention)
    )
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in peer.named_parameters():
        deviation = 0.1 if name.endswith("bias") else 0.02
        torch.nn.init.normal_(parameter, std=deviation, generator=generator)
    return peer.eval()


def same_weights(config: PhiConfig, peer: Any) -> Phi:
    model = Phi(config)
    model.load_state_dict(peer.state_dict(), strict=True)
    return model.eval()


SHAPES = [
    # hidden, heads, rotary share, layers, vocabulary, MLP, batch, seq
    (160, 2, 0.4, 3, 300, None, 2, 33),  # head size 80, 32 rotary dimensions: phi-2's
    (320, 4, 0.4, 2, 512, None, 1, 128),
    (128, 2, 0.5, 4, 512, None, 3, 17),
    (64, 1, 0.5, 1, 97, None, 1, 1),
    (96, 3, 0.25, 2, 130, 200, 2, 64),
    (96, 3, 1.0, 2, 131, 384, 2, 31),
    (48, 4, 0.5, 5, 64, None, 4, 9),
    (256, 4, 0.5, 2, 1000, None, 1, 300),
    (32, 8, 0.5, 3, 50, 64, 5, 12),
    (72, 6, 0.34, 2, 77, 100, 2, 40),
    (512, 8, 0.5, 1, 2048, None, 1, 50),
    (80, 1, 0.4, 6, 256, None, 2, 257),
    (200, 5, 0.8, 2, 333, 512, 3, 21),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logits_are_transformers_logits_and_as_exact(shape: tuple[Any, ...]) -> None:
    width, heads, rotary, layers, vocab, mlp, batch, seq = shape
    config = PhiConfig(
        vocab_size=vocab,
        hidden_size=width,
        num_attention_heads=heads,
        partial_rotary_factor=rotary,
        num_hidden_layers=layers,
        intermediate_size=mlp,
    )
    peer = random_peer(config, seed=sum(map(hash, shape[:2])))
    model = same_weights(config, peer)
    generator = torch.Generator().manual_seed(seq)
    ids = torch.randint(0, vocab, (batch, seq), generator=generator)
    with torch.no_grad():
        ours, theirs = model(ids), peer(ids).logits
        exact_ours = copy.deepcopy(model).double()(ids)
        exact = copy.deepcopy(peer).double()(ids).logits
    scale = theirs.pow(2).mean().sqrt()
    assert scale > 0.05
    assert (ours - theirs).abs().max() <= 1e-5 * scale
    assert (exact_ours - exact).abs().max() <= 1e-6 * scale
    # Two roundings of few values differ by chance: the bound is on the rms over all logits.
    our_error = (ours - exact).pow(2).mean().sqrt()
    their_error = (theirs - exact).pow(2).mean().sqrt()
    assert our_error <= 1.5 * their_error


def test_padding_on_either_side_leaves_the_words_logits() -> None:
    config = PhiConfig(
        vocab_size=300,
        hidden_size=160,
        num_attention_heads=2,
        partial_rotary_factor=0.4,
        num_hidden_layers=3,
    )
    peer = random_peer(config, seed=5)
    model = same_weights(config, peer)
    ids = torch.randint(0, 300, (2, 20), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 20, dtype=torch.int64)
    mask[0, :6] = 0
    mask[1, 15:] = 0
    with torch.no_grad():
        padded, theirs = model(ids, mask), peer(ids, attention_mask=mask).logits
        alone = model(ids[:1, 6:])
    scale = theirs.pow(2).mean().sqrt()
    words = mask.bool()
    assert torch.isfinite(padded).all()
    assert (padded[words] - theirs[words]).abs().max() <= 2e-5 * scale
    assert (padded[0, 6:] - alone[0]).abs().max() <= 1e-5 * scale


def test_bfloat16_and_float16_are_as_exact_as_transformers() -> None:
    config = preset("nano", vocab_size=512)
    peer = random_peer(config, seed=9, attention="sdpa")
    model = same_weights(config, peer)
    ids = torch.randint(0, 512, (2, 64), generator=torch.Generator().manual_seed(1))
    for dtype in (torch.bfloat16, torch.float16):
        with torch.no_grad():
            exact = copy.deepcopy(peer).double()(ids).logits
            ours = copy.deepcopy(model).to(dtype)(ids).double()
            theirs = copy.deepcopy(peer).to(dtype)(ids).logits.double()
        our_error, their_error = (ours - exact).std(), (theirs - exact).std()
        assert 0 < our_error <= 1.5 * their_error


def test_float16_scores_beyond_its_range_stay_finite() -> None:
    config = preset("nano", vocab_size=64, num_hidden_layers=1)
    model = Phi(config).eval()
    attention = model.model.layers[0].self_attn
    with torch.no_grad():
        attention.q_proj.bias.fill_(150.0)
        attention.k_proj.bias.fill_(150.0)  # 64 x 150 x 150 / 8 is far beyond 65,504
        logits = model.half()(torch.arange(10)[None])
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("name", "count"), [("phi-2", 2_779_683_840), ("phi-1.5", 1_418_270_720)])
def test_presets_have_the_published_parameters_and_names(name: str, count: int) -> None:
    config = preset(name)
    with torch.device("meta"):
        model = Phi(config)
        peer = transformers.PhiForCausalLM(
            transformers.PhiConfig(
                **{
                    key: value
                    for key, value in config.to_dict().items()
                    if key not in ("architectures", "model_type")
                }
            )
        )
    assert model.num_parameters() == count == config.num_parameters()
    ours = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in peer.state_dict().items()}
    assert ours == theirs
    if name == "phi-2":
        assert len(ours) == 453
        assert config.head_dim == 80
        assert config.rotary_dim == 32
