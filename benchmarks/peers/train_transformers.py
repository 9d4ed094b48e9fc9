"""Participant: `transformers`' PhiForCausalLM with its own loss, attention through SDPA."""

# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from torch import Tensor
from training_shape import Shape
from training_worker import PlainTraining, Training, load_reference_weights, serve
from transformers import AutoModelForCausalLM, PhiConfig


def start(shape: Shape, dtype: str, compiled: bool) -> Training:
    """The model with its own loss, which the compiled form compiles along."""
    config = PhiConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
        },
        bos_token_id=None,
        eos_token_id=None,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    load_reference_weights(model, shape)

    def loss(input_ids: Tensor, labels: Tensor) -> Tensor:
        output = model(input_ids=input_ids, labels=labels, shift_labels=labels, use_cache=False)
        return output.loss

    return PlainTraining(model, loss, shape, dtype, compiled)


if __name__ == "__main__":
    serve("transformers", start)
