"""Published figures, and the comparison of ours with independent ones."""

from __future__ import annotations

import dataclasses
import io
import math

import pytest
from rich.console import Console

from phinery.evaluate.evaluation import Category, SuiteScores
from phinery.evaluate.outcome import Estimate, Score
from phinery.evaluate.table import Check, check_published, print_checks
from phinery.evaluate.table.published import Figure, PublishedModel, published
from table_help import estimate, evaluation, score

KNOWN = published()
FIGURES = [
    *(figure for model in KNOWN.models for figure in model.averages.values()),
    *(figure for model in KNOWN.models for figure in model.tasks.values()),
    *(figure for figures in KNOWN.independent.values() for figure in figures),
]


def model(name: str) -> PublishedModel:
    return next(one for one in KNOWN.models if one.name == name)


def test_every_figure_has_a_source_and_is_a_percentage():
    assert len(FIGURES) > 100
    for figure in FIGURES:
        source = KNOWN.sources[figure.source]
        assert source.url.startswith("https://")
        assert source.title
        assert 0 < figure.value < 100
        assert figure.of in KNOWN.tasks or figure.of in KNOWN.categories
    assert [one.name for one in KNOWN.models] == [
        "Phi-2",
        "Phi-1.5",
        "Llama-2 7B",
        "Llama-2 13B",
        "Llama-2 70B",
        "Mistral 7B",
        "Gemini Nano 2",
    ]


def test_every_task_of_a_category_is_known_and_no_name_belongs_to_two():
    tasks = [task for category in KNOWN.categories.values() for task in category.tasks]
    assert len(tasks) == len(set(tasks)) == 14
    assert set(tasks) <= set(KNOWN.tasks)
    names = [name for task in KNOWN.tasks.values() for name in task.names]
    assert len(names) == len(set(names))
    assert KNOWN.task_key("social_iqa") == "siqa"
    assert KNOWN.task_key("nothing") is None
    assert KNOWN.category_key("mbpp") == "coding"


def test_figures_of_one_source_agree_with_each_other():
    phi2 = model("Phi-2")
    assert phi2.tasks["gsm8k"].value == phi2.averages["math"].value
    assert phi2.tasks["bbh"].value == phi2.averages["bbh"].value
    # HumanEval follows from the average of coding and MBPP, and must be a possible share of 164.
    humaneval = 2 * phi2.averages["coding"].value - phi2.tasks["mbpp"].value
    solved = humaneval * 164 / 100
    assert abs(solved - round(solved)) < 0.25
    # The report of Llama 2 gives the mean of HumanEval and MBPP as "Code" in its table 3.
    for name, code in (("Llama-2 7B", 16.8), ("Llama-2 13B", 24.5), ("Llama-2 70B", 37.5)):
        tasks = model(name).tasks
        assert (tasks["humaneval"].value + tasks["mbpp"].value) / 2 == pytest.approx(code, abs=0.06)
    for key in ("bbh", "commonsense", "language", "math"):
        sizes = [model(f"Llama-2 {size}").averages[key].value for size in ("7B", "13B", "70B")]
        assert sizes == sorted(sizes)


def test_independent_standard_errors_are_those_of_their_n():
    given = [figure for figure in KNOWN.independent["phi-2"] if figure.error is not None]
    assert len(given) == 12
    for figure in given:
        share = figure.value / 100
        assert figure.n is not None
        assert figure.error == pytest.approx(
            100 * math.sqrt(share * (1 - share) / (figure.n - 1)), abs=0.006
        )
        without = Figure(
            of=figure.of, value=figure.value, source=figure.source, confirmed=True, n=figure.n
        )
        assert without.standard_error == pytest.approx(figure.error, abs=0.01)


def test_an_average_is_taken_as_published_or_over_all_tasks_or_not_at_all():
    found = KNOWN.average(model("Phi-1.5"), "commonsense")
    assert found is not None
    assert (round(found[0].value, 2), found[1]) == (64.52, True)
    assert KNOWN.average(model("Gemini Nano 2"), "coding") is None
    phi2 = KNOWN.average(model("Phi-2"), "coding")
    assert phi2 is not None
    assert (phi2[0].value, phi2[1]) == (53.7, False)


def checks_of(*scores: Score, **shots: int) -> dict[tuple[str, str, int | None, str], Check]:
    suite = SuiteScores("phi2", "Phi-2", (Category("c", scores),))
    found = check_published(evaluation("m", 0.0, suite), "phi-2", shots=shots)
    return {(c.task, c.metric, c.shots, c.source.split("/")[3]): c for c in found}


def test_a_score_says_with_how_many_examples_it_was_asked():
    five = dataclasses.replace(score("gsm8k", 0.5, metric="exact_match"), shots=5)
    assert checks_of(five)["GSM8K", "exact_match", 5, "microsoft"].within is not None
    assert checks_of(five, gsm8k=8)["GSM8K", "exact_match", 5, "microsoft"].within is not None
    one = dataclasses.replace(score("piqa", 0.75), shots=1)
    assert checks_of(one)["PIQA", "acc", 0, "Joe-J"].reason == "0 shots, ours 1"


def test_a_check_is_in_combined_standard_errors():
    # Ours 75.00 with a standard error of 2.00: the interval is 1.96 of them either side. Theirs
    # 78.62 with 0.96: 3.62 / sqrt(4 + 0.9216) = 1.632.
    half = 1.959963984540054 * 0.02
    checks = checks_of(score("piqa", 0.75, 500, half=half))
    one = checks["PIQA", "acc", 0, "Joe-J"]
    assert one.our_error == pytest.approx(0.02)
    assert one.their_error == pytest.approx(0.0096)
    assert one.apart == pytest.approx(-0.0362 / math.sqrt(0.02**2 + 0.0096**2))
    assert one.apart == pytest.approx(-1.6318, abs=1e-4)
    assert one.within is True
    # No error was given there: sqrt(0.7867 * 0.2133 / 1838) = 0.955%.
    other = checks["PIQA", "acc", 0, "intel"]
    assert other.their_error == pytest.approx(0.009555, abs=1e-6)
    far = checks_of(score("piqa", 0.741, 500, half=half))
    assert far["PIQA", "acc", 0, "Joe-J"].within is False
    assert far["PIQA", "acc", 0, "Joe-J"].apart < -2


def test_what_was_measured_otherwise_is_not_compared():
    checks = checks_of(score("winogrande", 0.75), score("gsm8k", 0.5, metric="exact_match"))
    assert checks["WinoGrande", "acc", 0, "Joe-J"].within is True
    five = checks["WinoGrande", "acc", 5, "microsoft"]
    assert (five.within, five.reason) == (None, "5 shots, ours 0")
    assert math.isnan(five.apart)
    assert checks["GSM8K", "exact_match", 5, "microsoft"].reason == "5 shots, ours 8"
    assert checks["BoolQ", "acc", 0, "Joe-J"].reason == "did not run"
    checks = checks_of(score("hellaswag", 0.5), gsm8k=5, hellaswag=0)
    assert checks["HellaSwag", "acc_norm", 0, "Joe-J"].reason == "acc_norm, ours acc"
    # The caller knows that it asked otherwise than the suite does.
    checks = checks_of(score("gsm8k", 0.54, metric="exact_match"), gsm8k=5)
    assert checks["GSM8K", "exact_match", 5, "microsoft"].within is True


def test_a_mean_of_groups_is_compared_with_a_mean_of_groups():
    groups = {f"subject {n}": estimate(0.5 + 0.002 * n, 10, 0.1) for n in range(57)}
    whole = score("mmlu", 0.3, 14042, by_group=groups)
    one = checks_of(whole)["MMLU", "acc", 5, "microsoft"]
    assert one.ours is not None
    assert one.ours.value == pytest.approx(0.5 + 0.002 * 28)
    assert one.our_error == pytest.approx(0.1 / 1.959963984540054 / math.sqrt(57))
    assert one.within is not None
    plain = checks_of(score("mmlu", 0.58, 14042))["MMLU", "acc", 5, "microsoft"]
    assert plain.reason == "mean of 57 groups, ours over all items"


def test_without_an_interval_there_is_no_check():
    bare = Score("piqa", "acc", Estimate(0.7, 1, math.nan, math.nan))
    assert checks_of(bare)["PIQA", "acc", 0, "Joe-J"].reason == "no standard error of ours"


def test_checks_are_printed_and_other_weights_refused():
    out = io.StringIO()
    suite = SuiteScores("phi2", "Phi-2", (Category("c", (score("piqa", 0.78),)),))
    one = evaluation("m", 0.0, suite)
    print_checks(check_published(one, "phi-2"), Console(file=out, width=80))
    text = out.getvalue()
    assert "2 of 2 within two combined standard errors; 24 not comparable" in text
    assert "78.0 ±1.0  200  78.6 ±1.0" in text
    assert [line for line in text.splitlines() if len(line) > 80 and "https" not in line] == []
    with pytest.raises(ValueError, match="choose from phi-2"):
        check_published(one, "gpt-5")
