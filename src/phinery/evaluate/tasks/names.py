"""Which tasks the installed lm-evaluation-harness has, and where, without importing it.

The harness reads the YAML of some 14,000 descriptions, which takes it most of a minute. To find a
name it is enough to look for the line that gives it.
"""

from __future__ import annotations

import importlib.util
import re
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


def harness_names() -> Mapping[str, str | None]:
    """Names of all tasks, groups and tags to the folders that describe them.

    Folders are relative to `tasks_folder()`; None for groups and tags, which may have tasks in
    other folders. Empty when the harness is not installed.
    """
    try:
        home = tasks_folder()
    except ValueError:
        return {}
    names: dict[str, str | None] = {}
    for file in sorted(home.rglob("*.yaml")):
        text = file.read_bytes()
        for match in _NAME.finditer(text):
            is_task = match["key"] == b"task" and not re.search(rb"^[\"']?group[\"']?:", text, re.M)
            folder = file.parent.relative_to(home).as_posix() if is_task else None
            names.setdefault(match["name"].decode(), folder)
        for match in _TAG.finditer(text):
            names.setdefault(match["name"].decode(), None)
    return names
