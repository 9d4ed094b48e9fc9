"""Tables of scores: what they say is what was measured, whatever the names are."""

from __future__ import annotations

import io
import math
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from phinery.evaluate.evaluation import (
    Category,
    Evaluation,
    SuiteScores,
    load_evaluations,
    save_evaluations,
)
from phinery.evaluate.outcome import Estimate, Score
from phinery.evaluate.table import (
    numbers,
    print_table,
    render_fragment,
    render_markdown,
    render_page,
)
from phinery.evaluate.table.sheets import lined_up, model_names
from phinery.evaluate.table.views import views
from table_help import NAN, ODD, estimate, evaluation, phi2_suite, score, small_suite

VOID = {"meta", "br", "line", "path", "circle"}


class Balanced(HTMLParser):
    """Collects tags, ids of outside parts, and the text of table rows; fails when unbalanced."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.outside += [given[key] or "" for key in ("src", "srcset", "data") if key in given]
        if tag in ("link", "script", "iframe", "img", "i"):
            self.outside.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open and self.open[-1] in ("td", "th", "small")
        if inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += f" {data}" if self.open[-1] == "small" else data


def parsed(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def rows_of(html: str) -> list[list[str]]:
    return parsed(html).rows


def markdown_rows(text: str) -> list[list[str]]:
    """Cells as a Markdown reader sees them: split at pipes that are not escaped."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    split = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    plain = [[re.sub(r"^\*\*(.*)\*\*$", r"\1", cell.strip()) for cell in row] for row in split]
    return [[re.sub(r"\\(.)", r"\1", unescape(cell)) for cell in row] for row in plain]


def printed(evaluations: list[Evaluation], width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    print_table(evaluations, Console(file=out, width=width, force_terminal=colour or None))
    return out.getvalue()


ONE = [evaluation()]
TWO = [evaluation("mini"), evaluation("tuned", 0.021)]


def test_a_page_needs_nothing_else_and_names_cannot_break_it():
    name = f"{ODD}</main><script>alert(1)</script>"
    page = render_page([evaluation(name)], title=f"Scores of {name}")
    parser = parsed(page)
    assert parser.outside == []
    assert "<script>" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert page.count("<h1>") == 1
    assert [row for row in parser.rows if row[0] == ODD]


def test_a_fragment_is_a_section_of_its_own():
    fragment = render_fragment(ONE)
    assert fragment.startswith('<section class="evaluation">')
    assert "<html" not in fragment
    assert "<body" not in fragment
    parsed(fragment)
    rules = re.findall(r"([^{}]+)\{", re.sub(r"@media[^{]+", "", fragment.split("</style>")[0]))
    assert rules
    for rule in rules[1:]:
        for selector in filter(str.strip, rule.split(",")):
            assert "evaluation" in selector, selector


@pytest.mark.parametrize("kind", ["html", "markdown"])
def test_every_number_is_as_given_and_has_its_n(kind: str):
    evaluations = [evaluation("nano", 0.0, small_suite())]
    page = render_page(evaluations)
    rows = rows_of(page) if kind == "html" else markdown_rows(render_markdown(evaluations))
    by_task = {(row[0], row[1]): row[2:] for row in rows if len(row) == 7}
    assert by_task["toxigen", "toxigen_score"] == [
        "0.4465",
        "[0.4265, 0.4665]",
        "6,541",
        "–",
        "–",
    ]
    assert by_task["crows_pairs", "acc, best 50%"] == [
        "57.1%",
        "[55.1, 59.1]",
        "1,508",
        "50.0%",
        "51.3%",
    ]
    assert by_task["perplexity", "perplexity ↓"][0] == "1,234.6"
    assert by_task[ODD, "acc"] == ["–", "–", "0", "–", "–"]
    assert by_task["crows_pairs", "acc"] == [
        "8 of 1,508",
        "57.1%",
        "56.6%",
        "[54.6, 58.6]",
        "1,500",
    ]
    groups = {row[0]: row[1:] for row in rows if len(row) == 4}
    assert groups["women"] == ["0.4321", "[0.4121, 0.4521]", "20"]
    assert groups[ODD] == ["–", "–", "0"]
    assert "nan" not in re.sub(r"nano", "", page.split("</style>")[1].lower())


def test_markdown_tables_are_even_and_groups_are_folded():
    text = render_markdown(TWO)
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("| ")]
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) <= 1
    assert text.count("<details>") == text.count("</details>") == 2
    assert "<i>" not in text
    assert "<https://arxiv.org/abs/2309.05463>" in text


def test_ours_stand_beside_what_was_published():
    rows = rows_of(render_page(ONE))
    averages = {row[0]: row[1:] for row in rows if len(row) == 6 and row[1] != "score"}
    assert averages["Phi-2 2.7B"] == ["59.2", "68.8", "62.0", "61.1", "53.7"]
    assert averages["Llama-2 70B"] == ["66.5", "69.2", "67.6", "64.1", "38.3"]
    # Five tasks: (61.2 + 50.8 + 44.7 + 23.6 + 35.1) / 5; 2 points each, independent: 2 / sqrt(5).
    assert averages["nano"][1] == "43.1 ±0.9, n 1,000"
    # MBPP did not run, so there is no average of coding.
    assert averages["nano"][4] == "–"
    # (76.6 + 73.4 + 75.6 + 44.4 + 52.6) / 5 = 64.52
    assert averages["Phi-1.5 1.3B"][1] == "64.5≈"
    tasks = {row[0]: row[1:] for row in rows if len(row) == 11}
    assert tasks["PIQA"][:5] == ["61.2", "[59.2, 63.2]", "200", "–", "76.6"]
    assert tasks["SIQA"][0] == "35.1"
    assert tasks["GSM8K"][4] == "40.2*"
    assert tasks["MBPP"] == [
        "–",
        "–",
        "–",
        "59.1?",
        "37.7*",
        "20.8",
        "30.6",
        "45.0",
        "47.5",
        "27.2",
    ]
    assert tasks["wsc273"][0] == "56.7"
    assert ["mbpp", "the sandbox is missing: <install> it"] in rows


def test_the_chart_of_a_suite_shows_value_interval_and_chance():
    suite = SuiteScores("nano", "n", (Category("c", (score("half", 0.5, chance=0.25),)),))
    page = render_page([evaluation("m", 0.0, suite)])
    svg = re.search(r"<svg.*?</svg>", page, re.S)
    assert svg is not None
    bar = re.search(r'<rect class="ours0" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg[0])
    chance = re.search(r'class="chance" x1="([\d.]+)"', svg[0])
    whisker = re.search(r'class="whisker" d="M([\d.]+) [\d.]+H([\d.]+)', svg[0])
    assert bar is not None
    assert chance is not None
    assert whisker is not None
    left, width = float(bar[1]), float(bar[2])
    whole = 2 * width  # the value is a half
    assert float(chance[1]) == pytest.approx(left + 0.25 * whole, abs=0.2)
    assert float(whisker[1]) == pytest.approx(left + 0.48 * whole, abs=0.2)
    assert float(whisker[2]) == pytest.approx(left + 0.52 * whole, abs=0.2)
    assert "<svg" not in render_page(
        [evaluation("m", 0.0, SuiteScores("s", "s", (Category("c", (score("x", NAN),)),)))]
    )


def test_two_models_stand_side_by_side_with_the_difference():
    rows = rows_of(render_page(TWO))
    differences = {row[0]: row for row in rows if len(row) == 4 and row[2].startswith(("+", "-"))}
    # 2.1 points; 2 points each way in both: 2 * sqrt(2) = 2.83.
    assert differences["piqa"] == ["piqa", "acc", "+2.1 [-0.7, +4.9]", "200"]
    both = next(row for row in rows if row[0] == "crows_pairs" and len(row) == 7 and "n" not in row)
    assert both[2:5] == ["57.1% [55.1, 59.1]", "59.2% [57.2, 61.2]", "1,508"]
    tasks = {row[0]: row[1:] for row in rows if len(row) == 11}
    assert tasks["PIQA"][:4] == ["61.2", "63.3", "200", "–"]


def test_there_is_no_difference_where_the_numbers_of_items_differ():
    first = evaluation("a", 0.0, phi2_suite(n=200))
    second = evaluation("b", 0.0, phi2_suite(0.05, n=100))
    differences = [s for s in views([first, second])[0].sheets if s.title.startswith("Difference")]
    assert [row.cells[0] for row in differences[0].rows] == ["humaneval", "wsc273"]
    # Where they differ, each value has its own.
    assert ["PIQA", "61.2 n 200", "66.2 n 100", "differs"] in [
        row[:4] for row in rows_of(render_page([first, second]))
    ]


def test_models_of_one_name_and_suites_of_one_model_are_told_apart():
    assert model_names([evaluation("a"), evaluation("a"), evaluation("b")]) == [
        "a (ababab)",
        "a (ababab) #2",
        "b",
    ]
    shown = views([evaluation("a", 0.0, phi2_suite()), evaluation("b", 0.0, small_suite())])
    assert [(view.name, view.models) for view in shown] == [("phi2", ("a",)), ("safety", ("b",))]


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("evaluations", [ONE, TWO], ids=["one", "two"])
def test_the_terminal_is_not_overrun(evaluations: list[Evaluation], width: int):
    text = printed(evaluations, width)
    long = [line for line in text.splitlines() if len(line) > width and "https://" not in line]
    assert long == []
    assert "\x1b" not in text
    piqa = next(line for line in text.splitlines() if line.startswith("PIQA"))
    assert piqa.split()[:2] == ["PIQA", "61.2"]
    assert " 200 " in piqa
    assert "mbpp" in text
    assert ODD in text


def test_the_terminal_says_which_columns_it_left_out():
    whole, narrow = printed(ONE, 110), printed(ONE, 70)
    assert "Not shown" not in whole
    assert "[59.2, 63.2]" in whole
    assert "Not shown for want of room: 95% interval, Llama 2 70B" in narrow
    assert "82.8" not in next(line for line in narrow.splitlines() if line.startswith("PIQA"))


def test_colour_is_for_terminals():
    assert "\x1b[" in printed(ONE, 100, colour=True)


def test_nothing_to_show_is_refused():
    for render in (render_page, render_fragment, render_markdown):
        with pytest.raises(ValueError, match="at least one evaluation"):
            render([])
    with pytest.raises(ValueError, match="at least one evaluation"):
        print_table([])


def test_what_was_saved_is_shown_as_what_was_measured(tmp_path: Path):
    save_evaluations(tmp_path / "scores.json", TWO)
    assert render_page(load_evaluations(tmp_path / "scores.json")) == render_page(TWO)


def test_numbers_are_written_for_readers():
    assert numbers.number(0.62149, "acc") == "62.1%"
    assert numbers.number(0.62149, "pass@1", sign=False) == "62.1"
    assert numbers.number(0.4465428, "toxigen_score") == "0.4465"
    assert numbers.number(-12.345, "gap") == "-12.35"
    assert numbers.number(NAN, "acc") == numbers.number(None) == "–"
    assert numbers.number(math.inf, "perplexity") == "–"
    shares = ("acc_norm", "exact_match", "exact, answerable", "pass@1", "male_share", "gotcha_acc")
    assert all(numbers.is_share(metric) for metric in shares)
    others = ("accent", "perplexity", "exact_copies", "gap", "safety_score", "gap, acc", "")
    assert not any(numbers.is_share(metric) for metric in others)
    assert numbers.interval(Estimate(0.5, 1, NAN, NAN), "acc") == "–"


def test_a_difference_is_squared_and_added():
    first, second = Estimate(0.5, 10, 0.47, 0.54), Estimate(0.6, 10, 0.57, 0.64)
    found = numbers.difference(first, second)
    assert found.value == pytest.approx(0.1)
    # Below: 0.03 of the second and 0.04 above the first; the other way round above.
    assert found.low == pytest.approx(0.1 - 0.05)
    assert found.high == pytest.approx(0.1 + 0.05)
    skew = numbers.difference(Estimate(0.5, 10, 0.5, 0.5), Estimate(0.6, 10, 0.5, 0.61))
    assert (skew.low, skew.high) == (pytest.approx(0.0), pytest.approx(0.11))


def test_scores_line_up_by_task_and_metric():
    a = SuiteScores("s", "s", (Category("x", (score("one", 0.1), score("two", 0.2))),))
    b = SuiteScores("s", "s", (Category("x", (score("two", 0.3),)), Category("y", ())))
    lines = lined_up([a, b])
    assert [(name, keys) for name, _, keys in lines] == [
        ("x", [("one", "acc"), ("two", "acc")]),
        ("y", []),
    ]
    assert lines[1][1] == [None, b.categories[1]]
    rows = rows_of(render_page([evaluation("a", 0.0, a), evaluation("b", 0.0, b)]))
    assert next(row for row in rows if row[0] == "one")[2:4] == ["10.0% [8.0, 12.0]", "–"]


def test_an_average_is_shown_where_it_means_something():
    scores = (score("one", 0.2, 100, chance=0.5), score("two", 0.4, 300, chance=0.25))
    suite = SuiteScores("nano", "n", (Category("x", scores, ("one", "two")),))
    rows = rows_of(render_page([evaluation("a", 0.0, suite)]))
    average = next(row for row in rows if row[0] == "average")
    # 2 points each, independent: sqrt(8) / 2 = 1.4.
    assert average == ["average", "mean of 2", "30.0%", "[28.6, 31.4]", "400", "37.5%", "–"]
    single = SuiteScores("nano", "n", (Category("x", scores[:1], ("one",)),))
    assert not [r for r in rows_of(render_page([evaluation("a", 0.0, single)])) if "average" in r]


def test_nobody_having_looked_for_tainted_items_is_not_none_tainted():
    def titles(tainted: int | None) -> list[str]:
        one = Score("t", "acc", estimate(0.5, 10), tainted=tainted)
        suite = SuiteScores("s", "s", (Category("c", (one,)),))
        return [sheet.title for sheet in views([evaluation("a", 0.0, suite)])[0].sheets]

    assert titles(None) == ["Scores"]
    assert titles(0) == ["Scores", "Without items that the training text gave away"]


def test_what_differs_between_models_is_not_shown_as_one():
    def model(name: str, chance: float, note: str) -> Evaluation:
        scores = (
            score("copies", 0.5, chance=chance, note=note),
            score("piqa", 0.5, chance=0.5, note="the same for all"),
        )
        suite = SuiteScores("s", "S", (Category("c", scores),))
        return Evaluation({"name": name}, {"items": "none"}, (suite,), 1.0)

    two = [model("before", 0.1, "three texts"), model("after", 0.2, "four texts")]
    (sheet, *_) = views(two)[0].sheets
    by_task = {row.cells[0]: row.cells for row in sheet.rows if len(row.cells) > 1}
    assert by_task["copies"][-2] == "–"
    assert by_task["piqa"][-2] == "50.0%"
    assert sheet.notes == (
        "copies, acc, before: three texts",
        "copies, acc, after: four texts",
        "piqa, acc: the same for all",
    )
    many = Evaluation(
        {"name": "m"},
        {},
        (
            SuiteScores(
                "s", "S", (Category("c", tuple(score(f"t{n}", 0.5, note="x") for n in range(12))),)
            ),
        ),
        1.0,
    )
    assert views([many])[0].sheets[0].notes == ("12 figures: x",)
