"""A model's whole life: the typed recipe, its stages, the run directory and the report.

`Recipe.load("nano")` reads a shipped recipe or a TOML file; `run(recipe)` carries it out and
returns the run directory.
"""

from __future__ import annotations

from phinery.recipe.load import RecipeError, load_recipe, shipped_recipes, show_recipe
from phinery.recipe.runner import run
from phinery.recipe.schema import Recipe

__all__ = ["Recipe", "RecipeError", "load_recipe", "run", "shipped_recipes", "show_recipe"]
