"""The sandbox beside plain Python: reference solutions of HumanEval and MBPP, whole and broken."""

from __future__ import annotations

import ast
import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phinery.sandbox import Verdict, probe, run_sandboxed

BENCHMARKS = Path(__file__).resolve().parents[3] / "shared" / "benchmarks"
FILES = {
    "humaneval": BENCHMARKS / "humaneval/openai_humaneval/test.jsonl.gz",
    "mbpp": BENCHMARKS / "mbpp/full/test.jsonl.gz",
}
# An item whose tests build objects of the program's class, MBPP/367.
NEEDS_OBJECTS = {"humaneval": 0, "mbpp": 1}

pytestmark = [
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason=f"needs the items in {BENCHMARKS}"),
    pytest.mark.skipif(not probe().complete, reason=f"no sandbox here:\n{probe()}"),
]


def tasks(name: str, step: int = 1) -> Iterator[tuple[str, str, str, str | None]]:
    """Every `step`-th item's id, reference, tests and entry point."""
    with gzip.open(FILES[name], "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            item: dict[str, Any] = json.loads(line)
            if number % step:
                continue
            if name == "humaneval":
                program = item["prompt"] + item["canonical_solution"]
                yield item["task_id"], program, item["test"], item["entry_point"]
            else:
                tests = "\n".join([item["test_setup_code"], *item["test_list"]])
                yield str(item["task_id"]), item["code"], tests, None


def run(program: str, tests: str, entry_point: str | None, timeout: float = 60.0) -> Verdict:
    return run_sandboxed(
        program, tests, entry_point=entry_point, timeout=timeout, memory_bytes=2**29
    )


def passes_plainly(program: str, tests: str, entry_point: str | None, timeout: float) -> bool:
    """The same in one process without any walls."""
    call = f"\ncheck({entry_point})\n" if entry_point else ""
    source = f"__name__ = 'program'\n{program}\n{tests}\n{call}"
    try:
        ran = subprocess.run(
            [sys.executable, "-I"],
            input=source,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


class Breaker(ast.NodeTransformer):
    """Changes one place of a program: an operator, a comparison, a number or what is returned."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.seen = 0

    def visit(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        is_number = isinstance(node, ast.Constant) and type(node.value) is int
        if not is_number and not isinstance(node, (ast.BinOp, ast.Compare, ast.Return)):
            return node
        self.seen += 1
        if self.seen - 1 != self.place:
            return node
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int)
            return ast.copy_location(ast.Constant(node.value + 1), node)
        if isinstance(node, ast.BinOp):
            node.op = ast.Add() if isinstance(node.op, ast.Sub) else ast.Sub()
        elif isinstance(node, ast.Compare):
            node.ops[0] = ast.Gt() if isinstance(node.ops[0], ast.LtE) else ast.LtE()
        elif isinstance(node, ast.Return):
            node.value = ast.Constant(None)
        return node


def broken(program: str, place: int) -> str | None:
    """The program with another meaning at one place; None if there is no such place."""
    breaker = Breaker(place)
    tree = ast.fix_missing_locations(breaker.visit(ast.parse(program)))
    return ast.unparse(tree) if breaker.seen > place else None


def test_breaking_changes_one_place():
    source = "def f(x):\n    return x + 1"
    found = [broken(source, place) for place in range(4)]
    assert found == [
        "def f(x):\n    return x + 2",
        "def f(x):\n    return x - 1",
        "def f(x):\n    return None",
        None,
    ]


def check_references(name: str, step: int) -> Counter[bool]:
    weak: Counter[bool] = Counter()
    for task, program, tests, entry_point in tasks(name, step):
        verdict = run(program, tests, entry_point)
        assert verdict.passed, (task, verdict)
        weak[verdict.weak_verdict] += 1
    return weak


def check_broken(name: str, step: int, places: range) -> Counter[bool]:
    results: Counter[bool] = Counter()
    for number, (task, program, tests, entry_point) in enumerate(tasks(name, step)):
        wrong = broken(program, places[number % len(places)]) or broken(program, 0)
        if wrong is None:
            continue
        verdict = run(wrong, tests, entry_point, 5.0)
        assert verdict.passed == passes_plainly(wrong, tests, entry_point, 5.0), (task, wrong)
        results[verdict.passed] += 1
    return results


@pytest.mark.parametrize(("name", "step"), [("humaneval", 18), ("mbpp", 50)])
def test_some_references_pass_with_their_tests_outside(name: str, step: int):
    assert check_references(name, step)[True] == 0


@pytest.mark.parametrize(("name", "step"), [("humaneval", 25), ("mbpp", 80)])
def test_some_broken_references_fail_as_they_do_without_walls(name: str, step: int):
    results = check_broken(name, step, range(3))
    assert results[False] > results[True]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "items"), [("humaneval", 164), ("mbpp", 500)])
def test_all_references_pass(name: str, items: int):
    weak = check_references(name, 1)
    assert weak == Counter({False: items - NEEDS_OBJECTS[name], True: NEEDS_OBJECTS[name]})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_broken_references_fail_as_they_do_without_walls(name: str):
    results = check_broken(name, 1, range(7))
    assert results[False] > 3 * results[True]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_functions_that_return_nothing_fail(name: str):
    """Where they pass without walls as well, the item's tests ask for nothing."""
    for task, program, tests, entry_point in tasks(name):
        tree = ast.parse(program)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name != "__init__":
                node.body = [ast.Return(ast.Constant(None))]
        stub = ast.unparse(ast.fix_missing_locations(tree))
        if run(stub, tests, entry_point).passed:
            assert passes_plainly(stub, tests, entry_point, 60.0), task
