"""A virtual environment for each peer, made once from its pinned requirement file.

Peers' requirements exclude each other and Phinery's, so none of them shares an environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".environments"
TORCH = "torch==2.13.0"


def environment(name: str, *, torch: bool = True, build: Mapping[str, str] | None = None) -> Path:
    """The python of peer `name`, whose requirements are in `peers/NAME.txt`.

    The environment is made when it is absent or older than its requirement file, which takes
    minutes and the network. TORCH in the process environment names another build of torch (a wheel
    file, or a CPU or CUDA version), as in the Makefile; `torch=False` leaves it out. `build` are
    environment variables for packages that are built; what they give is never taken from pip's
    cache. Raises CalledProcessError when pip fails.
    """
    requirements = HERE / "peers" / f"{name}.txt"
    folder = ENVIRONMENTS / name
    made_from = ENVIRONMENTS / f"{name}.txt"
    wanted = requirements.read_text(encoding="utf-8")
    python = folder / "bin" / "python"
    if made_from.is_file() and made_from.read_text(encoding="utf-8") == wanted and python.exists():
        return python
    print(f"making the environment of {name} in {folder}", file=sys.stderr)
    made_from.unlink(missing_ok=True)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet"]
    if torch:
        subprocess.run([*install, os.environ.get("TORCH", TORCH)], check=True)
    if build:
        install += ["--no-cache-dir"]
    subprocess.run(
        [*install, "-r", str(requirements)], env={**os.environ, **(build or {})}, check=True
    )
    made_from.write_text(wanted, encoding="utf-8")
    return python
