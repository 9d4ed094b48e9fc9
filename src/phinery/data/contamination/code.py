"""How alike two pieces of Python are, whatever their names: the match rate of their syntax trees.

Phi-1's decontamination study (arXiv 2306.11644, section 5) prunes exercises whose syntax tree is
close to that of a HumanEval solution, at match rates from 0.8 to 0.95, taken from the edit
distance of the trees. Here a tree is the sequence of its nodes' labels in the order of the source,
and the rate of two is 1 - distance / length of the longer one (Levenshtein's distance).

A label is the kind of a node, for a literal with its type. Names of variables, functions and
arguments are left out, and so are docstrings, annotations and decorators; names of builtins and of
methods of built-in types are kept, because they are what the code does.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

MATCH_RATE = 0.85
FEWEST_LABELS = 25
"""Shorter functions are alike by chance: any two that add their arguments are the same."""

_LONGEST_SOURCE = 2**21  # characters; documents have at most half of that
_MOST_LABELS = 2_000

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(.*?)^[ \t]*\1", re.MULTILINE | re.DOTALL)
_DEFINITION = re.compile(r"[ \t]*(?:async[ \t]+)?def[ \t]")
_BUILTINS = frozenset(dir(builtins))
_METHODS = frozenset(
    name
    for kind in (str, bytes, list, dict, set, tuple, int, float)
    for name in dir(kind)
    if not name.startswith("_")
)
_LEFT_OUT = frozenset({"ctx", "annotation", "returns", "decorator_list", "type_comment"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def ast_match_rate(left: str, right: str) -> float:
    """How alike the syntax of two Python sources is: 0 to 1, and 0 where one does not parse."""
    labels = [_source_labels(source) for source in (left, right)]
    return _match_rate(*labels) if all(labels) else 0.0


class CodeIndex:
    """Finds reference solutions among the functions of a text. Make one with `of`."""

    NAMES: ClassVar = ("code_labels", "code_starts", "code_owners")

    def __init__(self, labels: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
        """`labels` are the names of the numbers in `arrays["code_labels"]`."""
        self.labels = list(labels)
        self.arrays = dict(arrays)
        self.owners: NDArray[np.int32] = arrays["code_owners"]
        self._number = {label: number for number, label in enumerate(self.labels)}
        starts: list[int] = arrays["code_starts"].tolist()
        numbers: list[int] = arrays["code_labels"].tolist()
        self._solutions = [numbers[start:end] for start, end in itertools.pairwise(starts)]
        self._lengths = np.diff(arrays["code_starts"])
        self._bags = np.zeros((len(self._solutions), len(self.labels) + 1), dtype=np.int32)
        for row, solution in enumerate(self._solutions):
            self._bags[row] = np.bincount(solution, minlength=len(self.labels) + 1)

    @classmethod
    def of(cls, solutions: Iterable[tuple[int, str]]) -> CodeIndex:
        """An index of the functions, of `FEWEST_LABELS` or more, in (item's number, source)."""
        found = [
            (item, labels)
            for item, source in solutions
            for labels, _ in _functions(source)
            if len(labels) >= FEWEST_LABELS
        ]
        found.sort(key=lambda pair: (len(pair[1]), pair[0]))
        names = sorted({label for _, labels in found for label in labels})
        number = {label: at for at, label in enumerate(names)}
        arrays = {
            "code_labels": [number[label] for _, labels in found for label in labels],
            "code_starts": np.cumsum([0, *(len(labels) for _, labels in found)]),
            "code_owners": [item for item, _ in found],
        }
        return cls(names, {name: np.array(a, dtype=np.int32) for name, a in arrays.items()})

    def matches(
        self, text: str, *, is_code: bool, lowest: float = MATCH_RATE
    ) -> list[tuple[int, float, int]]:
        """The items in a text: their numbers, the best match rates from `lowest` on, the lines.

        With `is_code` all of the text is Python, without only its fenced blocks are looked at.
        What does not parse has no functions. Lines are counted from 1.
        """
        best: dict[int, tuple[float, int]] = {}
        for source, before in _sources(text, is_code=is_code):
            for labels, line in _functions(source):
                for item, rate in self._alike(labels, lowest):
                    if item not in best or best[item][0] < rate:
                        best[item] = (rate, before + line)
        return [(item, rate, line) for item, (rate, line) in sorted(best.items())]

    def _alike(self, labels: list[str], lowest: float) -> Iterator[tuple[int, float]]:
        length = len(labels)
        if length < FEWEST_LABELS * lowest:
            return
        first = int(np.searchsorted(self._lengths, length * lowest - 1e-9))
        last = int(np.searchsorted(self._lengths, length / lowest + 1e-9, side="right"))
        if first == last:
            return
        unknown = len(self.labels)
        numbers = [self._number.get(label, unknown) for label in labels]
        bag = np.bincount(numbers, minlength=unknown + 1)
        # No edit makes more than one label common, so that common labels bound the match rate.
        common = np.minimum(self._bags[first:last], bag).sum(axis=1)
        bound = common / np.maximum(self._lengths[first:last], length)
        for row in (first + np.flatnonzero(bound >= lowest - 1e-9)).tolist():
            rate = _match_rate(self._solutions[row], numbers)
            if rate >= lowest:
                yield int(self.owners[row]), rate


def _match_rate(left: Sequence[str] | Sequence[int], right: Sequence[str] | Sequence[int]) -> float:
    return 1 - _edit_distance(left, right) / max(len(left), len(right))


def _edit_distance(
    left: Sequence[str] | Sequence[int], right: Sequence[str] | Sequence[int]
) -> int:
    """Levenshtein's distance, a column of the table at a time as bits of integers.

    Myers, "A fast bit-vector algorithm for approximate string matching", 1999, in the form of
    Hyyrö 2001: a bit tells whether a cell is one more, or one less, than the cell above it.
    """
    places: dict[str | int, int] = {}
    for at, label in enumerate(left):
        places[label] = places.get(label, 0) | (1 << at)
    everywhere = (1 << len(left)) - 1
    last = 1 << (len(left) - 1) if left else 0
    more, less, distance = everywhere, 0, len(left)
    for label in right:
        equal = places.get(label, 0)
        vertical = equal | less
        diagonal = ((((equal & more) + more) ^ more) | equal) & everywhere
        right_more = less | (everywhere & ~(diagonal | more))
        right_less = more & diagonal
        distance += bool(right_more & last) - bool(right_less & last)
        right_more = ((right_more << 1) | 1) & everywhere
        right_less = (right_less << 1) & everywhere
        more = right_less | (everywhere & ~(vertical | right_more))
        less = right_more & vertical
    return distance if left else len(right)


def _sources(text: str, *, is_code: bool) -> Iterator[tuple[str, int]]:
    """Pieces of a text that may be Python with functions, and the lines before each."""
    if "def " not in text:
        return
    if is_code:
        yield text, 0
        return
    before = counted = 0
    for fence in _FENCE.finditer(text):
        before += text.count("\n", counted, fence.start(2))
        counted = fence.start(2)
        if "def " in fence[2]:
            yield textwrap.dedent(fence[2]), before


def _functions(source: str) -> Iterator[tuple[list[str], int]]:
    """The labels of every function of a source, methods and inner ones too, and its line."""
    tree = _parsed(source)
    pieces = [(tree, 0)] if tree is not None else _parsed_definitions(source)
    for piece, before in pieces:
        for node in ast.walk(piece):
            if isinstance(node, _Function) and (labels := _labels(node)):
                yield labels, before + node.lineno


def _parsed(source: str) -> ast.Module | None:
    if len(source) > _LONGEST_SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange escapes in other people's code
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parsed_definitions(source: str) -> Iterator[tuple[ast.Module, int]]:
    """The functions of a source that does not parse as a whole, each by itself.

    A function is its line with "def" and the lines behind that are blank or stand deeper.
    """
    lines = source.split("\n")
    at = 0
    while at < len(lines):
        start, at = at, at + 1
        if not _DEFINITION.match(lines[start]):
            continue
        margin = _margin(lines[start])
        while at < len(lines) and (not lines[at].strip() or _margin(lines[at]) > margin):
            at += 1
        tree = _parsed(textwrap.dedent("\n".join(lines[start:at])))
        if tree is not None:
            yield tree, start


def _margin(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _source_labels(source: str) -> list[str]:
    tree = _parsed(source)
    return [] if tree is None else [label for node in tree.body for label in _labels(node)]


def _labels(node: ast.AST) -> list[str]:
    """The labels of a tree in the order of the source; none when it has too many.

    Goes without recursion, since trees may be as deep as the parser lets them.
    """
    labels: list[str] = []
    waiting: list[ast.AST] = [node]
    while waiting:
        node = waiting.pop()
        labels.append(_label(node))
        if len(labels) > _MOST_LABELS:
            return []
        waiting.extend(reversed(_children(node)))
    return labels


def _label(node: ast.AST) -> str:
    kind = type(node).__name__
    if isinstance(node, ast.Name):
        return f"{kind} {node.id}" if node.id in _BUILTINS else kind
    if isinstance(node, ast.Attribute):
        return f"{kind} {node.attr}" if node.attr in _METHODS else kind
    if isinstance(node, ast.Constant):
        return f"{kind} {type(node.value).__name__}"
    return kind


def _children(node: ast.AST) -> list[ast.AST]:
    children: list[ast.AST] = []
    for name in node._fields:
        if name in _LEFT_OUT:
            continue
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            children.append(value)
        elif isinstance(value, list):
            children.extend(child for child in value if isinstance(child, ast.AST))
    if isinstance(node, _Function) and ast.get_docstring(node, clean=False) is not None:
        children.remove(node.body[0])
    return children
