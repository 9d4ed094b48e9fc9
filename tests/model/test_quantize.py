"""Quantisation against formulas written down anew in numpy, and against ggml's own Q4_0."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from phinery.files import read_manifest
from phinery.model import CheckpointError, Phi, PhiConfig, save
from phinery.model.quantization import (
    METHODS,
    QuantizedPhi,
    QuantizedWeight,
    damage_by_layer,
    load_quantized,
    perplexity,
    quantize,
    round_to_nearest,
    save_quantized,
)
from phinery.model.quantization.blocks import LINEARS, linear_of
from phinery.model.quantization.folder import read_quantized
from phinery.model.quantization.gptq import Moments, gptq
from phinery.model.quantization.rounding import best_int4_scale
from phinery.text import Tokenizer

CONFIG = PhiConfig(
    vocab_size=257,
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=3,
    num_attention_heads=2,
    max_position_embeddings=64,
)
WORDS = [
    *("a", "red", "cat", "sat", "on", "the", "mat", "and", "saw", "two"),
    *("dogs", "run", "by", "an", "old", "house", "near", "some", "tall", "trees"),
]


def text_windows(count: int, length: int, seed: int) -> Tensor:
    """Bytes of sentences in which each word decides which four may follow."""
    generator = np.random.default_rng(seed)
    windows: list[list[int]] = []
    for _ in range(count):
        place, text = int(generator.integers(len(WORDS))), ""
        while len(text) < length:
            text += WORDS[place] + " "
            place = (3 * place + 1 + int(generator.integers(4))) % len(WORDS)
        windows.append(list(text[:length].encode()))
    return torch.tensor(windows)


@pytest.fixture(scope="module")
def model() -> Phi:
    """A Phi that has learned the sentences, in a few seconds."""
    torch.manual_seed(0)
    model = Phi(CONFIG)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for step in range(60):
        windows = text_windows(16, 49, seed=step)
        optimizer.zero_grad()
        model.loss(windows[:, :-1], windows[:, 1:]).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def calibration() -> Tensor:
    return text_windows(64, 48, seed=10_001)


@pytest.fixture(scope="module")
def held_out() -> Tensor:
    return text_windows(48, 49, seed=10_002)


@pytest.fixture(scope="module")
def quantized(model: Phi, calibration: Tensor) -> QuantizedPhi:
    return quantize(model, 4, calibration=calibration)


def correlated(rows: int, columns: int, seed: int) -> Tensor:
    """Inputs whose columns depend on each other and have a mean."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(columns, columns, generator=generator) / columns**0.5
    return torch.randn(rows, columns, generator=generator) @ mixing + torch.randn(
        columns, generator=generator
    )


def output_error(weight: Tensor, rounded: QuantizedWeight, covariance: Tensor) -> float:
    change = (weight - rounded.dequantize()).double()
    return torch.einsum("oi,ij,oj->", change, covariance.double(), change).item()


# Rounding to nearest


def test_int8_rounds_by_the_formula():
    weight = torch.randn(7, 50, generator=torch.Generator().manual_seed(1))
    weight[3] = 0
    made = round_to_nearest(weight, 8)
    exact = weight.double().numpy()
    scale = np.abs(exact).max(1) / 127
    wanted = np.rint(exact / np.where(scale == 0, 1, scale)[:, None])
    np.testing.assert_allclose(made.scale.numpy(), scale, rtol=1e-6)
    assert (made.codes.numpy() == wanted).all()
    assert made.codes.abs().amax(1).tolist() == [127, 127, 127, 0, 127, 127, 127]
    error = np.abs(made.dequantize().numpy() - exact)
    assert (error <= 0.5001 * scale[:, None]).all()
    assert error.max() > 0.4 * scale.max()


@pytest.mark.parametrize("size", [1.0, 1e-3, 3e-7])
def test_int4_is_ggmls_q4_0_bit_for_bit(size: float):
    gguf = pytest.importorskip("gguf")
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(40, 96, generator=generator) * size
    weight[0, :32] = 0
    weight[1, 32:64] = torch.arange(32.0).sub(16) * size  # halves, ties and both extremes
    made = round_to_nearest(weight, 4)
    blocks = gguf.quantize(weight.numpy(), gguf.GGMLQuantizationType.Q4_0).reshape(40, 3, 18)
    scales = blocks[..., :2].copy().view(np.float16)[..., 0]
    assert (made.scale.numpy() == scales).all()
    assert (made.packed().numpy().reshape(40, 3, 16) == blocks[..., 2:]).all()
    np.testing.assert_array_equal(
        made.dequantize().numpy(),
        gguf.dequantize(blocks.reshape(40, 54), gguf.GGMLQuantizationType.Q4_0),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**31))
def test_packing_is_undone(rows: int, groups: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(-8, 8, (rows, 32 * groups), generator=generator, dtype=torch.int8)
    weight = QuantizedWeight(4, codes, torch.ones(rows, groups, dtype=torch.float16))
    packed = weight.packed()
    assert packed.dtype == torch.uint8
    assert packed.shape == (rows, 16 * groups)
    assert torch.equal(QuantizedWeight.unpacked(4, packed, weight.scale).codes, codes)
    # Element 16 of the last group is the high nibble of its first byte.
    assert packed[0, 16 * (groups - 1)] >> 4 == codes[0, 32 * (groups - 1) + 16] + 8
    assert packed[0, 16 * (groups - 1)] & 15 == codes[0, 32 * (groups - 1)] + 8


def test_the_scale_of_a_group_is_the_best_of_those_tried():
    generator = np.random.default_rng(3)
    group, importance = generator.standard_normal((20, 32)), generator.uniform(0.1, 5, 32)
    chosen = best_int4_scale(torch.tensor(group).float(), torch.tensor(importance).float())

    def cost(scale: np.ndarray) -> np.ndarray:
        codes = np.clip(np.rint(group / scale[:, None]), -8, 7)
        return ((codes * scale[:, None] - group) ** 2 * importance).sum(1)

    extreme = group[np.arange(20), np.abs(group).argmax(1)]
    tried = [
        (extreme / (sign * step / 4)).astype(np.float16).astype(float)
        for step in range(28, 45)
        for sign in (1, -1)
    ]
    least = np.min([cost(scale) for scale in tried], axis=0)
    np.testing.assert_allclose(cost(chosen.double().numpy()), least, rtol=1e-4)
    plain = cost((extreme / -8).astype(np.float16).astype(float))
    assert least.sum() < 0.9 * plain.sum()


# GPTQ


def reference_gptq(weight: np.ndarray, covariance: np.ndarray, bits: int) -> np.ndarray:
    """Codes by the statement of optimal brain surgery, in float64: after a column is rounded, the
    others move by the row of the inverse over those that are left, which is inverted anew.
    """
    weight = weight.copy()
    damped = covariance + 0.01 * np.diag(covariance).mean() * np.eye(len(covariance))
    codes = np.zeros(weight.shape)
    row_scale = np.abs(weight).max(1) / 127
    for column in range(weight.shape[1]):
        inverse = np.linalg.inv(damped[column:, column:])
        if bits == 4 and column % 32 == 0:
            importance = [
                1 / np.linalg.inv(damped[start:, start:])[0, 0]
                for start in range(column, column + 32)
            ]
            scale = (
                best_int4_scale(
                    torch.tensor(weight[:, column : column + 32]).float(),
                    torch.tensor(importance).float(),
                )
                .double()
                .numpy()
            )
        low, high, used = (-127, 127, row_scale) if bits == 8 else (-8, 7, scale)
        codes[:, column] = np.clip(np.rint(weight[:, column] / used), low, high)
        error = weight[:, column] - codes[:, column] * used
        weight[:, column:] -= np.outer(error, inverse[0] / inverse[0, 0])
    return codes


@pytest.mark.parametrize("bits", [8, 4])
def test_gptq_does_what_optimal_brain_surgery_says(bits: int):
    weight = torch.randn(12, 96, generator=torch.Generator().manual_seed(4))
    moments = Moments()
    moments.add(correlated(400, 96, seed=5))
    made = gptq(weight, moments.covariance, bits)
    wanted = reference_gptq(weight.double().numpy(), moments.covariance.double().numpy(), bits)
    # A tie that float32 decides otherwise moves all that follow in its row.
    same = (made.codes.numpy() == wanted).mean()
    assert same > 0.97
    nearest = round_to_nearest(weight, bits).codes.numpy()
    assert (nearest == wanted).mean() < 0.8


@pytest.mark.parametrize("bits", [8, 4])
def test_gptq_changes_outputs_less_than_rounding_to_nearest(bits: int):
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(6))
    moments = Moments()
    moments.add(correlated(1000, 128, seed=7))
    covariance = moments.covariance
    error = output_error(weight, gptq(weight, covariance, bits), covariance)
    assert error < 0.6 * output_error(weight, round_to_nearest(weight, bits), covariance)


def test_with_independent_inputs_gptq_is_rounding_to_nearest():
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(8))
    made = gptq(weight, torch.eye(64), 8)
    assert torch.equal(made.codes, round_to_nearest(weight, 8).codes)


def test_inputs_that_never_vary_do_no_harm():
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(9))
    for covariance in (torch.zeros(64, 64), torch.diag(torch.arange(64.0) % 2)):
        made = gptq(weight, covariance, 4)
        assert made.dequantize().isfinite().all()
        scale = made.scale.float().repeat_interleave(32, dim=1)
        inside = (weight / scale).abs() < 7
        assert ((made.dequantize() - weight).abs() <= 0.51 * scale.abs())[inside].all()


def test_moments_are_those_of_all_batches():
    inputs = correlated(300, 20, seed=10) + 100
    moments = Moments()
    for batch in inputs.view(3, 10, 10, 20):
        moments.add(batch)
    exact = inputs.double().numpy()
    np.testing.assert_allclose(moments.mean.numpy(), exact.mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        moments.covariance.numpy(), np.cov(exact.T, bias=True), rtol=1e-3, atol=1e-4
    )


# A whole model


def test_int8_costs_next_to_nothing(model: Phi, held_out: Tensor):
    before = perplexity(model, held_out)
    after = perplexity(quantize(model, 8).dequantize(), held_out)
    assert 0 < abs(after / before - 1) < 0.002


def test_gptq_moves_predictions_less_than_rounding_to_nearest(
    model: Phi, quantized: QuantizedPhi, held_out: Tensor
):
    def divergence(changed: QuantizedPhi) -> float:
        """Kullback and Leibler's, of the predictions before from those after, in nats a token."""
        with torch.no_grad():
            before = model(held_out).double().log_softmax(-1)
            after = changed.dequantize()(held_out).double().log_softmax(-1)
        return (before.exp() * (before - after)).sum(-1).mean().item()

    nearest = divergence(quantize(model, 4, method="rtn"))
    assert divergence(quantized) < 0.6 * nearest
    assert divergence(quantize(model, 8)) < 0.05 * nearest
    cost = perplexity(quantized.dequantize(), held_out) / perplexity(model, held_out) - 1
    assert 0 < abs(cost) < 0.02


def test_the_model_stays_as_it_was(model: Phi, calibration: Tensor):
    model.train()
    before = copy.deepcopy(model.state_dict())
    made = quantize(model, 4, calibration=lambda: calibration)
    assert model.training
    model.eval()
    assert all(torch.equal(model.state_dict()[name], t) for name, t in before.items())
    for name, weight in made.dequantize().named_parameters():
        assert weight.dtype == torch.float32
        if "layernorm" in name or "embed" in name:
            assert torch.equal(weight, before[name])


def test_each_layer_is_made_for_what_the_layers_before_it_give(
    quantized: QuantizedPhi, model: Phi, calibration: Tensor
):
    """Biases make up for the mean change of outputs, on the inputs of the quantised model."""
    rounded = quantized.dequantize()
    for name in LINEARS:
        before = linear_of(model.model.layers[1], name)
        after = linear_of(rounded.model.layers[1], name)
        seen: list[tuple[Tensor, ...]] = []
        hook = after.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given))
        with torch.no_grad():
            rounded(calibration)
            change = (after(seen[0][0]) - before(seen[0][0])).flatten(0, 1)
        hook.remove()
        assert change.mean(0).abs().max() < 1e-3 * change.std()
        assert change.std() > 0


def test_a_bfloat16_model_is_computed_in_float32(model: Phi, held_out: Tensor, calibration: Tensor):
    half = copy.deepcopy(model).bfloat16()
    whole = copy.deepcopy(half).float()
    assert perplexity(half, held_out) == perplexity(whole, held_out)
    made = quantize(half, 4, calibration=calibration)
    same = quantize(whole, 4, calibration=calibration)
    assert all(
        torch.equal(made.linears[name].codes, same.linears[name].codes) for name in same.linears
    )
    assert made.others["model.embed_tokens.weight"].dtype == torch.bfloat16
    assert made.others["model.layers.0.mlp.fc1.bias"].dtype == torch.float32


@pytest.mark.parametrize(
    ("bits", "options", "message"),
    [
        (3, {}, "bits must be 8 or 4"),
        (4, {}, "gptq needs calibration"),
        (4, {"method": "magic"}, "method must be rtn or gptq"),
        (4, {"calibration": torch.zeros(5, dtype=torch.long)}, "(sequences, seq)"),
        (4, {"calibration": torch.full((2, 5), 257)}, "no row for"),
    ],
)
def test_what_is_refused(model: Phi, bits: int, options: dict, message: str):
    with pytest.raises(ValueError, match=".*") as caught:
        quantize(model, bits, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_models_that_cannot_be_quantised_are_refused(model: Phi):
    narrow = Phi(
        PhiConfig(vocab_size=20, hidden_size=48, num_hidden_layers=1, num_attention_heads=3)
    )
    with pytest.raises(ValueError, match="hidden_size is 48, no multiple of 32"):
        quantize(narrow, 4, method="rtn")
    assert quantize(narrow, 8).bits == 8
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.lm_head.weight[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"lm_head.weight .*not finite"):
        quantize(broken, 8)


# What it costs


def test_perplexity_is_that_of_the_logits(model: Phi, held_out: Tensor):
    with torch.no_grad():
        chances = copy.deepcopy(model).double()(held_out[:, :-1]).log_softmax(-1)
    chosen = chances.gather(-1, held_out[:, 1:, None])
    assert perplexity(model, held_out) == pytest.approx(math.exp(-chosen.mean()), rel=1e-5)


def test_damage_is_that_of_the_one_layer(model: Phi, quantized: QuantizedPhi, held_out: Tensor):
    rounded = quantized.dequantize()
    told: list[tuple[int, int]] = []
    found = damage_by_layer(
        model, rounded, held_out, on_progress=lambda done, total: told.append((done, total))
    )
    assert [damage.name for damage in found] == ["0", "1", "2", "lm_head"]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for damage in found:
        mixed = copy.deepcopy(model)
        if damage.name == "lm_head":
            mixed.lm_head = rounded.lm_head
        else:
            mixed.model.layers[int(damage.name)] = rounded.model.layers[int(damage.name)]
        assert damage.perplexity == pytest.approx(perplexity(mixed, held_out), rel=1e-6)
    assert set(found[0].errors) == set(LINEARS)
    normed = model.model.layers[0].input_layernorm(model.model.embed_tokens(held_out[:, :-1]))
    before = functional.linear(normed, *model.model.layers[0].mlp.fc1.parameters())
    after = functional.linear(normed, *rounded.model.layers[0].mlp.fc1.parameters())
    relative = ((after - before).norm() / before.norm()).item()
    assert found[0].errors["mlp.fc1"] == pytest.approx(relative, rel=1e-4)
    assert 0.001 < relative < 0.2


# The folder


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("method", METHODS)
def test_a_folder_comes_back_bit_for_bit(
    model: Phi, calibration: Tensor, byte_tokenizer: Tokenizer, tmp_path: Path, bits: int, method
):
    made = quantize(
        model.bfloat16() if method == "rtn" else model, bits, calibration=calibration, method=method
    )
    model.float()
    save_quantized(made, byte_tokenizer, tmp_path / "q", figures={"perplexity": "3.21"})
    read, tokenizer = read_quantized(tmp_path / "q")
    assert (read.bits, read.method, read.config.hidden_size) == (bits, method, 64)
    assert read.linears.keys() == made.linears.keys()
    for name, weight in made.linears.items():
        assert torch.equal(read.linears[name].codes, weight.codes)
        assert torch.equal(read.linears[name].scale, weight.scale)
    for name, tensor in made.others.items():
        assert torch.equal(read.others[name], tensor)
        assert read.others[name].dtype == tensor.dtype
    loaded, _ = load_quantized(tmp_path / "q")
    for (name, a), b in zip(
        loaded.state_dict().items(), made.dequantize().state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
    assert tokenizer.encode("cat") == byte_tokenizer.encode("cat")
    assert read_manifest(tmp_path / "q")["kind"] == "model"
    assert len({file.stat().st_mode for file in (tmp_path / "q").iterdir()}) == 1
    assert "| perplexity | 3.21 |" in (tmp_path / "q" / "README.md").read_text()
    save_quantized(made, byte_tokenizer, tmp_path / "q")  # over itself


def test_the_folder_is_as_documented(
    quantized: QuantizedPhi, model: Phi, byte_tokenizer: Tokenizer, tmp_path: Path
):
    save_quantized(quantized, byte_tokenizer, tmp_path / "q")
    entry = json.loads((tmp_path / "q" / "config.json").read_text())["quantization_config"]
    assert entry == {
        "quant_method": "phinery",
        "bits": 4,
        "group_size": 32,
        "head_bits": 8,
        "rounding": "gptq",
    }
    tensors = safetensors.numpy.load_file(tmp_path / "q" / "model.safetensors")
    rounded = quantized.dequantize().state_dict()
    name = "model.layers.1.mlp.fc2"
    codes, scale = tensors[f"{name}.weight"], tensors[f"{name}.weight_scale"]
    assert (codes.dtype, codes.shape) == (np.uint8, (64, 80))
    assert (scale.dtype, scale.shape) == (np.float16, (64, 5))
    for row, column in [(0, 0), (5, 15), (63, 16), (7, 31), (9, 32), (20, 159), (33, 47)]:
        group, place = divmod(column, 32)
        byte = int(codes[row, 16 * group + place % 16])
        value = byte & 15 if place < 16 else byte >> 4
        assert (value - 8) * float(scale[row, group]) == rounded[f"{name}.weight"][row, column]
    head, head_scale = tensors["lm_head.weight"], tensors["lm_head.weight_scale"]
    assert (head.dtype, head.shape) == (np.int8, (257, 64))
    assert (head_scale.dtype, head_scale.shape) == (np.float32, (257,))
    np.testing.assert_array_equal(
        head.astype(np.float32) * head_scale[:, None], rounded["lm_head.weight"].numpy()
    )
    layers = range(CONFIG.num_hidden_layers)
    linears = {"lm_head", *(f"model.layers.{i}.{name}" for i in layers for name in LINEARS)}
    assert tensors.keys() == model.state_dict().keys() | {f"{n}.weight_scale" for n in linears}


def test_damaged_folders_are_refused(
    quantized: QuantizedPhi, model: Phi, byte_tokenizer: Tokenizer, tmp_path: Path
):
    folder, config = tmp_path / "q", tmp_path / "q" / "config.json"
    save_quantized(quantized, byte_tokenizer, folder)

    def complaint() -> str:
        with pytest.raises(CheckpointError) as caught:
            load_quantized(folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    values = json.loads(config.read_text())
    values["quantization_config"]["bits"] = 5
    config.write_text(json.dumps(values))
    assert "altered" in complaint()
    (folder / "manifest.json").unlink()
    assert "only 8 bits, and 4 bits in groups of 32" in complaint()
    values["quantization_config"]["bits"] = 8
    config.write_text(json.dumps(values))
    assert "is U8 [64, 32], but should be I8 [64, 64]" in complaint()
    values["quantization_config"]["bits"] = 4
    values["num_hidden_layers"] = 2
    config.write_text(json.dumps(values))
    assert "is no part of this model" in complaint()
    values["num_hidden_layers"] = 4
    config.write_text(json.dumps(values))
    assert "is missing" in complaint()
    del values["quantization_config"]
    config.write_text(json.dumps(values))
    assert "no quantised model" in complaint()
    save(model, byte_tokenizer, tmp_path / "plain")
    with pytest.raises(CheckpointError, match="no quantised model"):
        load_quantized(tmp_path / "plain")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("keep me")
    with pytest.raises(CheckpointError, match="did not write as a model"):
        save_quantized(quantized, byte_tokenizer, tmp_path / "other")
