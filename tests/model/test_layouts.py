from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phinery.model import Phi, preset
from phinery.model.layouts import LAYOUTS, MIXFORMER, PHI, PHI_MSFT, read_config, sources


def test_layout_names_are_the_models_parameters():
    for name in ("phi-2", "phi-1.5"):
        config = preset(name)
        with torch.device("meta"):
            expected = list(Phi(config).state_dict())
        for layout in LAYOUTS:
            assert [ours for ours, _ in sources(layout, config.num_hidden_layers)] == expected
        same = sources(PHI, config.num_hidden_layers)
        assert all(ours == source.tensor and source.parts == 1 for ours, source in same)


def test_old_layouts_use_the_released_names():
    mixformer = {source.tensor for _, source in sources(MIXFORMER, 24)}
    assert "layers.0.wte.weight" in mixformer
    assert "layers.1.ln.bias" in mixformer
    assert "layers.24.mixer.Wqkv.weight" in mixformer
    assert {"layers.25.ln.weight", "layers.25.linear.bias"} <= mixformer
    assert len(mixformer) == 1 + 24 * 10 + 4
    msft = {source.tensor for _, source in sources(PHI_MSFT, 32)}
    assert "transformer.embd.wte.weight" in msft
    assert "transformer.h.31.mixer.out_proj.bias" in msft
    assert {"lm_head.ln.weight", "lm_head.linear.bias"} <= msft
    assert len(msft) == 1 + 32 * 10 + 4


def test_old_configurations_are_the_presets():
    # The shapes of the released config.json files of phi-1.5 and phi-2.
    old = {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "n_inner": None}
    old |= {"n_head": 32, "n_positions": 2048, "rotary_dim": 32, "vocab_size": 51200}
    phi_1_5 = {**old, "model_type": MIXFORMER, "n_embd": 2048, "n_layer": 24}
    assert read_config(phi_1_5) == preset("phi-1.5")
    phi_2 = {**old, "model_type": PHI_MSFT, "n_embd": 2560, "n_layer": 32, "n_head_kv": None}
    assert read_config(phi_2) == preset("phi-2")


def test_old_vocabularies_are_rounded_up_when_the_file_says_so():
    old = {"model_type": PHI_MSFT, "n_embd": 64, "n_layer": 1, "n_head": 2, "vocab_size": 50257}
    assert read_config(old, embedding_rows=50304).vocab_size == 50304
    assert read_config(old, embedding_rows=50257).vocab_size == 50257
    assert read_config(old).vocab_size == 50257


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_head_kv": 1}, "grouped heads"),
        ({"activation_function": "relu"}, "relu"),
        ({"n_embd": "64"}, "n_embd"),
        ({"n_layer": None}, "n_layer"),
        ({"rotary_dim": 0}, "rotary"),
        ({"rotary_dim": "half"}, "rotary_dim"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings"),
    ],
)
def test_old_configurations_that_are_no_phi(change, message):
    old = {"model_type": PHI_MSFT, "n_embd": 64, "n_layer": 1, "n_head": 2, "vocab_size": 320}
    read_config(old)
    with pytest.raises(ValueError, match=message):
        read_config({**old, **change})


@given(st.integers(2, 512), st.data())
def test_a_rotary_dimension_survives_its_way_through_a_factor(head_dim, data):
    rotary_dim = 2 * data.draw(st.integers(1, head_dim // 2))
    old = {"model_type": PHI_MSFT, "n_embd": head_dim, "n_layer": 1, "n_head": 1, "vocab_size": 320}
    assert read_config({**old, "rotary_dim": rotary_dim}).rotary_dim == rotary_dim
