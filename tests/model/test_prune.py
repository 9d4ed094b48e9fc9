"""Pruning: what goes is what did least."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers
from torch import Tensor

from phinery.model import Phi, PhiConfig
from phinery.model.growth import grow, importance, prune

SMALL = PhiConfig(
    vocab_size=40,
    hidden_size=24,
    intermediate_size=36,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=64,
)
LARGE = dataclasses.replace(
    SMALL, hidden_size=48, num_attention_heads=4, intermediate_size=50, num_hidden_layers=4
)


def make_model(config: PhiConfig, seed: int = 0) -> Phi:
    torch.manual_seed(seed)
    model = Phi(config).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.15 * torch.randn_like(weight))
    return model.eval()


def tokens(count: int = 4, seed: int = 1) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(SMALL.vocab_size, (count, 24), generator=chance)


def logits(model: Phi) -> Tensor:
    with torch.no_grad():
        return model(tokens(seed=2))


def test_nothing_pruned_is_nothing_changed():
    model = make_model(SMALL)
    assert torch.equal(logits(prune(model, SMALL, tokens())), logits(model))


def test_importance_is_what_the_blocks_compute():
    """Against the same figures from what transformers' model computes."""
    model = make_model(SMALL)
    ids = tokens(count=1)
    found = importance(model, ids)
    values = {key: value for key, value in SMALL.to_dict().items() if key != "architectures"}
    other = transformers.PhiForCausalLM(
        transformers.PhiConfig(**values, attn_implementation="eager")
    ).double()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        told = other.eval()(ids, output_hidden_states=True, output_attentions=True)
        # The residual stream before the first block and the second; then after the last LayerNorm.
        first, second, last = (hidden[0] for hidden in told.hidden_states)
        blocks = other.model.layers
        normed = [blocks[0].input_layernorm(first), blocks[1].input_layernorm(second)]
        units = torch.nn.functional.gelu(blocks[0].mlp.fc1(normed[0]), approximate="tanh")
        values_of_heads = blocks[0].self_attn.v_proj(normed[0]).view(24, 2, 12).transpose(0, 1)
        mixed = told.attentions[0][0] @ values_of_heads
    cosine = (first * second).sum(-1) / (first.norm(dim=-1) * second.norm(dim=-1))
    assert torch.allclose(found.layers[0], (1 - cosine).mean())
    assert torch.allclose(found.width, torch.stack([*normed, last]).abs().mean((0, 1)))
    assert torch.allclose(found.heads[0], mixed.norm(dim=-1).mean(1))
    assert torch.allclose(found.units[0], units.abs().mean(0))
    assert not any(module._forward_hooks for module in model.modules())


def test_silent_layers_heads_and_units_go_without_a_trace():
    model = make_model(LARGE)
    with torch.no_grad():
        for layer in (1, 2):
            for module in (
                model.model.layers[layer].self_attn.dense,
                model.model.layers[layer].mlp.fc2,
            ):
                module.weight.zero_()
                module.bias.zero_()
        for layer in (0, 3):
            block = model.model.layers[layer]
            block.self_attn.v_proj.weight[12:24] = 0
            block.self_attn.v_proj.bias[12:24] = 0
            block.mlp.fc1.weight[:14] = 0
            block.mlp.fc1.bias[:14] = 0
    deep = dataclasses.replace(LARGE, num_hidden_layers=2)
    assert torch.allclose(logits(prune(model, deep, tokens())), logits(model))
    thin = dataclasses.replace(LARGE, intermediate_size=36, num_hidden_layers=2)
    assert torch.allclose(logits(prune(model, thin, tokens())), logits(model))
    random = prune(model, thin, tokens(), method="random")
    assert not torch.allclose(logits(random), logits(model), atol=1e-2)


def test_width_goes_with_the_heads():
    model = make_model(LARGE)
    with torch.no_grad():
        silent = torch.arange(0, 48, 2)
        for block in model.model.layers:
            block.input_layernorm.weight[silent] = 0
            block.input_layernorm.bias[silent] = 0
    pruned = prune(model, dataclasses.replace(SMALL, num_hidden_layers=4), tokens())
    kept = torch.arange(1, 48, 2)
    assert torch.equal(pruned.model.embed_tokens.weight, model.model.embed_tokens.weight[:, kept])


def test_what_lossless_added_to_a_model_is_what_pruning_takes_away_first():
    model = make_model(SMALL)
    deeper = dataclasses.replace(SMALL, num_hidden_layers=5)
    grown = grow(model, deeper)
    back = prune(grown, SMALL, tokens())
    assert torch.allclose(logits(back), logits(model), atol=1e-9)


def test_activations_do_less_harm_than_chance():
    model = make_model(LARGE, seed=3)
    with torch.no_grad():
        for block in model.model.layers:
            block.mlp.fc1.weight.mul_(torch.linspace(0.01, 2, 50)[torch.randperm(50), None])
            block.mlp.fc2.weight.mul_(3)
    target = dataclasses.replace(LARGE, intermediate_size=25)
    wanted = logits(model)
    errors = {
        (method, seed): (logits(prune(model, target, tokens(), method=method, seed=seed)) - wanted)
        .square()
        .mean()
        .item()
        for method, seed in (("activations", 0), ("random", 0), ("random", 1), ("random", 2))
    }
    best = errors.pop(("activations", 0))
    assert best < 0.8 * min(errors.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_hidden_layers": 3}, "num_hidden_layers would grow from 2 to 3"),
        ({"intermediate_size": 50}, "intermediate_size would grow"),
        ({"hidden_size": 16}, "head_dim is 12 and would become 8"),
        ({"rope_theta": 7.0}, "rope_theta"),
    ],
)
def test_what_cannot_be_pruned_is_refused(fields: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        prune(make_model(SMALL), dataclasses.replace(SMALL, **fields), tokens())


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="activations, random"):
        prune(make_model(SMALL), SMALL, tokens(), method="magic")
