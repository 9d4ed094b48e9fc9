from __future__ import annotations

from pathlib import Path

import pytest

from phinery.recipe import shipped_recipes
from phinery.recipe.load import RECIPE_TABLES, toml_literal
from phinery.recipe.schema import Recipe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipe.md"
TABLES = {"": Recipe, **RECIPE_TABLES}
KEYS = [
    (table, key)
    for table, model in TABLES.items()
    for key in model.model_fields
    if key not in RECIPE_TABLES
]


def row(table: str, key: str) -> str:
    field = TABLES[table].model_fields[key]
    if field.is_required():
        default = "required"
    else:
        default = "" if field.default is None else f"`{toml_literal(field.default)}`"
    return f"| `{f'{table}.{key}'.lstrip('.')}` | {default} | {field.description} |"


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[".".join(key) for key in KEYS])
def test_every_key_is_documented_with_its_default(table: str, key: str):
    assert row(table, key) in PAGE.read_text(encoding="utf-8").splitlines()


def test_nothing_else_is_documented():
    lines = PAGE.read_text(encoding="utf-8").split("## Stages")[0].splitlines()
    assert len([line for line in lines if line.startswith("| `")]) == len(KEYS)


def test_every_shipped_recipe_is_named():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in shipped_recipes() if f"`{name}`" not in text] == []
