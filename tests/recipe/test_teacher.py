"""A pretrain phase that learns from a teacher: another run's model, or an earlier phase's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from phinery.files import read_json
from phinery.model import CheckpointError, load_model
from phinery.recipe import Recipe, RecipeError, run


@pytest.fixture
def recipe(tiny: Path, tmp_path: Path) -> Path:
    """The tiny recipe with a short second phase; what the tiny run made is there already."""
    shutil.copytree(tiny / "run", tmp_path / "run")
    text = (tiny / "tiny.toml").read_text()
    first = text[text.index("[[pretrain]]") : text.index("[evaluate]")]
    second = first.replace("20k", "2k").replace("checkpoint_every = 20", "checkpoint_every = 3")
    (tmp_path / "taught.toml").write_text(text.replace("[evaluate]", f"{second}\n[evaluate]"))
    return tmp_path / "taught.toml"


def carry_out(recipe: Path, *overrides: str, out: str = "run", only: str | None = None) -> Path:
    return run(Recipe.load(str(recipe), list(overrides)), recipe.parent / out, only=only)


def steps(directory: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if "loss" in row]


def complaint(recipe: Path, *overrides: str) -> str:
    with pytest.raises((RecipeError, ValueError), match=r"^[^\n]+$") as caught:
        carry_out(recipe, *overrides)
    return str(caught.value)


def test_a_run_teaches_a_phase(recipe: Path, tiny: Path):
    teacher = f"pretrain.1.teacher={tiny / 'run'}"
    directory = carry_out(recipe, teacher, "pretrain.1.teacher_temperature=2.0")
    stages = read_json(directory / "ledger.json")["stages"]
    counts = stages["pretrain-2"]["counts"]
    model = load_model(tiny / "run" / "model")
    told = counts["teacher"]
    assert told.pop("teacher_sha256")
    assert told == {
        "teacher_weight": 0.5,
        "teacher_temperature": 2.0,
        "parameters": model.num_parameters(),
        # Of the same shape as the student, which trains: a third of its operations.
        "flops": pytest.approx(counts["flops"] / 3),
    }
    assert "teacher" not in stages["pretrain"]["counts"]
    rows = steps(directory / "pretrain-2")
    assert len(rows) == 2_000 // 256
    for row in rows:
        mixed = 0.5 * row["cross_entropy"] + 0.5 * row["kl"]
        assert row["loss"] == pytest.approx(mixed, rel=1e-5)
    # The teacher is where the student begins: only dropout and rounding could tell them apart.
    assert rows[0]["kl"] < 1e-4
    assert rows[-1]["kl"] > 1e-5
    assert "cross_entropy" not in steps(directory / "pretrain")[0]
    assert 'teacher = "' in (directory / "model" / "README.md").read_text()


def test_an_earlier_phase_teaches_and_the_phase_is_kept(
    recipe: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
):
    directory = carry_out(recipe, "pretrain.1.teacher=pretrain", only="pretrain-2")
    before = read_json(directory / "pretrain-2" / "manifest.json")["stage"]
    assert before["inputs"].keys() == {"tokenizer", "shards", "pretrain"}
    carry_out(recipe, "pretrain.1.teacher=pretrain", only="pretrain-2")
    again = read_json(directory / "pretrain-2" / "manifest.json")["stage"]
    assert again["finished"] == before["finished"]
    # The same model by another way: another key, the same training.
    weights = (directory / "pretrain-2" / "model" / "model.safetensors").read_bytes()
    folder = tiny / "run" / "pretrain" / "model"
    carry_out(recipe, f"pretrain.1.teacher={folder}", only="pretrain-2")
    assert (directory / "pretrain-2" / "model" / "model.safetensors").read_bytes() == weights
    assert read_json(directory / "pretrain-2" / "manifest.json")["stage"]["key"] != before["key"]


def test_another_teacher_in_the_same_place_is_noticed(recipe: Path, tiny: Path, tmp_path: Path):
    from phinery.recipe.stages.pretrain import describe_teacher

    teacher = tmp_path / "teacher"
    shutil.copytree(tiny / "run" / "model", teacher)
    was = describe_teacher(str(teacher))
    (teacher / "README.md").write_text("Another card.")
    assert describe_teacher(str(teacher)) == was
    manifest = read_json(teacher / "manifest.json")
    manifest["files"]["model.safetensors"]["sha256"] = "0" * 64
    (teacher / "manifest.json").write_text(json.dumps(manifest))
    assert describe_teacher(str(teacher)) != was
    (teacher / "manifest.json").unlink()
    was = describe_teacher(str(teacher))
    (teacher / "README.md").write_text("A third card.")
    assert describe_teacher(str(teacher)) == was
    (teacher / "model.safetensors").touch()
    assert describe_teacher(str(teacher)) != was
    snapshot = tmp_path / "models--a--b" / "snapshots" / "c0ffee"
    shutil.copytree(teacher, snapshot)
    assert describe_teacher(str(snapshot)) == [str(snapshot), "c0ffee"]


def test_an_interrupted_phase_goes_on_bit_for_bit(
    recipe: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    from phinery.recipe.stages import pretrain

    override = (f"pretrain.1.teacher={tiny / 'run'}", "pretrain.1.teacher_weight=0.9")
    shutil.copytree(recipe.parent / "run", recipe.parent / "again")
    whole = carry_out(recipe, *override, only="pretrain-2")

    class Killed(Exception):
        pass

    class Short(pretrain.Trainer):
        def train_step(self) -> Any:
            if self.directory.name == "pretrain-2" and self.step == 5:
                raise Killed
            return super().train_step()

    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "Trainer", Short)
        with pytest.raises(Killed):
            carry_out(recipe, *override, out="again", only="pretrain-2")
    again = carry_out(recipe, *override, out="again", only="pretrain-2")
    ends = [
        (directory / "pretrain-2" / "model" / "model.safetensors").read_bytes()
        for directory in (whole, again)
    ]
    assert ends[0] == ends[1]


def test_wrong_teachers_are_explained(recipe: Path, tiny: Path, tmp_path: Path):
    assert "not an earlier phase" in complaint(recipe, "pretrain.1.teacher=pretrain-2")
    assert "not an earlier phase" in complaint(recipe, "pretrain.0.teacher=pretrain")
    assert "without a teacher" in complaint(recipe, "pretrain.1.teacher_weight=0.7")
    assert "teacher_temperature = 0" in complaint(recipe, "pretrain.1.teacher_temperature=0.0")
    assert "teacher_weight = 1.5" in complaint(recipe, "pretrain.1.teacher_weight=1.5")
    with pytest.raises(CheckpointError, match="there is no folder"):
        carry_out(recipe, f"pretrain.1.teacher={tmp_path / 'nowhere'}")
    other = tmp_path / "other"
    shutil.copytree(tiny / "run" / "model", other)
    (other / "manifest.json").unlink()
    content = read_json(other / "tokenizer.json")
    vocab = content["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    (other / "tokenizer.json").write_text(json.dumps(content))
    assert "another tokenizer" in complaint(recipe, f"pretrain.1.teacher={other}")


def test_without_a_teacher_nothing_of_it_is_in_the_key(recipe: Path):
    from phinery.recipe.stages import stages_of

    loaded = Recipe.load(str(recipe))
    for stage in stages_of(loaded):
        assert not [key for key in stage.settings if key.startswith("teacher")], stage.name
    # What a run wrote down, with every default in place, can be run again.
    directory = carry_out(recipe, only="shards")
    assert "teacher_weight = 0.5" in (directory / "recipe.toml").read_text()
    assert Recipe.load(str(directory)).pretrain[1].teacher is None
