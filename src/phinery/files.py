"""Files that are whole or absent: atomic writes, checksums, manifests.

A leaf: knows no other room. Everything Phinery keeps is written under a temporary name, flushed
to the disk and renamed, so that a reader sees the old state or the new one and nothing between.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
_TEMPORARY_MARK = ".partial-"


class ManifestError(ValueError):
    """A directory is unfinished, or its files are not those that its manifest lists."""


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content, read in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_directory(directory: Path) -> None:
    """Flush a directory's entries, so that a rename inside it survives a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _temporary_sibling(path: Path) -> Path:
    return path.with_name(f".{path.name}{_TEMPORARY_MARK}{os.getpid()}")


@contextlib.contextmanager
def atomic_file(path: Path) -> Generator[Path]:
    """Yield a temporary name beside `path`; the file written there becomes `path`, on the disk."""
    temporary = _temporary_sibling(path)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that it is never seen half-written, and is on the disk on return."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN and infinity are refused (ValueError)."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; ValueError names the file and the place when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def write_manifest(directory: Path, **fields: Any) -> dict[str, Any]:
    """Write `manifest.json`: `fields`, then size and SHA-256 of every other file below.

    Every listed file is flushed to the disk first, so that a valid manifest implies valid files.
    """
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        name = path.relative_to(directory).as_posix()
        if name == MANIFEST or _TEMPORARY_MARK in path.name:
            continue
        _sync_file(path)
        files[name] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
    manifest = {**fields, "files": files}
    write_json(directory / MANIFEST, manifest)
    return manifest


def read_manifest(directory: Path, *, verify: bool = True) -> dict[str, Any]:
    """Read a directory's manifest; with `verify`, check every listed file's size and checksum.

    Raises ManifestError naming the directory or file that is missing, unfinished or altered.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise ManifestError(f"{directory} has no {MANIFEST}: it is unfinished, or not ours")
    try:
        manifest = read_json(path)
    except ValueError as error:
        raise ManifestError(str(error)) from error
    if not _is_manifest(manifest):
        raise ManifestError(f"{path} lists no files: it is damaged, delete {directory} and rerun")
    for name, expected in manifest["files"].items():
        _check_listed_file(directory / name, expected, verify=verify)
    return manifest


def _is_manifest(value: Any) -> bool:
    files = value.get("files") if isinstance(value, dict) else None
    return isinstance(files, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("bytes"), int)
        and isinstance(entry.get("sha256"), str)
        for entry in files.values()
    )


def _check_listed_file(file: Path, expected: dict[str, Any], *, verify: bool) -> None:
    if not file.is_file():
        raise ManifestError(f"{file} is missing, but its manifest lists it")
    size = file.stat().st_size
    if size != expected["bytes"]:
        raise ManifestError(f"{file} has {size} bytes, its manifest says {expected['bytes']}")
    if verify and sha256_file(file) != expected["sha256"]:
        raise ManifestError(f"{file} is altered or corrupt: its checksum is not its manifest's")


@contextlib.contextmanager
def atomic_directory(directory: Path, **fields: Any) -> Generator[Path]:
    """Yield a temporary directory that becomes `directory`, with a manifest, when all went well.

    An existing `directory` is replaced only once the new one is complete and on the disk. When the
    body raises, the temporary directory is removed and the old one stays. What a killed process
    left behind is removed by the next writer of the same directory.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(directory)
    temporary = _temporary_sibling(directory)
    temporary.mkdir()
    try:
        yield temporary
        write_manifest(temporary, **fields)
        for path in temporary.rglob("*"):
            if path.is_dir():
                sync_directory(path)
        sync_directory(temporary)
        if directory.exists():
            replaced = directory.with_name(f".{directory.name}{_TEMPORARY_MARK}old-{os.getpid()}")
            directory.rename(replaced)
            temporary.rename(directory)
            shutil.rmtree(replaced)
        else:
            temporary.rename(directory)
        sync_directory(directory.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(directory: Path) -> None:
    """Remove what writers of `directory` that were killed left beside it.

    A process killed between the two renames of a replacement leaves the old content under a
    temporary name; it is put back when nothing took its place.
    """
    for path in directory.parent.glob(f".{directory.name}{_TEMPORARY_MARK}*"):
        is_old = path.name.startswith(f".{directory.name}{_TEMPORARY_MARK}old-")
        if is_old and not directory.exists():
            path.rename(directory)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
