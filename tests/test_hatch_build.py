"""The build hook: libraries where there is a compiler, a pure wheel and a warning where not."""

from __future__ import annotations

import ctypes
import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest

from phinery.infer import native as engine
from phinery.model import native as training

ROOT = Path(__file__).resolve().parent.parent


def build_script() -> types.ModuleType:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Application:
    """Stands in for hatchling's."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, message: str) -> None:
        self.warnings.append(message)


def run_hook(root: Path) -> tuple[dict[str, Any], list[str]]:
    for room in ("model", "infer"):
        (root / "src/phinery" / room).mkdir(parents=True)
    (root / "native").symlink_to(ROOT / "native")
    application = Application()
    hook = build_script().NativeBuildHook(
        str(root), {}, None, None, str(root), "wheel", application
    )
    data: dict[str, Any] = {"artifacts": [], "pure_python": True}
    hook.initialize("standard", data)
    return data, application.warnings


def test_the_build_makes_a_platform_wheel(tmp_path: Path) -> None:
    data, warnings = run_hook(tmp_path)
    assert not warnings
    assert data["pure_python"] is False
    assert data["tag"].startswith("py3-none-")
    expected = [f"{name}.so" for name in ("engine-portable", *training._targets())]
    for name in expected:
        assert any(path.endswith(f"libphinery-{name}") for path in data["artifacts"])
    for path in data["artifacts"]:
        is_engine = "engine" in path
        functions = engine._SIGNATURES if is_engine else training._ARGUMENTS
        library = ctypes.CDLL(str(tmp_path / path))
        assert all(hasattr(library, function) for function in functions)


def test_without_a_compiler_the_wheel_is_pure_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(tmp_path / "no-such-compiler"))
    data, warnings = run_hook(tmp_path)
    assert data == {"artifacts": [], "pure_python": True}
    (warning,) = warnings
    assert "without its C++ kernels" in warning
    assert "no-such-compiler" in warning
