from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from phinery.recipe import Recipe, run
from recipe_help import RECIPE, write_corpus


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny products gain nothing from threads; programs that the tests start have one as well."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run: corpus/, tiny.toml, run/. Copy it before changing anything."""
    folder = tmp_path_factory.mktemp("tiny")
    write_corpus(folder / "corpus")
    (folder / "tiny.toml").write_text(RECIPE.format(corpus=folder / "corpus"))
    run(Recipe.load(str(folder / "tiny.toml")), folder / "run")
    return folder
