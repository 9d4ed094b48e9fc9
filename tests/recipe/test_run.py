from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import phinery
from phinery.cli import main
from phinery.files import read_json, read_manifest
from phinery.infer import Engine
from phinery.recipe import Recipe, RecipeError, run
from phinery.recipe.stages import stages_of
from phinery.text import Tokenizer
from recipe_help import write_corpus

STAGES = ["corpus", "tokenizer", "shards", "pretrain", "evaluate", "model"]


@pytest.fixture
def made(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed at will."""
    shutil.copytree(tiny / "run", tmp_path / "run")
    return tmp_path / "run"


def times(directory: Path) -> dict[str, int]:
    """When each stage was made: every making writes its manifest anew."""
    return {
        name: (directory / name / "manifest.json").stat().st_mtime_ns
        for name in STAGES
        if (directory / name / "manifest.json").is_file()
    }


def remade(tiny: Path, directory: Path, *overrides: str, only: str | None = None) -> list[str]:
    """The stages that a run with these settings makes anew."""
    before = times(directory)
    run(Recipe.load(str(tiny / "tiny.toml"), overrides), directory, only=only)
    after = times(directory)
    return [name for name in STAGES if before.get(name) != after.get(name)]


def weights(directory: Path) -> bytes:
    return (directory / "model" / "model.safetensors").read_bytes()


def test_run_directory_has_everything(tiny: Path):
    names = {path.name for path in (tiny / "run").iterdir() if not path.name.startswith(".")}
    assert names == {*STAGES, "recipe.toml", "report.html", "report.md", "ledger.json"}
    for stage in STAGES:
        record = read_manifest(tiny / "run" / stage)["stage"]
        assert record["seconds"] >= 0
        assert record["inputs"].keys() < {*STAGES}


def test_ledger_tells_of_every_stage(tiny: Path):
    ledger = read_json(tiny / "run" / "ledger.json")
    assert list(ledger["stages"]) == STAGES
    for name, record in ledger["stages"].items():
        assert record == read_json(tiny / "run" / name / "manifest.json")["stage"]
    assert ledger["seconds"] == pytest.approx(
        sum(record["seconds"] for record in ledger["stages"].values()), abs=0.01
    )


def test_corpus_drops_duplicates_and_counts(tiny: Path):
    counts = read_json(tiny / "run" / "ledger.json")["stages"]["corpus"]["counts"]
    assert counts["documents"] == 40
    assert counts["left_out"]["exact duplicate"] == {"count": 1, "example": "twin.txt"}
    assert counts["left_out"]["empty"]["count"] == 1
    assert counts["bytes"] == sum(
        path.stat().st_size for path in (tiny / "corpus").glob("text-*.txt")
    )
    (file,) = (tiny / "run" / "corpus").glob("documents-*.jsonl.gz")
    with gzip.open(file, "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    assert len(texts) == len(set(texts)) == 40


def test_shards_count_what_the_corpus_has(tiny: Path):
    stages = read_json(tiny / "run" / "ledger.json")["stages"]
    splits = stages["shards"]["counts"]
    for key in ("documents", "bytes"):
        assert splits["train"][key] + splits["heldout"][key] == stages["corpus"]["counts"][key]
    assert splits["heldout"]["documents"] > 0


def test_training_took_the_tokens_asked_for(tiny: Path):
    counts = read_json(tiny / "run" / "ledger.json")["stages"]["pretrain"]["counts"]
    assert counts["steps"] == 20_000 // (8 * 32)
    assert counts["tokens"] == counts["steps"] * 8 * 32
    assert not (tiny / "run" / "pretrain" / "checkpoints").exists()
    rows = [
        json.loads(line)
        for line in (tiny / "run" / "pretrain" / "metrics.jsonl").read_text().splitlines()
    ]
    steps = [row["step"] for row in rows if "learning_rate" in row]
    assert steps == list(range(1, counts["steps"] + 1))
    assert len([row for row in rows if "held_out_loss" in row]) == 3


def test_model_learned_and_speaks(tiny: Path):
    scores = read_json(tiny / "run" / "evaluate" / "scores.json")
    assert scores["loss"] < 0.7 * math.log(290)
    model, tokenizer = phinery.load(tiny / "run" / "model")
    assert model.config.vocab_size == tokenizer.vocab_size
    assert model.config.max_position_embeddings == 32
    (completion,) = Engine(model, tokenizer).generate(["the cat "])
    assert completion.token_ids


def test_card_tells_score_and_lineage(tiny: Path):
    card = (tiny / "run" / "model" / "README.md").read_text()
    scores = read_json(tiny / "run" / "evaluate" / "scores.json")
    assert f"{scores['bits_per_byte']:.3f}" in card
    assert f"{scores['xz_bits_per_byte']:.3f}" in card
    assert card.count("Lineage") == 1
    assert "vocab_size = 290" in card


def test_recipe_of_the_run_is_the_recipe(tiny: Path):
    again = Recipe.load(str(tiny / "run"))
    assert again.flat() == Recipe.load(str(tiny / "tiny.toml")).flat()


def test_second_run_does_nothing(tiny: Path, made: Path):
    report = (made / "report.html").stat().st_mtime_ns
    assert remade(tiny, made) == []
    assert (made / "report.html").stat().st_mtime_ns == report


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("evaluate.temperature=0.5", ["evaluate", "model"]),
        ("pretrain.learning_rate=1e-3", ["pretrain", "evaluate", "model"]),
        ("pretrain.checkpoint_every=7", ["model"]),
        ("tokenizer.vocab_size=270", ["tokenizer", "shards", "pretrain", "evaluate", "model"]),
    ],
)
def test_changed_setting_reruns_what_depends_on_it(
    tiny: Path, made: Path, override: str, stages: list[str]
):
    small = "pretrain.tokens=1k"
    run(Recipe.load(str(tiny / "tiny.toml"), [small]), made)
    assert remade(tiny, made, small, override) == stages


def test_report_follows_the_run(tiny: Path, made: Path):
    remade(tiny, made, "evaluate.temperature=0.123")
    assert "at temperature 0.123" in (made / "report.html").read_text()


def test_only_stops_after_a_stage(tiny: Path, tmp_path: Path):
    assert remade(tiny, tmp_path / "new", only="tokenizer") == ["corpus", "tokenizer"]
    assert list(read_json(tmp_path / "new" / "ledger.json")["stages"]) == ["corpus", "tokenizer"]
    assert not (tmp_path / "new" / "report.html").exists()


def test_verbs_are_stages(tiny: Path, tmp_path: Path):
    arguments = [str(tiny / "tiny.toml"), "--set", "pretrain.tokens=1k", "--out", str(tmp_path)]
    assert main(["tokenize", *arguments]) == 0
    assert list(times(tmp_path)) == ["corpus", "tokenizer", "shards"]
    assert main(["pretrain", *arguments]) == 0
    assert list(times(tmp_path)) == ["corpus", "tokenizer", "shards", "pretrain"]


def test_only_keeps_the_ledger_of_the_rest(tiny: Path, made: Path):
    assert remade(tiny, made, only="shards") == []
    assert list(read_json(made / "ledger.json")["stages"]) == STAGES


def test_only_knows_its_stages(tiny: Path, tmp_path: Path):
    recipe = Recipe.load(str(tiny / "tiny.toml"))
    with pytest.raises(RecipeError, match="did you mean 'tokenizer'"):
        run(recipe, tmp_path / "new", only="tokeniser")


def test_damaged_output_is_found_and_made_again(tiny: Path, made: Path):
    file = made / "tokenizer" / "tokenizer.json"
    original = file.read_bytes()
    file.write_bytes(original.replace(b"cat", b"cow", 1))
    assert remade(tiny, made) == ["tokenizer"]
    assert file.read_bytes() == original


def test_missing_output_is_made_again(tiny: Path, made: Path):
    (made / "model" / "config.json").unlink()
    assert remade(tiny, made) == ["model"]
    assert phinery.load(made / "model")


def test_torn_manifest_is_made_again(tiny: Path, made: Path):
    manifest = made / "evaluate" / "manifest.json"
    manifest.write_text(manifest.read_text()[:100])
    assert remade(tiny, made) == ["evaluate"]


def test_new_document_is_noticed(tmp_path: Path, tiny: Path, made: Path):
    shutil.copytree(tiny / "corpus", tmp_path / "corpus")
    override = f"corpus.path={tmp_path / 'corpus'}"
    small = "pretrain.tokens=1k"
    run(Recipe.load(str(tiny / "tiny.toml"), [override, small]), made)
    assert remade(tiny, made, override, small) == []
    os.utime(tmp_path / "corpus" / "text-03.txt")
    assert remade(tiny, made, override, small) == ["corpus"]
    (tmp_path / "corpus" / "text-03.txt").unlink()
    assert remade(tiny, made, override, small) == STAGES


def test_other_things_in_the_directory_are_left_alone(tiny: Path, tmp_path: Path):
    precious = tmp_path / "docs" / "pretrain" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    with pytest.raises(RecipeError, match="choose another with --out"):
        run(Recipe.load(str(tiny / "tiny.toml")), tmp_path / "docs")
    assert precious.read_text() == "years of work"


def test_run_directory_inside_the_corpus_is_refused(tiny: Path):
    with pytest.raises(RecipeError, match="lies inside the corpus"):
        run(Recipe.load(str(tiny / "tiny.toml")), tiny / "corpus" / "run")
    assert not (tiny / "corpus" / "run").exists()


def test_absent_corpus_is_explained(tiny: Path, tmp_path: Path):
    recipe = Recipe.load(str(tiny / "tiny.toml"), [f"corpus.path={tmp_path / 'absent'}"])
    with pytest.raises(RecipeError, match="there is nothing at"):
        run(recipe, tmp_path / "new")


def test_two_runs_do_not_share_a_directory(tiny: Path, made: Path):
    from phinery.recipe.cache import locked

    recipe = Recipe.load(str(tiny / "tiny.toml"))
    with locked(made), pytest.raises(ValueError, match=f"process {os.getpid()}"):
        run(recipe, made)


def test_few_documents_still_get_one_held_out(tiny: Path, tmp_path: Path):
    write_corpus(tmp_path / "few", documents=3)
    overrides = [f"corpus.path={tmp_path / 'few'}", "corpus.held_out=0.001", "pretrain.tokens=1k"]
    directory = run(Recipe.load(str(tiny / "tiny.toml"), overrides), tmp_path / "new")
    splits = read_json(directory / "ledger.json")["stages"]["shards"]["counts"]
    assert splits["heldout"]["documents"] >= 1
    assert splits["train"]["documents"] >= 1


def test_single_document_cannot_be_held_out(tiny: Path, tmp_path: Path):
    (tmp_path / "one.txt").write_text("the only document there is")
    recipe = Recipe.load(str(tiny / "tiny.toml"), [f"corpus.path={tmp_path / 'one.txt'}"])
    with pytest.raises(ValueError, match="too few documents"):
        run(recipe, tmp_path / "new")


def test_second_phase_goes_on_with_the_model_of_the_first(tiny: Path, tmp_path: Path):
    toml = (tiny / "tiny.toml").read_text()
    phase = '[[pretrain]]\nmodel = "nano"\ntokens = "2k"\nsequence_length = 64\n'
    (tmp_path / "two.toml").write_text(toml.replace("[evaluate]", f"{phase}\n[evaluate]"))
    overrides = ["pretrain.tokens=1k", "pretrain.1.learning_rate=1e-30"]
    directory = run(Recipe.load(str(tmp_path / "two.toml"), overrides), tmp_path / "run")
    first, _ = phinery.load(directory / "pretrain" / "model")
    last, _ = phinery.load(directory / "model")
    assert last.config.max_position_embeddings == 64
    assert list(read_json(directory / "ledger.json")["stages"])[3:5] == ["pretrain", "pretrain-2"]
    # At such a learning rate nothing moves: what comes out is what the first phase made.
    assert (last.lm_head.weight - first.lm_head.weight).abs().max().item() < 1e-6


def test_tokenizer_may_be_taken_from_a_folder(tiny: Path, tmp_path: Path):
    toml = (tiny / "tiny.toml").read_text()
    own = f'path = "{tiny / "run" / "tokenizer"}"'
    (tmp_path / "own.toml").write_text(toml.replace("vocab_size = 290", own))
    overrides = ["pretrain.tokens=1k", "pretrain.vocab_size=448"]
    directory = run(Recipe.load(str(tmp_path / "own.toml"), overrides), tmp_path / "run")
    model, tokenizer = phinery.load(directory / "model")
    assert model.config.vocab_size == 448
    assert tokenizer.sha256 == Tokenizer.load(tiny / "run" / "tokenizer").sha256


def test_too_small_a_vocabulary_is_explained(tiny: Path, made: Path):
    with pytest.raises(ValueError, match="at least as many"):
        run(Recipe.load(str(tiny / "tiny.toml"), ["pretrain.vocab_size=280"]), made)


def test_recipe_without_training(tiny: Path, tmp_path: Path):
    (tmp_path / "data.toml").write_text(
        f'name = "data"\n[corpus]\npath = "{tiny / "corpus"}"\n[tokenizer]\nvocab_size = 300\n'
    )
    recipe = Recipe.load(str(tmp_path / "data.toml"))
    assert [stage.name for stage in stages_of(recipe)] == ["corpus", "tokenizer", "shards"]
    directory = run(recipe, tmp_path / "run")
    assert "What it read" in (directory / "report.html").read_text()


def start(tiny: Path, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "phinery", "run", str(tiny / "tiny.toml"), "--out", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_steps(process: subprocess.Popen[str], directory: Path, steps: int) -> None:
    log = directory / "pretrain" / "metrics.jsonl"
    for _ in range(6000):
        if log.is_file() and log.read_bytes().count(b"\n") >= steps:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    pytest.fail("training did not begin")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_goes_on(tiny: Path, tmp_path: Path, number: signal.Signals, status: int):
    directory = tmp_path / "run"
    process = start(tiny, directory)
    wait_for_steps(process, directory, 10)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert "go on with:" in errors
    assert f"--out {directory}" in errors
    checkpoints = list((directory / "pretrain" / "checkpoints").iterdir())
    assert checkpoints
    process = start(tiny, directory)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "going on after step" in output
    assert weights(directory) == weights(tiny / "run")


def test_killed_run_goes_on(tiny: Path, tmp_path: Path):
    directory = tmp_path / "run"
    process = start(tiny, directory)
    wait_for_steps(process, directory, 30)
    process.kill()
    process.communicate()
    process = start(tiny, directory)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "going on after step 20 " in output or "going on after step 40 " in output
    assert weights(directory) == weights(tiny / "run")
