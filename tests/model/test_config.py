from __future__ import annotations

import dataclasses

import pytest

from phinery.model import PhiConfig, preset


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("nano", 1_844_992), ("micro", 5_258_752), ("mini", 23_107_584)],
)
def test_ladder_at_a_small_vocabulary(name: str, parameters: int) -> None:
    config = preset(name, vocab_size=4096)
    assert config.num_parameters() == parameters
    assert (config.head_dim, config.rotary_dim) == (64, 32)


def test_other_presets() -> None:
    assert preset("small").num_parameters() == 163_731_968
    assert preset("medium") == preset("phi-1-small")
    assert 350e6 < preset("medium").num_parameters() < 360e6
    assert preset("phi-1") == preset("phi-1.5")
    with pytest.raises(ValueError, match="there are nano, micro"):
        preset("phi-3")
    with pytest.raises(ValueError, match="'width' is no field"):
        preset("nano", width=3)


def test_dictionary_round_trip() -> None:
    config = preset("phi-2", eos_token_id=50256, resid_pdrop=0.1)
    assert PhiConfig.from_dict(config.to_dict()) == config
    assert PhiConfig.from_dict({"unknown": 1, "hidden_size": 128, "num_attention_heads": 2})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 100}, "not divisible"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be a positive whole number"),
        ({"vocab_size": 1.5}, "vocab_size must be"),
        ({"vocab_size": True}, "vocab_size must be"),
        ({"partial_rotary_factor": 0.01}, "rotary dimensions"),
        ({"partial_rotary_factor": 1.5}, "rotary dimensions"),
        ({"layer_norm_eps": 0}, "layer_norm_eps must be a positive number"),
        ({"rope_theta": float("nan")}, "rope_theta"),
        ({"resid_pdrop": 1.0}, "resid_pdrop"),
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"qk_layernorm": True}, "qk_layernorm"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings"),
        ({"num_key_value_heads": 4}, "num_key_value_heads"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "rotary positions"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        PhiConfig.from_dict(values)
    assert "\n" not in str(caught.value)


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("nano").vocab_size = 3


def test_transformers_5_keys_are_read() -> None:
    values = {
        "model_type": "phi",
        "hidden_size": 160,
        "num_attention_heads": 2,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5000.0,
            "partial_rotary_factor": 0.4,
        },
        "eos_token_id": [7, 8],
    }
    config = PhiConfig.from_dict(values)
    assert (config.rope_theta, config.rotary_dim, config.eos_token_id) == (5000.0, 32, 7)
