"""Growth: the same logits in a larger model, gradients everywhere, and the published ways."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from phinery.files import read_manifest, sha256_file
from phinery.model import CheckpointError, Phi, PhiConfig, load_model, preset, save
from phinery.model.attention import Visibility
from phinery.model.decoder import PhiBlock, rotary_angles
from phinery.model.growth import (
    METHODS,
    check_growth,
    grow,
    grow_folder,
    grow_moments,
    prune_folder,
    target_config,
)
from phinery.model.growth.grow import growth_of
from phinery.model.growth.names import gopher_layers, spread_layers, stacked_layers
from phinery.model.layouts import shapes
from phinery.text import Tokenizer

SMALL = PhiConfig(
    vocab_size=40,
    hidden_size=24,
    intermediate_size=36,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=64,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_model(config: PhiConfig, seed: int = 0, dtype: torch.dtype = torch.float64) -> Phi:
    """Every weight, gain and bias away from where it starts, so that nothing holds by chance."""
    torch.manual_seed(seed)
    model = Phi(config).to(dtype)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.15 * torch.randn_like(weight))
        # A mean that a LayerNorm takes away again, and that growth must not trip over.
        model.model.embed_tokens.weight.add_(0.3)
    return model.eval()


def tokens(config: PhiConfig, seed: int = 1) -> Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (2, 24), generator=numbers)


def change(**fields: object) -> PhiConfig:
    values = dataclasses.asdict(SMALL)
    return PhiConfig(**{**values, **fields})


def difference(source: Phi, grown: Phi) -> float:
    """Largest difference of the logits of the tokens that both have."""
    ids = tokens(source.config)
    with torch.no_grad():
        wanted, got = source(ids), grown(ids)[..., : source.config.vocab_size]
    # A model whose logits are all alike would be kept by anything.
    assert wanted.std() > 0.1
    return (wanted - got).abs().max().item()


def random_pair(seed: int) -> tuple[PhiConfig, PhiConfig]:
    chance = random.Random(seed)
    heads = chance.randint(1, 4)
    head_dim = 2 * chance.randint(2, 12)
    rotary = 2 * chance.randint(1, head_dim // 2)
    source = PhiConfig(
        vocab_size=chance.randint(20, 60),
        hidden_size=heads * head_dim,
        intermediate_size=chance.randint(5, 90),
        num_hidden_layers=chance.randint(1, 4),
        num_attention_heads=heads,
        partial_rotary_factor=(rotary + 0.01) / head_dim if rotary < head_dim else 1.0,
        max_position_embeddings=64,
    )
    larger_head = head_dim + 2 * chance.randint(0, 6)
    larger_heads = heads + chance.randint(0, 4)
    target = PhiConfig(
        vocab_size=source.vocab_size + chance.randint(0, 9),
        hidden_size=larger_heads * larger_head,
        intermediate_size=source.mlp_size + chance.randint(0, 120),
        num_hidden_layers=source.num_hidden_layers + chance.randint(0, 4),
        num_attention_heads=larger_heads,
        partial_rotary_factor=(rotary + 0.01) / larger_head if rotary < larger_head else 1.0,
        layer_norm_eps=chance.choice((1e-5, 1e-5, 1e-6)),
        max_position_embeddings=64,
    )
    return source, target


@pytest.mark.parametrize("seed", range(20))
def test_lossless_keeps_the_logits_for_random_pairs(seed: int):
    source, target = random_pair(seed)
    model = make_model(source, seed)
    grown = grow(model, target, seed=seed)
    assert grown.config == target
    assert difference(model, grown) <= 1e-9


PARTS = {
    "width, a whole factor": change(hidden_size=48, num_attention_heads=4, intermediate_size=36),
    "more heads": change(hidden_size=36, num_attention_heads=3),
    "wider heads": change(hidden_size=40, partial_rotary_factor=0.3),
    "more rotary dimensions": change(hidden_size=48),
    "mlp": change(intermediate_size=91),
    "depth": change(num_hidden_layers=5),
    "vocabulary": change(vocab_size=64),
    "epsilon": change(layer_norm_eps=1e-3),
    "everything": change(
        vocab_size=64,
        hidden_size=60,
        intermediate_size=100,
        num_attention_heads=3,
        num_hidden_layers=5,
        partial_rotary_factor=0.3,
    ),
}


@pytest.mark.parametrize("target", PARTS.values(), ids=PARTS)
def test_lossless_keeps_the_logits_for_each_part(target: PhiConfig):
    model = make_model(SMALL)
    assert difference(model, grow(model, target)) <= 1e-9


def test_small_variance_shows_that_epsilon_is_kept():
    model = make_model(SMALL)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1e-3)
        for layer in model.model.layers:
            for parameter in (*layer.self_attn.dense.parameters(), *layer.mlp.fc2.parameters()):
                parameter.mul_(1e-3)
    grown = grow(model, PARTS["everything"])
    assert grown.config.layer_norm_eps == 1e-5
    assert difference(model, grown) <= 1e-9


def test_new_tokens_are_next_to_impossible():
    model = make_model(SMALL)
    grown = grow(model, PARTS["vocabulary"])
    with torch.no_grad():
        new = grown(tokens(SMALL)).softmax(-1)[..., SMALL.vocab_size :].sum(-1)
    assert 0 < new.max().item() <= (64 - 40) / 40 * math.exp(-20)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lossless_in_short_types_is_as_exact_as_they_are(dtype: torch.dtype):
    model = make_model(SMALL, dtype=dtype)
    grown = grow(model, PARTS["everything"])
    assert grown.dtype == dtype
    with torch.no_grad():
        wanted = model(tokens(SMALL)).float()
    assert difference(model, grown) <= {torch.float32: 1e-4, torch.bfloat16: 0.1}[dtype] * float(
        wanted.square().mean().sqrt()
    )


def train(model: Phi, steps: int, each: Callable[[], None]) -> None:
    """AdamW on batches that hold every token, as input and as label."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(steps):
        numbers = torch.Generator().manual_seed(step)
        vocabulary = model.config.vocab_size
        ids = torch.stack([torch.randperm(vocabulary, generator=numbers) for _ in range(4)])
        optimizer.zero_grad()
        model.loss(ids[:, :-1], ids[:, 1:]).backward()
        each()
        optimizer.step()


@pytest.mark.parametrize("name", PARTS)
def test_gradients_reach_every_parameter_within_three_steps(name: str):
    grown = grow(make_model(SMALL), PARTS[name])
    reached = {key: torch.zeros_like(weight) for key, weight in grown.named_parameters()}

    def collect() -> None:
        for key, weight in grown.named_parameters():
            assert weight.grad is not None
            reached[key] += weight.grad.abs()

    train(grown, 3, collect)
    for key, total in reached.items():
        alive = total > 1e-9 * total.max()
        if key.endswith("k_proj.bias"):
            # What is not rotated adds the same to a query's scores of all keys: softmax drops it.
            config = grown.config
            by_head = alive.view(config.num_attention_heads, config.head_dim)
            alive = by_head[:, : config.rotary_dim]
        assert alive.all(), f"{key}: {int((~alive).sum())} of {alive.numel()} get no gradient"


def cosine(left: Tensor, right: Tensor) -> float:
    return torch.cosine_similarity(left.flatten(), right.flatten(), dim=0).item()


def test_copies_of_units_and_heads_go_different_ways():
    target = change(intermediate_size=72, hidden_size=48, num_attention_heads=4)
    model = make_model(SMALL)
    grown = grow(model, target)
    gradients: dict[str, Tensor] = {}

    def collect() -> None:
        for key, weight in grown.named_parameters():
            assert weight.grad is not None
            gradients.setdefault(key, weight.grad.clone())

    layer = grown.model.layers[0]
    old = model.model.layers[0].mlp.fc1.weight
    twins: list[tuple[int, int]] = []
    for unit in range(36, 72):
        match = (layer.mlp.fc1.weight[unit, :24] - old).abs().sum(1) < 1e-12
        twins.append((int(match.nonzero()), unit))
    assert sorted(first for first, _ in twins) == list(range(36))
    train(grown, 1, collect)
    unit_gradients = gradients["model.layers.0.mlp.fc1.weight"][:, :24]
    alike = [cosine(unit_gradients[a], unit_gradients[b]) for a, b in twins]
    # One unit's gradient has the direction of its mean input, up to sign and the words it fires on.
    assert sum(value > 0.9 for value in alike) < len(alike) / 2
    signs = [
        (unit_gradients[a].sign() == unit_gradients[b].sign()).double().mean().item()
        for a, b in twins
    ]
    assert sum(signs) / len(signs) < 0.8
    heads = gradients["model.layers.0.self_attn.v_proj.weight"][:, :24].view(4, 12, 24)
    values = model.model.layers[0].self_attn.v_proj.weight.view(2, 12, 24)
    grown_values = grown.model.layers[0].self_attn.v_proj.weight.view(4, 12, 48)[..., :24]
    for head in (2, 3):
        twin = min((0, 1), key=lambda old: (grown_values[head] - values[old]).abs().sum().item())
        assert abs(cosine(heads[head], heads[twin])) < 0.5


def test_a_new_layer_is_silent_and_wakes():
    grown = grow(make_model(SMALL), PARTS["depth"])
    silent = [
        index
        for index, layer in enumerate(grown.model.layers)
        if not layer.self_attn.dense.weight.any() and not layer.mlp.fc2.weight.any()
    ]
    assert silent == [1, 2, 4]
    train(grown, 1, lambda: None)
    for index in silent:
        assert grown.model.layers[index].self_attn.dense.weight.abs().min() > 0


WRONG = {
    "narrower": (change(hidden_size=16), "hidden_size would shrink from 24 to 16"),
    "fewer layers": (change(num_hidden_layers=1), "num_hidden_layers would shrink"),
    "fewer heads": (change(num_attention_heads=1), "num_attention_heads would shrink"),
    "narrower heads": (
        change(num_attention_heads=4, partial_rotary_factor=0.4),
        "head_dim would shrink from 12 to 6",
    ),
    "smaller MLP": (change(intermediate_size=20), "intermediate_size would shrink"),
    "smaller vocabulary": (change(vocab_size=39), "vocab_size would shrink"),
    "other angles": (change(rope_theta=500.0), "rope_theta"),
    "other rotary dimensions": (change(hidden_size=32), "6 rotary dimensions cannot become 8"),
    "no room beside them": (
        change(hidden_size=28, partial_rotary_factor=0.9),
        "lower partial_rotary_factor",
    ),
}


@pytest.mark.parametrize(("target", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_kept_is_refused_in_one_line(target: PhiConfig, message: str):
    with pytest.raises(ValueError, match=message) as caught:
        grow(make_model(SMALL), target)
    assert "\n" not in str(caught.value)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="lossless, tile, stack, random"):
        grow(make_model(SMALL), SMALL, method="magic")


@pytest.mark.parametrize("method", METHODS)
def test_seed_decides_and_the_source_stays(method: str):
    model = make_model(SMALL)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    one, same, other = (
        grow(model, PARTS["everything"], method=method, seed=seed) for seed in (1, 1, 2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    # The vocabulary grows as well, and new embeddings are random by every method.
    assert not torch.equal(one.model.embed_tokens.weight, other.model.embed_tokens.weight)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert not one.training
    assert all(weight.requires_grad for weight in one.parameters())


# Layers


def test_layers_are_spread_evenly():
    assert [layer.source for layer in spread_layers(4, 6)] == [0, 0, 1, 2, 2, 3]
    assert [layer.adds_nothing for layer in spread_layers(4, 6)] == [0, 1, 0, 0, 1, 0]
    for old, new in ((1, 1), (3, 4), (24, 32), (5, 17)):
        layers = spread_layers(old, new)
        assert [layer.source for layer in layers if not layer.adds_nothing] == list(range(old))
        assert len(layers) == new


def test_gopher_takes_the_closest_layer():
    phi_2 = [layer.source for layer in gopher_layers(24, 32)]
    assert phi_2[:8] == [0, 1, 2, 2, 3, 4, 5, 5]
    assert phi_2[-1] == 23
    for old, new in ((4, 6), (24, 32), (3, 3), (2, 11)):
        wanted = [min(old - 1, math.floor(i * old / new + 0.5)) for i in range(new)]
        assert [layer.source for layer in gopher_layers(old, new)] == wanted


def test_stack_repeats_the_whole():
    assert [layer.source for layer in stacked_layers(3, 8)] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert not any(layer.adds_nothing for layer in stacked_layers(3, 8))


# Stack, tile, random


def test_stack_computes_what_the_stacked_small_model_computes():
    model = make_model(SMALL)
    stacked = Phi(change(num_hidden_layers=5)).double().eval()
    state = model.state_dict()
    for index in range(5):
        for name in list(state):
            if name.startswith(f"model.layers.{index % 2}."):
                rest = name.split(".", 3)[3]
                stacked.get_parameter(f"model.layers.{index}.{rest}").data = state[name]
    for name in state:
        if ".layers." not in name:
            stacked.get_parameter(name).data = state[name]
    grown = grow(model, PARTS["everything"], method="stack")
    assert difference(stacked, grown) <= 1e-9


def wrapped(size: int, new: int) -> list[int]:
    """A row of `size` in the middle of one of `new`, repeated to both sides, written out."""
    left = (new - size) // 2
    row = list(range(size)) * (2 + new // size)
    begin = -left % size
    return row[begin : begin + new]


def test_tile_puts_the_old_in_the_middle_and_wraps_around():
    assert wrapped(3, 7) == [1, 2, 0, 1, 2, 0, 1]
    target = change(
        hidden_size=60, intermediate_size=50, num_attention_heads=3, partial_rotary_factor=0.3
    )
    model = make_model(SMALL)
    grown = grow(model, target, method="tile")
    width = wrapped(24, 60)
    old, new = model.model.layers[1], grown.model.layers[1]
    assert torch.equal(new.input_layernorm.weight, old.input_layernorm.weight[width])
    assert torch.equal(new.mlp.fc1.weight, old.mlp.fc1.weight[wrapped(36, 50)][:, width])
    assert torch.equal(new.mlp.fc2.weight, old.mlp.fc2.weight[width][:, wrapped(36, 50)])
    assert torch.equal(grown.model.embed_tokens.weight, model.model.embed_tokens.weight[:, width])
    # Heads of 12 with 6 rotated (3 pairs) become heads of 20 with 6 rotated.
    assert (SMALL.rotary_dim, target.rotary_dim) == (6, 6)
    dims = [0, 1, 2, 3, 4, 5, *(6 + index for index in wrapped(6, 14))]
    rows = [12 * head + dim for head in wrapped(2, 3) for dim in dims]
    assert torch.equal(new.self_attn.q_proj.weight, old.self_attn.q_proj.weight[rows][:, width])
    assert torch.equal(new.self_attn.dense.weight, old.self_attn.dense.weight[width][:, rows])


def test_tile_takes_layers_by_gophers_map():
    model = make_model(SMALL)
    grown = grow(model, change(num_hidden_layers=5), method="tile")
    for index, source in enumerate([0, 0, 1, 1, 1]):
        assert torch.equal(
            grown.model.layers[index].mlp.fc1.weight, model.model.layers[source].mlp.fc1.weight
        )


def test_random_knows_nothing_of_the_source():
    target = PARTS["everything"]
    one = grow(make_model(SMALL, seed=1), target, method="random", seed=3)
    two = grow(make_model(SMALL, seed=2), target, method="random", seed=3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    weight = one.model.layers[3].mlp.fc1.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not one.lm_head.bias.any()
    assert torch.equal(one.model.final_layernorm.weight, torch.ones(60, dtype=torch.float64))


# Moments


def gradients_of(model: Phi) -> dict[str, Tensor]:
    ids = tokens(SMALL)
    model.zero_grad()
    model.train()
    model.loss(ids[:, :-1], ids[:, 1:]).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}  # type: ignore[union-attr]


def as_moments(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    moments: dict[str, Tensor] = {}
    for name, gradient in gradients.items():
        moments |= {f"{name}.exp_avg": gradient, f"{name}.exp_avg_sq": gradient.square()}
        moments[f"{name}.step"] = torch.tensor(7.0)
    return moments


def centred(name: str, gradient: Tensor) -> Tensor:
    """What writes to the residual stream, less its mean over the old dimensions.

    The mean is what no LayerNorm sees; the wider LayerNorm takes it over the new dimensions too.
    """
    if "embed_tokens" in name:
        return gradient[:, :24] - gradient[:, :24].mean(1, keepdim=True)
    if name.split(".")[-2] in ("dense", "fc2"):
        return gradient[:24] - gradient[:24].mean(0)
    return gradient


def test_moments_follow_the_gradients():
    """The gradient in the grown model is the grown gradient, wherever there was one before."""
    target = change(hidden_size=40, partial_rotary_factor=0.3, num_hidden_layers=3)
    model = make_model(SMALL)
    grown = grow(model, target)
    moments = grow_moments(as_moments(gradients_of(model)), SMALL, target)
    found = gradients_of(grown)
    assert moments.keys() == {
        f"{name}.{key}" for name in found for key in ("exp_avg", "exp_avg_sq", "step")
    }
    for name, gradient in found.items():
        moment, square = moments[f"{name}.exp_avg"], moments[f"{name}.exp_avg_sq"]
        old = square > 0
        assert old.any() != (".layers.1." in name)
        wanted, got = centred(name, gradient), centred(name, moment)
        old = old[: wanted.shape[0], : wanted.shape[1]] if old.dim() == 2 else old[: len(wanted)]
        assert torch.allclose(got[old], wanted[old], rtol=1e-6, atol=1e-9), name
        assert torch.allclose(square, moments[f"{name}.exp_avg"].square(), rtol=1e-6), name
        assert moments[f"{name}.step"] == 7.0


def test_copies_share_the_moments_of_what_feeds_them():
    target = change(intermediate_size=90, hidden_size=36, num_attention_heads=3)
    model = make_model(SMALL)
    moments = grow_moments(as_moments(gradients_of(model)), SMALL, target)
    found = gradients_of(grow(model, target))
    # Each copy's own gradient depends on what it writes; together they have the source's.
    for name in ("mlp.fc1.weight", "self_attn.v_proj.weight"):
        key = f"model.layers.0.{name}"
        together = found[key][:, :24].sum(0)
        assert torch.allclose(moments[f"{key}.exp_avg"][:, :24].sum(0), together, atol=1e-9)
    key = "model.layers.0.mlp.fc2.weight"
    got, wanted = centred(key, moments[f"{key}.exp_avg"]), centred(key, found[key])
    assert torch.allclose(got, wanted, atol=1e-9)


@pytest.mark.parametrize("method", ["tile", "random", "stack"])
def test_moments_have_the_weights_shapes(method: str):
    target = PARTS["everything"]
    model = make_model(SMALL)
    moments = grow_moments(as_moments(gradients_of(model)), SMALL, target, method=method)
    for name, shape in shapes(target).items():
        assert moments[f"{name}.exp_avg"].shape == shape
        assert (moments[f"{name}.exp_avg_sq"] >= 0).all()
        assert moments[f"{name}.exp_avg"].any() != (method == "random")


# Folders

BYTES = PhiConfig(
    vocab_size=257,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=64,
)
LARGER = PhiConfig(
    vocab_size=264,
    hidden_size=60,
    num_hidden_layers=3,
    num_attention_heads=3,
    partial_rotary_factor=0.4,
    max_position_embeddings=64,
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_folder_grows_to_what_the_model_grows_to(
    tmp_path: Path, byte_tokenizer: Tokenizer, method: str, dtype: torch.dtype
):
    model = make_model(BYTES, dtype=dtype)
    save(model, byte_tokenizer, tmp_path / "small")
    grow_folder(tmp_path / "small", LARGER, tmp_path / "large", method=method, seed=5)
    loaded = load_model(tmp_path / "large")
    wanted = grow(model, LARGER, method=method, seed=5)
    assert loaded.config == LARGER
    assert loaded.dtype == dtype
    for (name, a), b in zip(loaded.named_parameters(), wanted.parameters(), strict=True):
        assert torch.equal(a, b), name
    assert Tokenizer.load(tmp_path / "large").encode("so") == byte_tokenizer.encode("so")


def test_a_large_folder_is_written_in_shards(tmp_path: Path, byte_tokenizer: Tokenizer):
    save(make_model(BYTES, dtype=torch.float32), byte_tokenizer, tmp_path / "small")
    told: list[tuple[int, int]] = []
    grow_folder(
        tmp_path / "small",
        LARGER,
        tmp_path / "large",
        max_shard_bytes=60_000,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert len(list((tmp_path / "large").glob("model-*-of-*.safetensors"))) > 3
    grow_folder(tmp_path / "small", LARGER, tmp_path / "whole")
    whole, sharded = load_model(tmp_path / "whole"), load_model(tmp_path / "large")
    pairs = zip(whole.parameters(), sharded.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    total = LARGER.num_parameters()
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_card_and_manifest_tell_the_lineage(tmp_path: Path, byte_tokenizer: Tokenizer):
    save(make_model(BYTES), byte_tokenizer, tmp_path / "small")
    grow_folder(tmp_path / "small", LARGER, tmp_path / "large", method="stack", seed=9)
    checksum = sha256_file(tmp_path / "small" / "model.safetensors")
    lineage = read_manifest(tmp_path / "large")["grown"]
    assert lineage == {"source": "small", "source_sha256": checksum, "method": "stack", "seed": 9}
    card = (tmp_path / "large" / "README.md").read_text()
    assert all(word in card for word in ("## Lineage", checksum, "`stack`", "seed 9"))


def test_lineage_names_a_model_of_the_hub(tmp_path: Path, byte_tokenizer: Tokenizer):
    snapshot = tmp_path / "models--microsoft--phi-1_5" / "snapshots" / "675aa3"
    save(make_model(BYTES), byte_tokenizer, snapshot)
    grow_folder(snapshot, LARGER, tmp_path / "large")
    assert read_manifest(tmp_path / "large")["grown"]["source"] == "microsoft/phi-1_5@675aa3"


def test_nothing_foreign_is_replaced(tmp_path: Path, byte_tokenizer: Tokenizer):
    save(make_model(BYTES), byte_tokenizer, tmp_path / "small")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="did not write as a model"):
        grow_folder(tmp_path / "small", LARGER, tmp_path / "mine")
    with pytest.raises(ValueError, match="would shrink"):
        grow_folder(tmp_path / "small", SMALL, tmp_path / "new")
    before = read_manifest(tmp_path / "small")
    (tmp_path / "alias").symlink_to(tmp_path / "small")
    for itself in (tmp_path / "small", tmp_path / "alias"):
        with pytest.raises(CheckpointError, match="is the model to begin with"):
            grow_folder(tmp_path / "small", LARGER, itself)
        with pytest.raises(CheckpointError, match="is the model to begin with"):
            prune_folder(tmp_path / "small", BYTES, itself, torch.zeros(1, 8, dtype=torch.int64))
    assert read_manifest(tmp_path / "small") == before
    assert not (tmp_path / "new").exists()


def test_target_config_is_the_preset():
    phi_1_5 = preset("phi-1.5")
    assert target_config("phi-2", phi_1_5) == preset("phi-2")
    other = dataclasses.replace(phi_1_5, layer_norm_eps=1e-6)
    assert target_config("phi-2", other) == preset("phi-2")
    source = preset("nano", vocab_size=300, max_position_embeddings=128, eos_token_id=2)
    assert target_config("micro", source) == preset(
        "micro", vocab_size=300, max_position_embeddings=128, eos_token_id=2
    )


def test_target_config_from_a_file(tmp_path: Path):
    path = tmp_path / "wide.json"
    path.write_text(json.dumps({"hidden_size": 48, "num_hidden_layers": 3}))
    with pytest.raises(ValueError, match="num_attention_heads"):
        target_config(str(path), SMALL)
    path.write_text(json.dumps(change(hidden_size=48, rope_theta=77.0).to_dict()))
    assert target_config(str(path), SMALL) == change(hidden_size=48, rope_theta=77.0)
    with pytest.raises(ValueError, match="cannot be read"):
        target_config(str(tmp_path / "absent.json"), SMALL)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="is not a JSON object"):
        target_config(str(path), SMALL)
    with pytest.raises(ValueError, match="no model size is called 'huge'"):
        target_config("huge", SMALL)


def test_target_config_takes_rotary_settings_of_either_place(tmp_path: Path):
    shape = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
    nested = {"rope_type": "default", "rope_theta": 77.0, "partial_rotary_factor": 0.25}
    path = tmp_path / "new.json"
    path.write_text(json.dumps({**shape, "rope_parameters": nested}))
    config = target_config(str(path), SMALL)
    assert (config.rope_theta, config.partial_rotary_factor) == (77.0, 0.25)
    with pytest.raises(ValueError, match="rope_theta is 10000 and would become 77"):
        check_growth(SMALL, config)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"num_hidden_layers": 3}', "no configuration of a Phi"),
        ('{"hidden_size": 48, "rope_scaling": "linear"}', "rope_scaling must be an object"),
        ('{"hidden_size": 48, "eos_token_id": "x"}', "eos_token_id must be a token's number"),
        ('{"hidden_size": ' + "[" * 100_000, "JSON"),
        ('{"hidden_size"', "not valid JSON"),
        (
            json.dumps({"hidden_size": 2**40, "num_hidden_layers": 1, "num_attention_heads": 1}),
            "parameters",
        ),
    ],
)
def test_odd_shape_files_are_refused_in_one_line(tmp_path: Path, content: str, message: str):
    (tmp_path / "odd.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        target_config(str(tmp_path / "odd.json"), SMALL)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_growth_only_adds(method: str):
    for smaller in (change(num_hidden_layers=1), change(max_position_embeddings=8)):
        with pytest.raises(ValueError, match="would shrink"):
            check_growth(SMALL, smaller, method=method)
    with pytest.raises(ValueError, match="name a larger shape"):
        check_growth(SMALL, SMALL, method=method)
    check_growth(SMALL, change(num_hidden_layers=SMALL.num_hidden_layers + 1), method=method)


_MEASURE = """\
import torch
from pathlib import Path
from phinery.model import PhiConfig
from phinery.model.growth import grow_folder

def held(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))

torch.set_num_threads(1)
# What the first products and copies of a process take by themselves.
torch.randn(64, 64).mul_(2).to(torch.bfloat16)[torch.arange(3)] @ torch.zeros(64, 2).bfloat16()
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
before = held("VmRSS")
config = PhiConfig(**{config})
grow_folder({source!r}, config, {out!r})
print((held("VmHWM") - before) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").is_file(), reason="needs Linux")
def test_growing_a_folder_takes_less_memory_than_the_larger_model(
    tmp_path: Path, byte_tokenizer: Tokenizer
):
    small = PhiConfig(vocab_size=1000, hidden_size=256, num_hidden_layers=18, num_attention_heads=4)
    large = PhiConfig(
        vocab_size=1000,
        hidden_size=320,
        num_hidden_layers=24,
        num_attention_heads=4,
        partial_rotary_factor=0.4,
    )
    torch.manual_seed(0)
    save(Phi(small).to(torch.bfloat16), byte_tokenizer, tmp_path / "small")
    program = _MEASURE.format(
        config=dataclasses.asdict(large),
        source=str(tmp_path / "small"),
        out=str(tmp_path / "large"),
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    ratio = int(done.stdout) / (2 * large.num_parameters())
    # Holding all of it would make 1, in float32 2; a few of the largest tensors are much less.
    assert ratio <= 0.7


# The sizes that it is for: layer by layer, so that no model is ever in memory.


def random_weights(config: PhiConfig, dtype: torch.dtype) -> Callable[[str], Tensor]:
    sizes = shapes(config)
    numbers = {name: number for number, name in enumerate(sizes)}

    def read(name: str) -> Tensor:
        chance = torch.Generator().manual_seed(numbers[name])
        weight = torch.randn(sizes[name], generator=chance).mul_(0.03).to(dtype)
        if name.endswith("layernorm.weight"):
            weight.add_(1.0)
        return weight

    return read


def streamed_logits(config: PhiConfig, weight: Callable[[str], Tensor], ids: Tensor) -> Tensor:
    """The logits of a model whose tensors are asked for, used and dropped one layer at a time."""
    with torch.no_grad():
        hidden = weight("model.embed_tokens.weight")[ids]
        visibility = Visibility(ids, 0, None, None)
        rotation = rotary_angles(torch.arange(ids.shape[1])[None], config)
        for index in range(config.num_hidden_layers):
            with torch.device("meta"):
                block = PhiBlock(config, index)
            names = list(block.state_dict())
            prefix = f"model.layers.{index}."
            block.load_state_dict({name: weight(prefix + name) for name in names}, assign=True)
            hidden = block.eval()(hidden, rotation, visibility, None)
        hidden = torch.nn.functional.layer_norm(
            hidden,
            (config.hidden_size,),
            weight("model.final_layernorm.weight"),
            weight("model.final_layernorm.bias"),
            config.layer_norm_eps,
        )
        return hidden @ weight("lm_head.weight").T + weight("lm_head.bias")


def streamed_difference(source: PhiConfig, target: PhiConfig, dtype: torch.dtype) -> Tensor:
    """The difference of the logits over the source's root mean square."""
    read = random_weights(source, dtype)
    chance = torch.Generator().manual_seed(1)
    ids = torch.randint(source.vocab_size, (1, 12), generator=chance)
    wanted = streamed_logits(source, read, ids)
    growth = growth_of(source, target, "lossless", 0)
    got = streamed_logits(target, lambda name: growth.tensor(name, read), ids)
    rms = wanted.square().mean().sqrt()
    assert rms > 0.1
    return (got - wanted).abs().max() / rms


def test_streamed_logits_are_the_models():
    """The slow tests' own forward pass, held against the model's."""
    read = random_weights(SMALL, torch.float64)
    model = Phi(SMALL).double().eval()
    model.load_state_dict({name: read(name) for name in shapes(SMALL)})
    with torch.no_grad():
        wanted = model(tokens(SMALL))
    assert torch.allclose(streamed_logits(SMALL, read, tokens(SMALL)), wanted, atol=1e-12)


@pytest.mark.slow
def test_lossless_at_the_full_widths_of_phi_1_5_and_phi_2():
    source = preset("phi-1.5", num_hidden_layers=3)
    target = preset("phi-2", num_hidden_layers=4)
    assert streamed_difference(source, target, torch.float64) <= 1e-9


@pytest.mark.slow
def test_lossless_from_phi_1_5_to_phi_2_in_float32():
    assert streamed_difference(preset("phi-1.5"), preset("phi-2"), torch.float32) <= 1e-4
