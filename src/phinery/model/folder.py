"""What a model folder holds, found and checked before a weight is read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phinery.files import MANIFEST, read_json, sha256_file
from phinery.model import layouts
from phinery.model.config import PhiConfig
from phinery.model.layouts import LAYOUTS, PHI, Source
from phinery.model.stored import CheckpointError, StoredTensor, read_header, shown

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
QUANTIZATION = "quantization_config"
FLOAT_TYPES = ("F64", "F32", "F16", "BF16")
# More than any model has; keeps the sizes of a corrupt config.json within what can be counted.
_MAX_PARAMETERS = 2**48
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder that was looked through: what it is, and where every parameter lies.

    `stored` are the tensors by their names in the files, `places` says for each parameter, by our
    names and in the model's order, which tensor it is, or which part of one.
    """

    folder: Path
    config: PhiConfig
    stored: dict[str, StoredTensor]
    places: dict[str, Source]

    def tensor(self, name: str) -> StoredTensor:
        """The stored tensor of a parameter."""
        return self.stored[self.places[name].tensor]


def read_model_files(directory: str | Path) -> ModelFiles:
    """Look through a model folder, in one of the layouts of `phinery.model.layouts`.

    Everything but the weights themselves is read and checked: manifest, configuration, headers, and
    that each parameter is there once with the right shape and a floating-point type. Raises
    CheckpointError for whatever is not right, in one line that names file and tensor.
    """
    folder = check_folder(directory)
    check_manifest(folder)
    values = read_config_values(folder)
    if QUANTIZATION in values:
        raise CheckpointError(
            f"{folder / CONFIG} has a {QUANTIZATION}: quantised weights can only generate; for "
            "anything else open the model that they were made from"
        )
    layout: str = values["model_type"]
    stored = read_headers(folder)
    config = read_config(folder, values, layout, stored)
    places = _places(folder, config, layout, stored)
    for name, shape in layouts.shapes(config).items():
        _check_stored(stored[places[name].tensor], places[name], shape)
    return ModelFiles(folder, config, stored, places)


def read_config(
    folder: Path, values: Mapping[str, Any], layout: str, stored: Mapping[str, StoredTensor]
) -> PhiConfig:
    """The configuration of `config.json`'s values. Raises CheckpointError."""
    try:
        embedding = stored.get(layouts.embedding_name(layout))
        rows = embedding.shape[0] if embedding and embedding.shape else None
        config = layouts.read_config(values, embedding_rows=rows)
        check_size(config)
    except ValueError as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}") from error
    return config


def check_size(config: PhiConfig) -> None:
    """Raise ValueError when a configuration has more parameters than any model has."""
    if config.num_parameters() > _MAX_PARAMETERS:
        raise ValueError(f"it describes {config.num_parameters():.1e} parameters")


def _places(
    folder: Path, config: PhiConfig, layout: str, stored: Mapping[str, StoredTensor]
) -> dict[str, Source]:
    """Where each parameter is stored, by our names. No tensor is missing and none is left over."""
    places: dict[str, Source] = {}
    for name, source in layouts.sources(layout, config.num_hidden_layers):
        if source.tensor not in stored:
            place = folder / (WEIGHTS if (folder / WEIGHTS).is_file() else INDEX)
            raise CheckpointError(f"{place}: tensor {shown(source.tensor)} is missing")
        places[name] = source
    used = {source.tensor for source in places.values()}
    for name, tensor in stored.items():
        if name not in used and not layouts.is_derived(name):
            raise CheckpointError(
                f"{tensor.path}: tensor {shown(name)} is no part of a Phi of "
                f"{config.num_hidden_layers} layers"
            )
    return places


def _check_stored(stored: StoredTensor, source: Source, shape: tuple[int, ...]) -> None:
    wanted = (source.parts * shape[0], *shape[1:])
    where = f"{stored.path}: tensor {shown(stored.name)}"
    if stored.shape != wanted:
        raise CheckpointError(
            f"{where} has shape {list(stored.shape)}, but {CONFIG} asks for {list(wanted)}"
        )
    if stored.dtype not in FLOAT_TYPES:
        raise CheckpointError(
            f"{where} has dtype {stored.dtype}; weights must be {', '.join(FLOAT_TYPES)}"
        )


def check_folder(directory: str | Path) -> Path:
    """The folder, if it is one and may hold a model. Raises CheckpointError."""
    folder = Path(directory)
    if not os.path.exists(folder):
        raise CheckpointError(f"there is no folder {shown(str(folder))}")
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; give the folder that holds {CONFIG}")
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be read: {error.strerror}") from error
    if not names:
        raise CheckpointError(f"{folder} is empty; a model has {CONFIG}, {WEIGHTS} and a tokenizer")
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles and not any(name.endswith(".safetensors") for name in names):
        raise CheckpointError(_pickle_message(folder, pickles))
    return folder


def _pickle_message(folder: Path, pickles: list[str]) -> str:
    usual = [name for name in pickles if name.startswith("pytorch_model")]
    command = (
        "import glob, torch, safetensors.torch as s; "
        "s.save_file({name: t.contiguous().clone() for file in "
        f"glob.glob('{'pytorch_model*.bin' if usual else pickles[0]}') for name, t in "
        f"torch.load(file, weights_only=True).items()}}, '{WEIGHTS}', {{'format': 'pt'}})"
    )
    return (
        f"{folder} has its weights in {(usual or pickles)[0]}, a pickle, which can run code when "
        "opened and is never read here; convert it once, inside the folder: "
        f'python -c "{command}"'
    )


def check_manifest(folder: Path) -> None:
    """Compare every file with the manifest that Phinery wrote, if there is one.

    Model cards may differ: people edit them, and they are not fetched from the hub. Raises
    CheckpointError naming the file.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return
    listed = read_object(path).get("files")
    if not isinstance(listed, dict):
        raise CheckpointError(
            f"{path} lists no files: it is damaged; delete it if another program wrote this folder"
        )
    for name, expected in listed.items():
        if name.endswith(".md"):
            continue
        if not os.path.isfile(folder / name):
            raise CheckpointError(f"{folder / name} is missing, but {MANIFEST} lists it")
        try:
            checksum = sha256_file(folder / name)
        except OSError as error:
            raise CheckpointError(f"{folder / name} cannot be read: {error.strerror}") from error
        if not isinstance(expected, dict) or checksum != expected.get("sha256"):
            raise CheckpointError(
                f"{folder / name} is altered or corrupt: its checksum is not the one in {MANIFEST} "
                f"(if you changed it yourself, delete {MANIFEST})"
            )


def check_replaceable(folder: Path) -> None:
    """Raise CheckpointError unless a model may be written at `folder`: nothing, an empty folder,
    or a model that Phinery wrote.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; choose another name for the model's folder")
    if not any(folder.iterdir()):
        return
    manifest = folder / MANIFEST
    if not manifest.is_file() or read_object(manifest).get("kind") != "model":
        raise CheckpointError(
            f"{folder} holds something that Phinery did not write as a model; choose another folder"
        )


def read_config_values(folder: Path) -> dict[str, Any]:
    """Content of `config.json`, whose `model_type` is one that is read. Raises CheckpointError."""
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {CONFIG}: it is not a model folder")
    values = read_object(path)
    model_type = values.setdefault("model_type", PHI)
    if model_type not in LAYOUTS:
        raise CheckpointError(
            f"{path}: model_type is {shown(model_type)}; only {', '.join(LAYOUTS)} are read"
        )
    return values


def read_headers(folder: Path) -> dict[str, StoredTensor]:
    """Every stored tensor by name, from the one file of weights or from those of the index.

    Raises CheckpointError naming the file, and the tensor, that is not as it should be.
    """
    if (folder / WEIGHTS).is_file():
        return read_header(folder / WEIGHTS)
    index = folder / INDEX
    if not index.is_file():
        others = sorted(path.name for path in folder.glob("*.safetensors"))
        found = f" (there is {shown(others[0])}, but nothing says what it is)" if others else ""
        raise CheckpointError(f"{folder} has neither {WEIGHTS} nor {INDEX}{found}")
    tensors_of: dict[str, set[str]] = {}
    for tensor, file in _weight_map(index).items():
        if not isinstance(file, str) or os.path.basename(file) != file or not file:
            raise CheckpointError(
                f"{index}: tensor {shown(tensor)} is in {shown(file)}, which is no file name"
            )
        tensors_of.setdefault(file, set()).add(tensor)
    stored: dict[str, StoredTensor] = {}
    for file, wanted in tensors_of.items():
        if not os.path.isfile(folder / file):
            raise CheckpointError(
                f"{index}: tensor {shown(min(wanted))} is in {shown(file)}, which is missing"
            )
        stored.update(_read_shard(folder / file, wanted))
    return stored


def _weight_map(index: Path) -> dict[str, Any]:
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError(f"{index} has no weight_map of tensors and their files")
    return places


def _read_shard(path: Path, wanted: set[str]) -> dict[str, StoredTensor]:
    held = read_header(path)
    if missing := wanted - held.keys():
        raise CheckpointError(
            f"{path}: tensor {shown(min(missing))} is missing, though {INDEX} places it there"
        )
    if extra := held.keys() - wanted:
        raise CheckpointError(
            f"{path}: tensor {shown(min(extra))} is there, though {INDEX} does not place it there"
        )
    return held


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file's object. Raises CheckpointError, in one line, when there is none."""
    try:
        value = read_json(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error.__cause__ or error}") from error
    except RecursionError as error:
        raise CheckpointError(f"{path} is not valid JSON: it is nested too deeply") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    return value
