from __future__ import annotations

import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers, pre_tokenizers

from phinery.data import train_tokenizer
from phinery.files import MANIFEST
from phinery.model import CheckpointError, Phi, PhiConfig, save
from phinery.model.gguf import DTYPES, load_gguf, read_gguf, write_gguf
from phinery.model.gguf.header import read_gguf_header
from phinery.model.layouts import PHI_MSFT, sources
from phinery.model.safetensors_io import write_file
from phinery.text import Tokenizer
from text_help import EOS, TRAINING_TEXT, awkward_text, codegen_backend, write_parts

# Rows of every matrix are a multiple of 32, the vocabulary is not; nothing is four times the width.
CONFIG = PhiConfig(
    vocab_size=437,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=2,
    partial_rotary_factor=0.375,
    rope_theta=5000.0,
    max_position_embeddings=48,
    layer_norm_eps=3e-6,
)


def make_model(config: PhiConfig = CONFIG) -> Phi:
    torch.manual_seed(2)
    model = Phi(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_backend(codegen_backend())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny"
    save(make_model(), tokenizer, path)
    return path


@pytest.fixture(scope="module")
def file(folder) -> Path:
    path = folder.parent / "tiny.gguf"
    write_gguf(folder, path, dtype="f16")
    return path


def is_matrix(name: str) -> bool:
    return name.endswith("weight") and "layernorm" not in name


@pytest.mark.parametrize("stored", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_weights_come_back_rounded_once_at_most(tmp_path, tokenizer, stored, dtype):
    model = make_model().to(stored)
    save(model, tokenizer, tmp_path / "m")
    write_gguf(tmp_path / "m", tmp_path / "m.gguf", dtype=dtype)
    loaded, _ = load_gguf(tmp_path / "m.gguf")
    narrow = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    expected = model.float().state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    for name, weight in loaded.state_dict().items():
        wanted = expected[name].to(narrow).float() if is_matrix(name) else expected[name]
        assert torch.equal(weight, wanted), name
    assert vars(loaded.config) == vars(CONFIG) | {
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def quantised_by_hand(row: np.ndarray, dtype: str) -> np.ndarray:
    """What `quantize_row_*_ref` and `dequantize_row_*` of ggml-quants.c make of 32 numbers."""
    row = row.astype(np.float32)
    largest = row[np.abs(row).argmax()]
    step = np.float32(abs(largest) / np.float32(127)) if dtype == "q8_0" else largest / -8
    inverse = np.float32(1) / step if step else np.float32(0)
    if dtype == "q8_0":
        scaled = row * inverse
        codes = np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))
    else:
        codes = np.minimum(15, np.trunc(row * inverse + np.float32(8.5))) - 8
    return codes * np.float32(np.float16(step))


@pytest.mark.parametrize("dtype", ["q8_0", "q4_0"])
def test_quantised_weights_are_the_nearest_codes(folder, tmp_path, dtype):
    write_gguf(folder, tmp_path / "m.gguf", dtype=dtype)
    loaded, _ = load_gguf(tmp_path / "m.gguf")
    for name, weight in make_model().state_dict().items():
        found = loaded.state_dict()[name].numpy()
        if not is_matrix(name):
            assert np.array_equal(found, weight.numpy()), name
            continue
        # Head and embedding keep more bits in int4 files.
        kind = "q8_0" if "embed" in name or "lm_head" in name else dtype
        blocks = weight.numpy().reshape(-1, 32)
        wanted = np.stack([quantised_by_hand(block, kind) for block in blocks])
        assert np.array_equal(found.reshape(-1, 32), wanted), name


def test_rows_that_are_no_multiple_of_32_are_f16(tmp_path, tokenizer):
    config = PhiConfig(**{**vars(CONFIG), "hidden_size": 80, "partial_rotary_factor": 0.4})
    save(make_model(config), tokenizer, tmp_path / "m")
    for dtype in ("q8_0", "q4_0"):
        write_gguf(tmp_path / "m", tmp_path / "m.gguf", dtype=dtype)
        types = {
            tensor.name: tensor.tensor_type.name
            for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors
        }
        assert types["blk.0.ffn_down.weight"] == dtype.upper()
        assert types["blk.0.ffn_up.weight"] == types["token_embd.weight"] == "F16"
        load_gguf(tmp_path / "m.gguf")


def test_the_file_is_what_llama_cpp_asks_for(file, tokenizer):
    reader = gguf.GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    expected = {
        "general.architecture": "phi2",
        "general.name": "tiny",
        "general.file_type": int(gguf.LlamaFileType.MOSTLY_F16),
        "phi2.context_length": 48,
        "phi2.embedding_length": 64,
        "phi2.feed_forward_length": 96,
        "phi2.block_count": 2,
        "phi2.attention.head_count": 2,
        "phi2.attention.head_count_kv": 2,
        "phi2.attention.layer_norm_epsilon": pytest.approx(3e-6),
        "phi2.rope.dimension_count": 12,
        "phi2.rope.freq_base": 5000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.bos_token_id": tokenizer.eos_token_id,
        "tokenizer.ggml.eos_token_id": tokenizer.eos_token_id,
        "tokenizer.ggml.add_bos_token": False,
    }
    assert {key: fields.get(key) for key in expected} == expected
    shapes = {tensor.name: tensor.shape.tolist() for tensor in reader.tensors}
    assert len(shapes) == 25
    assert shapes["token_embd.weight"] == [64, 437]
    assert shapes["blk.1.attn_qkv.weight"] == [64, 192]
    assert shapes["blk.1.ffn_down.weight"] == [96, 64]
    assert shapes["output.bias"] == [437]
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert {name for name, kind in types.items() if kind == "F16"} == {
        "token_embd.weight",
        "output.weight",
        *(
            f"blk.{layer}.{name}.weight"
            for layer in (0, 1)
            for name in ("attn_qkv", "attn_output", "ffn_up", "ffn_down")
        ),
    }
    weights = make_model().state_dict()
    fused = next(tensor.data for tensor in reader.tensors if tensor.name == "blk.1.attn_qkv.bias")
    parts = [weights[f"model.layers.1.self_attn.{name}_proj.bias"] for name in "qkv"]
    assert np.array_equal(fused, torch.cat(parts).numpy())


def test_tokens_have_their_text_and_type(file, tokenizer):
    metadata = read_gguf(file).metadata
    tokens = metadata["tokenizer.ggml.tokens"]
    types = metadata["tokenizer.ggml.token_type"]
    assert len(tokens) == len(types) == 437
    assert len(set(tokens)) == 437
    assert (tokens[tokenizer.eos_token_id], types[tokenizer.eos_token_id]) == (EOS, 3)
    (indent,) = tokenizer.encode(" " * 8)
    assert (tokens[indent], types[indent]) == (" " * 8, 4)
    (word,) = tokenizer.encode(" the")
    assert (tokens[word], types[word]) == ("Ġthe", 1)
    assert tokenizer.vocab_size == 420
    assert tokens[420:] == [f"[PAD{number}]" for number in range(420, 437)]
    assert set(types[420:]) == {5}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(awkward_text)
def test_the_tokenizer_comes_back(file, tokenizer, text):
    loaded = _loaded_tokenizer(file)
    for special in (False, True):
        ids = tokenizer.encode(text, special_tokens=special)
        assert loaded.encode(text, special_tokens=special) == ids
        assert loaded.decode(ids, skip_special_tokens=special) == tokenizer.decode(
            ids, skip_special_tokens=special
        )


_TOKENIZERS: dict[Path, Tokenizer] = {}


def _loaded_tokenizer(file: Path) -> Tokenizer:
    if file not in _TOKENIZERS:
        _TOKENIZERS[file] = read_gguf(file).tokenizer()
    return _TOKENIZERS[file]


def test_tokenizers_come_back_as_the_same_files(tmp_path, tokenizer):
    trained = train_tokenizer(TRAINING_TEXT, 300)
    more = codegen_backend()
    more.add_special_tokens([AddedToken("<|pad|>", special=True), AddedToken("[PAD430]")])
    with_roles = Tokenizer(more, {"eos_token": EOS, "pad_token": "<|pad|>"}, {})
    for number, wanted in enumerate([trained, tokenizer, with_roles]):
        save(make_model(), wanted, tmp_path / f"{number}")
        write_gguf(tmp_path / f"{number}", tmp_path / f"{number}.gguf", dtype="q8_0")
        found = read_gguf(tmp_path / f"{number}.gguf").tokenizer()
        for text in TRAINING_TEXT:
            assert found.encode(text) == wanted.encode(text)
        assert found.vocab_size == wanted.vocab_size
        assert found.eos_token_id == wanted.eos_token_id
        assert found.pad_token_id == wanted.pad_token_id
    assert with_roles.pad_token_id is not None


def test_a_tokenizer_of_bytes_alone(tmp_path, byte_tokenizer):
    save(make_model(), byte_tokenizer, tmp_path / "m")
    write_gguf(tmp_path / "m", tmp_path / "m.gguf")
    _, loaded = load_gguf(tmp_path / "m.gguf")
    for text in ("so it goes", "\0\0é"):
        assert loaded.encode(text) == byte_tokenizer.encode(text)
    assert loaded.sha256 == byte_tokenizer.sha256


@pytest.mark.parametrize("place", ["chat_template.jinja", "tokenizer_config.json"])
def test_the_chat_template_goes_along(tmp_path, tokenizer, place):
    save(make_model(), tokenizer, tmp_path / "m")
    (tmp_path / "m" / MANIFEST).unlink()
    path = tmp_path / "m" / place
    template = "{% for m in messages %}{{ m.content }} ü{% endfor %}"
    if place.endswith(".json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    else:
        path.write_text(template, encoding="utf-8")
    write_gguf(tmp_path / "m", tmp_path / "m.gguf")
    opened = read_gguf(tmp_path / "m.gguf")
    assert opened.metadata["tokenizer.chat_template"] == template
    opened.tokenizer().save(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["chat_template"] == template


def test_older_folders_give_the_same_file(folder, file, tmp_path, tokenizer):
    weights = make_model().state_dict()
    old: dict[str, torch.Tensor] = {}
    for ours, source in sources(PHI_MSFT, 2):
        parts = [old[source.tensor]] if source.tensor in old else []
        old[source.tensor] = torch.cat([*parts, weights[ours]])
    target = tmp_path / "tiny"
    target.mkdir()
    write_file(target / "model.safetensors", old)
    values = {"model_type": PHI_MSFT, "n_embd": 64, "n_layer": 2, "n_head": 2, "n_inner": 96}
    values |= {"rotary_dim": 12, "n_positions": 48, "layer_norm_epsilon": 3e-6, "vocab_size": 437}
    (target / "config.json").write_text(json.dumps({**values, "rope_theta": 5000.0}))
    write_parts(target, tokenizer)
    write_gguf(target, tmp_path / "old.gguf", dtype="f16")
    found, expected = read_gguf(tmp_path / "old.gguf"), read_gguf(file)
    for name in expected.parameters:
        assert np.array_equal(found.read(name), expected.read(name)), name
    # The old configuration has no rope_theta.
    assert found.config == PhiConfig(**{**vars(expected.config), "rope_theta": 10000.0})
    for key in ("tokens", "token_type", "merges"):
        assert found.metadata[f"tokenizer.ggml.{key}"] == expected.metadata[f"tokenizer.ggml.{key}"]


def test_nothing_of_torch_is_needed_to_write_or_open(folder, tmp_path):
    program = (
        "import sys; from phinery.model.gguf import read_gguf, write_gguf; "
        f"write_gguf({str(folder)!r}, {str(tmp_path / 'm.gguf')!r}, dtype='q4_0'); "
        f"read_gguf({str(tmp_path / 'm.gguf')!r}).tokenizer(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_memory_stays_far_below_the_model(tmp_path, tokenizer):
    config = PhiConfig(**{**vars(CONFIG), "intermediate_size": 60_000})
    save(Phi(config), tokenizer, tmp_path / "m")
    assert (model_bytes := (tmp_path / "m" / "model.safetensors").stat().st_size) > 60e6
    tracemalloc.start()
    write_gguf(tmp_path / "m", tmp_path / "m.gguf", dtype="bf16")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 15e6
    assert (tmp_path / "m.gguf").stat().st_size > model_bytes / 2


def test_a_file_appears_whole_or_not_at_all(folder, tmp_path, tokenizer):
    out = tmp_path / "deep" / "m.gguf"
    write_gguf(folder, out, dtype="q4_0")
    before = out.read_bytes()
    model = make_model()
    with torch.no_grad():
        model.lm_head.weight[400, 3] = 1e5
    save(model, tokenizer, tmp_path / "large")
    with pytest.raises(CheckpointError, match=r"'lm_head.weight'.* f16 cannot hold"):
        write_gguf(tmp_path / "large", out, dtype="f16")
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]
    write_gguf(tmp_path / "large", out, dtype="bf16")
    assert out.read_bytes() != before
    write_gguf(folder, out, dtype="q4_0")
    assert out.read_bytes() == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_that_are_not_finite_are_refused(tmp_path, tokenizer, dtype):
    model = make_model()
    with torch.no_grad():
        model.model.layers[1].mlp.fc2.weight[3, 4] = float("nan")
    save(model, tokenizer, tmp_path / "m")
    with pytest.raises(CheckpointError, match=r"'model.layers.1.mlp.fc2.weight'"):
        write_gguf(tmp_path / "m", tmp_path / "m.gguf", dtype=dtype)
    assert not (tmp_path / "m.gguf").exists()


def test_what_cannot_be_written_is_said_in_one_line(folder, tmp_path, tokenizer):
    with pytest.raises(CheckpointError, match="q5_1"):
        write_gguf(folder, tmp_path / "m.gguf", dtype="q5_1")
    with pytest.raises(CheckpointError, match="no folder"):
        write_gguf(tmp_path / "absent", tmp_path / "m.gguf")
    with pytest.raises(CheckpointError, match="is a folder"):
        write_gguf(folder, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_gguf(folder, tmp_path / "file" / "m.gguf")
    small = PhiConfig(**{**vars(CONFIG), "vocab_size": 437})
    save(Phi(small), tokenizer, tmp_path / "m")
    (tmp_path / "m" / MANIFEST).unlink()
    values = json.loads((tmp_path / "m" / "config.json").read_text())
    for change, message in (
        ({"num_hidden_layers": 10**9}, "is missing"),
        ({"num_hidden_layers": 1}, "no part of a Phi"),
        ({"num_hidden_layers": 3}, "'model.layers.2.input_layernorm.weight' is missing"),
        ({"intermediate_size": 95}, r"asks for \[95, 64\]"),
        ({"eos_token_id": 500}, "eos_token_id is 500"),
        ({"quantization_config": {"bits": 8}}, "quantised"),
    ):
        (tmp_path / "m" / "config.json").write_text(json.dumps({**values, **change}))
        with pytest.raises(CheckpointError, match=message) as caught:
            write_gguf(tmp_path / "m", tmp_path / "m.gguf")
        assert "\n" not in str(caught.value)
        assert str(tmp_path / "m") in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: setattr(b, "normalizer", normalizers.NFC()), "GPT-2's pattern"),
        (
            lambda b: setattr(b, "pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=True)),
            "GPT-2's pattern",
        ),
        (lambda b: b.add_tokens([AddedToken("word", single_word=True)]), "'word' has rules"),
    ],
)
def test_tokenizers_that_llama_cpp_cannot_imitate_are_refused(tmp_path, change, message):
    backend = codegen_backend()
    change(backend)
    save(make_model(), Tokenizer.from_backend(backend), tmp_path / "m")
    with pytest.raises(CheckpointError, match=message):
        write_gguf(tmp_path / "m", tmp_path / "m.gguf")


# Files that are not as they should be.


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def number(value: int) -> bytes:
    return struct.pack("<II", 4, value)


def header(
    keys: dict[Any, bytes], tensors: list[bytes], *, version: int = 3, magic: bytes = b"GGUF"
) -> bytes:
    start = magic + struct.pack("<IQQ", version, len(tensors), len(keys))
    return start + b"".join(text(key) + value for key, value in keys.items()) + b"".join(tensors)


def tensor(name: str, sizes: tuple[int, ...] = (4,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"GGU", "truncated"),
        (header({}, [], magic=b"GGML"), "no GGUF file"),
        (b"PK\3\4" + bytes(100), "no GGUF file"),
        (header({}, [], version=1), "version 1"),
        (header({}, [], version=3 << 24), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "number of tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**64 - 1), "number of keys"),
        (header({"x": struct.pack("<IIQ", 9, 8, 2**60)}, []), "'x'"),
        (header({"x": struct.pack("<IIQ", 9, 4, 2**40)}, []), "'x'"),
        (header({"x": struct.pack("<IIQ", 9, 9, 1) + bytes(12)}, []), "list of type 9"),
        (header({"x": struct.pack("<I", 13) + bytes(12)}, []), "type 13"),
        (header({"x": struct.pack("<IQ", 8, 2**62)}, []), "'x'"),
        (header({"x": struct.pack("<I", 8) + text(b"\xff")}, []), "'x' is not UTF-8"),
        (header({b"\xc3": number(1)}, []), "key 0 is not UTF-8"),
        (header({"x": struct.pack("<IB", 7, 2)}, []), "neither true nor false"),
        (header({"x": number(1), b"x": number(1)}, []), "'x' occurs twice"),
        (header({}, [tensor("a"), tensor("a")]), "'a' occurs twice"),
        (header({}, [tensor("a", ())]), "0 sizes"),
        (header({}, [tensor("a", (1,) * 5)]), "5 sizes"),
        (header({}, [tensor("a", (2**40, 2**40))]), "absurd"),
        (header({}, [tensor("a", (0, 4))]), "absurd"),
        (header({}, [tensor("a", offset=7)]), "not aligned"),
        (header({}, [tensor("a", offset=2**40)]), "outside of the file"),
        (header({"general.alignment": number(48)}, [tensor("a")]), "no power of two"),
        (header({"general.alignment": number(0)}, []), "no power of two"),
        (header({"a\nb": struct.pack("<I", 99) + bytes(9)}, []), r"'a\\nb'"),
    ],
)
def test_headers_that_the_format_forbids(tmp_path, content, message):
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_gguf_header(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    path.write_bytes(header({"x": number(7)}, [tensor("a", (2, 3))]) + bytes(64))
    read = read_gguf_header(path)
    assert read.metadata == {"x": 7}
    assert read.tensors["a"].shape == (3, 2)


def rewritten(file: Path, out: Path, keys: dict[str, Any], edit: Any = None) -> None:
    """A copy of a file with other values of keys, or without them where the value is None."""
    old = gguf.GGUFReader(file)
    writer = gguf.GGUFWriter(out, "phi2")
    for name, field in old.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or name in keys:
            continue
        kind = field.types[0]
        writer.add_key_value(name, field.contents(), kind, field.types[-1])
    for name, value in keys.items():
        if value is not None:
            kind = gguf.GGUFValueType.get_type(value)
            writer.kv_data[0].pop(name, None)
            writer.add_key_value(name, value, kind)
    for tensor in old.tensors:
        name, data, kind = tensor.name, tensor.data, tensor.tensor_type
        if edit:
            edited = edit(name, data, kind)
            if edited is None:
                continue
            name, data, kind = edited
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"general.architecture": "llama"}, "'llama'; only phi2"),
        ({"split.count": 2}, "--merge"),
        ({"phi2.block_count": 2**31 - 1}, "25 tensors"),
        ({"phi2.block_count": 3}, "'blk.2.attn_norm.weight' is missing"),
        ({"phi2.block_count": 1}, "no part of a Phi"),
        ({"phi2.block_count": None}, "block_count"),
        ({"phi2.block_count": "2"}, "block_count"),
        ({"phi2.embedding_length": 128}, "shape"),
        ({"phi2.attention.head_count": 0}, "head_count"),
        ({"phi2.attention.head_count": [2, 2]}, "head_count"),
        ({"phi2.attention.head_count": 5}, "not divisible|head_count"),
        ({"phi2.attention.head_count": 2**30}, "head_count"),
        ({"phi2.attention.head_count_kv": 1}, "head_count_kv"),
        ({"phi2.attention.key_length": 16}, "key_length"),
        ({"phi2.attention.layer_norm_epsilon": None}, "layer_norm_epsilon"),
        ({"phi2.attention.layer_norm_epsilon": float("nan")}, "layer_norm_epsilon"),
        ({"phi2.rope.dimension_count": 64}, "larger than a head"),
        ({"phi2.rope.dimension_count": 3}, "even number"),
        ({"phi2.rope.scaling.type": "yarn"}, "scaled rotary"),
        ({"tokenizer.ggml.eos_token_id": "x"}, "eos_token_id"),
        ({"tokenizer.ggml.eos_token_id": 10**6}, "eos_token_id is 1000000"),
        ({"tokenizer.ggml.eos_token_id": None}, "eos_token_id"),
        ({"tokenizer.ggml.model": "llama"}, "its tokenizer is 'llama'"),
        ({"tokenizer.ggml.pre": "llama-bpe"}, "'llama-bpe'"),
        ({"tokenizer.ggml.tokens": None}, "tokens is missing"),
        ({"tokenizer.ggml.tokens": ["a"]}, "1 tokens"),
        ({"tokenizer.ggml.tokens": ["a"] * 437}, "same text"),
        ({"tokenizer.ggml.token_type": ["a"] * 437}, "another type"),
        ({"tokenizer.ggml.merges": ["a b c", "no way"]}, "make no tokenizer"),
        ({"tokenizer.ggml.merges": ["a"]}, "make no tokenizer"),
    ],
)
def test_keys_that_make_no_phi(file, tmp_path, keys, message):
    path = tmp_path / "x.gguf"
    rewritten(file, path, {})
    load_gguf(path)
    rewritten(file, path, keys)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_gguf(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_tensors_that_make_no_phi(file, tmp_path):
    path = tmp_path / "x.gguf"
    kinds = gguf.GGMLQuantizationType

    def check(edit: Any, message: str) -> None:
        rewritten(file, path, {}, edit)
        with pytest.raises(CheckpointError, match=message):
            read_gguf(path)

    def only(wanted: str, result: Any) -> Any:
        return lambda name, data, kind: result if name == wanted else (name, data, kind)

    bias = np.zeros(64, np.float32)
    check(only("output_norm.bias", None), "'output_norm.bias' is missing")
    check(only("token_embd.weight", None), "token_embd")
    check(only("output_norm.bias", ("other", bias, kinds.F32)), "'output_norm.bias' is missing")
    check(only("output_norm.bias", ("output_norm.bias", bias[1:], kinds.F32)), r"shape \[63\]")
    check(
        only("output_norm.bias", ("output_norm.bias", bias.astype(np.int32), kinds.I32)), "type I32"
    )


def test_files_by_others_are_read(file, tmp_path):
    """Without the keys that llama.cpp's converter leaves out, and in types that we don't write."""
    path = tmp_path / "x.gguf"
    kinds = gguf.GGMLQuantizationType

    def requantised(name: str, data: Any, kind: Any) -> Any:
        if kind != kinds.F16:
            return name, data, kind
        return name, gguf.quantize(data.astype(np.float32), kinds.Q5_1), kinds.Q5_1

    keys = {"phi2.rope.freq_base": None, "tokenizer.ggml.pre": None, "phi2.vocab_size": None}
    rewritten(file, path, keys, requantised)
    model, _ = load_gguf(path, dtype="bfloat16")
    assert model.config.rope_theta == 10000.0
    assert model.dtype == torch.bfloat16
    expected = make_model().state_dict()
    for name, weight in model.state_dict().items():
        assert torch.allclose(weight.float(), expected[name], atol=0.05), name


def test_a_vocabulary_with_a_hole_keeps_its_numbers(file, tmp_path, tokenizer):
    metadata = read_gguf(file).metadata
    merges, types = metadata["tokenizer.ggml.merges"], metadata["tokenizer.ggml.token_type"]
    hole = metadata["tokenizer.ggml.tokens"].index(merges[-1].replace(" ", ""))
    types[hole] = 5
    keys = {"tokenizer.ggml.merges": merges[:-1], "tokenizer.ggml.token_type": types}
    rewritten(file, tmp_path / "x.gguf", keys)
    found = read_gguf(tmp_path / "x.gguf").tokenizer()
    text = f"def f():\n{' ' * 9}return\t\t1{EOS}"
    ids = tokenizer.encode(text, special_tokens=True)
    assert max(ids) > tokenizer.eos_token_id > hole
    assert hole not in ids
    assert found.encode(text, special_tokens=True) == ids
    assert found.token_bytes(hole) == b""


def test_files_cut_short_are_one_line(file, tmp_path):
    content = file.read_bytes()
    path = tmp_path / "x.gguf"
    lengths = [*range(400), *range(400, len(content) - 32, 3001), len(content) - 32]
    for length in lengths:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="truncated") as caught:
            load_gguf(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="no file"):
        read_gguf(tmp_path)


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_corrupt_files_load_or_are_one_line(file, tmp_path_factory, data):
    content = bytearray(file.read_bytes())
    # The header, tokens included, is where a byte can do harm; weights may be any bytes.
    end = min(tensor.offset for tensor in read_gguf_header(file).tensors.values())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, 1000), st.integers(0, end - 1)))
        content[place] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 8, 9, 32, 127, 128, 255]))
    path = tmp_path_factory.getbasetemp() / "corrupt.gguf"
    path.write_bytes(content)
    message = ""
    try:
        _, tokenizer = load_gguf(path)
        tokenizer.encode("def f(x):\n    return")
    except CheckpointError as error:
        message = str(error)
    assert "\n" not in message
