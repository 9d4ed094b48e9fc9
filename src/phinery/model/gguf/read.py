"""Reading a GGUF file of a Phi, by us or by llama.cpp's converter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phinery.model import layouts
from phinery.model.config import PhiConfig
from phinery.model.gguf.header import GGUFTensor, read_gguf_header
from phinery.model.gguf.layout import ARCHITECTURE, SLAB, places, row_bytes
from phinery.model.gguf.tokenizer import read_tokenizer
from phinery.model.stored import CheckpointError, shown
from phinery.text import Tokenizer

if TYPE_CHECKING:
    from phinery.model.decoder import Phi

# ggml's types that are read; the last two rows are for files that llama.cpp quantised.
_READ = frozenset(
    {"F32", "F16", "BF16", "Q8_0", "Q4_0"}
    | {"Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "IQ4_XS"}
    | {"Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"}
)


@dataclass(frozen=True, slots=True)
class GGUFModel:
    """An open GGUF file of a Phi, checked but for the weights themselves.

    `parameters` are our names of all weights with their shapes.
    """

    path: Path
    config: PhiConfig
    metadata: dict[str, Any]
    parameters: dict[str, tuple[int, ...]]
    _sources: dict[str, tuple[GGUFTensor, int]]

    def slabs(self, name: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Some rows at a time of a parameter, as float32, with the number of the first of them.

        A vector is one row. Raises CheckpointError when the file cannot be read to the end.
        """
        import gguf

        tensor, part = self._sources[name]
        shape = self.parameters[name]
        rows, width = (shape[0], shape[1]) if len(shape) == 2 else (1, shape[0])
        kind = gguf.GGMLQuantizationType(tensor.type_id)
        size = row_bytes(kind, shape)
        height = max(SLAB // width, 1)
        try:
            with self.path.open("rb") as file:
                file.seek(tensor.offset + part * rows * size)
                for begin in range(0, rows, height):
                    count = min(height, rows - begin)
                    data = bytearray(file.read(count * size))
                    if len(data) != count * size:
                        raise CheckpointError(f"{self.path} changed while it was read")
                    encoded = np.frombuffer(data, dtype=np.uint8).reshape(count, size)
                    with np.errstate(all="ignore"):
                        yield begin, gguf.dequantize(encoded, kind)
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be read: {error.strerror}") from error

    def read(self, name: str) -> NDArray[np.float32]:
        """A parameter as float32, dequantised when the file has it in fewer bits."""
        return np.concatenate([rows for _, rows in self.slabs(name)]).reshape(self.parameters[name])

    def tokenizer(self) -> Tokenizer:
        """The file's tokenizer. Raises CheckpointError when it has none that is read."""
        return read_tokenizer(self.path, self.metadata, self.config.vocab_size)


def read_gguf(path: str | Path) -> GGUFModel:
    """Open a GGUF file of architecture `phi2`, by us or by llama.cpp's converter.

    Nothing in it is executed, and no weight is read yet. Raises CheckpointError, in one line, for
    another kind of file, another architecture, a variant that is no Phi, and whatever is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {shown(str(path))}")
    header = read_gguf_header(path)
    metadata = header.metadata
    config = _read_config(path, metadata, header.tensors)
    parameters: dict[str, tuple[int, ...]] = {}
    sources: dict[str, tuple[GGUFTensor, int]] = {}
    names: set[str] = set()
    spans: list[tuple[int, int, str]] = []
    for place in places(config):
        tensor = header.tensors.get(place.name)
        if tensor is None:
            raise CheckpointError(f"{path}: tensor {shown(place.name)} is missing")
        num_bytes = _checked_bytes(path, tensor, place.shape)
        spans.append((tensor.offset, tensor.offset + num_bytes, tensor.name))
        names.add(place.name)
        shape = (place.shape[0] // len(place.parameters), *place.shape[1:])
        for part, name in enumerate(place.parameters):
            parameters[name] = shape
            sources[name] = tensor, part
    if extra := header.tensors.keys() - names:
        raise CheckpointError(f"{path}: tensor {shown(min(extra))} is no part of a Phi")
    position = 0
    for begin, end, name in sorted(spans):
        if begin < position or end > header.file_bytes:
            how = "overlaps another" if begin < position else "ends after the file"
            raise CheckpointError(
                f"{path}: tensor {shown(name)} {how}: the file is truncated or corrupt"
            )
        position = end
    return GGUFModel(path, config, metadata, parameters, sources)


def load_gguf(path: str | Path, *, dtype: str = "float32") -> tuple[Phi, Tokenizer]:
    """Read a GGUF file into a Phi, in evaluation mode on the CPU, and its tokenizer.

    float32 holds the weights of every file without loss; `dtype` may also be float16 or bfloat16.
    Raises CheckpointError as `read_gguf` does.
    """
    import torch

    from phinery.model.decoder import Phi

    types = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if dtype not in types:
        raise CheckpointError(f"{shown(dtype)} is no type for weights; {', '.join(types)} are")
    opened = read_gguf(path)
    tokenizer = opened.tokenizer()
    with torch.device("meta"):
        model = Phi(opened.config)
    weights: dict[str, torch.Tensor] = {}
    for name, shape in opened.parameters.items():
        weight = torch.empty(shape, dtype=types[dtype])
        rows = weight.view(-1, shape[-1])
        for begin, values in opened.slabs(name):
            rows[begin : begin + len(values)] = torch.from_numpy(values)
        weights[name] = weight
    model.load_state_dict(weights, assign=True)
    return model.eval(), tokenizer


def _read_config(
    path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, GGUFTensor]
) -> PhiConfig:
    """The configuration that a file's keys and its embedding describe."""
    architecture = metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise CheckpointError(f"{path} holds a {shown(architecture)}; only {ARCHITECTURE} is read")
    if metadata.get("split.count", 1) != 1:
        raise CheckpointError(f"{path} is a part of a model; join them: llama-gguf-split --merge")
    embedding = tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise CheckpointError(f"{path}: tensor 'token_embd.weight' is missing or no matrix")
    keys = {name.removeprefix(f"{ARCHITECTURE}."): value for name, value in metadata.items()}
    try:
        _refuse_variants(keys)
        config = PhiConfig(
            vocab_size=embedding.shape[0],
            hidden_size=_whole(keys, "embedding_length"),
            intermediate_size=_whole(keys, "feed_forward_length"),
            num_hidden_layers=_whole(keys, "block_count"),
            num_attention_heads=_whole(keys, "attention.head_count"),
            partial_rotary_factor=_rotary_factor(keys),
            rope_theta=_real(keys, "rope.freq_base", 10000.0),
            max_position_embeddings=_whole(keys, "context_length"),
            layer_norm_eps=_real(keys, "attention.layer_norm_epsilon", None),
            bos_token_id=_token_id(keys, "bos_token_id"),
            eos_token_id=_token_id(keys, "eos_token_id"),
            pad_token_id=_token_id(keys, "padding_token_id"),
        )
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if config.num_hidden_layers > len(tensors):
        raise CheckpointError(
            f"{path} has {len(tensors)} tensors, too few for {config.num_hidden_layers} layers"
        )
    return config


def _refuse_variants(keys: Mapping[str, Any]) -> None:
    heads, width = _whole(keys, "attention.head_count"), _whole(keys, "embedding_length")
    for name in ("attention.head_count_kv", "attention.key_length", "attention.value_length"):
        usual = heads if name.endswith("_kv") else width // heads
        if keys.get(name, usual) != usual:
            raise ValueError(f"{name} is {shown(keys[name])}; a Phi has {usual}")
    scaling = keys.get("rope.scaling.type", "none")
    if scaling != "none" or keys.get("rope.scaling.factor", 1) not in (0, 1):
        raise ValueError(f"scaled rotary positions ({shown(scaling)}) are not supported")


def _rotary_factor(keys: Mapping[str, Any]) -> float:
    head_dim = _whole(keys, "embedding_length") // _whole(keys, "attention.head_count")
    if not head_dim:
        raise ValueError("attention.head_count is larger than embedding_length")
    rotary_dim = _whole(keys, "rope.dimension_count", head_dim)
    if rotary_dim > head_dim:
        raise ValueError(f"rope.dimension_count {rotary_dim} is larger than a head, {head_dim}")
    return layouts.rotary_factor(rotary_dim, head_dim)


def _whole(keys: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = keys.get(name, default)
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a positive whole number, not {shown(value)}")
    return value


def _real(keys: Mapping[str, Any], name: str, default: float | None) -> float:
    """A number that was a float32 in the file, as the shortest decimal that means it."""
    value = keys.get(name, default)
    if type(value) is not float:
        raise ValueError(f"{name} must be a number, not {shown(value)}")
    if not abs(value) < 1e30:
        raise ValueError(f"{name} is {value}, which is absurd")
    return float(str(np.float32(value)))


def _token_id(keys: Mapping[str, Any], name: str) -> int | None:
    value = keys.get(f"tokenizer.ggml.{name}")
    if value is not None and type(value) is not int:
        raise ValueError(f"tokenizer.ggml.{name} must be a token's number, not {shown(value)}")
    return value


def _checked_bytes(path: Path, tensor: GGUFTensor, shape: tuple[int, ...]) -> int:
    """How many bytes a tensor of the wanted shape takes."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    where = f"{path}: tensor {shown(tensor.name)}"
    if tensor.shape != shape:
        raise CheckpointError(
            f"{where} has shape {list(tensor.shape)}, but its keys ask for {list(shape)}"
        )
    names = {kind.value: kind.name for kind in GGMLQuantizationType}
    name = names.get(tensor.type_id, str(tensor.type_id))
    if name not in _READ:
        raise CheckpointError(f"{where} has type {name}; {', '.join(sorted(_READ))} are read")
    kind = GGMLQuantizationType(tensor.type_id)
    if shape[-1] % GGML_QUANT_SIZES[kind][0]:
        raise CheckpointError(f"{where} has rows of {shape[-1]}, which {name} cannot hold")
    return int(np.prod(shape[:-1], dtype=np.int64)) * row_bytes(kind, shape)
