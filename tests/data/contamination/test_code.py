import textwrap
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.contamination import FEWEST_LABELS, ast_match_rate
from phinery.data.contamination.code import CodeIndex, _edit_distance

SOLUTION = '''
def runs(numbers, least):
    """Lengths of the runs of equal numbers."""
    found = []
    length = 1
    for left, right in zip(numbers, numbers[1:]):
        if left == right:
            length += 1
        else:
            found.append(length)
            length = 1
    return sorted(item for item in found if item >= least)
'''
RENAMED = """
@cached
def stretches(xs: list[int], smallest: int = 3) -> list[int]:
    # another name for everything
    result = []
    n = 1
    for a, b in zip(xs, xs[1:]):
        if a == b:
            n += 1
        else:
            result.append(n)
            n = 1
    return sorted(i for i in result if i >= smallest)
"""
OTHER = """
def clean(path, names):
    with open(path) as file:
        lines = [line.strip() for line in file]
    table = {}
    for line in lines:
        key, _, value = line.partition("=")
        if key in names:
            table[key] = int(value)
    while table and max(table.values()) > 10:
        table.pop(max(table, key=table.get))
    return table
"""


def table_distance(left, right):
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


short_lists = st.lists(st.integers(0, 3), max_size=90)


@given(short_lists, short_lists)
def test_edit_distance_is_levenshteins(left, right):
    assert _edit_distance(left, right) == table_distance(left, right)


def test_names_comments_docstrings_and_annotations_do_not_count():
    # One node is new: the default value of an argument.
    assert 0.97 < ast_match_rate(SOLUTION, RENAMED) < 1
    assert ast_match_rate(SOLUTION, RENAMED.replace(" = 3)", ")")) == 1


def test_what_code_does_counts():
    assert ast_match_rate(SOLUTION, OTHER) < 0.5
    for old, new in (("sorted", "list"), (".append", ".extend"), ("==", "<")):
        assert ast_match_rate(SOLUTION, SOLUTION.replace(old, new)) < 1
    assert ast_match_rate("x = 1", "x = 1.0") < 1
    assert ast_match_rate("x = 1", "y = 2") == 1


def test_the_rate_is_symmetric_and_falls_with_every_change():
    longer = SOLUTION.replace("length = 1\n    for", "length = 1\n    print(least)\n    for")
    longest = longer.replace("    return", "    found.append(length)\n    return")
    rates = [ast_match_rate(SOLUTION, source) for source in (SOLUTION, longer, longest, OTHER)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 1
    assert ast_match_rate(longest, SOLUTION) == pytest.approx(rates[2], abs=1e-12)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def f(:",
        "def f(): return '\0'",
        "print 'python 2'",
        "(" * 10_000,
        "-" * 100_000 + "1",
        "not " * 50_000 + "x",
        "x" + ".a" * 100_000,
        "x = " + "[" * 150 + "]" * 150,
        "x = " + "9" * 10_000,
        "if x:\n" + "".join(" " * i + "if x:\n" for i in range(1, 99)) + " " * 99 + "y",
        "\ud800 = 1",
        "def f():\n\tif x:\n        y",
        "a = 1\n" * 10_000,
    ],
    ids=lambda source: repr(source[:12]),
)
def test_no_source_is_fatal(source):
    assert ast_match_rate(source, SOLUTION) < 0.3
    index = CodeIndex.of([(0, SOLUTION), (1, source)])
    assert index.owners.tolist() == [0]
    assert index.matches(source + "\n\ndef f(): 1", is_code=True) == []


def test_strange_escapes_warn_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ast_match_rate("x = '\\d'", "x = '\\d'") == 1


def test_solutions_are_found_in_code_with_their_lines():
    index = CodeIndex.of([(7, SOLUTION)])
    text = "import os\n" + OTHER + "\n\nclass A:\n" + textwrap.indent(RENAMED, "    ")
    [(item, rate, line)] = index.matches(text, is_code=True)
    assert item == 7
    assert 0.97 < rate < 1
    assert text.split("\n")[line - 1].strip().startswith("def stretches")
    assert index.matches(OTHER, is_code=True) == []
    assert index.matches(text, is_code=True, lowest=0.99) == []


def test_solutions_are_found_down_to_the_lowest_rate():
    index = CodeIndex.of([(7, SOLUTION)])
    changed = SOLUTION.replace("length = 1\n    for", "length = 1\n    print(least)\n    for")
    changed = changed.replace("sorted(item for item in found if", "list(item for item in found if")
    rate = ast_match_rate(SOLUTION, changed)
    assert 0.88 < rate < 0.94
    for lowest, expected in ((rate - 1e-6, [(7, 2)]), (rate + 1e-6, [])):
        found = index.matches(changed, is_code=True, lowest=lowest)
        assert [(item, line) for item, _, line in found] == expected


def test_solutions_are_found_in_fenced_blocks_alone():
    index = CodeIndex.of([(7, SOLUTION)])
    text = f"Some words.\n\n```python\n{SOLUTION}```\nand def more.\n"
    [(item, rate, line)] = index.matches(text, is_code=False)
    assert (item, rate) == (7, 1)
    assert text.split("\n")[line - 1].startswith("def runs")
    assert index.matches(text.replace("```", ""), is_code=False) == []
    indented = textwrap.indent(f"~~~\n{SOLUTION}~~~", "   ")
    assert [found[0] for found in index.matches(f"1. See\n{indented}", is_code=False)] == [7]


def test_solutions_are_found_in_files_that_do_not_parse():
    index = CodeIndex.of([(7, SOLUTION)])
    text = f"print 'python 2'\n{OTHER}\nclass A:\n{textwrap.indent(SOLUTION, '    ')}\ndef f(:\n"
    [(item, rate, line)] = index.matches(text, is_code=True)
    assert (item, rate) == (7, 1)
    assert text.split("\n")[line - 1].strip().startswith("def runs")


def test_short_functions_are_in_no_index():
    short = "def add(a, b):\n    return a + b\n"
    assert FEWEST_LABELS > 10
    index = CodeIndex.of([(0, short)])
    assert len(index.owners) == 0
    assert index.matches(short, is_code=True) == []
