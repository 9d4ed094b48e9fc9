"""The evaluate stage's suites: benchmarks asked after each phase of training, side by side."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from phinery.evaluate.contamination import tainted_items_of
from phinery.evaluate.evaluation import Evaluation
from phinery.evaluate.outcome import Score
from phinery.evaluate.run import evaluate
from phinery.evaluate.setting import Setting
from phinery.evaluate.suites import Suite, suites_of
from phinery.evaluate.told import Told
from phinery.model import Phi
from phinery.model.checkpoint import load_model
from phinery.model.folder import read_model_files
from phinery.recipe.schema import HUB, Evaluate
from phinery.recipe.stage import Progress, Workplace
from phinery.text import Tokenizer

UNTRAINED = "untrained"
# Answers of a killed run, by model and request.
_ANSWERS = ".answers"


def evaluate_suites(
    place: Workplace,
    table: Evaluate,
    models: Mapping[str, Path],
    tokenizer: Tokenizer,
    *,
    seed: int,
) -> list[Evaluation]:
    """Ask the recipe's suites of each model, in the order given, which ends with the last phase.

    With `every_phase`, also of the first model's shape with random weights. Without lm_eval no
    suite is asked, and a note says so.
    """
    if not table.suites:
        return []
    if importlib.util.find_spec("lm_eval") is None:
        place.progress.note(
            f"{', '.join(table.suites)} skipped: pip install 'phinery[evaluate]' brings lm_eval"
        )
        return []
    suites = suites_of(table.suites)
    chosen = dict(models) if table.every_phase else dict(list(models.items())[-1:])
    total = len(chosen) + table.every_phase
    found: list[Evaluation] = []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if table.every_phase:
        first = read_model_files(next(iter(models.values()))).config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            untrained = Phi(first).eval().to(device)
        told = _Told(place.progress, UNTRAINED, 0, total)
        found.append(_evaluate(place, table, suites, untrained, tokenizer, UNTRAINED, told, seed))
    for name, folder in chosen.items():
        told = _Told(place.progress, name, len(found), total)
        model = load_model(folder, device=device)
        found.append(_evaluate(place, table, suites, model, tokenizer, name, told, seed))
    skipped = [name for one in found[-1].suites for kind in one.categories for name in kind.skipped]
    if skipped:
        hint = "; evaluate.items names a folder of items" if table.items is None else ""
        place.progress.note(f"skipped: {', '.join(skipped)} (the report says why{hint})")
    return found


def _evaluate(
    place: Workplace,
    table: Evaluate,
    suites: Sequence[Suite],
    model: Phi,
    tokenizer: Tokenizer,
    name: str,
    told: _Told,
    seed: int,
) -> Evaluation:
    from phinery.evaluate import HarnessModel

    setting = Setting(
        items=None if table.items in (None, HUB) else Path(table.items).expanduser(),
        offline=table.items is None,
        sample=table.sample,
        seed=seed,
        shards=place.of("shards"),
        tell=told.tell,
    )
    asked = HarnessModel(
        model,
        tokenizer,
        cache=str(place.run / _ANSWERS),
        progress=False,
        on_progress=told.requests,
    )
    return evaluate(
        asked, suites, setting, name=name, tainted=tainted_items_of(place.run), told=told
    )


class _Told(Told):
    """Passes on to the stage's line how far one of the models is."""

    def __init__(self, progress: Progress, name: str, model: int, models: int) -> None:
        self._progress = progress
        self._name = name
        self._model, self._models = model, models
        self._number, self._count, self._task = 0, 1, ""

    def task(self, number: int, count: int, name: str) -> None:
        self._number, self._count, self._task = number, count, name
        self._show(0.0, "")

    def requests(self, done: int, total: int) -> None:
        """So many of a task's requests have been answered."""
        self._show(done / total if total else 0.0, f", {done:,} of {total:,} requests")

    def tell(self, text: str) -> None:
        """What is being done beside asking."""
        self._show(0.0, f": {text}")

    def skipped(self, name: str, reason: str) -> None:
        """Nothing: the report gives each reason."""

    def scored(self, scores: Sequence[Score]) -> None:
        """Nothing: the table at the end tells."""

    def _show(self, share: float, text: str) -> None:
        done = (self._number + share) / self._count
        self._progress.update(
            (self._model + min(done, 1.0)) / self._models, f"{self._name}: {self._task}{text}"
        )
