"""Participant: `litgpt`'s GPT in its own phi configuration, with its own chunked cross-entropy."""

# The package lives in an environment of its own, where the type checker does not look.
# pyright: reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import torch
from litgpt import GPT, Config
from litgpt.utils import chunked_cross_entropy
from torch import Tensor, nn
from training_shape import Shape
from training_worker import PlainTraining, Training, reference_weights, serve

NAMES = {
    "model.embed_tokens": "transformer.wte",
    "model.final_layernorm": "transformer.ln_f",
    "input_layernorm": "norm_1",
    "self_attn.dense": "attn.proj",
    "mlp.fc1": "mlp.fc",
    "mlp.fc2": "mlp.proj",
    "model.layers": "transformer.h",
}


def start(shape: Shape, dtype: str, compiled: bool) -> Training:
    """The model with the loss as litgpt's own pretraining computes it, in chunks of 128 rows.

    Compiled it is one graph with the model, undivided: measured to be the faster form.
    """
    config = Config.from_name(
        "phi-1_5",
        vocab_size=shape.vocab_size,
        padded_vocab_size=shape.vocab_size,
        block_size=shape.sequence_length,
        n_embd=shape.hidden_size,
        n_layer=shape.num_hidden_layers,
        n_head=shape.num_attention_heads,
        n_query_groups=shape.num_attention_heads,
        head_size=64,
        intermediate_size=shape.intermediate_size,
    )
    model = GPT(config)
    load(model, shape)

    def loss(input_ids: Tensor, labels: Tensor) -> Tensor:
        return chunked_cross_entropy(model(input_ids), labels, chunk_size=0 if compiled else 128)

    return PlainTraining(model, loss, shape, dtype, compiled)


@torch.no_grad()
def load(model: nn.Module, shape: Shape) -> None:
    """Copy the reference weights; query, key and value are the thirds of one matrix here."""
    parameters = dict(model.named_parameters())
    filled: set[str] = set()
    for name, value in reference_weights(shape):
        for theirs, litgpt in NAMES.items():
            name = name.replace(theirs, litgpt)
        target = name
        for third, projection in enumerate(("q_proj", "k_proj", "v_proj")):
            if projection in name:
                target = name.replace(f"self_attn.{projection}", "attn.qkv")
                parameters[target].chunk(3)[third].copy_(value)
                break
        else:
            parameters[target].copy_(value)
        filled.add(target)
    assert filled == set(parameters), f"not filled: {sorted(set(parameters) - filled)}"


if __name__ == "__main__":
    serve("litgpt", start)
