from __future__ import annotations

import math
from typing import Any

import pytest

from training_help import make_config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("steps", 1.5),
        ("steps", True),
        ("batch_size", -1),
        ("sequence_length", 0),
        ("micro_batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", "fast"),
        ("warmup_steps", -1),
        ("warmup_steps", 12),
        ("schedule", "triangle"),
        ("decay_fraction", 1.5),
        ("floor", -0.1),
        ("weight_decay", -1.0),
        ("betas", (0.9,)),
        ("betas", (0.9, 1.0)),
        ("eps", 0.0),
        ("gradient_clip", math.inf),
        ("dtype", "float16"),
        ("compile", "maybe"),
        ("separate_documents", "yes"),
        ("seed", -1),
        ("max_skipped_in_a_row", 0),
        ("checkpoint_every", 0),
        ("keep_checkpoints", 0),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_field(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        make_config(**{name: value})
    assert "\n" not in str(caught.value)


def test_the_defaults_are_those_of_phi_1_5() -> None:
    config = make_config()
    assert (config.betas, config.eps, config.weight_decay) == ((0.9, 0.98), 1e-7, 0.1)
