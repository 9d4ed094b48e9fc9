"""Builds the kernels of `native/` into the wheel, once for each instruction set.

Without a C++ compiler the wheel is pure Python, and a warning says so.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

SOURCES = "native"
PACKAGE = "src/phinery/model"
FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-fopenmp", "-fPIC", "-shared"]
# Of x86-64 the levels that the kernels are written for; `phinery.model.native` takes the best.
X86_TARGETS = {
    "x86-64-v4-bf16": ["-march=x86-64-v4", "-mavx512bf16"],
    "x86-64-v4": ["-march=x86-64-v4"],
    "x86-64-v3": ["-march=x86-64-v3"],
}
OTHER_TARGETS: dict[str, list[str]] = {"generic": []}


class NativeBuildHook(BuildHookInterface):
    """Called by hatchling before a wheel is made, an editable one too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel for this platform; or leave it pure."""
        folder = Path(self.root, PACKAGE)
        for stale in folder.glob("libphinery-*.so"):
            stale.unlink()
        if os.environ.get("PHINERY_NATIVE") == "0":
            return
        try:
            libraries = [compile_target(Path(self.root, SOURCES), folder, *t) for t in targets()]
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            first = next((line for line in str(reason).splitlines() if line.strip()), "")
            self.app.display_warning(f"phinery is built without its C++ kernels: {first}")
            return
        build_data["artifacts"] += [f"{PACKAGE}/{library.name}" for library in libraries]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(iter(platform_tags()))}"


def targets() -> list[tuple[str, list[str]]]:
    """Names and compiler flags of the instruction sets to build for."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return list((X86_TARGETS if is_x86 else OTHER_TARGETS).items())


def compile_target(sources: Path, folder: Path, name: str, flags: list[str]) -> Path:
    """Build one library with $CXX, or c++.

    Raises OSError without a compiler, CalledProcessError when it fails.
    """
    library = folder / f"libphinery-{name}.so"
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    files = sorted(str(source) for source in sources.glob("*.cpp"))
    partial = library.with_suffix(".partial")
    command = [*compiler, *FLAGS, *flags, *files, "-o", str(partial)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        partial.replace(library)
    finally:
        partial.unlink(missing_ok=True)
    return library
