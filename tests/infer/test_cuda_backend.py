"""The CUDA back end: its torch half anywhere, its kernels in Triton's interpreter or on a GPU."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import random
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import save_file

from phinery.infer import Engine, SamplingParams
from phinery.infer.backend import Backend, Span
from phinery.infer.cuda_backend import CudaBackend
from phinery.infer.cuda_tiles import ROW_PLANS, ROWS_PLANS
from phinery.model import CheckpointError, Phi, PhiConfig, save
from phinery.model.quantization import quantize, round_to_nearest, save_quantized

SHAPES = {
    "heads of 16": {"hidden_size": 64, "num_attention_heads": 4},
    "heads of 80": {
        "hidden_size": 160,
        "num_attention_heads": 2,
        "partial_rotary_factor": 0.4,
    },
    "odd": {
        "hidden_size": 30,
        "num_attention_heads": 3,
        "intermediate_size": 50,
        "partial_rotary_factor": 0.4,
    },
}
CONTEXT = 128
HAS_GPU = torch.cuda.is_available()
HAS_TRITON = importlib.util.find_spec("triton") is not None
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="no CUDA device")
# Where the kernels can run: a name for the ids, and the options of the back end.
KERNELS = [
    pytest.param({"device": "cuda", "decoding": "graphs"}, marks=needs_gpu, id="graphs"),
    pytest.param(
        {"device": "cpu", "decoding": "kernels"},
        marks=pytest.mark.skipif(
            not (HAS_TRITON and INTERPRETED), reason="needs triton and TRITON_INTERPRET=1"
        ),
        id="interpreter",
    ),
]


def make_model(name, vocab=257):
    shape = SHAPES[name]
    torch.manual_seed(5)
    config = PhiConfig(
        vocab_size=vocab,
        num_hidden_layers=2,
        max_position_embeddings=CONTEXT,
        initializer_range=1.3 / shape["hidden_size"] ** 0.5,
        **shape,
    )
    model = Phi(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("bias"):
                parameter.normal_(0, 0.1)
            if parameter_name.endswith("layernorm.weight"):
                parameter.normal_(1, 0.1)
    return model


MODELS = {name: make_model(name) for name in SHAPES}


def dequantised(model, quantization):
    """The model with the weights that its quantised form stands for."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear):
                bits = 8 if quantization == "int8" or name == "lm_head" else 4
                module.weight.copy_(round_to_nearest(module.weight, bits).dequantize())
    return model


def backend_of(model, **options):
    options = {"device": "cpu", "dtype": "float32", "cache_tokens": 8 * CONTEXT, **options}
    return CudaBackend(model, **options)


def texts_of(lengths, seed=0):
    generator = random.Random(seed)
    return [[generator.randrange(256) for _ in range(length)] for length in lengths]


def expected(model, ids):
    """The model's own logits, without a cache (tokens, vocab)."""
    with torch.no_grad():
        return model(torch.tensor([ids]))[0].float().numpy()


def span(tokens, start, pages, num_logits, adapter=0):
    tokens, pages = (np.array(values, dtype=np.int32) for values in (tokens, pages))
    return Span(tokens, start, pages, num_logits, adapter)


def assert_alike(logits, other, within=1e-5):
    ours, theirs = (torch.as_tensor(part).log_softmax(-1) for part in (logits, other))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=within)


def run_pieces(backend, texts, mix, seed):
    """All logits of texts that are cut into pieces, in pages in any order, beside each other."""
    size = backend.page_size
    generator = random.Random(seed)
    free = generator.sample(range(backend.num_pages), backend.num_pages)
    tables = [[free.pop() for _ in range(-(-len(text) // size))] for text in texts]
    done, pending = [0] * len(texts), [list(sizes) for sizes in mix]
    rows = [[] for _ in texts]
    while able := [place for place, sizes in enumerate(pending) if sizes]:
        chosen = generator.sample(able, generator.randint(1, len(able)))
        spans, counts = [], []
        for place in chosen:
            count = pending[place].pop(0)
            end = done[place] + count
            pages = tables[place][: -(-end // size)]
            spans.append(span(texts[place][done[place] : end], done[place], pages, count))
            counts.append(count)
            done[place] = end
        logits = backend.step(spans)
        ends = np.cumsum(counts)
        for place, end, count in zip(chosen, ends, counts, strict=True):
            rows[place].append(logits[end - count : end])
    return [np.concatenate(parts) for parts in rows]


def test_it_is_a_backend():
    backend = backend_of(MODELS["odd"])
    assert isinstance(backend, Backend)
    assert not backend.bitwise
    assert backend.num_pages == 8 * CONTEXT // 16


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(list(SHAPES)),
    mix=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=3), min_size=1, max_size=5),
    page_size=st.sampled_from([16, 32, 48]),
    seed=st.integers(0, 99),
)
def test_any_pieces_pages_and_batches_are_the_whole_text(name, mix, page_size, seed):
    model = MODELS[name]
    texts = texts_of([sum(sizes) for sizes in mix], seed)
    backend = backend_of(model, page_size=page_size)
    for text, logits in zip(texts, run_pieces(backend, texts, mix, seed), strict=True):
        assert_alike(logits, expected(model, text))


@pytest.mark.parametrize("options", KERNELS)
@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("heads of 16", None),
        ("heads of 80", None),
        ("odd", None),
        ("odd", "int8"),
        ("heads of 80", "int8"),
        ("heads of 80", "int4"),
    ],
)
def test_the_kernels_compute_the_same(name, quantization, options):
    """Single tokens, few, and pieces short enough for the kernels, alone and side by side."""
    model = MODELS[name] if quantization is None else dequantised(MODELS[name], quantization)
    mix = [[1, 1, 16, 1, 3, 1], [20, 1, 1, 5, 1], [1, 2], [33, 1, 1]]
    texts = texts_of([sum(sizes) for sizes in mix])
    backend = backend_of(MODELS[name], quantization=quantization, max_batch=16, **options)
    assert backend.decoder is not None
    for text, logits in zip(texts, run_pieces(backend, texts, mix, 1), strict=True):
        assert_alike(logits, expected(model, text), within=5e-5)


@pytest.mark.skipif(not HAS_TRITON or INTERPRETED, reason="needs triton, and not interpreted yet")
@pytest.mark.slow
def test_the_kernels_in_triton_s_interpreter():
    """The test above in a process of its own, because the interpreter is chosen at the import."""
    command = [sys.executable, "-m", "pytest", "-q", "-k", "interpreter", __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_quantised_weights_are_those_of_the_export(quantization):
    model = MODELS["heads of 80"]
    own = dequantised(model, quantization)
    (text,) = texts_of([30])
    logits = backend_of(model, quantization=quantization).step([span(text, 0, [3, 1], 30)])
    assert_alike(logits, expected(own, text))
    plain = np.abs(logits - expected(model, text)).max()
    assert plain > 1e-3


@pytest.mark.parametrize("stored", [None, "int8", "int4"])
def test_a_folder(tmp_path, byte_tokenizer, stored):
    model = make_model("heads of 80", vocab=byte_tokenizer.vocab_size)
    folder = tmp_path / "model"
    if stored is None:
        save(model, byte_tokenizer, folder)
    else:
        bits = 8 if stored == "int8" else 4
        save_quantized(quantize(model, bits, method="rtn"), byte_tokenizer, folder)
    backend = CudaBackend.open(folder, dtype="float32", device="cpu", cache_tokens=64)
    (text,) = texts_of([30])
    own = model if stored is None else dequantised(model, stored)
    assert_alike(backend.step([span(text, 0, [0, 1], 30)]), expected(own, text))
    assert backend.weights.quantization == stored
    assert backend.config.hidden_size == model.config.hidden_size
    if stored == "int8":
        with pytest.raises(ValueError, match="holds int8 weights, not int4"):
            CudaBackend.open(folder, device="cpu", quantization="int4")


def test_a_damaged_folder(tmp_path):
    with pytest.raises(CheckpointError):
        CudaBackend.open(tmp_path / "nothing", device="cpu")


def write_adapter(folder, config, seed):
    generator = torch.Generator().manual_seed(seed)
    width, inner = config.hidden_size, config.mlp_size
    tensors = {}
    for layer in range(config.num_hidden_layers):
        for name in ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"):
            room = "mlp" if name.startswith("fc") else "self_attn"
            inputs = inner if name == "fc2" else width
            outputs = inner if name == "fc1" else width
            place = f"base_model.model.model.layers.{layer}.{room}.{name}"
            tensors[f"{place}.lora_A.weight"] = torch.randn(3, inputs, generator=generator) * 0.2
            tensors[f"{place}.lora_B.weight"] = torch.randn(outputs, 3, generator=generator) * 0.2
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": 3, "lora_alpha": 6}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    merged = {}
    for name, up in tensors.items():
        if name.endswith("lora_B.weight"):
            down = tensors[name.replace("lora_B", "lora_A")]
            key = name.removeprefix("base_model.model.").replace(".lora_B", "")
            merged[key] = 2.0 * up @ down
    return merged


def test_adapters_beside_each_other(tmp_path):
    model = MODELS["heads of 80"]
    backend = backend_of(model)
    changed = []
    for number in (1, 2):
        merged = write_adapter(tmp_path / str(number), model.config, number)
        other = copy.deepcopy(model)
        weights = dict(other.named_parameters())
        with torch.no_grad():
            for name, change in merged.items():
                weights[name] += change
        changed.append(other)
        assert backend.load_adapter(tmp_path / str(number)) == number
    text, *_ = texts_of([20])
    spans = [span(text, 0, [2 * n, 2 * n + 1], 20, adapter=n) for n in (2, 0, 1)]
    rows = backend.step(spans)
    for place, own in enumerate((changed[1], model, changed[0])):
        assert_alike(rows[20 * place : 20 * place + 20], expected(own, text), within=5e-5)
    assert np.abs(rows[:20] - rows[20:40]).max() > 0.1


def test_bfloat16_is_near(byte_tokenizer):
    model = make_model("heads of 80", vocab=byte_tokenizer.vocab_size)
    (text,) = texts_of([40])
    exact = expected(model, text)
    logits = backend_of(model, dtype="bfloat16").step([span(text, 0, [0, 1, 2], 40)])
    assert 1e-4 < np.abs(logits - exact).max() / exact.std() < 0.15


def test_the_engine_writes_what_the_model_would(byte_tokenizer):
    model = make_model("heads of 80", vocab=byte_tokenizer.vocab_size)
    params = SamplingParams(max_tokens=12, temperature=0.0, ignore_eos=True)
    prompts = texts_of([5, 30, 17])
    plain = Engine(model, byte_tokenizer).generate(prompts, params)
    ours = Engine(backend_of(model), byte_tokenizer).generate(prompts, params)
    assert [one.token_ids for one in ours] == [one.token_ids for one in plain]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtype": "float8"}, "dtype must be one of"),
        ({"quantization": "int2"}, "quantization must be"),
        ({"page_size": 10}, "multiple of 16"),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(ValueError, match=said):
        backend_of(MODELS["odd"], **options)


def test_int4_needs_whole_groups():
    with pytest.raises(ValueError, match="multiples of 32"):
        backend_of(MODELS["odd"], quantization="int4")


@pytest.mark.skipif(HAS_GPU, reason="there is a CUDA device")
def test_without_a_gpu():
    with pytest.raises(ValueError, match="no CUDA device"):
        CudaBackend(MODELS["odd"])


def test_plans_are_ones_the_kernels_take():
    for plans in (ROW_PLANS, ROWS_PLANS):
        assert set(plans) == {16, 8, 4}
        for plan in plans.values():
            for tiles in (plan.reading, plan.writing):
                assert tiles.depth % 32 == 0
                assert tiles.rows & (tiles.rows - 1) == tiles.depth & (tiles.depth - 1) == 0


def test_closed():
    backend = backend_of(MODELS["odd"])
    backend.close()
    with pytest.raises(AssertionError, match="closed"):
        backend.step([span([1], 0, [0], 1)])
