"""Reads a code exercise: a function, and tests that are worth running."""

from __future__ import annotations

import ast
import re

from phinery.data.synthesis.teacher.draft import Draft, RejectedError

_FENCE = re.compile(r"^```[ \t]*(?:python|py|python3)?[ \t]*\n(.*?)^```[ \t]*$", re.M | re.S | re.I)
_MODULES = """
    __future__ abc bisect calendar cmath collections copy dataclasses datetime decimal enum
    fractions functools heapq itertools json math numbers operator random re statistics string
    textwrap typing unicodedata
"""
"""What an exercise may import: nothing that touches files, processes or the network."""
_REFUSED = """
    breakpoint compile eval exec exit globals help input locals memoryview open print quit setattr
    vars __builtins__ __import__ __loader__ __spec__
"""
_HARMLESS = "__init__ __name__ __doc__ __len__ __iter__ __next__ __repr__ __eq__ __lt__ __hash__"
_IMPORTABLE = frozenset(_MODULES.split())
_REFUSED_NAMES = frozenset(_REFUSED.split())
_HARMLESS_ATTRIBUTES = frozenset(_HARMLESS.split())
_FEWEST_ASSERTS = 3
_Function = ast.FunctionDef


def code_exercise(text: str, function: str) -> Draft:
    """The function called `function` in an answer's first fenced block, tested by the second.

    Raises RejectedError: "missing code", "missing tests", "syntax error", "wrong name",
    "no docstring", "too few tests", or "refused construct" for imports beyond a short list, for
    names such as `open` or `eval`, and for attributes with two leading underscores. That keeps
    accidents away and proves nothing about intent.
    """
    blocks = [block.strip("\n") for block in _FENCE.findall(text)]
    if not blocks:
        raise RejectedError("missing code")
    if len(blocks) == 1:
        raise RejectedError("missing tests")
    solution, tests = blocks[0].rstrip(), "\n".join(blocks[1:]).rstrip()
    solution_tree, test_tree = _parsed(solution), _parsed(tests)
    defined = [n for n in solution_tree.body if isinstance(n, _Function) and n.name == function]
    if len(defined) != 1:
        raise RejectedError("wrong name")
    if not ast.get_docstring(defined[0]):
        raise RejectedError("no docstring")
    _refuse_dangers(solution_tree)
    _refuse_dangers(test_tree)
    if any(isinstance(n, _Function) and n.name == function for n in ast.walk(test_tree)):
        raise RejectedError("wrong name")  # the tests would test themselves
    asserts = [n for n in ast.walk(test_tree) if isinstance(n, ast.Assert) and _calls(n, function)]
    if len(asserts) < _FEWEST_ASSERTS:
        raise RejectedError("too few tests")
    return Draft(
        f"{solution}\n\n\n# Tests\n{tests}",
        program=solution,
        stub=f"{solution}\n\n\ndef {function}(*_, **__):\n    return None",
        tests=tests,
        function=function,
    )


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RejectedError("syntax error") from error


def _calls(node: ast.AST, function: str) -> bool:
    return any(
        isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Name)
        and inner.func.id == function
        for inner in ast.walk(node)
    )


def _refuse_dangers(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or ""]
        is_refused = (
            any(name.split(".")[0] not in _IMPORTABLE for name in imported)
            or (isinstance(node, ast.Name) and node.id in _REFUSED_NAMES)
            or (isinstance(node, ast.Attribute) and _is_inner(node.attr))
        )
        if is_refused:
            raise RejectedError("refused construct")


def _is_inner(attribute: str) -> bool:
    return attribute.startswith("__") and attribute not in _HARMLESS_ATTRIBUTES
