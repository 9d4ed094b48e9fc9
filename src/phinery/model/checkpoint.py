"""A Phi to a Hugging Face folder and back.

Reading never runs code and never opens a pickle. A folder that Phinery wrote is held against its
manifest; every folder is checked by header, index, shape and type before a weight is read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from phinery.files import atomic_directory, write_json
from phinery.model.card import model_card
from phinery.model.config import PhiConfig
from phinery.model.decoder import Phi
from phinery.model.folder import (
    CONFIG,
    INDEX,
    WEIGHTS,
    check_folder,
    check_replaceable,
    read_config_values,
    read_model_files,
)
from phinery.model.safetensors_io import WEIGHT_TYPES, read_into, write_file
from phinery.model.stored import CheckpointError, StoredTensor, shown
from phinery.text import Tokenizer

__all__ = ["CheckpointError", "load", "load_model", "save"]


def save(
    model: Phi, tokenizer: Tokenizer, directory: str | Path, *, max_shard_bytes: int = 5 * 10**9
) -> None:
    """Write a folder that transformers, vLLM and `load` open: configuration, generation defaults,
    weights in the type they have, tokenizer, model card, manifest.

    Weights of more than `max_shard_bytes` go into `model-00001-of-0000N.safetensors` and so on,
    with an index; a file holds more only when a single tensor does. The folder appears once all
    of it is on the disk, and replaces one that Phinery wrote earlier. Raises CheckpointError when
    something else is in the way, or when the tokenizer has ids that the model has no row for.
    """
    folder = Path(directory).resolve()
    check_replaceable(folder)
    _check_vocabulary(model.config, tokenizer)
    if max_shard_bytes < 1:
        raise CheckpointError(f"max_shard_bytes must be at least 1, not {max_shard_bytes}")
    weights = dict(model.named_parameters())
    for name, weight in weights.items():
        if weight.is_meta or weight.dtype not in WEIGHT_TYPES.values():
            raise CheckpointError(f"{name} ({weight.dtype}, {weight.device}) cannot be saved")
    special = _special_tokens(model.config, tokenizer)
    dtype = str(model.dtype).removeprefix("torch.")
    with atomic_directory(folder, kind="model") as temporary:
        write_json(temporary / CONFIG, {**model.config.to_dict(), **special, "dtype": dtype})
        write_json(temporary / "generation_config.json", special)
        tokenizer.save(temporary)
        card = model_card(model.config, dtype=dtype, vocabulary=tokenizer.vocab_size)
        (temporary / "README.md").write_text(card, encoding="utf-8")
        _write_weights(temporary, weights, max_shard_bytes)


def load(
    directory: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> tuple[Phi, Tokenizer]:
    """Read a model folder's weights, as `load_model` does, and its tokenizer."""
    folder = check_folder(directory)
    read_config_values(folder)
    try:
        tokenizer = Tokenizer.load(folder)
    except (OSError, ValueError) as error:
        raise CheckpointError(" ".join(str(error).split())) from error
    model = load_model(folder, device=device, dtype=dtype)
    _check_vocabulary(model.config, tokenizer)
    return model, tokenizer


def load_model(
    directory: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Phi:
    """Read a model folder's weights into a Phi in evaluation mode.

    `device` is the CPU unless given. `dtype` is the stored type unless given; when the stored
    tensors differ, the narrowest type that holds them all. The folder is in Hugging Face's layout,
    in one file or sharded, or in one of the older layouts of `phinery.model.layouts`. Memory stays
    at the model itself: each tensor is read, and converted, straight into its place.

    Raises CheckpointError for whatever is not right, in one line that names file and tensor.
    """
    chosen_device, chosen_dtype = _device(device), _dtype(dtype)
    files = read_model_files(directory)
    with torch.device("meta"):
        model = Phi(files.config)
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    assert shapes.keys() == files.places.keys()
    if chosen_dtype is None:
        chosen_dtype = _common_dtype(files.tensor(name) for name in files.places)

    weights: dict[str, Tensor] = {}
    for name, source in files.places.items():
        weight = torch.empty(shapes[name], dtype=chosen_dtype, device=chosen_device)
        read_into(files.tensor(name), weight, start=source.part * weight.numel())
        weights[name] = weight
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _common_dtype(tensors: Iterable[StoredTensor]) -> torch.dtype:
    return functools.reduce(torch.promote_types, {WEIGHT_TYPES[tensor.dtype] for tensor in tensors})


def _device(device: str | torch.device | None) -> torch.device:
    try:
        chosen = torch.device("cpu" if device is None else device)
    except RuntimeError as error:
        raise CheckpointError(f"{shown(device)} is no device; 'cpu' and 'cuda' are") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise CheckpointError(f"{chosen} is not available on this machine; use 'cpu'")
    return chosen


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    if dtype is None:
        return None
    for known in WEIGHT_TYPES.values():
        if dtype in (known, str(known).removeprefix("torch.")):
            return known
    raise CheckpointError(f"{dtype} is no type for weights; float32, float16 and bfloat16 are")


def _check_vocabulary(config: PhiConfig, tokenizer: Tokenizer) -> None:
    if tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, but the model's vocab_size is only "
            f"{config.vocab_size}: they do not belong together"
        )


def _special_tokens(config: PhiConfig, tokenizer: Tokenizer) -> dict[str, int]:
    """Ids of the special tokens that are known, from the configuration or else the tokenizer."""
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    ids = {name: getattr(config, name) for name in names}
    ids = {name: getattr(tokenizer, name) if ids[name] is None else ids[name] for name in names}
    return {name: token_id for name, token_id in ids.items() if token_id is not None}


def _write_weights(folder: Path, weights: Mapping[str, Tensor], max_shard_bytes: int) -> None:
    shards: list[dict[str, Tensor]] = [{}]
    shard_bytes = 0
    for name, weight in weights.items():
        if shards[-1] and shard_bytes + weight.nbytes > max_shard_bytes:
            shards.append({})
            shard_bytes = 0
        shards[-1][name] = weight
        shard_bytes += weight.nbytes
    if len(shards) == 1:
        write_file(folder / WEIGHTS, weights)
        return
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_file(folder / file, shard)
        places.update(dict.fromkeys(shard, file))
    metadata = {
        "total_parameters": sum(weight.numel() for weight in weights.values()),
        "total_size": sum(weight.nbytes for weight in weights.values()),
    }
    write_json(folder / INDEX, {"metadata": metadata, "weight_map": places})
