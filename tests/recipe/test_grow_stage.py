"""The grow stage: the model of the phase before, larger, and trained on."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import phinery
from phinery.files import read_json
from phinery.model import PhiConfig, load_model
from phinery.model.growth import grow
from phinery.recipe import Recipe, RecipeError, run

GROW = """
[[grow]]
to = "{to}"
tokens = "2k"
sequence_length = 32
batch_size = 8
dtype = "float32"
compile = false
evaluations = 2
evaluation_tokens = 512
checkpoint_every = 3
"""
WIDE = {
    "hidden_size": 160,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "partial_rotary_factor": 0.4,
}


@pytest.fixture
def recipe(tiny: Path, tmp_path: Path) -> Path:
    """The tiny recipe with a grow table, to a shape of its own: heads of 64 to heads of 80.

    What the tiny run made is there already, so that only growth runs.
    """
    shutil.copytree(tiny / "run", tmp_path / "run")
    (tmp_path / "wide.json").write_text(json.dumps(WIDE))
    text = (tiny / "tiny.toml").read_text()
    table = GROW.format(to=tmp_path / "wide.json")
    (tmp_path / "grown.toml").write_text(text.replace("[evaluate]", f"{table}\n[evaluate]"))
    return tmp_path / "grown.toml"


def carry_out(recipe: Path, *overrides: str) -> Path:
    return run(Recipe.load(str(recipe), list(overrides)), recipe.parent / "run")


def held_out_losses(directory: Path) -> list[float]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["held_out_loss"] for row in rows if "held_out_loss" in row]


def test_a_run_grows_its_model_and_trains_on(recipe: Path):
    directory = carry_out(recipe)
    stages = read_json(directory / "ledger.json")["stages"]
    assert list(stages)[-4:] == ["pretrain", "grow", "evaluate", "model"]
    counts = stages["grow"]["counts"]
    assert counts["grown"] | {"seed": 0} == {
        "from": "pretrain",
        "from_parameters": stages["pretrain"]["counts"]["parameters"],
        "method": "lossless",
        "moments": "fresh",
        "seed": 0,
    }
    model, tokenizer = phinery.load(directory / "model")
    assert model.config.hidden_size == 160
    assert model.config.vocab_size == tokenizer.vocab_size
    assert model.config.max_position_embeddings == 32
    assert counts["parameters"] == model.num_parameters()
    assert not (directory / "pretrain" / "optimizer.safetensors").exists()
    assert "grow" in (directory / "report.html").read_text()
    card = (directory / "model" / "README.md").read_text()
    assert "- grow: `" in card
    assert 'method = "lossless"' in card


def test_growth_begins_where_the_small_model_was(recipe: Path):
    directory = carry_out(recipe, "grow.learning_rate=1e-30")
    before, after = (held_out_losses(directory / name)[-1] for name in ("pretrain", "grow"))
    assert after == pytest.approx(before, abs=1e-4)
    assert before < math.log(290) - 0.1
    directory = carry_out(recipe, "grow.learning_rate=1e-30", "grow.method=random")
    assert held_out_losses(directory / "grow")[-1] > before + 0.05


def test_carried_moments_are_those_of_the_phase_before(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
):
    from phinery.recipe.stages import pretrain

    seen: dict[str, Any] = {}

    class Watched(pretrain.Trainer):
        def fit(self) -> Any:
            state = self.optimizer.state
            seen[self.directory.name] = {
                f"{name}.{key}": value.clone()
                for name, weight in self.model.named_parameters()
                for key, value in state.get(weight, {}).items()
            }
            return super().fit()

    monkeypatch.setattr(pretrain, "Trainer", Watched)
    directory = carry_out(recipe, "grow.moments=carried")
    stored = load_file(directory / "pretrain" / "optimizer.safetensors")
    assert not seen["pretrain"]
    found = seen["grow"]
    name = "model.layers.0.self_attn.dense.bias"
    stream = math.sqrt(160 / 128)
    for key, power in (("exp_avg", 1), ("exp_avg_sq", 2)):
        old = stored[f"{name}.{key}"]
        assert old.any()
        assert torch.allclose(found[f"{name}.{key}"][:128], old / stream**power, rtol=1e-5)
        assert not found[f"{name}.{key}"][128:].any()
    assert found[f"{name}.step"] == stored[f"{name}.step"] == 20_000 // 256
    fresh = carry_out(recipe, "grow.moments=fresh")
    assert not (fresh / "pretrain" / "optimizer.safetensors").exists()
    assert not seen["grow"]


def test_an_interrupted_growth_goes_on_bit_for_bit(recipe: Path, monkeypatch: pytest.MonkeyPatch):
    from phinery.recipe.stages import pretrain

    override = "grow.moments=carried"
    whole = carry_out(recipe, override)
    wanted = (whole / "model" / "model.safetensors").read_bytes()

    class Killed(Exception):
        pass

    class Short(pretrain.Trainer):
        def train_step(self) -> Any:
            if self.directory.name == "grow" and self.step == 5:
                raise Killed
            return super().train_step()

    run_again = recipe.parent / "again"
    shutil.copytree(whole, run_again)
    shutil.rmtree(run_again / "grow")
    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "Trainer", Short)
        with pytest.raises(Killed):
            run(Recipe.load(str(recipe), [override]), run_again)
    assert (run_again / "grow" / "checkpoints").is_dir()
    run(Recipe.load(str(recipe), [override]), run_again)
    assert (run_again / "model" / "model.safetensors").read_bytes() == wanted


def test_the_shape_grown_is_what_grow_gives(recipe: Path):
    directory = carry_out(recipe, "grow.learning_rate=1e-30", "grow.weight_decay=0")
    small = load_model(directory / "pretrain" / "model")
    trained = load_model(directory / "grow" / "model")
    seed = Recipe.load(str(recipe)).seed + 1
    grown = grow(small, trained.config, seed=seed)
    assert isinstance(grown.config, PhiConfig)
    for (name, a), b in zip(trained.named_parameters(), grown.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6), name


def test_a_second_growth_grows_the_first(recipe: Path):
    text = recipe.read_text()
    tables = GROW.format(to="micro").replace("\n[[grow]]", '\n[[grow]]\nmethod = "stack"')
    recipe.write_text(
        text.replace("[[grow]]", f"{tables}\n[[grow]]").replace("wide.json", "w.json")
    )
    wider = {**WIDE, "hidden_size": 320, "num_attention_heads": 4}
    (recipe.parent / "w.json").write_text(json.dumps(wider))
    directory = carry_out(recipe, "grow.tokens=1k", "grow.1.tokens=1k")
    stages = read_json(directory / "ledger.json")["stages"]
    assert list(stages)[3:6] == ["pretrain", "grow", "grow-2"]
    assert stages["grow-2"]["counts"]["grown"]["from"] == "grow"
    assert load_model(directory / "model").config.hidden_size == 320


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("grow.to=huge", "grow.to = 'huge': no model size"),
        ("grow.to=narrow.json", "hidden_size would shrink from 128 to 64"),
        ("grow.to=same.json", "name a larger shape"),
        ("grow.to=odd.json", "rotary dimensions cannot become"),
        ("grow.to=short.json", "max_position_embeddings would shrink from 32 to 16"),
    ],
)
def test_what_cannot_grow_is_found_before_the_training(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, override: str, message: str
):
    monkeypatch.chdir(recipe.parent)
    shapes = {
        "narrow": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 1},
        "same": {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 2},
        "odd": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4},
        "short": {**WIDE, "max_position_embeddings": 16},
    }
    for name, shape in shapes.items():
        rotated = {"partial_rotary_factor": 0.375 if name == "odd" else 0.5}
        (recipe.parent / f"{name}.json").write_text(json.dumps({**rotated, **shape}))
    # Settings of the first phase that differ, so that it is made again.
    with pytest.raises(ValueError, match=message):
        carry_out(recipe, override, "pretrain.tokens=3k")
    assert not list((recipe.parent / "run" / "pretrain").glob("*"))


def test_wrong_tables_are_explained(recipe: Path, tmp_path: Path):
    def complaint(*overrides: str) -> str:
        with pytest.raises(RecipeError) as caught:
            Recipe.load(str(recipe), overrides)
        return str(caught.value)

    assert "[[grow]] method" in complaint("grow.method=magic")
    assert "'tokens'" in complaint("grow.token=3k")
    (tmp_path / "alone.toml").write_text('name = "a"\n[corpus]\npath = "x"\n' + GROW)
    with pytest.raises(RecipeError, match=r"\[\[grow\]\] needs a \[\[pretrain\]\] table"):
        Recipe.load(str(tmp_path / "alone.toml"))
    with pytest.raises(ValueError, match="hidden_size would shrink"):
        (tmp_path / "wide.json").write_text(json.dumps({**WIDE, "hidden_size": 120}))
        carry_out(recipe)
    with pytest.raises(ValueError, match=r"grow.to = 'huge': no model size"):
        carry_out(recipe, "grow.to=huge")
