"""A recipe from its TOML: read, overridden, checked, and written out again with every default.

What is wrong is said in one line that names the file, the table, the key and the nearest right
name.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phinery.recipe.schema import (
    Corpus,
    Evaluate,
    Grow,
    Mixture,
    Pretrain,
    Recipe,
    Refine,
    Synthesize,
    Table,
    Tokenizer,
)

SHIPPED = Path(__file__).resolve().parent.parent / "recipes"
RECIPE_TABLES: dict[str, type[Table]] = {
    "corpus": Corpus,
    "refine": Refine,
    "synthesize": Synthesize,
    "tokenizer": Tokenizer,
    "mixture": Mixture,
    "pretrain": Pretrain,
    "grow": Grow,
    "evaluate": Evaluate,
}
_ARRAYS = frozenset({"pretrain", "grow"})


class RecipeError(ValueError):
    """A recipe, or what was set on top of it, says something that cannot be done."""


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def find_recipe(source: str) -> Path:
    """The TOML file that `source` means: a shipped name, a file, or a run directory's recipe."""
    path = Path(source).expanduser()
    if path.is_dir() and (path / "recipe.toml").is_file():
        return path / "recipe.toml"
    if path.is_file():
        return path
    shipped = SHIPPED / f"{source}.toml"
    if source in shipped_recipes():
        return shipped
    if path.suffix == ".toml" or len(path.parts) > 1:
        raise RecipeError(f"there is no recipe at {source}")
    names = shipped_recipes()
    raise RecipeError(
        f"there is no recipe {source!r}{nearest(source, names)}; "
        f"shipped are {', '.join(names)}, or give the path of a .toml file"
    )


def load_recipe(source: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe that `source` means and put `KEY=VALUE` overrides on top.

    Parameters
    ----------
    source
        The name of a shipped recipe, the path of a TOML file, or a run directory.
    overrides
        Such as "pretrain.tokens=4M"; a key of an array of tables means its first entry unless it
        is numbered, as in "pretrain.1.tokens=1M". Values are TOML, or else plain text.

    Raises
    ------
    RecipeError
        In one line, when the file is no TOML or a table, key or value is wrong.
    """
    path = find_recipe(source)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not valid TOML: {error}") from error
    said = set(_paths(data))
    changed = {_override(data, text) for text in overrides}
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(_explain(error, path.name, data, changed)) from None
    return recipe.with_origins(_origins(recipe, said, changed, path.name))


def _paths(value: Any, prefix: str = "") -> Iterable[str]:
    """Dotted paths of every table and leaf in raw TOML."""
    if prefix:
        yield prefix
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = ((str(number), item) for number, item in enumerate(value))
    for key, item in items:
        yield from _paths(item, f"{prefix}.{key}" if prefix else key)


def _origins(recipe: Recipe, said: set[str], changed: set[str], name: str) -> dict[str, str]:
    return {
        path: "--set" if path in changed else name if path in said else "default"
        for path in recipe.flat()
    }


def _override(data: dict[str, Any], text: str) -> str:
    """Put one KEY=VALUE into raw TOML data; returns the key's full path."""
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise RecipeError(f"--set {text}: write KEY=VALUE, as in --set pretrain.tokens=4M")
    if parts[0] in _ARRAYS and len(parts) > 1 and not parts[1].isdecimal():
        parts.insert(1, "0")
    node: Any = data
    for depth, part in enumerate(parts[:-1]):
        if isinstance(node, list):
            if int(part) >= len(node):
                raise RecipeError(f"--set {text}: the recipe has no {parts[0]} number {part}")
            node = node[int(part)]
        else:
            node = node.setdefault(part, [{}] if part in _ARRAYS and depth == 0 else {})
        if not isinstance(node, (dict, list)):
            raise RecipeError(f"--set {text}: {'.'.join(parts[: depth + 1])} is not a table")
    if not isinstance(node, dict):
        raise RecipeError(f"--set {text}: name a key too, as in {parts[0]}.{parts[1]}.KEY=VALUE")
    node[parts[-1]] = _toml_value(value.strip())
    return ".".join(parts)


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error message: "; did you mean 'tokens'?", or nothing when none is near."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _explain(error: ValidationError, name: str, data: dict[str, Any], changed: set[str]) -> str:
    """Pydantic's findings as one line; at most three are told, the rest counted."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        location = problem["loc"]
        dotted = ".".join(map(str, location))
        by_set = next((path for path in changed if f"{dotted}.".startswith(f"{path}.")), None)
        where = f"--set {by_set}" if by_set else name
        lines.append(f"{where}: {_explain_one(problem, location, data)}")
    rest = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
    return "; ".join(dict.fromkeys(lines[:3])) + rest


def _explain_one(problem: Any, location: tuple[str | int, ...], data: dict[str, Any]) -> str:
    kind: str = problem["type"]
    wants = str(problem["msg"]).removeprefix("Value error, ")
    wants = wants.replace("Input should be", "must be").replace("a valid tuple", "a list")
    table, *keys = map(str, location) if location else ("",)
    fields = RECIPE_TABLES[table].model_fields if table in RECIPE_TABLES else {}
    if not table:
        return wants
    if not keys or (keys == ["0"] and kind in ("model_type", "dict_type")):
        if fields and kind != "value_error":
            return _explain_table(table, kind, list(fields))
        names = list(Recipe.model_fields)
        match kind:
            case "extra_forbidden":
                what = "table" if isinstance(problem["input"], (dict, list)) else "top-level key"
                hint = nearest(table, names) or f"; there are {', '.join(names)}"
                return f"there is no {what} {table!r}{hint}"
            case "missing":
                return f"the top-level key {table!r} is missing"
            case _:
                return f"[{table}]: {wants}" if fields else f"{table} {wants}"
    heading = f"[{table}]"
    if table in _ARRAYS:
        number, *keys = keys
        heading = f"[[{table}]]" + (f" number {int(number) + 1}" if len(data[table]) > 1 else "")
    if not keys:
        return f"{heading}: {wants}"
    key, *inner = keys
    match kind:
        case "extra_forbidden":
            hint = nearest(key, fields) or f"; its keys are {', '.join(fields)}"
            return f"{heading} has no key {key!r}{hint}"
        case "missing" if not inner:
            return f"{heading} lacks the key {key!r}: {fields[key].description}"
        case "missing":
            return f"{heading} {key} has too few items: {fields[key].description}"
        case _:
            shown = json.dumps(problem["input"], ensure_ascii=False, default=str)
            item = f" item {int(inner[0]) + 1}" if inner and inner[0].isdecimal() else ""
            return f"{heading} {key}{item} = {shown}: {wants}"


def _explain_table(table: str, kind: str, keys: list[str]) -> str:
    """What to write when a whole table is missing or is something else than a table."""
    if kind == "missing":
        return f"the table [{table}] is missing; its keys are {', '.join(keys)}"
    if table in _ARRAYS and kind == "tuple_type":
        return f"there can be several {table} tables: write [[{table}]], not [{table}]"
    return f"{table!r} is a table: set its keys, {', '.join(keys)}"


def toml_literal(value: Any) -> str:
    """A value as TOML writes it; large whole numbers in groups of three digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(toml_literal, value))}]"


def show_recipe(recipe: Recipe) -> str:
    """The recipe as TOML with every default in place and, beside each key, where it came from."""
    rows: list[tuple[str, str]] = []
    heading = ""
    for path, value in recipe.flat().items():
        *table, key = path.split(".")
        shown = f"[[{table[0]}]]" if len(table) == 2 else f"[{table[0]}]" if table else ""
        if (marker := ".".join(table)) != heading:
            rows += [("", ""), (shown, "")]
            heading = marker
        origin = recipe.origins.get(path, "default")
        if value is None:
            rows.append((f"# {key} is not set", origin))
        elif value == ():
            continue
        else:
            rows.append((f"{key} = {toml_literal(value)}", origin))
    width = min(48, max(len(text) for text, _ in rows))
    return "".join(
        f"{text.ljust(width)}  # {origin}\n" if origin else f"{text}\n" for text, origin in rows
    )
