"""When a stage need not run again: its key, the seal on what it made, and the run's lock.

A stage's key is a hash of its settings, of the content that the stages before it made, of what it
reads from outside and of the code it runs. A directory with a valid manifest whose record bears
that key is what the stage would make, so it is kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from phinery.files import (
    MANIFEST,
    ManifestError,
    read_json,
    read_manifest,
    sha256_file,
    write_json,
    write_manifest,
)

PACKAGE = Path(__file__).resolve().parent.parent
_LOCK = ".lock"
# Programs, and what they read that comes with the package.
_SOURCES = frozenset({".py", ".toml", ".gz", ".safetensors", ".css", ".js"})


def digest(value: Any) -> str:
    """SHA-256 of a JSON-like value, equal for equal values whatever the order of their keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(parts: Iterable[str]) -> str:
    """Hash of the source files of rooms and modules, named relative to the package."""
    paths = (PACKAGE / part for part in parts)
    sources = {
        file.relative_to(PACKAGE).as_posix(): sha256_file(file)
        for path in paths
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.suffix in _SOURCES
    }
    return digest(sources)


def content_digest(directory: Path) -> str:
    """Hash of the files a finished stage made, as its manifest lists them."""
    manifest = read_manifest(directory, verify=False)
    return digest({name: file["sha256"] for name, file in manifest["files"].items()})


def seal(directory: Path, record: Mapping[str, Any]) -> None:
    """Add the stage's record to its manifest, and make the manifest where there is none yet.

    Until then the directory counts as unfinished.
    """
    if (directory / MANIFEST).is_file():
        manifest = read_manifest(directory, verify=False)
        write_json(directory / MANIFEST, {**manifest, "stage": dict(record)})
    else:
        write_manifest(directory, stage=dict(record))


def kept_record(directory: Path, key: str) -> dict[str, Any] | None:
    """The record of a finished stage with this key; None when it was never made or is another.

    Raises ManifestError when the directory bears the key but its files are damaged or missing.
    """
    path = directory / MANIFEST
    if not path.is_file():
        return None
    try:
        record = read_json(path).get("stage")
    except (ValueError, AttributeError) as error:
        raise ManifestError(f"{path} is damaged") from error
    if not isinstance(record, dict) or record.get("key") != key:
        return None
    read_manifest(directory, verify=True)
    return record


def why_remade(directory: Path, identity: Mapping[str, Any]) -> str | None:
    """What differs between a finished stage and the one that is wanted, for a person.

    None when there is none, or its record cannot be read.
    """
    try:
        before = read_json(directory / MANIFEST)["stage"]
        was, now = before["settings"], identity["settings"]
        changed = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
        inputs = [
            name
            for name, content in identity["inputs"].items()
            if before["inputs"][name] != content
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if changed:
        return f"{', '.join(changed)} changed"
    if inputs:
        return f"{', '.join(inputs)} changed"
    if before.get("outside") != identity["outside"]:
        return "what it reads changed"
    return "Phinery's code changed" if before.get("code") != identity["code"] else None


@contextlib.contextmanager
def locked(run: Path) -> Generator[None]:
    """Keep a second run out of the directory; the lock goes with the process, however it ends.

    Raises ValueError when another process holds it.
    """
    descriptor = os.open(run / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise ValueError(
                f"another run (process {holder or 'unknown'}) works in {run}: "
                f"wait for it, or choose another directory with --out"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
