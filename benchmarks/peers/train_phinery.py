"""Participant: Phinery itself."""

from __future__ import annotations

from torch import nn
from training_shape import Shape
from training_worker import Loss, load_reference_weights, serve

from phinery.model import Phi, PhiConfig


def build(shape: Shape) -> tuple[nn.Module, Loss]:
    """The model and its loss."""
    config = PhiConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        partial_rotary_factor=0.5,
    )
    model = Phi(config)
    load_reference_weights(model, shape)
    return model, model.loss


if __name__ == "__main__":
    serve("phinery", build)
