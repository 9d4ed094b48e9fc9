"""Builds the C++ of `native/` into the wheel, once for each instruction set.

`native/training/` are the kernels of the Trainer, which share threads with torch, `native/engine/`
is the native core of `phinery.infer`, which has its own threads and needs no torch. Without a C++
compiler the wheel is pure Python, and a warning says so.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

COMMON_FLAGS = ["-O3", "-fno-math-errno", "-fPIC", "-shared"]


class Part(NamedTuple):
    """A folder of sources, and the libraries that are made from it.

    `x86_targets` and `other_targets` are names of libraries, with the compiler's flags for the
    instruction set; what loads a library takes the best that the processor has.
    """

    sources: str
    package: str
    prefix: str
    flags: tuple[str, ...]
    x86_targets: dict[str, list[str]]
    other_targets: dict[str, list[str]]


PARTS = [
    Part(
        sources="native/training",
        package="src/phinery/model",
        prefix="libphinery-",
        flags=("-std=c++17", "-fopenmp"),
        x86_targets={
            "x86-64-v4-bf16": ["-march=x86-64-v4", "-mavx512bf16"],
            "x86-64-v4": ["-march=x86-64-v4"],
            "x86-64-v3": ["-march=x86-64-v3"],
        },
        other_targets={"generic": []},
    ),
    Part(
        sources="native/engine",
        package="src/phinery/infer",
        prefix="libphinery-engine-",
        # Fused multiply-add everywhere or nowhere: no row may depend on how a loop was compiled.
        flags=("-std=c++20", "-pthread", "-ffp-contract=fast"),
        x86_targets={
            "avx512": ["-march=x86-64-v4", "-mavx512bf16", "-mavx512vnni"],
            "avx2": ["-march=x86-64-v3"],
            "portable": [],
        },
        other_targets={"portable": []},
    ),
]


class NativeBuildHook(BuildHookInterface):
    """Called by hatchling before a wheel is made, an editable one too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel for this platform; or leave it pure."""
        root = Path(self.root)
        for part in PARTS:
            for stale in (root / part.package).glob(f"{part.prefix}*.so"):
                stale.unlink()
        if os.environ.get("PHINERY_NATIVE") == "0":
            return
        try:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                libraries = list(threads.map(lambda work: compile_target(root, *work), targets()))
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            first = next((line for line in str(reason).splitlines() if line.strip()), "")
            self.app.display_warning(f"phinery is built without its C++ kernels: {first}")
            return
        build_data["artifacts"] += [str(library.relative_to(root)) for library in libraries]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(iter(platform_tags()))}"


def targets() -> Iterator[tuple[Part, str, list[str]]]:
    """Part, name and compiler flags of the libraries to build."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    for part in PARTS:
        for name, flags in (part.x86_targets if is_x86 else part.other_targets).items():
            yield part, name, flags


def compile_target(root: Path, part: Part, name: str, flags: list[str]) -> Path:
    """Build one library with $CXX, or c++.

    Raises OSError without a compiler, CalledProcessError when it fails.
    """
    library = root / part.package / f"{part.prefix}{name}.so"
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    files = sorted(str(source) for source in (root / part.sources).glob("*.cpp"))
    partial = library.with_suffix(".partial")
    command = [*compiler, *COMMON_FLAGS, *part.flags, *flags, *files, "-o", str(partial)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        partial.replace(library)
    finally:
        partial.unlink(missing_ok=True)
    return library
