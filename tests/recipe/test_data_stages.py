"""A recipe with all stages of data: refine, synthesize, mixture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from phinery.data import TokenShards, refined_documents
from phinery.data.sources.primer import primer_sections
from phinery.files import read_json
from phinery.recipe import Recipe, RecipeError, run
from phinery.recipe.schema import Mixture
from phinery.recipe.stages.sampling import mixture_of
from refine_help import write_corpus

RECIPE = """\
name = "data"
seed = 3

[corpus]
path = "{corpus}"
held_out = 0.1

[refine]
keep = 0.8

[synthesize]
tokens = "20k"

[tokenizer]
vocab_size = 400

[mixture]
refine = [0.8, 0.2]
synthesize = [0.1, 0.6]
primer = 0.1
by_difficulty = ["synthesize"]

[[pretrain]]
model = "nano"
tokens = "40k"
sequence_length = 32
batch_size = 8
dtype = "float32"
compile = false
evaluations = 2
evaluation_tokens = 512

[evaluate]
prompts = ["The "]
max_tokens = 4
"""
SOURCES = ("refine", "synthesize", "primer")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data-stages")
    write_corpus(folder / "corpus")
    (folder / "data.toml").write_text(RECIPE.format(corpus=folder / "corpus"))
    run(Recipe.load(str(folder / "data.toml")), folder / "run")
    return folder


def test_every_source_has_shards_and_all_share_the_held_out(made: Path):
    held_out = 0
    for name in SOURCES:
        shards = made / "run" / "shards" / name
        assert TokenShards.open(shards).num_tokens > 1000
        held_out += TokenShards.open(shards, "heldout").num_tokens
    whole = TokenShards.open(made / "run" / "shards", "heldout")
    assert whole.num_tokens == held_out > 0
    counts = read_json(made / "run" / "ledger.json")["stages"]["shards"]["counts"]
    assert counts["heldout"]["tokens"] == held_out
    assert set(counts["sources"]) == set(SOURCES)
    primer = counts["sources"]["primer"]
    assert primer["heldout"]["documents"] == 60
    assert primer["train"]["documents"] == 240


def test_held_out_primer_sections_are_not_trained_on(made: Path):
    from phinery.text import Tokenizer

    tokenizer = Tokenizer.load(made / "run" / "tokenizer")
    shards = TokenShards.open(made / "run" / "shards" / "primer")
    text = tokenizer.decode(shards.read(0, shards.num_tokens).tolist())
    for section in primer_sections():
        sentence = max(section.text.split("\n"), key=len)
        assert (sentence in text) != section.is_held_out


def test_lessons_go_from_easy_to_hard(made: Path):
    documents = sorted(
        refined_documents(made / "run" / "synthesize"),
        key=lambda document: (document.difficulty or 0, document.id),
    )
    assert len({document.difficulty for document in documents}) == 5
    from phinery.text import Tokenizer

    tokenizer = Tokenizer.load(made / "run" / "tokenizer")
    shards = TokenShards.open(made / "run" / "shards" / "synthesize")
    first = tokenizer.decode(next(iter(shards.documents())).tolist())
    assert first == next(d.text for d in documents if d.text == first)
    assert documents[0].difficulty == 1
    assert first in [d.text for d in documents[:10]]


def test_training_draws_on_the_mixture(made: Path):
    counts = read_json(made / "run" / "ledger.json")["stages"]["pretrain"]["counts"]
    plan = counts["mixture"]["plan"]
    tokens = {name: plan[name]["tokens"] for name in SOURCES}
    assert sum(tokens.values()) == counts["tokens"]
    shares = counts["mixture"]["shares"]
    assert shares["refine"][0] > 0.7
    assert shares["refine"][-1] < 0.35
    assert np.mean(shares["primer"]) == pytest.approx(0.105, abs=0.03)


def test_the_report_shows_what_was_dropped_and_the_mixture(made: Path):
    page = (made / "run" / "report.html").read_text()
    for text in ("What it kept", "language de 5", "What training draws on", "Mixture", "kept"):
        assert text in page
    text = (made / "run" / "report.md").read_text()
    assert "## Data: refine" in text
    assert "## Mixture: pretrain" in text


def test_refined_counts_are_in_the_ledger(made: Path):
    counts = read_json(made / "run" / "ledger.json")["stages"]["refine"]["counts"]
    stages = {stage["stage"]: stage for stage in counts["stages"]}
    assert stages["read"]["in"]["documents"] == 335  # the corpus stage dropped 20 exact copies
    assert stages["language"]["dropped"]["language de"]["documents"] == 5
    ledger = json.loads((made / "run" / "refine" / "ledger.json").read_text())
    assert ledger["settings"]["keep"] == 0.8


def test_nothing_changes_nothing_runs(made: Path):
    before = (made / "run" / "refine" / "manifest.json").stat().st_mtime_ns
    run(Recipe.load(str(made / "data.toml")), made / "run")
    assert (made / "run" / "refine" / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("primer = 0.1", "web = 0.1", "no key 'web'"),
        ("primer = 0.1", "primer = -1", "primer"),
        ("[refine]\nkeep = 0.8\n", "", r"add a \[refine\] table"),
        ('by_difficulty = ["synthesize"]', 'by_difficulty = ["corpus"]', "has no weight"),
        ("synthesize = [0.1, 0.6]\n", "", "nothing reads what"),
        ('tokens = "20k"', 'tokens = "20k"\nteacher = "http://x"', "name the model"),
        ("keep = 0.8", "keep = 0", "keep"),
        ("keep = 0.8", "kepe = 0.8", "did you mean 'keep'"),
    ],
)
def test_wrong_tables_are_explained(made: Path, tmp_path: Path, old: str, new: str, message: str):
    text = (made / "data.toml").read_text().replace(old, new)
    if "nothing reads" in message:
        text = text.replace('by_difficulty = ["synthesize"]', "")
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(RecipeError, match=message) as error:
        Recipe.load(str(tmp_path / "wrong.toml"))
    assert "\n" not in str(error.value)


def test_the_mixture_can_be_seen_before_training(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from phinery.recipe.stages import pretrain

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    shutil.copytree(made / "run", tmp_path / "run")
    monkeypatch.setattr(pretrain, "make", stop)
    recipe = Recipe.load(str(made / "data.toml"), ["pretrain.tokens=50k"])
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What training draws on" in page
    assert "Bits per held-out byte" not in page


def test_a_source_that_is_used_up_is_said_before_training(made: Path, tmp_path: Path):
    recipe = Recipe.load(str(made / "data.toml"), ["mixture.epochs=0.05"])
    with pytest.raises(ValueError, match="allow more epochs"):
        run(recipe, tmp_path / "run")


def test_annealing_takes_the_last_weights_of_the_best():
    table = Mixture.model_validate(
        {"refine": [1.0, 0.2], "primer": [0.0, 0.5], "anneal": 0.2, "best": ["primer"]}
    )
    mixture = mixture_of(table)
    shares = mixture.shares(np.array([0.0, 0.5, 0.79, 0.81, 1.0]))
    assert shares[:, 0][0] == 1
    np.testing.assert_allclose(shares[3:], [[0, 1], [0, 1]])
    assert 0 < shares[2, 0] < 1
