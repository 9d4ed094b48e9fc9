from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors
import torch
from torch import nn

from phinery.files import read_manifest
from phinery.model import Phi, PhiConfig, preset
from phinery.model.checkpoint import CheckpointError, load, load_model, save
from phinery.model.safetensors_io import write_file
from phinery.text import Tokenizer

TINY = PhiConfig(
    vocab_size=320,
    hidden_size=48,
    intermediate_size=80,
    num_hidden_layers=3,
    num_attention_heads=3,
    partial_rotary_factor=0.5,
    max_position_embeddings=64,
)


@pytest.fixture
def tokenizer(byte_tokenizer: Tokenizer) -> Tokenizer:
    return byte_tokenizer


def make_model(config: PhiConfig = TINY, seed: int = 0) -> Phi:
    torch.manual_seed(seed)
    model = Phi(config)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.bias, std=0.1)
    return model.eval()


def assert_same_weights(left: Phi, right: Phi) -> None:
    for (name, a), (other, b) in zip(
        left.state_dict().items(), right.state_dict().items(), strict=True
    ):
        assert name == other
        assert a.dtype == b.dtype
        assert torch.equal(a, b), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("max_shard_bytes", [10**9, 40_000, 1])
def test_a_saved_model_loads_bit_for_bit(tmp_path, tokenizer, dtype, max_shard_bytes):
    model = make_model().to(dtype)
    save(model, tokenizer, tmp_path / "m", max_shard_bytes=max_shard_bytes)
    loaded, loaded_tokenizer = load(tmp_path / "m")
    assert_same_weights(model, loaded)
    assert loaded_tokenizer.encode("so it goes") == tokenizer.encode("so it goes")
    assert loaded.dtype == dtype
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_shards_hold_at_most_what_is_asked_and_the_index_lists_all(tmp_path, tokenizer):
    model = make_model()
    save(model, tokenizer, tmp_path / "m", max_shard_bytes=70_000)
    files = sorted(path.name for path in (tmp_path / "m").glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    index = json.loads((tmp_path / "m" / "model.safetensors.index.json").read_text())
    assert list(index["weight_map"]) == list(model.state_dict())
    assert set(index["weight_map"].values()) == set(files)
    assert index["metadata"]["total_size"] == 4 * model.num_parameters()
    assert index["metadata"]["total_parameters"] == model.num_parameters()
    for file in files:
        with safetensors.safe_open(tmp_path / "m" / file, framework="pt") as opened:
            assert opened.metadata() == {"format": "pt"}
            held = sum(opened.get_tensor(name).nbytes for name in opened.keys())  # noqa: SIM118
        assert held <= 70_000


def test_the_folder_has_every_file_and_a_valid_manifest(tmp_path, tokenizer):
    save(make_model(), tokenizer, tmp_path / "m")
    manifest = read_manifest(tmp_path / "m")
    assert manifest["kind"] == "model"
    assert set(manifest["files"]) >= {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["architectures"] == ["PhiForCausalLM"]
    assert config["model_type"] == "phi"
    assert config["dtype"] == "float32"
    assert config["eos_token_id"] == tokenizer.eos_token_id
    generation = json.loads((tmp_path / "m" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == tokenizer.eos_token_id
    card = (tmp_path / "m" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert f"{TINY.num_parameters():,}" in card


def test_saving_again_replaces_and_a_failing_save_keeps_the_old(tmp_path, tokenizer, monkeypatch):
    first, second = make_model(seed=1), make_model(seed=2)
    save(first, tokenizer, tmp_path / "m", max_shard_bytes=50_000)
    save(second, tokenizer, tmp_path / "m")
    assert_same_weights(second, load_model(tmp_path / "m"))
    assert not list((tmp_path / "m").glob("model-*"))

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("phinery.model.checkpoint.write_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save(first, tokenizer, tmp_path / "m")
    assert_same_weights(second, load_model(tmp_path / "m"))
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_save_never_replaces_what_it_did_not_write(tmp_path, tokenizer):
    precious = tmp_path / "home" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(CheckpointError, match="did not write"):
        save(make_model(), tokenizer, tmp_path / "home")
    assert precious.read_text() == "years of work"
    with pytest.raises(CheckpointError, match="is a file"):
        save(make_model(), tokenizer, precious)


def test_save_refuses_what_cannot_be_loaded_again(tmp_path, tokenizer):
    small = PhiConfig(vocab_size=100, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(CheckpointError, match="257 tokens, but the model's vocab_size is only 100"):
        save(make_model(small), tokenizer, tmp_path / "m")
    with torch.device("meta"):
        unreal = Phi(TINY)
    with pytest.raises(CheckpointError, match="cannot be saved"):
        save(unreal, tokenizer, tmp_path / "m")
    with pytest.raises(CheckpointError, match="max_shard_bytes"):
        save(make_model(), tokenizer, tmp_path / "m", max_shard_bytes=0)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("wanted", [torch.bfloat16, "bfloat16", torch.float64, "float16"])
def test_loading_converts_the_type(tmp_path, tokenizer, wanted, monkeypatch):
    # Several slabs for one tensor, the last one not full.
    monkeypatch.setattr("phinery.model.safetensors_io._CPU_SLAB", 1000)
    model = make_model()
    save(model, tokenizer, tmp_path / "m")
    loaded = load_model(tmp_path / "m", dtype=wanted)
    dtype = getattr(torch, wanted) if isinstance(wanted, str) else wanted
    assert_same_weights(model.to(dtype), loaded)


def test_mixed_types_load_as_the_narrowest_that_holds_all(tmp_path, tokenizer):
    model = make_model().to(torch.bfloat16)
    model.model.final_layernorm.to(torch.float16)
    save(model, tokenizer, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert_same_weights(model.to(torch.float32), loaded)


def test_unknown_types_and_devices_are_one_line(tmp_path, tokenizer):
    save(make_model(), tokenizer, tmp_path / "m")
    for dtype in ("int8", "float31", torch.int64):
        with pytest.raises(CheckpointError, match="no type for weights"):
            load_model(tmp_path / "m", dtype=dtype)
    with pytest.raises(CheckpointError, match="no device"):
        load_model(tmp_path / "m", device="toaster")
    if not torch.cuda.is_available():
        with pytest.raises(CheckpointError, match="not available"):
            load_model(tmp_path / "m", device="cuda")


def test_a_model_card_may_be_edited_or_left_out(tmp_path, tokenizer):
    model = make_model()
    save(model, tokenizer, tmp_path / "m")
    # The manifest has the card's checksum, so that a changed one could be refused like other files.
    assert "README.md" in read_manifest(tmp_path / "m")["files"]
    (tmp_path / "m" / "README.md").write_text("# Mine")
    assert_same_weights(model, load_model(tmp_path / "m"))
    assert (tmp_path / "m" / "README.md").read_text() == "# Mine"
    (tmp_path / "m" / "README.md").unlink()
    assert_same_weights(model, load_model(tmp_path / "m"))


def test_rotary_buffers_of_older_files_are_ignored(tmp_path, tokenizer):
    model = make_model()
    save(model, tokenizer, tmp_path / "m")
    (tmp_path / "m" / "manifest.json").unlink()
    buffers = {
        f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(4) for layer in range(3)
    }
    write_file(tmp_path / "m" / "model.safetensors", {**model.state_dict(), **buffers})
    assert_same_weights(model, load_model(tmp_path / "m"))


# --- memory

MEASURE = """
import sys, torch
from phinery.model.checkpoint import load_model

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

small, large, dtype = sys.argv[1:]
load_model(small, dtype=dtype)  # what torch allocates once is not the model's
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here
before = status("VmRSS")
model = load_model(large, dtype=dtype)
peak = status("VmHWM") - before
weights = sum(parameter.nbytes for parameter in model.parameters())
assert weights > 100e6
print(peak / weights)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
@pytest.mark.parametrize(
    ("stored", "wanted", "max_shard_bytes"),
    [
        ("float32", "float32", 10**8),
        ("float32", "bfloat16", 10**9),
        ("bfloat16", "float32", 10**8),
    ],
)
def test_loading_peaks_below_1_15_of_the_weights(
    tmp_path, tokenizer, stored, wanted, max_shard_bytes
):
    # Nearly all of it is one embedding and one head, the hardest case for a reader by tensors.
    config = preset("nano", vocab_size=100_000, hidden_size=384, num_attention_heads=6)
    with torch.device("meta"):
        model = Phi(config)
    model.to_empty(device="cpu").to(getattr(torch, stored))
    save(model, tokenizer, tmp_path / "large", max_shard_bytes=max_shard_bytes)
    save(make_model(), tokenizer, tmp_path / "small")
    command = [sys.executable, "-c", MEASURE, tmp_path / "small", tmp_path / "large", wanted]
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True
    )
    print(f"peak / weights: {result.stdout}")
    assert 0.9 < float(result.stdout) <= 1.15


def test_paths_may_be_text_and_relative(tmp_path, tokenizer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = make_model()
    save(model, tokenizer, "models/a")
    assert_same_weights(model, load_model("models/a"))
    assert_same_weights(model, load_model(Path("models") / "a"))
