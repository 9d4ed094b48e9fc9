"""Writing a Phi as a GGUF file, some rows of a tensor at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from phinery.files import atomic_file, remove_leftovers
from phinery.model.config import PhiConfig
from phinery.model.folder import ModelFiles, read_model_files
from phinery.model.gguf.layout import ARCHITECTURE, SLAB, Place, places, row_bytes
from phinery.model.gguf.tokenizer import tokenizer_metadata
from phinery.model.stored import CheckpointError, StoredTensor, shown
from phinery.text import Tokenizer

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

DTYPES = ("f32", "f16", "bf16", "q8_0", "q4_0")
# llama.cpp keeps the head wider in int4 files too, for its errors go straight to the logits. Of the
# embedding only a row is read for a token, so that its size costs no time.
_KEPT_WIDE = ("token_embd.weight", "output.weight")
# The largest numbers: scales are halves, of which the largest is 65504.
_LIMITS = {"Q8_0": 65504 * 127, "Q4_0": 65504 * 8, "BF16": 3.3895e38}
_STORED_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def write_gguf(directory: str | Path, out: str | Path, *, dtype: str = "f16") -> None:
    """Write a model folder's weights and tokenizer as one GGUF file.

    `dtype` is the type of the matrices: f32, f16, bf16, q8_0 (8.5 bits a weight) or q4_0 (4.5
    bits, with embedding and head in q8_0), quantised to nearest as ggml does. A matrix whose rows
    are no multiple of 32 is f16 instead of q8_0 or q4_0. LayerNorms and biases are float32. The
    file appears, or replaces another, once all of it is on the disk.

    Raises CheckpointError, in one line, when the folder is not one that `load` opens, when its
    tokenizer is one that llama.cpp cannot imitate, for a weight that is not finite or beyond f16,
    and when the file cannot be written.
    """
    if dtype not in DTYPES:
        raise CheckpointError(f"{shown(dtype)} is no type of a GGUF file; {', '.join(DTYPES)} are")
    files, path = read_model_files(directory), Path(out)
    folder, config = files.folder, files.config
    try:
        tokenizer = Tokenizer.load(folder)
    except (OSError, ValueError) as error:
        raise CheckpointError(" ".join(str(error).split())) from error
    special = _special_ids(config, tokenizer)
    try:
        words = tokenizer_metadata(tokenizer, config.vocab_size, special, _chat_template(folder))
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give the name of the file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with atomic_file(path) as temporary:
            types = {place.name: _type_of(place, dtype) for place in places(config)}
            name = folder.resolve().name.encode(errors="replace").decode()
            _write_header(temporary, name, config, words, types, dtype)
            with temporary.open("ab") as file:
                for place in places(config):
                    _write_tensor(file, place, files, types[place.name])
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from error


def _special_ids(config: PhiConfig, tokenizer: Tokenizer) -> dict[str, int]:
    """Ids of the special tokens that are known, from the configuration or else the tokenizer."""
    ids: dict[str, int] = {}
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        of_model, of_tokenizer = getattr(config, name), getattr(tokenizer, name)
        if of_model is not None or of_tokenizer is not None:
            ids[name] = of_tokenizer if of_model is None else of_model
    return ids


def _chat_template(folder: Path) -> str | None:
    """The folder's chat template: its own file, or the entry of `tokenizer_config.json`."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        try:
            return own.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{own} is not UTF-8") from error
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return None
    template = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
    return template if isinstance(template, str) else None


def _type_of(place: Place, dtype: str) -> GGMLQuantizationType:
    """Ggml's type of a tensor in a file whose matrices are `dtype`."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if len(place.shape) == 1:
        return GGMLQuantizationType.F32
    wide = dtype == "q4_0" and place.name in _KEPT_WIDE
    kind = GGMLQuantizationType["Q8_0" if wide else dtype.upper()]
    fits = place.shape[-1] % GGML_QUANT_SIZES[kind][0] == 0
    return kind if fits else GGMLQuantizationType.F16


def _write_header(
    path: Path,
    name: str,
    config: PhiConfig,
    words: Mapping[str, Any],
    types: Mapping[str, GGMLQuantizationType],
    dtype: str,
) -> None:
    """Write all that comes before the tensors' bytes."""
    from gguf import GGML_QUANT_VERSION, GGUFValueType, GGUFWriter, LlamaFileType

    writer = GGUFWriter(path, ARCHITECTURE)
    writer.add_type("model")
    writer.add_name(name)
    file_type = "ALL_F32" if dtype == "f32" else f"MOSTLY_{dtype.upper()}"
    writer.add_file_type(LlamaFileType[file_type])
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.mlp_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_rope_dimension_count(config.rotary_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_vocab_size(config.vocab_size)
    for key, value in words.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_key_value(key, value, GGUFValueType.ARRAY)
    writer.add_add_bos_token(False)
    for place in places(config):
        kind = types[place.name]
        num_bytes = int(np.prod(place.shape[:-1], dtype=np.int64)) * row_bytes(kind, place.shape)
        writer.add_tensor_info(place.name, place.shape, np.dtype(np.float32), num_bytes, kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        assert writer.fout is not None
        writer.write_padding(writer.fout[0], writer.fout[0].tell())
    finally:
        writer.close()


def _write_tensor(
    file: BinaryIO, place: Place, files: ModelFiles, kind: GGMLQuantizationType
) -> None:
    """Append a tensor's bytes and the zeros up to the next one's place."""
    from gguf import GGUF_DEFAULT_ALIGNMENT

    rows, width = place.shape[0] // len(place.parameters), place.shape[-1]
    if len(place.shape) == 1:
        rows, width = 1, rows
    written = 0
    for name in place.parameters:
        stored, part = files.tensor(name), files.places[name].part
        for values in _stored_slabs(stored, part * rows * width, rows, width):
            data = encode(values, kind, f"{stored.path}: tensor {shown(stored.name)}")
            file.write(data)
            written += len(data)
    file.write(bytes(-written % GGUF_DEFAULT_ALIGNMENT))


def _stored_slabs(
    stored: StoredTensor, start: int, rows: int, width: int
) -> Iterator[NDArray[np.float32]]:
    """Some rows at a time of a stored tensor from element `start` on."""
    dtype = np.dtype(_STORED_TYPES[stored.dtype])
    height = max(SLAB // width, 1)
    try:
        with stored.path.open("rb") as file:
            file.seek(stored.offset + start * dtype.itemsize)
            for begin in range(0, rows, height):
                wanted = min(height, rows - begin) * width
                data = file.read(wanted * dtype.itemsize)
                if len(data) != wanted * dtype.itemsize:
                    raise CheckpointError(f"{stored.path} changed while it was read")
                values = np.frombuffer(data, dtype=dtype)
                if stored.dtype == "BF16":
                    values = (values.astype(np.uint32) << 16).view(np.float32)
                with np.errstate(over="ignore"):
                    yield values.astype(np.float32, copy=False).reshape(-1, width)
    except OSError as error:
        raise CheckpointError(f"{stored.path} cannot be read: {error.strerror}") from error


def encode(values: NDArray[np.float32], kind: GGMLQuantizationType, name: str) -> bytes:
    """Rows (count, width) of the tensor `name` in a type of ggml, bit for bit as ggml has them.

    Raises CheckpointError for what the type cannot hold.
    """
    import gguf

    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        encoded = gguf.quantize(values, kind)
        is_finite = bool(np.isfinite(encoded if encoded.dtype == np.float16 else values).all())
    limit = _LIMITS.get(kind.name)
    if not is_finite or (limit is not None and np.abs(values).max() > limit):
        raise CheckpointError(
            f"{name} has a value that {kind.name.lower()} cannot hold: it is not finite or too "
            "large"
        )
    return encoded.tobytes()
