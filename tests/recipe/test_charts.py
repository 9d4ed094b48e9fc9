from __future__ import annotations

import html
import json
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.recipe.charts import Reference, Series, bars, line_chart, smooth, thin, ticks

NUMBERS = st.floats(-1e9, 1e9).filter(lambda x: x == 0 or abs(x) > 1e-6)


def chart(*series: Series, **options: object) -> str:
    return line_chart(
        series,
        title="T & <t>",
        x_label="x",
        x_format=lambda x: f"{x:g}",
        y_format=lambda y: f"{y:.4f}",
        **options,  # pyright: ignore[reportArgumentType]
    )


def data_of(figure: str) -> dict[str, object]:
    found = re.search(r'data-chart="([^"]*)"', figure)
    assert found
    return json.loads(html.unescape(found[1]))


@given(NUMBERS, st.floats(1e-3, 1e9))
def test_ticks_are_round_and_inside(low: float, span: float):
    high = low + span
    marks = ticks(low, high)
    step = marks[1] - marks[0] if len(marks) > 1 else span
    slack = 1e-6 * step + 4 * math.ulp(max(abs(low), abs(high)))
    assert all(low - slack <= mark <= high + slack for mark in marks)
    assert len(marks) <= 13


def test_ticks_of_a_point():
    assert ticks(3.0, 3.0) == [3.0]


def test_ticks_are_the_ones_a_person_would_choose():
    assert ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert ticks(0, 4_000_000, 6) == [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]


def test_smoothing_is_the_mean_of_neighbours():
    assert smooth([2.0] * 9, 4) == pytest.approx([2.0] * 9)
    assert smooth([1.0, 2.0, 6.0], 1) == [1.0, 2.0, 6.0]
    assert smooth([9.0, 3.0, 6.0, 0.0], 2) == [9.0, 6.0, 3.0, 0.0]


def test_smoothing_passes_over_what_is_not_finite():
    smoothed = smooth([1.0, math.nan, 5.0, 3.0, 7.0], 3)
    assert math.isnan(smoothed[1])
    assert smoothed[2:] == [4.0, 5.0, 7.0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=80), st.integers(1, 20))
def test_thinning_keeps_the_mean_of_each_group(values: list[float], most: int):
    xs, ys = thin(list(range(len(values))), values, most)
    assert len(xs) == len(ys) == min(len(values), most)
    assert xs == sorted(xs)
    assert min(values) - 1e-9 <= min(ys)
    assert max(ys) <= max(values) + 1e-9


def test_thinning_of_equal_groups():
    assert thin([0, 1, 2, 3], [1, 3, 5, 7], 2) == ([0.5, 2.5], [2.0, 6.0])


def test_chart_is_well_formed_and_escaped():
    figure = chart(
        Series("a<b", "train", [1, 2, 3], [3, 2, 1]), references=[Reference("xz & co", 2.5)]
    )
    root = ElementTree.fromstring(figure)
    assert root.tag == "figure"
    assert "xz & co" in "".join(root.itertext())
    assert "T & <t>" in "".join(root.itertext())


def test_chart_carries_its_values():
    figure = chart(Series("loss", "train", [10, 20], [3.25, 1.5]))
    (series,) = data_of(figure)["series"]  # pyright: ignore[reportGeneralTypeIssues]
    assert series["text"] == [["10", "3.2500"], ["20", "1.5000"]]
    (x1, y1), (x2, y2) = series["at"]
    assert x1 < x2
    assert y1 < y2, "in SVG, down is more: the lower loss must stand lower"


def test_pale_line_is_drawn_but_not_told():
    figure = chart(Series("raw", "pale", [1, 2], [1, 2]), Series("s", "train", [1, 2], [1, 2]))
    assert figure.count("<polyline") == 2
    assert [line["name"] for line in data_of(figure)["series"]] == ["s"]  # pyright: ignore
    assert "raw" not in figure


def test_values_that_are_not_finite_are_left_out():
    figure = chart(Series("loss", "train", [1, 2, 3], [1.0, float("nan"), 2.0]))
    assert "nan" not in figure
    assert len(data_of(figure)["series"][0]["at"]) == 2  # pyright: ignore


@pytest.mark.parametrize("ys", [[], [float("nan")]])
def test_chart_of_nothing_says_so(ys: list[float]):
    assert "nothing was recorded" in chart(Series("loss", "train", [1.0] * len(ys), ys))


@pytest.mark.parametrize("value", [0.0, 4.0, -2.0])
def test_chart_of_one_point(value: float):
    figure = chart(Series("loss", "train", [1], [value], points=True))
    assert figure.count("<circle") == 1
    assert "nan" not in figure
    assert "inf" not in figure


def test_longest_bar_is_full():
    figure = bars([("a", 1.0, "1", "x"), ("b", 4.0, "4", "x")])
    assert re.findall(r"width:([\d.]+)%", figure) == ["25.00", "100.00"]
