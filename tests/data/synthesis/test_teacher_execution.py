from __future__ import annotations

import pytest

from phinery.data.synthesis.teacher.code import code_exercise
from phinery.data.synthesis.teacher.draft import Draft, try_programs
from phinery.sandbox import SandboxUnavailable, probe

needs_sandbox = pytest.mark.skipif(not probe().complete, reason=f"no sandbox here:\n{probe()}")

TESTS = "assert add(1, 2) == 3\nassert add(0, 0) == 0\nassert add(-1, 1) == 0"


def answer(body: str, tests: str = TESTS) -> str:
    function = f'def add(a, b):\n    """The sum."""\n    {body}'
    return f"```python\n{function}\n```\n\n```python\n{tests}\n```\n"


@needs_sandbox
def test_an_exercise_whose_tests_pass_is_accepted():
    assert try_programs(code_exercise(answer("return a + b"), "add")) == ""


@needs_sandbox
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return a - b", "tests failed: AssertionError"),
        ("return a + c", "tests failed: NameError"),
        ("return add(a, b)", "tests failed: RecursionError"),
        ("raise SystemExit", "tests failed: ended early"),
        ("return ['x' * 10**6 for _ in range(10**6)]", "tests failed: memory"),
    ],
)
def test_an_exercise_whose_tests_fail_is_not(body: str, reason: str):
    assert try_programs(code_exercise(answer(body), "add")) == reason


@needs_sandbox
def test_tests_that_pass_without_the_function_prove_nothing():
    lazy = "assert add(1, 2) != 4\nassert add(1, 2) != 5\nassert add(1, 2) != 6"
    draft = code_exercise(answer("return a + b", lazy), "add")
    assert try_programs(draft) == "tests pass without the function"


@needs_sandbox
def test_tests_may_use_what_else_the_solution_defines():
    draft = Draft(
        "",
        program="class Box:\n    def __init__(self, n): self.n = n\ndef size(box): return box.n",
        stub="class Box:\n    def __init__(self, n): self.n = n\ndef size(*_): return None",
        tests="assert size(Box(3)) == 3",
        function="size",
    )
    assert try_programs(draft) == ""


def test_a_machine_without_a_sandbox_runs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PHINERY_ALLOW_UNISOLATED_CODE", raising=False)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="Linux"):
        try_programs(code_exercise(answer("return a + b"), "add"))


def test_the_verdicts_of_older_runs_stay_valid():
    draft = code_exercise(answer("return a + b"), "add")
    assert draft.programs_key == "81eb89ba23aa60217006f718"
