"""Every bad model folder is one clear line that names the file, and the tensor if there is one."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import phinery
from phinery.model import Phi, PhiConfig
from phinery.model.checkpoint import CheckpointError, load, load_model, save
from phinery.model.safetensors_io import write_file
from phinery.model.stored import read_header

CONFIG = PhiConfig(
    vocab_size=288, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2
)
FC1 = "model.layers.1.mlp.fc1.weight"


@pytest.fixture(scope="module")
def originals(tmp_path_factory, byte_tokenizer) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    torch.manual_seed(0)
    model = Phi(CONFIG)
    save(model, byte_tokenizer, folder / "whole")
    save(model, byte_tokenizer, folder / "sharded", max_shard_bytes=30_000)
    return folder


@pytest.fixture
def whole(originals, tmp_path) -> Path:
    """A folder as another program would have written it: no manifest."""
    shutil.copytree(originals / "whole", tmp_path / "whole")
    (tmp_path / "whole" / "manifest.json").unlink()
    return tmp_path / "whole"


@pytest.fixture
def sharded(originals, tmp_path) -> Path:
    shutil.copytree(originals / "sharded", tmp_path / "sharded")
    (tmp_path / "sharded" / "manifest.json").unlink()
    return tmp_path / "sharded"


def message_of(folder: Path, read: Callable[[Path], Any] = load) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def refusal_of(folder: Path) -> str | None:
    try:
        load_model(folder)
    except CheckpointError as error:
        return str(error)
    return None


def assert_refused(folder: Path, *parts: str) -> None:
    message = message_of(folder)
    for part in parts:
        assert part in message, message


def change_json(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def change_config(folder: Path, **values: Any) -> None:
    change_json(folder / "config.json", lambda config: config.update(values))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = dict(load_model(folder).state_dict())
    change(tensors)
    write_file(folder / "model.safetensors", tensors)


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write_header(path: Path, header: Any, data: bytes) -> None:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)


def test_the_unchanged_folders_load(whole, sharded):
    """Else a test below could see a refusal that has nothing to do with its damage."""
    assert len(list(whole.glob("*.safetensors"))) == 1
    assert len(list(sharded.glob("*.safetensors"))) > 1
    torch.manual_seed(0)
    saved = Phi(CONFIG).state_dict()
    for folder in (whole, sharded):
        model, tokenizer = load(folder)
        loaded = model.state_dict()
        assert loaded.keys() == saved.keys()
        assert all(torch.equal(loaded[name], weight) for name, weight in saved.items())
        assert tokenizer.decode(tokenizer.encode("so it goes")) == "so it goes"


# --- folders


def test_no_folder(tmp_path):
    assert_refused(tmp_path / "nowhere", "there is no folder", "nowhere")


def test_a_file_instead_of_a_folder(whole):
    assert_refused(whole / "config.json", "is a file", "config.json")


def test_an_empty_folder(tmp_path):
    assert_refused(tmp_path, "is empty", "config.json")


@pytest.mark.parametrize(
    "name",
    ["model", "./a/b", "/no/such/place", "a/b/c", "../x/y", "what is this?", "a" * 5000, "a\0/b"],
)
def test_neither_a_folder_nor_a_hub_id(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"there is no folder .*not a hub id") as caught:
        phinery.load(name)
    assert "\n" not in str(caught.value)


def test_a_folder_without_configuration(whole):
    (whole / "config.json").unlink()
    assert_refused(whole, str(whole), "has no config.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b"9" * 10_000, "not valid JSON"),
    ],
)
@pytest.mark.parametrize("file", ["config.json", "model.safetensors.index.json", "manifest.json"])
def test_files_that_are_not_json(sharded, file, content, message):
    (sharded / file).write_bytes(content)
    assert_refused(sharded, str(sharded / file), message)


def test_a_configuration_that_cannot_be_read(whole):
    (whole / "config.json").unlink()
    (whole / "config.json").mkdir()
    assert_refused(whole, "has no config.json")


def test_a_missing_tokenizer(whole):
    (whole / "tokenizer.json").unlink()
    assert_refused(whole, "tokenizer", str(whole))


def test_a_corrupt_tokenizer(whole):
    (whole / "tokenizer.json").write_text("{")
    assert_refused(whole, "tokenizer.json")


def test_a_tokenizer_of_another_model(whole):
    backend = json.loads((whole / "tokenizer.json").read_text())
    for number in range(257, 300):
        token = {"id": number, "content": f"<{number}>", "special": False}
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        backend["added_tokens"].append({**token, **flags})
    (whole / "tokenizer.json").write_text(json.dumps(backend))
    assert_refused(whole, "300 tokens", "vocab_size is only 288")


# --- pickles


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_pickles_are_never_opened(whole, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (whole / "model.safetensors").unlink()
    (whole / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    assert_refused(whole, "pytorch_model.bin", "pickle", "convert")
    assert not (tmp_path / "exploded").exists()


def test_the_advised_conversion_of_pickles_works(whole):
    tensors = dict(load_model(whole).state_dict())
    (whole / "model.safetensors").unlink()
    names = list(tensors)
    torch.save({name: tensors[name] for name in names[:9]}, whole / "pytorch_model-1-of-2.bin")
    torch.save({name: tensors[name] for name in names[9:]}, whole / "pytorch_model-2-of-2.bin")
    (whole / "training_args.bin").write_bytes(pickle.dumps(Bomb()))
    command = shlex.split(message_of(whole).partition("inside the folder: ")[2])
    assert command[0] == "python"
    subprocess.run([sys.executable, *command[1:]], cwd=whole, check=True)
    loaded = load_model(whole).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert not (whole / "exploded").exists()


def test_no_weights_at_all(whole):
    (whole / "model.safetensors").rename(whole / "adapter_model.safetensors")
    assert_refused(whole, "neither model.safetensors nor", "adapter_model.safetensors")
    (whole / "adapter_model.safetensors").unlink()
    assert_refused(whole, "neither model.safetensors nor")


# --- configurations


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "llama"}, "'llama'"),
        ({"model_type": ["phi"]}, "model_type"),
        ({"model_type": "x\ny" * 1000}, "model_type"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings"),
        ({"qk_layernorm": True}, "qk_layernorm"),
        ({"num_key_value_heads": 1}, "num_key_value_heads"),
        ({"hidden_act": "relu"}, "relu"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ({"rope_scaling": "linear"}, "rope_scaling"),
        ({"hidden_size": "large"}, "hidden_size"),
        ({"hidden_size": 33}, "hidden_size"),
        ({"layer_norm_eps": None, "num_attention_heads": 0}, "num_attention_heads"),
        ({"eos_token_id": "end"}, "eos_token_id"),
        ({"vocab_size": 10**30}, "parameters"),
    ],
)
def test_configurations_of_other_models(whole, values, message):
    change_config(whole, **values)
    assert_refused(whole, str(whole / "config.json"), message)


@pytest.mark.parametrize(
    ("values", "tensor"),
    [
        ({"vocab_size": 289}, "model.embed_tokens.weight"),
        ({"intermediate_size": 48}, "model.layers.0.mlp.fc1.weight"),
        ({"num_hidden_layers": 3}, "model.layers.2.input_layernorm.weight"),
        ({"num_hidden_layers": 10**9}, "model.layers.2.input_layernorm.weight"),
        ({"num_hidden_layers": 1}, "model.layers.1.input_layernorm.weight"),
        ({"intermediate_size": 10**11}, "model.layers.0.mlp.fc1.weight"),
    ],
)
def test_configurations_that_do_not_fit_the_weights(whole, values, tensor):
    change_config(whole, **values)
    assert_refused(whole, str(whole / "model.safetensors"), tensor)


# --- tensors


def test_a_missing_tensor(whole):
    change_tensors(whole, lambda tensors: tensors.pop(FC1))
    assert_refused(whole, str(whole / "model.safetensors"), FC1, "missing")


def test_an_extra_tensor(whole):
    change_tensors(whole, lambda tensors: tensors.update(surprise=torch.ones(2)))
    assert_refused(whole, str(whole / "model.safetensors"), "surprise", "no part of a Phi")


def test_a_wrong_shape(whole):
    change_tensors(whole, lambda tensors: tensors.update({FC1: tensors[FC1].T.contiguous()}))
    assert_refused(whole, str(whole / "model.safetensors"), FC1, "[32, 40]", "[40, 32]")


@pytest.mark.parametrize("dtype", ["I32", "U32", "I8", "F8_E4M3", "BOOL", "C64"])
def test_types_that_are_no_weights(whole, dtype):
    path = whole / "model.safetensors"
    header, data = header_of(path)
    width = {"I8": 1, "F8_E4M3": 1, "BOOL": 1, "C64": 8}.get(dtype, 4)
    entries = sorted(header.items(), key=lambda item: item[1].get("data_offsets", [-1])[0])
    position = 0
    for name, entry in entries:
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        size = end - begin
        if name == FC1:
            entry["dtype"], size = dtype, size // 4 * width
        entry["data_offsets"] = [position, position + size]
        position += size
    write_header(path, dict(entries), data[:position].ljust(position, b"\0"))
    assert_refused(whole, str(path), FC1, dtype)


# --- the index


def test_an_index_that_names_a_missing_file(sharded):
    (sharded / "model-00002-of-00003.safetensors").unlink(missing_ok=True)
    shards = sorted(sharded.glob("*.safetensors"))
    shards[0].unlink()
    assert_refused(sharded, "model.safetensors.index.json", shards[0].name, "missing")


def test_an_index_that_names_a_missing_tensor(sharded):
    def move(index: Any) -> None:
        places = index["weight_map"]
        places[FC1] = next(place for place in places.values() if place != places[FC1])

    change_json(sharded / "model.safetensors.index.json", move)
    assert_refused(sharded, FC1, "model.safetensors.index.json", ".safetensors: tensor")


def test_an_index_that_forgets_a_tensor(sharded):
    change_json(
        sharded / "model.safetensors.index.json", lambda index: index["weight_map"].pop(FC1)
    )
    assert_refused(sharded, FC1, "does not place it there")


@pytest.mark.parametrize("place", ["../model.safetensors", "/etc/passwd", "", 3, None, "a\0b"])
def test_an_index_that_points_outside(sharded, place):
    change_json(
        sharded / "model.safetensors.index.json",
        lambda index: index["weight_map"].update({FC1: place}),
    )
    assert_refused(sharded, FC1, "model.safetensors.index.json")


@pytest.mark.parametrize("places", [None, {}, [], "model.safetensors"])
def test_an_index_without_places(sharded, places):
    change_json(
        sharded / "model.safetensors.index.json", lambda index: index.update(weight_map=places)
    )
    assert_refused(sharded, "model.safetensors.index.json", "weight_map")


# --- manifests


def test_our_own_folder_is_held_against_its_manifest(originals, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(originals / "whole", folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert_refused(folder, str(folder / "model.safetensors"), "checksum")
    (folder / "model.safetensors").unlink()
    message = message_of(folder, load_model)
    assert "model.safetensors is missing" in message


def test_a_damaged_manifest(originals, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(originals / "whole", folder)
    (folder / "manifest.json").write_text('{"kind": "model"}')
    assert_refused(folder, str(folder / "manifest.json"), "lists no files")


# --- damaged weights


def test_truncated_weights(whole):
    path = whole / "model.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for size in (0, 7, 8, 100, 8 + length, 8 + length + 5, len(content) - 1):
        path.write_bytes(content[:size])
        assert_refused(whole, str(path))


def test_a_header_longer_than_the_file(whole):
    path = whole / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 10**7) + path.read_bytes()[8:])
    assert_refused(whole, str(path), "longer than the file")
    path.write_bytes(struct.pack("<Q", 2**63) + path.read_bytes()[8:])
    assert_refused(whole, str(path), "limit")


def test_weights_that_shrink_while_they_are_read(whole, monkeypatch):
    header = read_header(whole / "model.safetensors")
    (whole / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr("phinery.model.folder.read_headers", lambda _: header)
    assert_refused(whole, "model.safetensors ended inside tensor")


@pytest.fixture(scope="module")
def scratch(originals, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scratch") / "m"
    shutil.copytree(originals / "whole", folder)
    (folder / "manifest.json").unlink()
    return folder


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_header_is_refused_or_loads(originals, scratch, data):
    content = bytearray((originals / "whole" / "model.safetensors").read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    for _ in range(data.draw(st.integers(1, 4), label="flips")):
        place = data.draw(st.integers(0, 8 + length - 1), label="place")
        content[place] = data.draw(st.integers(0, 255), label="value")
    size = data.draw(st.one_of(st.none(), st.integers(0, len(content))), label="size")
    (scratch / "model.safetensors").write_bytes(content[:size])
    refusal = refusal_of(scratch)
    if refusal is not None:
        assert "model.safetensors" in refusal
        assert "\n" not in refusal
        assert len(refusal) < 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_configuration_with_any_value_is_refused_or_loads(originals, scratch, data):
    shutil.copy(originals / "whole" / "model.safetensors", scratch / "model.safetensors")
    config = json.loads((originals / "whole" / "config.json").read_text())
    key = data.draw(st.sampled_from(sorted(config)), label="key")
    config[key] = data.draw(JSON, label="value")
    (scratch / "config.json").write_text(json.dumps(config))
    try:
        refusal = refusal_of(scratch)
    finally:
        shutil.copy(originals / "whole" / "config.json", scratch / "config.json")
    assert refusal is None or "\n" not in refusal
