"""What a model folder holds, found and checked before a weight is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from phinery.files import MANIFEST, read_json, sha256_file
from phinery.model.layouts import LAYOUTS, PHI
from phinery.model.safetensors_io import CheckpointError, StoredTensor, read_header, shown

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


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
    listed = _read_object(path).get("files")
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
    if not manifest.is_file() or _read_object(manifest).get("kind") != "model":
        raise CheckpointError(
            f"{folder} holds something that Phinery did not write as a model; choose another folder"
        )


def read_config_values(folder: Path) -> dict[str, Any]:
    """Content of `config.json`, whose `model_type` is one that is read. Raises CheckpointError."""
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {CONFIG}: it is not a model folder")
    values = _read_object(path)
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
    places = _read_object(index).get("weight_map")
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


def _read_object(path: Path) -> dict[str, Any]:
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
