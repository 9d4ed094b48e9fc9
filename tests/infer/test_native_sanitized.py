"""The native core's tests once more, on a build that watches every access and every overflow."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phinery.infer import native

ROOT = Path(__file__).resolve().parent.parent.parent
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not native.is_available(), reason="the package was built without a C++ compiler"
    ),
]


def build_script() -> Any:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sanitizer_libraries() -> str:
    """What must be loaded first, for a library with sanitizers in a program without."""
    found: list[str] = []
    for name in ("libasan.so", "libubsan.so"):
        done = subprocess.run(
            ["c++", f"-print-file-name={name}"], check=True, capture_output=True, text=True
        )
        path = Path(done.stdout.strip())
        if not path.is_absolute():
            pytest.skip(f"the compiler has no {name}")
        found.append(str(path.resolve()))
    return " ".join(found)


def sanitized(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "LD_PRELOAD": sanitizer_libraries(),
        # Python keeps what it allocated until its end; a failed allocation is an answer, no fault.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    start = (
        "from pathlib import Path\n"
        "from phinery.infer import native\n"
        f"native._FOLDER = Path({str(folder)!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", start + program],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of the native core's libraries, built with sanitizers."""
    script = build_script()
    script.COMMON_FLAGS = [*script.COMMON_FLAGS, *SANITIZERS]
    root = tmp_path_factory.mktemp("build")
    (root / "native").symlink_to(ROOT / "native")
    for part, name, flags in script.targets():
        if part.prefix == "libphinery-engine-":
            (root / part.package).mkdir(parents=True, exist_ok=True)
            script.compile_target(root, part, name, flags)
    return root / "src/phinery/infer"


def test_the_tests_pass_under_sanitizers(folder: Path):
    done = sanitized(
        folder,
        "import pytest, sys\n"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', 'tests/infer/test_native.py',"
        " '--deselect', 'tests/infer/test_native.py::test_the_native_path_needs_no_torch']))",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_the_sanitizers_are_at_work(folder: Path):
    """A call without a model reads at address 0: the sanitizers end the process and say so."""
    done = sanitized(
        folder,
        "import numpy as np\n"
        "print(native.read_rate(1, num_bytes=2**20, repeats=1))\n"
        "library = native._loaded()\n"
        "shape = np.ones(13, np.int32)\n"
        "library.phinery_engine_set(None, 0, 0, None, None, 0, 1, 1)\n",
    )
    assert done.returncode != 0
    assert "Sanitizer" in done.stderr or "runtime error" in done.stderr
