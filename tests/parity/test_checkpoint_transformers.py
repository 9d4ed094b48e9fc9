"""transformers opens our folders and we open theirs, with the same logits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import phinery
from phinery.model import Phi, PhiConfig
from phinery.model.checkpoint import load_model, save
from phinery.model.layouts import MIXFORMER, PHI_MSFT
from phinery.text import Tokenizer

transformers = pytest.importorskip("transformers")

# Head size 80 with 32 rotary dimensions, as in phi-2.
CONFIG = PhiConfig(
    vocab_size=320,
    hidden_size=160,
    intermediate_size=200,
    num_hidden_layers=3,
    num_attention_heads=2,
    partial_rotary_factor=0.4,
    rope_theta=5000.0,
    layer_norm_eps=1e-3,
    max_position_embeddings=128,
)


@pytest.fixture
def tokenizer(byte_tokenizer: Tokenizer) -> Tokenizer:
    return byte_tokenizer


def randomize(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "layernorm" in name and name.endswith("weight"):
                parameter.normal_(mean=1.0, std=0.2, generator=generator)
            else:
                parameter.normal_(std=0.1, generator=generator)


def make_theirs(**changes: object) -> transformers.PhiForCausalLM:
    values = {**CONFIG.to_dict(), **changes}
    model = transformers.PhiForCausalLM(transformers.PhiConfig(**values))
    randomize(model)
    return model.eval()


def words() -> Tensor:
    return torch.randint(0, 320, (2, 40), generator=torch.Generator().manual_seed(4))


def assert_same_logits(ours: Phi, theirs: nn.Module) -> None:
    with torch.no_grad():
        left = ours(words())
        right = theirs(words()).logits
    assert left.dtype == right.dtype
    assert right.std() > 0.1
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 5e-3}[right.dtype]
    assert (left - right).abs().max() < tolerance * right.float().square().mean().sqrt() * 5


@pytest.mark.parametrize("max_shard_bytes", [10**9, 200_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_transformers_opens_our_folder(tmp_path, tokenizer, dtype, max_shard_bytes):
    model = Phi(CONFIG).to(dtype).eval()
    randomize(model)
    save(model, tokenizer, tmp_path / "m", max_shard_bytes=max_shard_bytes)
    assert (tmp_path / "m" / "model.safetensors").exists() == (max_shard_bytes == 10**9)
    theirs, info = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "m", output_loading_info=True
    )
    assert type(theirs) is transformers.PhiForCausalLM
    assert not any(info.values())
    assert theirs.dtype == dtype
    theirs_weights = theirs.state_dict()
    assert theirs_weights.keys() == model.state_dict().keys()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, theirs_weights[name]), name
    assert theirs.config.rope_parameters["rope_theta"] == CONFIG.rope_theta
    assert theirs.generation_config.eos_token_id == tokenizer.eos_token_id
    assert_same_logits(model, theirs)


def test_transformers_opens_our_tokenizer(tmp_path, tokenizer):
    save(Phi(CONFIG), tokenizer, tmp_path / "m")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    text = "def f(x):\n    return x  # naïve ☃"
    assert theirs(text)["input_ids"] == tokenizer.encode(text)
    assert theirs.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize("max_shard_size", ["1GB", "100KB"])
def test_we_open_their_folder(tmp_path, tokenizer, max_shard_size):
    theirs = make_theirs()
    theirs.save_pretrained(tmp_path / "m", max_shard_size=max_shard_size)
    assert (tmp_path / "m" / "model.safetensors").exists() == (max_shard_size == "1GB")
    tokenizer.save(tmp_path / "m")
    ours, _ = phinery.load(tmp_path / "m")
    assert ours.num_parameters() == theirs.num_parameters()
    assert_same_logits(ours, theirs)


def test_there_and_back_again(tmp_path, tokenizer):
    theirs = make_theirs()
    theirs.save_pretrained(tmp_path / "theirs")
    save(load_model(tmp_path / "theirs"), tokenizer, tmp_path / "ours")
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    for name, weight in theirs.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    ignored = {"_name_or_path", "dtype", "transformers_version", "architectures"}
    ignored |= {"bos_token_id", "eos_token_id", "pad_token_id"}
    before, after = theirs.config.to_dict(), again.config.to_dict()
    differing = {key for key in before if before[key] != after.get(key)} - ignored
    # Absent there and spelled out here, with the same meaning.
    assert differing <= {"num_key_value_heads"}


def fused(weights: dict[str, Tensor], layer: int, kind: str) -> Tensor:
    """Wqkv as Microsoft's code reads it: rows are (three, heads, head_dim)."""
    heads = [
        weights[f"model.layers.{layer}.self_attn.{name}_proj.{kind}"].unflatten(0, (2, 80))
        for name in ("q", "k", "v")
    ]
    return torch.stack(heads).flatten(0, 2).clone()


def old_tensors(theirs: nn.Module, layout: str) -> dict[str, Tensor]:
    weights = theirs.state_dict()
    count = CONFIG.num_hidden_layers
    if layout == MIXFORMER:
        blocks = [f"layers.{layer + 1}" for layer in range(count)]
        outer = {
            "layers.0.wte": "model.embed_tokens",
            f"layers.{count + 1}.ln": "model.final_layernorm",
            f"layers.{count + 1}.linear": "lm_head",
        }
    else:
        blocks = [f"transformer.h.{layer}" for layer in range(count)]
        outer = {
            "transformer.embd.wte": "model.embed_tokens",
            "lm_head.ln": "model.final_layernorm",
            "lm_head.linear": "lm_head",
        }
    tensors: dict[str, Tensor] = {}
    inner = {"ln": "input_layernorm", "mixer.out_proj": "self_attn.dense"}
    inner |= {"mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
    for kind in ("weight", "bias"):
        for old, new in outer.items():
            if f"{new}.{kind}" in weights:
                tensors[f"{old}.{kind}"] = weights[f"{new}.{kind}"]
        for layer, block in enumerate(blocks):
            tensors[f"{block}.mixer.Wqkv.{kind}"] = fused(weights, layer, kind)
            for old, new in inner.items():
                tensors[f"{block}.{old}.{kind}"] = weights[f"model.layers.{layer}.{new}.{kind}"]
    if layout == MIXFORMER:
        for block in blocks:
            tensors[f"{block}.mixer.rotary_emb.inv_freq"] = torch.ones(16)
    return tensors


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("layout", [MIXFORMER, PHI_MSFT])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_we_open_the_old_layouts(tmp_path: Path, layout, sharded, dtype):
    # The old code knew no other base of the rotary frequencies.
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.4}
    theirs = make_theirs(rope_theta=10000.0, rope_parameters=rope)
    tensors = {name: tensor.to(dtype) for name, tensor in old_tensors(theirs, layout).items()}
    if sharded:
        names = sorted(tensors)
        halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
        for file, half in halves.items():
            safetensors.torch.save_file({name: tensors[name] for name in half}, tmp_path / file)
        places = {name: file for file, half in halves.items() for name in half}
        index = {"metadata": {}, "weight_map": places}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
    config = {
        "model_type": layout,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": CONFIG.layer_norm_eps,
        "n_embd": CONFIG.hidden_size,
        "n_head": CONFIG.num_attention_heads,
        "n_inner": CONFIG.intermediate_size,
        "n_layer": CONFIG.num_hidden_layers,
        "n_positions": CONFIG.max_position_embeddings,
        "rotary_dim": 32,
        "vocab_size": CONFIG.vocab_size,
        "resid_pdrop": 0.1,
        "torch_dtype": "float16",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    ours = load_model(tmp_path)
    assert ours.dtype == dtype
    assert_same_logits(ours, theirs.to(dtype))


def test_a_released_configuration_of_transformers_4_opens(tmp_path):
    # The keys of microsoft/phi-2's config.json, at a small size.
    theirs = make_theirs(rope_theta=10000.0, rope_parameters=None, partial_rotary_factor=0.4)
    theirs.save_pretrained(tmp_path)
    config = {
        "_name_or_path": "microsoft/phi-2",
        "architectures": ["PhiForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "embd_pdrop": 0.0,
        "eos_token_id": 0,
        "hidden_act": "gelu_new",
        "hidden_size": 160,
        "initializer_range": 0.02,
        "intermediate_size": 200,
        "layer_norm_eps": 1e-3,
        "max_position_embeddings": 128,
        "model_type": "phi",
        "num_attention_heads": 2,
        "num_hidden_layers": 3,
        "num_key_value_heads": 2,
        "partial_rotary_factor": 0.4,
        "qk_layernorm": False,
        "resid_pdrop": 0.1,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.37.0",
        "use_cache": True,
        "vocab_size": 320,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_same_logits(load_model(tmp_path), theirs)
