"""The evaluate stage's suites: asked before training and after it, shown in the report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from phinery.files import read_json
from phinery.recipe import Recipe, RecipeError, run

ASKED = 'evaluate.suites=["brackets", "refusal", "crows_pairs"]'


@pytest.fixture
def made(tiny: Path, tmp_path: Path) -> Path:
    """What the tiny run made, so that only the evaluation is made again."""
    shutil.copytree(tiny, tmp_path / "tiny")
    return tmp_path / "tiny"


def carry_out(made: Path, *overrides: str) -> Path:
    recipe = Recipe.load(str(made / "tiny.toml"), [*overrides, "evaluate.sample=8"])
    return run(recipe, made / "run")


def evaluations(directory: Path) -> list[dict[str, Any]]:
    return read_json(directory / "evaluate" / "suites.json")


def test_before_training_and_after_each_phase(made: Path, capsys: pytest.CaptureFixture[str]):
    directory = carry_out(made, ASKED)
    found = evaluations(directory)
    assert [one["model"]["name"] for one in found] == ["untrained", "pretrain"]
    assert found[0]["model"]["sha256"] != found[1]["model"]["sha256"]
    for one in found:
        (category,) = one["suites"][0]["categories"]
        assert {score["task"]: score["n"] for score in category["scores"]} == {
            "brackets": 8,
            "refusal": 8,
        }
        assert list(category["skipped"]) == ["crows_pairs"]
        assert one["setting"]["items"] == "none"
    assert "skipped: crows_pairs" in " ".join(capsys.readouterr().out.split())
    for name in ("report.html", "report.md"):
        report = (directory / name).read_text(encoding="utf-8")
        assert "brackets" in report
        assert "crows_pairs" in report
    # Nothing changed: nothing is made again; another number of items: only the evaluation.
    before = (directory / "evaluate" / "manifest.json").stat().st_mtime_ns
    carry_out(made, ASKED)
    assert (directory / "evaluate" / "manifest.json").stat().st_mtime_ns == before


def test_only_at_the_end(made: Path):
    directory = carry_out(made, 'evaluate.suites=["brackets"]', "evaluate.every_phase=false")
    assert [one["model"]["name"] for one in evaluations(directory)] == ["pretrain"]


def test_without_suites_nothing_is_asked(made: Path):
    directory = run(Recipe.load(str(made / "tiny.toml"), ["evaluate.max_tokens=7"]), made / "run")
    assert evaluations(directory) == []
    assert "untrained" not in (directory / "report.md").read_text(encoding="utf-8")


def test_an_unknown_suite_is_refused_before_anything_runs(made: Path):
    with pytest.raises(RecipeError, match=r"\[evaluate\] suites: .*'nanno'; did you mean nano"):
        run(Recipe.load(str(made / "tiny.toml"), ['evaluate.suites=["nanno"]']), made / "other")
    assert not (made / "other" / "corpus").exists()
    with pytest.raises(RecipeError, match="there is nothing at nowhere"):
        carry_out(made, 'evaluate.suites=["brackets"]', "evaluate.items=nowhere")
