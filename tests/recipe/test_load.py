from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.recipe import Recipe, RecipeError, shipped_recipes, show_recipe
from phinery.recipe.schema import format_count, parse_count

MINIMAL = 'name = "x"\n[corpus]\npath = "machine"\n'


def load(tmp_path: Path, text: str, *overrides: str) -> Recipe:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return Recipe.load(str(path), overrides)


def complaint(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_load(name: str):
    assert Recipe.load(name).name == name


def test_the_expected_recipes_are_shipped():
    assert shipped_recipes() == ["micro", "nano", "phi-1", "phi-1.5", "phi-2"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2M", 2_000_000),
        ("300k", 300_000),
        ("1.4T", 1_400_000_000_000),
        ("7B", 7 * 10**9),
        ("5", 5),
    ],
)
def test_counts(text: str, count: int):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "M", "2 MB", "-3k", "1e6", "two", "1.2.3k"])
def test_what_is_no_count_is_refused(text: str):
    with pytest.raises(ValueError, match="not a count"):
        parse_count(text)


@given(st.integers(1, 10**13))
def test_short_counts_are_near_the_truth(count: int):
    short = parse_count(format_count(count))
    assert isinstance(short, int)
    assert abs(short - count) <= 0.005 * count


def test_unknown_key_names_table_key_and_nearest(tmp_path: Path):
    message = complaint(tmp_path, MINIMAL + "held_uot = 0.1\n")
    assert message == "mine.toml: [corpus] has no key 'held_uot'; did you mean 'held_out'?"


def test_unknown_key_without_a_near_one_lists_the_keys(tmp_path: Path):
    assert "its keys are path, held_out" in complaint(tmp_path, MINIMAL + "zzz = 1\n")


def test_unknown_table_names_the_nearest(tmp_path: Path):
    message = complaint(tmp_path, MINIMAL + "[tokeniser]\nvocab_size = 300\n")
    assert message == "mine.toml: there is no table 'tokeniser'; did you mean 'tokenizer'?"


def test_unknown_key_of_the_second_phase_says_which(tmp_path: Path):
    phase = '[[pretrain]]\nmodel = "nano"\ntokens = 1000\n'
    text = f"{MINIMAL}[tokenizer]\nvocab_size = 300\n{phase}{phase}learning_rat = 1\n"
    message = complaint(tmp_path, text)
    assert "[[pretrain]] number 2 has no key 'learning_rat'" in message
    assert "did you mean 'learning_rate'?" in message


def test_single_table_where_an_array_is_wanted(tmp_path: Path):
    message = complaint(tmp_path, MINIMAL + '[pretrain]\nmodel = "nano"\n')
    assert "write [[pretrain]], not [pretrain]" in message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tokenizer.vocab_size=many", ["[tokenizer] vocab_size", '"many"', "integer"]),
        ("tokenizer.vocab_size=3", ["[tokenizer] vocab_size", "257"]),
        ("pretrain.tokens=lots", ["[[pretrain]] tokens", "not a count"]),
        ("pretrain.schedule=cosin", ["schedule", "'cosine'"]),
        ("pretrain.learning_rate=nan", ["learning_rate"]),
        ("corpus=3", ["'corpus' is a table", "path"]),
        ("seed=-1", ["seed"]),
        ("sede=1", ["'sede'", "did you mean 'seed'?"]),
        ("evaluate.prompts=[1]", ["[evaluate] prompts item 1"]),
        ("pretrain.betas=[0.9]", ["betas"]),
        ("name='a/b'", ["name"]),
        ("pretrain.7.tokens=1", ["no pretrain number 7"]),
        ("corpus.path.x=1", ["corpus.path is not a table"]),
        ("pretrain.0=1", ["pretrain.0.KEY=VALUE"]),
        ("nonsense", ["KEY=VALUE"]),
        ("=1", ["KEY=VALUE"]),
    ],
)
def test_wrong_overrides_are_explained(override: str, words: list[str]):
    with pytest.raises(RecipeError) as caught:
        Recipe.load("nano", [override])
    message = str(caught.value)
    assert "--set" in message
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_tokenizer_is_trained_or_taken(tmp_path: Path):
    assert "vocab_size" in complaint(tmp_path, MINIMAL + "[tokenizer]\n")
    both = MINIMAL + '[tokenizer]\nvocab_size = 300\npath = "x"\n'
    assert "either vocab_size" in complaint(tmp_path, both)


def test_stages_need_those_before_them(tmp_path: Path):
    training = '[[pretrain]]\nmodel = "nano"\ntokens = 1000\n'
    assert "needs a [tokenizer]" in complaint(tmp_path, MINIMAL + training)
    assert "needs a [[pretrain]]" in complaint(tmp_path, MINIMAL + "[evaluate]\n")


def test_phases_share_a_model(tmp_path: Path):
    phases = "".join(f'[[pretrain]]\nmodel = "{m}"\ntokens = 9\n' for m in ("nano", "micro"))
    message = complaint(tmp_path, f"{MINIMAL}[tokenizer]\nvocab_size = 300\n{phases}")
    assert "same model" in message


def test_what_is_missing_is_named(tmp_path: Path):
    assert "'name' is missing" in complaint(tmp_path, '[corpus]\npath = "x"\n')
    assert "[corpus] lacks the key 'path'" in complaint(tmp_path, 'name = "x"\n[corpus]\n')
    assert "the table [corpus] is missing" in complaint(tmp_path, 'name = "x"\n')


def test_broken_toml_names_file_and_line(tmp_path: Path):
    message = complaint(tmp_path, "name = = 3")
    assert "mine.toml is not valid TOML" in message
    assert "line 1" in message


@pytest.mark.parametrize("name", ["nanoo", "no/such/file", "absent.toml"])
def test_recipe_that_does_not_exist(name: str):
    with pytest.raises(RecipeError, match="there is no recipe"):
        Recipe.load(name)


def test_mistyped_recipe_name_gets_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'nano'"):
        Recipe.load("nanoo")


def test_override_of_an_array_means_its_first_entry(tmp_path: Path):
    phase = '[[pretrain]]\nmodel = "nano"\ntokens = 1000\n'
    text = f"{MINIMAL}[tokenizer]\nvocab_size = 300\n{phase}{phase}"
    recipe = load(tmp_path, text, "pretrain.tokens=2k", "pretrain.1.tokens=3k")
    assert [entry.tokens for entry in recipe.pretrain] == [2000, 3000]


def test_override_may_add_a_table_and_plain_text(tmp_path: Path):
    recipe = load(tmp_path, MINIMAL, "tokenizer.vocab_size=300", "corpus.path=~/my docs")
    assert recipe.tokenizer is not None
    assert recipe.tokenizer.vocab_size == 300
    assert recipe.corpus.path == "~/my docs"


def test_origins_of_every_value():
    recipe = Recipe.load("nano", ["pretrain.tokens=5k"])
    assert recipe.origins["pretrain.0.tokens"] == "--set"
    assert recipe.origins["corpus.path"] == "nano.toml"
    assert recipe.origins["pretrain.0.weight_decay"] == "default"
    assert recipe.origins.keys() == recipe.flat().keys()


@pytest.mark.parametrize("name", shipped_recipes())
def test_shown_recipe_is_the_same_recipe(tmp_path: Path, name: str):
    recipe = Recipe.load(name, ["pretrain.tokens=123456", "seed=9"])
    assert load(tmp_path, show_recipe(recipe)).flat() == recipe.flat()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_survives_being_shown(tmp_path_factory: pytest.TempPathFactory, text: str):
    recipe = Recipe.load("nano")
    assert recipe.evaluate is not None
    changed = recipe.model_copy(
        update={"evaluate": recipe.evaluate.model_copy(update={"prompts": (text,)})}
    )
    again = load(tmp_path_factory.mktemp("shown"), show_recipe(changed))
    assert again.flat() == changed.flat()


def test_recipes_are_frozen():
    recipe = Recipe.load("nano")
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 4
