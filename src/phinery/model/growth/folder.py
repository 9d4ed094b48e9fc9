"""Growing a model folder into a model folder, one tensor at a time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phinery.files import atomic_directory, sha256_file, write_json
from phinery.model import layouts
from phinery.model.card import model_card
from phinery.model.checkpoint import load_model
from phinery.model.config import PhiConfig, preset
from phinery.model.folder import (
    CONFIG,
    INDEX,
    WEIGHTS,
    ModelFiles,
    check_replaceable,
    check_size,
    read_model_files,
    read_object,
)
from phinery.model.growth.grow import growth_of
from phinery.model.growth.prune import prune
from phinery.model.safetensors_io import WEIGHT_TYPES, read_into, write_streamed
from phinery.model.stored import CheckpointError
from phinery.text import Tokenizer

_MAX_SHARD_BYTES = 5 * 10**9
# What a shape alone does not say, and a grown model has from the one that it was grown from.
_INHERITED = (
    "vocab_size",
    "max_position_embeddings",
    "rope_theta",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


def target_config(to: str, source: PhiConfig) -> PhiConfig:
    """The shape that `to` means: a preset's name, or the path of a JSON file with Phi's keys.

    Vocabulary, context, token ids and the like are those of `source` unless the file says
    otherwise. Raises ValueError in one line.
    """
    inherited = {name: getattr(source, name) for name in _INHERITED}
    if not to.endswith(".json"):
        return preset(to, **inherited)
    values = read_object(Path(to).expanduser())
    if "hidden_size" not in values:
        raise ValueError(f"{to} is no configuration of a Phi: it has no hidden_size")
    said = {key: value for key, value in values.items() if value is not None}
    # Newer files have rotary settings in an object, which a key outside of it would overrule.
    for nested in ("rope_parameters", "rope_scaling"):
        if isinstance(said.get(nested), dict):
            for key in said[nested]:
                inherited.pop(key, None)
    try:
        config = layouts.read_config({**inherited, **said})
        check_size(config)
    except ValueError as error:
        raise ValueError(f"{to}: {error}") from error
    return config


def grow_folder(
    source: str | Path,
    config: PhiConfig,
    out: str | Path,
    *,
    method: str = "lossless",
    seed: int = 0,
    max_shard_bytes: int = _MAX_SHARD_BYTES,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Grow the model in folder `source` into folder `out`, as `grow` does in memory.

    Weights keep the stored type; each is computed in float32 (float64 for float64) and written
    before the next is read, so that memory stays at a few times the largest tensor. The tokenizer
    is copied; card and manifest tell source, its checksum, method and seed. `on_progress` is told
    the parameters done and all of them. The folder appears when it is whole, and replaces one that
    Phinery wrote. Raises CheckpointError for what is wrong with the folders and ValueError for
    shapes that do not allow the growth, in one line.
    """
    files = read_model_files(source)
    _check_out(files, Path(out))
    growth = growth_of(files.config, config, method, seed)
    dtype = _stored_type(files)
    compute = torch.float64 if dtype == torch.float64 else torch.float32

    def read(name: str) -> Tensor:
        return _read(files, name, compute)

    _write_folder(
        Path(out).resolve(),
        files,
        config,
        lambda name: growth.tensor(name, read).to(dtype),
        dtype,
        {"method": method, "seed": seed},
        max_shard_bytes,
        on_progress,
    )


def prune_folder(
    source: str | Path,
    config: PhiConfig,
    out: str | Path,
    calibration: Tensor,
    *,
    method: str = "activations",
    seed: int = 0,
) -> None:
    """Cut the model in folder `source` down into folder `out`, as `prune` does in memory.

    The model is held in memory, as it is run on `calibration`. Errors are those of `grow_folder`.
    """
    files = read_model_files(source)
    _check_out(files, Path(out))
    pruned = prune(load_model(source), config, calibration, method=method, seed=seed)
    weights = {name: weight.detach() for name, weight in pruned.named_parameters()}
    lineage = {"method": f"prune by {method}", "seed": seed}
    _write_folder(Path(out).resolve(), files, config, weights.__getitem__, pruned.dtype, lineage)


def _check_out(files: ModelFiles, out: Path) -> None:
    check_replaceable(out.resolve())
    if out.resolve() == files.folder.resolve():
        raise CheckpointError(f"{out} is the model to begin with: choose another folder")


def _write_folder(
    folder: Path,
    files: ModelFiles,
    config: PhiConfig,
    make: Callable[[str], Tensor],
    dtype: torch.dtype,
    lineage: Mapping[str, Any],
    max_shard_bytes: int = _MAX_SHARD_BYTES,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """A whole model folder whose weights are made one by one, with the source's tokenizer."""
    tokenizer = Tokenizer.load(files.folder)
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, but vocab_size is only "
            f"{config.vocab_size}"
        )
    lineage = {
        "source": _name(files.folder.resolve()),
        "source_sha256": weights_sha256(files),
        **lineage,
    }
    type_name = str(dtype).removeprefix("torch.")
    values = {**config.to_dict(), "dtype": type_name}
    special = {key: values[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    special = {key: number for key, number in special.items() if number is not None}
    with atomic_directory(folder, kind="model", grown=lineage) as temporary:
        write_json(temporary / CONFIG, values)
        write_json(temporary / "generation_config.json", special)
        tokenizer.save(temporary)
        card = model_card(config, dtype=type_name, vocabulary=tokenizer.vocab_size)
        text = card + _lineage_section(files.config, config, lineage)
        (temporary / "README.md").write_text(text, encoding="utf-8")
        _write_weights(temporary, layouts.shapes(config), dtype, make, max_shard_bytes, on_progress)


def _name(folder: Path) -> str:
    """A model's folder by its last name, or a run's and the folder's; of the hub, id and commit."""
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        return f"{folder.parents[1].name.removeprefix('models--').replace('--', '/')}@{folder.name}"
    return f"{folder.parent.name}/{folder.name}" if folder.name == "model" else folder.name


def weights_sha256(files: ModelFiles) -> str:
    """SHA-256 of a model's weights: of the one file, or of `sha256sum`'s lines for several."""
    paths = sorted({tensor.path for tensor in files.stored.values()})
    if len(paths) == 1:
        return sha256_file(paths[0])
    lines = "".join(f"{sha256_file(path)}  {path.name}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()


def _stored_type(files: ModelFiles) -> torch.dtype:
    types = {WEIGHT_TYPES[files.tensor(name).dtype] for name in files.places}
    found = types.pop()
    for other in types:
        found = torch.promote_types(found, other)
    return found


def _read(files: ModelFiles, name: str, dtype: torch.dtype) -> Tensor:
    shape = layouts.shapes(files.config)[name]
    tensor = torch.empty(shape, dtype=dtype)
    read_into(files.tensor(name), tensor, start=files.places[name].part * tensor.numel())
    return tensor


def _lineage_section(source: PhiConfig, config: PhiConfig, lineage: Mapping[str, Any]) -> str:
    return (
        "\n## Lineage\n\n"
        f"Made by Phinery from `{lineage['source']}` (SHA-256 of its weights "
        f"`{lineage['source_sha256']}`) with the method `{lineage['method']}` and seed "
        f"{lineage['seed']}: {source.num_hidden_layers} layers of {source.hidden_size} became "
        f"{config.num_hidden_layers} of {config.hidden_size}, "
        f"{source.num_parameters():,} parameters {config.num_parameters():,}.\n"
    )


def _write_weights(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: torch.dtype,
    make: Callable[[str], Tensor],
    max_shard_bytes: int,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    """Weights in files of at most `max_shard_bytes`, or of one tensor that is larger."""
    if max_shard_bytes < 1:
        raise CheckpointError(f"max_shard_bytes must be at least 1, not {max_shard_bytes}")
    sizes = {name: math.prod(shape) * dtype.itemsize for name, shape in shapes.items()}
    shards: list[list[str]] = [[]]
    held = 0
    for name, size in sizes.items():
        if shards[-1] and held + size > max_shard_bytes:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += size
    done = 0
    total = sum(math.prod(shape) for shape in shapes.values())

    def made(name: str) -> Tensor:
        nonlocal done
        tensor = make(name)
        done += tensor.numel()
        if on_progress is not None:
            on_progress(done, total)
        return tensor

    places: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = WEIGHTS
        if len(shards) > 1:
            file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_streamed(folder / file, {name: (dtype, shapes[name]) for name in names}, made)
        places.update(dict.fromkeys(names, file))
    if len(shards) > 1:
        metadata = {"total_parameters": total, "total_size": sum(sizes.values())}
        write_json(folder / INDEX, {"metadata": metadata, "weight_map": places})
