"""The house's rules, read off the source: which room may know which, and what nobody may use."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "phinery"
FILES = sorted(PACKAGE.rglob("*.py"))

LEAVES = {"files", "sandbox", "text"}
# Room -> the rooms that it may know. A room that is not here may not exist.
MAY_KNOW = {
    "files": set[str](),
    "sandbox": set[str](),
    "text": set[str](),
    "model": LEAVES,
    "data": LEAVES,
    "infer": LEAVES | {"model"},
    "train": LEAVES | {"model", "data"},
    "evaluate": LEAVES | {"model", "data", "infer", "train", "tune"},
    "recipe": LEAVES | {"model", "data", "infer", "train", "evaluate"},
    "cli": LEAVES | {"model", "data", "infer", "train", "evaluate", "recipe"},
    "__main__": {"cli"},
    "__init__": LEAVES | {"model", "data", "infer", "train", "recipe"},
}
FRONT_DOOR_IS_KNOWN_TO = {"recipe", "cli", "__main__"}
# They compare with us in tests and benchmarks, or open what we write; we run without them.
PEERS = {"transformers", "trl", "peft", "datasets", "accelerate", "litgpt", "vllm", "datatrove"}
PEERS |= {"transformer_lens", "llama_cpp", "lightning", "pytorch_lightning"}
# The procedural teacher runs the functions that it composed itself, to print what they return.
RUNS_ITS_OWN_PROGRAMS = PACKAGE / "data" / "synthesis" / "procedural" / "programs" / "frame.py"
# Inside the sandbox, where nothing of the machine is in reach.
RUNS_OTHERS_PROGRAMS = [PACKAGE / "sandbox" / f"{n}.py" for n in ("candidate", "judge", "plan")]
COMES_WITH_TORCH = {"triton"}  # its builds for CUDA
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
HEAVY = {"torch", "pydantic", "numpy", "rich", "tokenizers", "huggingface_hub", "pyarrow"}


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, inside functions as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def rooms_known_to(path: Path) -> set[str]:
    """Rooms that a file imports; "" is the front door, `phinery` itself."""
    rooms: set[str] = set()
    for name in imports_of(parsed(path)):
        parts = name.split(".")
        if parts[0] == "phinery":
            rooms.add(parts[1] if len(parts) > 1 and parts[1] in MAY_KNOW else "")
    return rooms - {room_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path):
    room = room_of(path)
    allowed = MAY_KNOW[room] | ({""} if room in FRONT_DOOR_IS_KNOWN_TO else set())
    assert rooms_known_to(path) - allowed == set()


def test_the_check_sees_imports_inside_functions():
    source = "def f():\n    from phinery.train import Trainer\n    import phinery.cli\n"
    assert {"phinery.train.Trainer", "phinery.cli"} == set(imports_of(ast.parse(source)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_imported_that_nobody_declared(path: Path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = ("precise", "teacher", "ray", "evaluate")
    wanted = [*project["dependencies"], *(line for name in optional for line in extras[name])]
    declared = {re.split(r"[\[<>=]", line)[0].replace("-", "_") for line in wanted}
    names = {name.split(".")[0] for name in imports_of(parsed(path))}
    known = declared | COMES_WITH_TORCH | {"phinery"} | set(sys.stdlib_module_names)
    assert names - known == set()
    assert names & (PEERS | PICKLES) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_evaluates_text_or_opens_pickles(path: Path):
    forbidden = {"eval", "exec", "compile", "__import__"}
    called: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            called.add(ast.unparse(node.func))
            pickles = [word.value for word in node.keywords if word.arg == "allow_pickle"]
            assert all(ast.unparse(value) == "False" for value in pickles), f"line {node.lineno}"
    if path == RUNS_ITS_OWN_PROGRAMS:
        forbidden = {"eval"}
    if path in RUNS_OTHERS_PROGRAMS:
        forbidden = {"eval", "__import__"}
    assert called & (forbidden | {"torch.load", "torch.save", "torch.jit.load"}) == set()


@pytest.mark.parametrize(
    "name",
    [
        "__init__.py",
        "__main__.py",
        "files.py",
        "cli/__init__.py",
        "cli/data.py",
        "cli/bench.py",
        "cli/grow.py",
    ],
)
def test_what_starts_first_imports_nothing_heavy(name: str):
    tree = parsed(PACKAGE / name)
    at_the_top = ast.Module([n for n in tree.body if not isinstance(n, ast.If)], [])
    eager = {
        imported.split(".")[0]
        for node in at_the_top.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for imported in imports_of(node)
    }
    assert eager & HEAVY == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_optional_libraries_are_imported_where_they_are_used(path: Path):
    tree = parsed(path)
    eager = {
        name.split(".")[0]
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in imports_of(node)
    }
    if "refinery" not in path.parts:
        assert "pyarrow" not in eager
    assert (
        eager & {"huggingface_hub", "daft", "ray", "openai", "trafilatura", "gguf", "llguidance"}
        == set()
    )
    if room_of(path) == "data":
        assert "torch" not in eager


def test_the_data_room_opens_without_its_large_libraries():
    program = "import sys, phinery.data; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded) & {"torch", "pyarrow", "daft", "ray", "sklearn", "fastwarc"} == set()


def test_no_file_is_a_room_that_wants_a_wall():
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert long == {}
