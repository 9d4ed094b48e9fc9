"""The native core against transformers in float32, and against itself in other batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from phinery.infer import native
from phinery.infer.backend import Span
from phinery.infer.native import NativeBackend
from phinery.model import CheckpointError, Phi, PhiConfig, load_model, save
from phinery.text import Tokenizer

pytestmark = pytest.mark.skipif(
    not native.is_available(), reason="the package was built without a C++ compiler"
)

# Heads of 16 to 128, widths and MLPs that no panel or group divides, vocabularies beside 64.
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2},
    "heads of 80": {"hidden_size": 320, "num_attention_heads": 4, "partial_rotary_factor": 0.4},
    "heads of 20": {"hidden_size": 80, "num_attention_heads": 4, "intermediate_size": 100},
    "heads of 128": {"hidden_size": 256, "num_attention_heads": 2, "vocab_size": 1000},
    "one head of 96": {"hidden_size": 96, "num_attention_heads": 1, "intermediate_size": 70},
    "odd heads": {
        "hidden_size": 57,
        "num_attention_heads": 3,
        "partial_rotary_factor": 0.43,
        "vocab_size": 258,
    },
}
CONTEXT = 160


def isas() -> list[str]:
    """Instruction sets that this processor has."""
    library = native._open_library("portable")
    best = library.phinery_engine_instructions() if library else -1
    return list(native._ISAS[: best + 1])


@pytest.fixture(params=isas())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PHINERY_ENGINE_ISA", request.param)
    native._library.cache_clear()
    assert native.isa() == request.param
    yield request.param
    native._library.cache_clear()


def make_model(**shape: Any) -> Phi:
    """Random weights and biases, large enough that every part of the computation shows."""
    torch.manual_seed(1)
    values: dict[str, Any] = {
        "vocab_size": 257,
        "num_hidden_layers": 1,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.1,
        **shape,
    }
    model = Phi(PhiConfig(**values)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: Tokenizer
) -> dict[str, tuple[Path, Phi]]:
    root = tmp_path_factory.mktemp("models")
    made: dict[str, tuple[Path, Phi]] = {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        model = make_model(**shape)
        save(model, byte_tokenizer, root / str(number))
        made[name] = root / str(number), model
    return made


def tokens_for(model: Phi, count: int, seed: int = 0) -> NDArray[np.int32]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, model.config.vocab_size, count).astype(np.int32)


def reference(model: Phi, tokens: NDArray[np.int32]) -> NDArray[np.float64]:
    """Logits of transformers, in float32 and in bfloat16."""
    from transformers import PhiConfig as TransformersConfig
    from transformers import PhiForCausalLM

    config = TransformersConfig(**model.config.to_dict())
    peer: Any = PhiForCausalLM(config).eval()
    peer.load_state_dict(model.state_dict())
    with torch.inference_mode():
        logits = peer(torch.from_numpy(tokens).long()[None]).logits[0]
        rounded = peer.to(torch.bfloat16)(torch.from_numpy(tokens).long()[None]).logits[0]
    return np.stack([logits.double().numpy(), rounded.double().numpy()])


def pages(first: int, count: int = 10) -> NDArray[np.int32]:
    return np.arange(first, first + count, dtype=np.int32)


def error(logits: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    """Root mean square of the difference, as a share of the logits' standard deviation."""
    return float(np.sqrt(np.mean((logits - expected) ** 2)) / expected.std())


@pytest.mark.parametrize("name", SHAPES)
def test_bfloat16_is_within_transformers_own_error(
    name: str, folders: dict[str, tuple[Path, Phi]], isa: str
):
    folder, model = folders[name]
    tokens = tokens_for(model, 140)
    exact, rounded = reference(model, tokens)
    backend = NativeBackend.open(folder, threads=2, cache_tokens=CONTEXT)
    logits = backend.step([Span(tokens, 0, pages(0), 140)])
    assert 1e-5 < error(logits, exact) < error(rounded.astype(np.float32), exact)


@pytest.mark.parametrize(
    ("quantization", "kv_dtype", "least", "most"),
    [(None, "int8", 1e-5, 0.015), ("int8", "bfloat16", 0.005, 0.03), ("int4", "int8", 0.05, 0.3)],
)
@pytest.mark.parametrize("name", ["plain", "heads of 20", "odd heads"])
def test_fewer_bits_cost_what_they_should(
    name: str,
    quantization: Any,
    kv_dtype: Any,
    least: float,
    most: float,
    folders: dict[str, tuple[Path, Phi]],
    isa: str,
):
    folder, model = folders[name]
    tokens = tokens_for(model, 140)
    exact, _ = reference(model, tokens)
    backend = NativeBackend.open(
        folder, quantization=quantization, kv_dtype=kv_dtype, threads=2, cache_tokens=CONTEXT
    )
    logits = backend.step([Span(tokens, 0, pages(0), 140)])
    assert least < error(logits, exact) < most


def dequantized(weight: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round to nearest by the formats' definitions, in numpy."""
    if bits == 8:
        scale = np.abs(weight).max(1, keepdims=True) / np.float32(127)
        return np.rint(weight / scale) * scale
    outputs, inputs = weight.shape
    groups = np.zeros((outputs, -(-inputs // 32) * 32), np.float32)
    groups[:, :inputs] = weight
    groups = groups.reshape(outputs, -1, 32)
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(2, keepdims=True), 2)
    inverse = np.divide(-8, extreme, out=np.zeros_like(extreme), where=extreme != 0)
    values = np.clip(np.floor(groups * inverse + np.float32(8.5)), 0, 15) - 8
    scale = (extreme / -8).astype(np.float16).astype(np.float32)
    return (values * scale).reshape(outputs, -1)[:, :inputs]


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_quantised_weights_are_the_formats(
    quantization: Any, folders: dict[str, tuple[Path, Phi]], isa: str
):
    """Against the exact model of the rounded weights only the rows' own rounding is left."""
    folder, model = folders["heads of 80"]
    rounded = Phi(model.config).eval()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, tensor in state.items():
        if tensor.dim() == 2 and "embed" not in name:
            bits = 8 if quantization == "int8" or name == "lm_head.weight" else 4
            state[name] = torch.from_numpy(dequantized(tensor.numpy(), bits))
    rounded.load_state_dict(state)
    tokens = tokens_for(model, 60)
    exact, _ = reference(rounded, tokens)
    backend = NativeBackend.open(folder, quantization=quantization, threads=1, cache_tokens=CONTEXT)
    assert error(backend.step([Span(tokens, 0, pages(0), 60)]), exact) < 0.016


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_nothing_depends_on_batch_chunk_or_page(
    folders: dict[str, tuple[Path, Phi]], data: st.DataObject
):
    name = data.draw(st.sampled_from(sorted(SHAPES)))
    folder, model = folders[name]
    options: dict[str, Any] = {
        "quantization": data.draw(st.sampled_from([None, "int8", "int4"])),
        "kv_dtype": data.draw(st.sampled_from(["bfloat16", "int8"])),
        "cache_tokens": 40 * CONTEXT,
    }
    lengths = data.draw(st.lists(st.integers(1, 70), min_size=1, max_size=8))
    sequences = [tokens_for(model, length, seed) for seed, length in enumerate(lengths)]
    alone = NativeBackend.open(folder, threads=1, page_size=160, **options)
    expected = [
        alone.step([Span(tokens, 0, pages(number, 1), len(tokens))])
        for number, tokens in enumerate(sequences)
    ]
    page_size = data.draw(st.sampled_from([16, 32, 48]))
    together = NativeBackend.open(folder, threads=2, page_size=page_size, **options)
    of_sequence = -(-CONTEXT // page_size)
    tables = np.random.default_rng(0).permutation(len(sequences) * of_sequence).astype(np.int32)
    done = [0] * len(sequences)
    results: list[list[NDArray[np.float32]]] = [[] for _ in sequences]
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    while any(count < len(tokens) for count, tokens in zip(done, sequences, strict=True)):
        spans: list[Span] = []
        places: list[int] = []
        for place, tokens in enumerate(sequences):
            left = len(tokens) - done[place]
            count = min(left, int(generator.choice([0, 1, 1, 2, 5, 17, 64])))
            if count:
                table = tables[place * of_sequence : (place + 1) * of_sequence]
                part = tokens[done[place] : done[place] + count]
                spans.append(Span(part, done[place], table, count))
                places.append(place)
                done[place] += count
        if spans:
            logits = together.step(spans)
            edges = np.cumsum([span.num_logits for span in spans])[:-1]
            for place, rows in zip(places, np.split(logits, edges), strict=True):
                results[place].append(rows)
    for rows, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(np.concatenate(rows), wanted)


def test_only_the_logits_asked_for(folders: dict[str, tuple[Path, Phi]]):
    folder, model = folders["plain"]
    backend = NativeBackend.open(folder, cache_tokens=2 * CONTEXT)
    first, second = tokens_for(model, 30), tokens_for(model, 20, seed=1)
    whole = backend.step([Span(first, 0, pages(0), 30), Span(second, 0, pages(10), 20)])
    some = backend.step([Span(first, 0, pages(0), 0), Span(second, 0, pages(10), 3)])
    np.testing.assert_array_equal(some, whole[-3:])
    assert backend.step([Span(first, 0, pages(0), 0)]).shape == (0, 257)


def test_pages_that_held_no_numbers_do_no_harm(tmp_path: Path, byte_tokenizer: Tokenizer):
    """A sequence whose values overflow leaves nothing behind for the next one on its pages."""
    model = make_model(**SHAPES["plain"])
    with torch.no_grad():
        model.model.embed_tokens.weight[256] = torch.inf
    save(model, byte_tokenizer, tmp_path / "model")
    backend = NativeBackend.open(tmp_path / "model", threads=1, cache_tokens=CONTEXT)
    tokens = tokens_for(model, 33) % 256
    expected = backend.step([Span(tokens, 0, pages(0), 33)])
    overflowing = np.full(CONTEXT, 256, np.int32)
    assert np.isnan(backend.step([Span(overflowing, 0, pages(0), 1)])).all()
    np.testing.assert_array_equal(backend.step([Span(tokens, 0, pages(0), 33)]), expected)
    for place in range(33):
        row = backend.step([Span(tokens[place : place + 1], place, pages(0), 1)])
        np.testing.assert_array_equal(row[0], expected[place])


def write_adapter(folder: Path, model: Phi, names: list[str], rank: int = 4) -> dict[str, Any]:
    generator = np.random.default_rng(5)
    tensors: dict[str, NDArray[np.float32]] = {}
    for layer in range(model.config.num_hidden_layers):
        for name in names:
            room = "mlp" if name.startswith("fc") else "self_attn"
            linear = getattr(getattr(model.model.layers[layer], room), name)
            prefix = f"base_model.model.model.layers.{layer}.{room}.{name}"
            shapes = {"A": (rank, linear.in_features), "B": (linear.out_features, rank)}
            for part, shape in shapes.items():
                values = generator.normal(size=shape).astype(np.float32) * 0.3
                tensors[f"{prefix}.lora_{part}.weight"] = values
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": names}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return tensors


@pytest.mark.parametrize("names", [["q_proj", "v_proj"], ["k_proj", "dense", "fc1", "fc2"]])
def test_adapters_change_their_rows_only(
    names: list[str], folders: dict[str, tuple[Path, Phi]], tmp_path: Path, isa: str
):
    folder, model = folders["heads of 20"]
    tensors = write_adapter(tmp_path / "adapter", model, names)
    merged = Phi(model.config).eval()
    merged.load_state_dict(model.state_dict())
    with torch.no_grad():
        for key, down in tensors.items():
            if "lora_A" in key:
                up = tensors[key.replace("lora_A", "lora_B")]
                path = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                linear: Any = merged.get_submodule(path)
                linear.weight += torch.from_numpy(up @ down) * 2.0
    tokens = tokens_for(model, 40)
    exact, rounded = reference(merged, tokens)
    backend = NativeBackend.open(folder, threads=2, cache_tokens=2 * CONTEXT)
    plain = backend.step([Span(tokens, 0, pages(0), 40)])
    number = backend.load_adapter(tmp_path / "adapter")
    both = backend.step([Span(tokens, 0, pages(0), 40), Span(tokens, 0, pages(10), 40, number)])
    np.testing.assert_array_equal(both[:40], plain)
    assert error(both[40:], exact) < 1.2 * error(rounded.astype(np.float32), exact)
    assert error(both[40:], plain.astype(np.float64)) > 0.1
    for start in range(40):
        row = backend.step([Span(tokens[start : start + 1], start, pages(10), 1, number)])
        np.testing.assert_array_equal(row[0], both[40 + start])


def test_options_and_folders_that_are_wrong(folders: dict[str, tuple[Path, Phi]], tmp_path: Path):
    folder, _ = folders["plain"]
    for options in (
        {"quantization": "int2"},
        {"kv_dtype": "float8"},
        {"threads": 0},
        {"page_size": 20},
        {"cache_tokens": 1},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            NativeBackend.open(folder, **options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(CheckpointError, match="no folder"):
        NativeBackend.open(tmp_path / "nothing")
    with pytest.raises(MemoryError, match="cache_tokens"):
        NativeBackend.open(folder, cache_tokens=2**40)


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHINERY_ENGINE_ISA", "sse9")
    native._library.cache_clear()
    try:
        with pytest.raises(ValueError, match="portable"):
            native.is_available()
    finally:
        native._library.cache_clear()


def test_reading_rate_is_of_this_world():
    assert 1e8 < native.read_rate(1, num_bytes=2**24, repeats=2) < 1e13


def test_the_native_path_needs_no_torch(folders: dict[str, tuple[Path, Phi]]):
    folder, _ = folders["plain"]
    program = (
        "import sys\n"
        "from phinery.infer import Engine, SamplingParams\n"
        f"engine = Engine.open({str(folder)!r})\n"
        "made = engine.generate(['abc'], SamplingParams(max_tokens=4, temperature=0))[0]\n"
        "assert len(made.token_ids) == 4, made\n"
        "heavy = {'torch', 'transformers', 'pydantic', 'pyarrow', 'daft'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("bits", [8, 4])
def test_folders_that_were_quantised_are_taken_as_they_are(
    bits: int, tmp_path: Path, byte_tokenizer: Tokenizer, isa: str
):
    """With biases that GPTQ corrected, scales of either sign, weights of GPTQ's choice."""
    from phinery.model.quantization import load_quantized, quantize, save_quantized

    model = make_model(hidden_size=64, num_attention_heads=4, num_hidden_layers=2)
    calibration = torch.from_numpy(tokens_for(model, 256, seed=7)).long().view(4, 64)
    method = "gptq" if bits == 4 else "rtn"
    quantized = quantize(model, bits, calibration=calibration, method=method)
    save_quantized(quantized, byte_tokenizer, tmp_path / "model")
    rounded, _ = load_quantized(tmp_path / "model")
    tokens = tokens_for(model, 100)
    exact, _ = reference(rounded, tokens)
    backend = NativeBackend.open(tmp_path / "model", threads=1, cache_tokens=CONTEXT)
    assert backend.quantization == f"int{bits}"
    logits = backend.step([Span(tokens, 0, pages(0), 100)])
    assert error(logits, exact) < 0.016
    assert error(logits, reference(model, tokens)[0]) > (0.01 if bits == 8 else 0.05)
    with pytest.raises(ValueError, match=f"int{bits}"):
        NativeBackend.open(tmp_path / "model", quantization="int4" if bits == 8 else "int8")
    with pytest.raises(CheckpointError, match="quantized|quantised"):
        load_model(tmp_path / "model")
