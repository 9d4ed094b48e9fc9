"""Participant: OpenVINO, with its own stateful attention and NNCF's weight compression.

The graph is converted from a Phi in plain torch below, and its cache turned into OpenVINO's state
in the form that the CPU plugin fuses, as `optimum-intel` does for transformers' models.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from decode_shape import Shape
from decode_worker import Decoder, Logits, Tokens, Variant, serve
from openvino._offline_transformations import apply_make_stateful_transformation
from openvino.frontend.pytorch import patch_model
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """A Phi layer; returns its keys and values with those that came before."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.hidden_size
        self.heads, self.head_dim = shape.num_attention_heads, shape.head_dim
        self.rotary = int(self.head_dim * shape.partial_rotary_factor)
        self.input_layernorm = nn.LayerNorm(width)
        self.self_attn = nn.ModuleDict(
            {name: nn.Linear(width, width) for name in ("q_proj", "k_proj", "v_proj", "dense")}
        )
        self.mlp = nn.ModuleDict(
            {
                "fc1": nn.Linear(width, shape.intermediate_size),
                "fc2": nn.Linear(shape.intermediate_size, width),
            }
        )

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The layer's output, keys and values.

        Sizes: x (batch, new, hidden), mask (batch, 1, new, all), keys (batch, heads, past, head).
        """
        normed = self.input_layernorm(x)
        size = (x.shape[0], x.shape[1], self.heads, self.head_dim)
        query, key, value = (
            self.self_attn[name](normed).view(size).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        query, key = self._rotate(query, cos, sin), self._rotate(key, cos, sin)
        keys = torch.cat([keys, key], dim=2)
        values = torch.cat([values, value], dim=2)
        attended = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        attended = attended.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1)
        hidden = functional.gelu(self.mlp["fc1"](normed), approximate="tanh")
        x = x + self.self_attn["dense"](attended) + self.mlp["fc2"](hidden)
        return x, keys, values

    def _rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        turned, rest = x[..., : self.rotary], x[..., self.rotary :]
        half = self.rotary // 2
        swapped = torch.cat([-turned[..., half:], turned[..., :half]], dim=-1)
        return torch.cat([turned * cos + swapped * sin, rest], dim=-1)


class Model(nn.Module):
    """A Phi whose cache goes in and comes out; logits of each sequence's last token."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.final_layernorm = nn.LayerNorm(shape.hidden_size)
        self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size)
        rotary = int(shape.head_dim * shape.partial_rotary_factor)
        frequencies = 10000.0 ** (-torch.arange(0, rotary, 2).float() / rotary)
        self.frequencies = nn.Buffer(frequencies, persistent=False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, cache: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """input_ids, position_ids (batch, new), attention_mask (batch, all): ones."""
        angles = position_ids[:, None, :, None].float() * self.frequencies
        cos = torch.cat([angles.cos(), angles.cos()], dim=-1)
        sin = torch.cat([angles.sin(), angles.sin()], dim=-1)
        x = self.embed_tokens(input_ids)
        # (batch, 1, new, all): a token sees what stands at its own position or before it.
        everyone = attention_mask.cumsum(1)[:, None, None, :] - 1
        seen = everyone <= position_ids[:, None, :, None]
        mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
        present: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            keys, values = cache[2 * index], cache[2 * index + 1]
            x, keys, values = layer(x, cos, sin, mask, keys, values)
            present += [keys, values]
        return self.lm_head(self.final_layernorm(x[:, -1:])), *present


def convert(request: dict[str, Any]) -> Path:
    """The graph's file, written once into the benchmark's folder of weights."""
    path = Path(request["cache"]) / f"openvino-{request['format']}" / "model.xml"
    if path.exists():
        return path
    directory = Path(request["directory"])
    shape = Shape.of(json.loads((directory / "config.json").read_text(encoding="utf-8")))
    with torch.device("meta"):
        model = Model(shape)
    state: dict[str, Tensor] = {}
    for file in sorted(directory.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            state |= {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    # Matrices stay in 16 bits from here on: phi-2 in float32 would not fit twice into 24 GB.
    model.load_state_dict(
        {
            name.removeprefix("model."): value.half() if value.ndim > 1 else value.float()
            for name, value in state.items()
        },
        strict=True,
        assign=True,
    )
    del state
    rotary = int(shape.head_dim * shape.partial_rotary_factor)
    frequencies = 10000.0 ** (-torch.arange(0, rotary, 2).float() / rotary)
    model.frequencies = nn.Buffer(frequencies, persistent=False)
    patch_model.__make_16bit_traceable(model.eval())
    graph = to_stateful(model, shape)
    if request["format"] != "bf16":
        import nncf

        mode = {
            "int8": nncf.CompressWeightsMode.INT8_SYM,
            "int4": nncf.CompressWeightsMode.INT4_SYM,
        }
        options = {"int8": {}, "int4": {"group_size": 32, "ratio": 1.0}}
        graph = nncf.compress_weights(
            graph, mode=mode[request["format"]], **options[request["format"]]
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(graph, path, compress_to_fp16=True)
    return path


def to_stateful(model: Model, shape: Shape) -> openvino.Model:
    """Convert, name inputs and outputs, hide the cache in the graph's state."""
    batch, past, new = 2, 3, 2
    cache = [
        torch.zeros(batch, shape.num_attention_heads, past, shape.head_dim)
        for _ in range(2 * shape.num_hidden_layers)
    ]
    example = {
        "input_ids": torch.zeros(batch, new, dtype=torch.long),
        "attention_mask": torch.ones(batch, past + new, dtype=torch.long),
        "position_ids": torch.arange(past, past + new)[None].repeat(batch, 1),
        "cache": cache,
    }
    with torch.no_grad():
        graph = openvino.convert_model(model, example_input=example)
    names = ["input_ids", "attention_mask", "position_ids"]
    names += [f"past.{index}" for index in range(len(cache))]
    for name, value in zip(names, graph.inputs, strict=True):
        value.get_tensor().set_names({name})
        if name.startswith("past."):
            sizes = [-1, shape.num_attention_heads, -1, shape.head_dim]
            value.get_node().set_partial_shape(openvino.PartialShape(sizes))
            value.get_node().set_element_type(openvino.Type.f32)
        else:
            value.get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
    for name, value in zip(
        ["logits", *(f"present.{index}" for index in range(len(cache)))],
        graph.outputs,
        strict=True,
    ):
        value.get_tensor().set_names({name})
    graph.validate_nodes_and_infer_types()
    # The plugin looks for a choice of beams between the state and what is appended to it.
    ops = openvino.opset13
    beam = ops.parameter([-1], dtype=np.int32, name="beam_idx")
    beam.output(0).get_tensor().set_names({"beam_idx"})
    graph.add_parameters([beam])
    for index in range(len(cache)):
        parameter = graph.input(f"past.{index}").get_node()
        consumers = parameter.output(0).get_target_inputs()
        chosen = ops.gather(parameter, beam, ops.constant(0, dtype=np.int64))
        for consumer in consumers:
            consumer.replace_source_output(chosen.output(0))
    graph.validate_nodes_and_infer_types()
    apply_make_stateful_transformation(
        graph, {f"past.{index}": f"present.{index}" for index in range(len(cache))}
    )
    # The state begins empty: (batch, heads, 0, head_dim), the batch taken from the input.
    size = ops.gather(
        ops.shape_of(graph.input("input_ids").get_node(), output_type="i64"),
        ops.constant([0], dtype=np.int64),
        ops.constant(0, dtype=np.int64),
    )
    rest = ops.constant([shape.num_attention_heads, 0, shape.head_dim], dtype=np.int64)
    dimensions = ops.concat([size, rest], axis=0)
    for node in graph.get_ops():
        if node.get_type_name() == "ReadValue":
            empty = ops.broadcast(ops.constant(0.0, dtype=np.float32), dimensions)
            node.set_arguments([empty.output(0)])
    graph.validate_nodes_and_infer_types()
    return graph


class OpenVinoDecoder:
    """Inference requests of the compiled graph, which keeps the cache as its state."""

    def __init__(self, request: dict[str, Any]) -> None:
        path = convert(request)
        self.versions = {name: metadata.version(name) for name in ("openvino", "nncf")}
        config = json.loads((Path(request["directory"]) / "config.json").read_text("utf-8"))
        # NNCF keeps the embedding in 8 bits, in either format.
        embedding = Shape.of(config).embedding_weights * (2 if request["format"] == "bf16" else 1)
        self.matrix_bytes = path.with_suffix(".bin").stat().st_size - embedding
        self._path, self._threads = path, request["threads"]
        self._core = openvino.Core()
        self._compiled: dict[str, Any] = {}
        self._request: Any = None
        self._kept: list[Any] = []
        self._length = 0
        self._logits: Any = None

    def variants(self, batch: int, steps: bool) -> list[Variant]:
        """The arithmetic's type, and with bfloat16 also an 8-bit cache (the plugin's default)."""
        precisions = (("bf16", "bf16"), ("bf16", "u8"), ("f32", "f32"))
        return [{"precision": precision, "kv_cache": cache} for precision, cache in precisions]

    def start(self, variant: Variant, batch: int, capacity: int) -> None:
        """A request with an empty state."""
        key = json.dumps(variant)
        if key not in self._compiled:
            self._compiled.clear()
            self._compiled[key] = self._core.compile_model(
                self._path,
                "CPU",
                {
                    "INFERENCE_NUM_THREADS": self._threads,
                    "NUM_STREAMS": 1,
                    "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_PRECISION_HINT": variant["precision"],
                    "KV_CACHE_PRECISION": variant["kv_cache"],
                },
            )
        self._request = self._compiled[key].create_infer_request()
        self._kept, self._length = [], 0

    def feed(self, tokens: Tokens, position: int) -> None:
        """One inference."""
        batch, new = tokens.shape
        assert position == self._length
        self._length += new
        self._request.infer(
            {
                "input_ids": tokens.astype(np.int64),
                "attention_mask": np.ones((batch, self._length), np.int64),
                "position_ids": np.broadcast_to(
                    np.arange(position, self._length, dtype=np.int64), (batch, new)
                ),
                "beam_idx": np.arange(batch, dtype=np.int32),
            },
            share_inputs=True,
        )

    def logits(self) -> Logits:
        """Of the last inference."""
        return self._request.get_tensor("logits").data[:, -1].astype(np.float32)

    def rewind(self, position: int) -> None:
        """Put the state back that stood there when it was first asked for."""
        states = self._request.query_state()
        if position == 0:
            self._request.reset_state()
        elif self._length == position:
            self._kept = [openvino.Tensor(np.array(state.state.data)) for state in states]
        else:
            for state, kept in zip(states, self._kept, strict=True):
                state.state = kept
        self._length = position

    def close(self) -> None:
        """The process ends anyway."""


def open_decoder(request: dict[str, Any]) -> Decoder:
    """OpenVINO's CPU plugin."""
    return OpenVinoDecoder(request)


if __name__ == "__main__":
    serve(open_decoder)
