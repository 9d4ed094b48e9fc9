"""Which tasks the installed lm-evaluation-harness has, and where, without importing it.

The harness reads the YAML of some 14,000 descriptions, which takes it most of a minute. To find a
name it is enough to look for the line that gives it, most often in a file of that name.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import types
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(
    rb"""^["']?(?P<key>task|group)["']?:[ \t]*["']?(?P<name>[\w.:+-]+)["']?[ \t\r]*$""", re.M
)
_TAG = re.compile(
    rb"""^["']?tag["']?:[ \t]*(?:\r?\n[ \t]*-[ \t]*)?["']?(?P<name>[\w.:+-]+)["']?""", re.M
)


def tasks_folder() -> Path:
    """Where the harness keeps its tasks. Raises ValueError when it is not installed."""
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        raise ValueError("this needs lm-evaluation-harness: pip install phinery[evaluate]")
    return Path(found.origin).parent / "tasks"


@functools.cache
def task_folder(name: str) -> str | None:
    """The folder that describes a task, relative to `tasks_folder()`, where it is easily found.

    That is in a file of the task's name, below a folder that the name begins with. None for others,
    of which `harness_names` tells, and when the harness is not installed.
    """
    try:
        home = tasks_folder()
    except ValueError:
        return None
    starts = [folder for folder in home.iterdir() if name.startswith(folder.name)]
    for start in sorted(starts, key=lambda folder: -len(folder.name)):
        for file in sorted(start.rglob("*.yaml")):
            if file.stem == name and (folder := _names_in(file, home).get(name)):
                return folder
    return None


@functools.cache
def harness_names() -> Mapping[str, str | None]:
    """Names of all tasks, groups and tags to the folders that describe them.

    Folders are relative to `tasks_folder()`; None for groups and tags, which may have tasks in
    other folders. Empty when the harness is not installed. Files are read the first time only.
    """
    try:
        home = tasks_folder()
    except ValueError:
        return {}
    names: dict[str, str | None] = {}
    for file in sorted(home.rglob("*.yaml")):
        for name, folder in _names_in(file, home).items():
            names.setdefault(name, folder)
    return types.MappingProxyType(names)


def _names_in(file: Path, home: Path) -> dict[str, str | None]:
    """What one file gives: see `harness_names`."""
    names: dict[str, str | None] = {}
    text = file.read_bytes()
    for match in _NAME.finditer(text):
        is_task = match["key"] == b"task" and not re.search(rb"^[\"']?group[\"']?:", text, re.M)
        folder = file.parent.relative_to(home).as_posix() if is_task else None
        names.setdefault(match["name"].decode(), folder)
    for match in _TAG.finditer(text):
        names.setdefault(match["name"].decode(), None)
    return names
