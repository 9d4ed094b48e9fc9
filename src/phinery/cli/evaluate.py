"""The verb evaluate: a model's scores on suites of benchmarks, as table and page."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinery.cli.errors import UsageError
from phinery.evaluate.told import Told

if TYPE_CHECKING:
    from phinery.evaluate.evaluation import Evaluation
    from phinery.evaluate.outcome import Score
    from phinery.evaluate.run import Tainted
    from phinery.evaluate.setting import Setting
    from phinery.evaluate.suites import Suite
    from phinery.recipe.terminal import StageLine, Terminal

EVALUATE_HELP = """\
Score a model, or several side by side, on suites of benchmarks.

MODEL is a model folder (ours or any Hugging Face Phi), a run directory, or a hub id. --suite takes
suites and tasks, separated by commas:
  nano    made on the spot, for models that were trained in minutes; needs nothing (default)
  phi2    the benchmarks of Phi-2's own table, beside the published figures
  safety  toxicity, stereotypes, truthfulness, copied and personal text, refusals
  TASK    one of theirs, or any task of lm-evaluation-harness by its name there; lm_eval:TASK is
          the harness's own where a suite has a task of that name
Scores mean what lm-evaluation-harness means by them; each has its number of items and a 95%
interval. Writes scores.json, table.md, table.html and the answers into --out: give the same command
again, and it goes on where it stopped.

examples:
  phinery evaluate runs/nano
  phinery evaluate runs/nano runs/mine --suite nano,safety --items ~/benchmarks
  phinery evaluate microsoft/phi-2 --suite phi2 --sample 200 --check phi-2
  phinery evaluate runs/mine --suite piqa,hellaswag --limit 500
  phinery evaluate runs/nano runs/mine --suite nano --examples
"""


_SEPARATORS = re.compile(r"[^A-Za-z0-9_.]+")


def add_verb(add: Callable[..., argparse.ArgumentParser], verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add(verbs, "evaluate", "score a model on benchmarks", EVALUATE_HELP, _evaluate)
    option = parser.add_argument
    option("models", metavar="MODEL", nargs="+")
    option("--suite", default="nano", metavar="NAME,...", help="default: %(default)s")
    option("--items", metavar="DIR", help="a folder of benchmarks' items; default: the hub")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--limit", type=int, metavar="N", help="the first N items of each task")
    group.add_argument("--sample", type=int, metavar="N", help="N items of each task, drawn")
    option("--seed", type=int, default=0, metavar="N", help="of what is drawn; default: 0")
    option(
        "--tainted",
        metavar="FILE",
        help="a refining's tainted.json: scores without those items as well; default: the run's",
    )
    option("--out", metavar="DIR", help="default: evaluations/NAME/SUITE")
    option("--shards", metavar="DIR", help="safety: what it was trained on; default: the run's")
    option(
        "--toxicity-scorer",
        default="toxigen",
        metavar="NAME",
        help="safety: toxigen, fitted to its ratings; counting; or MODULE:NAME; default: toxigen",
    )
    option("--check", choices=("phi-2",), help="compare with independent figures of this model")
    option("--examples", action="store_true", help="also answers to a page of prompts, to read")
    option("--dtype", metavar="TYPE", help="float32, bfloat16; default: as it is stored")
    option("--device", metavar="DEVICE", help="cpu, cuda; default: CUDA if there is one")


def _evaluate(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("lm_eval") is None:
        raise UsageError("this needs lm-evaluation-harness: pip install phinery[evaluate]")
    from phinery.evaluate.setting import Setting
    from phinery.evaluate.suites import suites_of
    from phinery.evaluate.table import print_table
    from phinery.model import hub
    from phinery.recipe.terminal import Terminal

    if arguments.items is not None and not Path(arguments.items).expanduser().is_dir():
        raise UsageError(f"--items {arguments.items} is no folder")
    try:
        suites = suites_of(arguments.suite.split(","))
        setting = Setting(
            items=None if arguments.items is None else Path(arguments.items).expanduser().resolve(),
            limit=arguments.limit,
            sample=arguments.sample,
            seed=arguments.seed,
            toxicity_scorer=arguments.toxicity_scorer,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    names = _names(arguments.models)
    folders = [hub.resolve(model) for model in arguments.models]  # before the first is asked
    place = Path("evaluations") / names[0] / _SEPARATORS.sub("-", arguments.suite)[:60]
    out = Path(arguments.out or place).expanduser()
    terminal = Terminal()
    found: list[Evaluation] = []
    for model, folder, name in zip(arguments.models, folders, names, strict=True):
        found.append(
            _evaluate_one(arguments, Path(model), folder, name, suites, setting, out, terminal)
        )
        if not any(suite.scores for suite in found[-1].suites):
            raise ValueError(_first_reason(found[-1]))
        _write(found, out)
    terminal.say()
    print_table(found, terminal.console)
    if arguments.check is not None:
        _check(found, arguments.check, terminal)
    if arguments.examples:
        _write_examples(arguments, folders, names, out)
    terminal.say()
    terminal.say(f"written to {out}: table.html, table.md, scores.json")
    return 0


def _evaluate_one(
    arguments: argparse.Namespace,
    model: Path,
    folder: Path,
    name: str,
    suites: Sequence[Suite],
    setting: Setting,
    out: Path,
    terminal: Terminal,
) -> Evaluation:
    import dataclasses

    from phinery.evaluate import HarnessModel
    from phinery.evaluate.run import evaluate

    run = model.expanduser()
    shards = Path(arguments.shards).expanduser() if arguments.shards else run / "shards"
    if (shards / "manifest.json").is_file():
        setting = dataclasses.replace(setting, shards=shards)
    elif arguments.shards:
        raise UsageError(f"--shards {arguments.shards} is no folder of token shards")
    with terminal.stage(name) as line:
        line.update(None, "reading the model")
        told = _Line(line, terminal)
        asked = HarnessModel(
            folder,
            dtype=arguments.dtype,
            device=arguments.device,
            cache=str(out / "answers"),
            progress=False,
            on_progress=told.requests,
        )
        return evaluate(
            asked,
            suites,
            dataclasses.replace(setting, tell=told.tell),
            name=name,
            tainted=_tainted(arguments.tainted, run),
            told=told,
        )


class _Line(Told):
    """Shows on a stage's line what is asked, and leaves a line for each task."""

    def __init__(self, line: StageLine, terminal: Terminal) -> None:
        self._line = line
        self._terminal = terminal
        self._number, self._count, self._name = 0, 1, ""

    def task(self, number: int, count: int, name: str) -> None:
        self._number, self._count, self._name = number, count, name
        self._line.update(number / count, name)

    def requests(self, done: int, total: int) -> None:
        """So many of a task's requests have been answered."""
        share = (self._number + (done / total if total else 0.0)) / self._count
        self._line.update(min(share, 1.0), f"{self._name}: {done:,} of {total:,} requests")

    def tell(self, text: str) -> None:
        """What is being done beside asking."""
        self._line.update(self._number / self._count, f"{self._name}: {text}")

    def scored(self, scores: Sequence[Score]) -> None:
        if len(scores) and self._count > 1:
            first = scores[0]
            self._line.note(
                f"{self._name}: {first.metric} {first.estimate.value:.3f} "
                f"({first.estimate.low:.3f} to {first.estimate.high:.3f}), "
                f"{first.estimate.n:,} items"
            )

    def skipped(self, name: str, reason: str) -> None:
        self._line.note(f"{name} skipped: {reason}")


def _first_reason(evaluation: Evaluation) -> str:
    """Why nothing could be asked."""
    reasons = [
        reason
        for suite in evaluation.suites
        for category in suite.categories
        for reason in category.skipped.values()
    ]
    return reasons[0]


def _names(models: Sequence[str]) -> list[str]:
    """A short name for each model; numbered where they would be alike."""
    names: list[str] = []
    for model in models:
        path = Path(model).expanduser().resolve()
        base = (path.parent.name if path.name == "model" else path.name) or "model"
        free = (f"{base}-{number}" if number > 1 else base for number in itertools.count(1))
        names.append(next(name for name in free if name not in names))
    return names


def _tainted(given: str | None, run: Path) -> Tainted | None:
    """What the training text gave away: of the file that was named, or of the run's refining."""
    from phinery.files import read_json

    if given is not None:
        try:
            found = read_json(Path(given).expanduser())
        except OSError as error:
            raise UsageError(f"--tainted {given} cannot be read: {error.strerror}") from error
        if not isinstance(found, dict):
            raise UsageError(f"--tainted {given} is no tainted.json of `phinery refine`")
        return found
    return _of_run(run)


def _of_run(run: Path) -> Tainted | None:
    """A run's own tainted items, None when its refining did not look for any."""
    from phinery.evaluate.contamination import tainted_items_of

    return tainted_items_of(run)


def _write(found: Sequence[Evaluation], out: Path) -> None:
    from phinery.evaluate.evaluation import save_evaluations
    from phinery.evaluate.table import render_markdown, render_page
    from phinery.files import write_atomic

    out.mkdir(parents=True, exist_ok=True)
    save_evaluations(out / "scores.json", found)
    write_atomic(out / "table.md", render_markdown(found))
    title = ", ".join(str(one.model["name"]) for one in found)
    write_atomic(out / "table.html", render_page(found, title=title))


def _check(found: Sequence[Evaluation], published: str, terminal: Terminal) -> None:
    from phinery.evaluate.table import check_published, print_checks

    for one in found:
        terminal.say()
        print_checks(check_published(one, published), terminal.console)


def _write_examples(
    arguments: argparse.Namespace, folders: Sequence[Path], names: Sequence[str], out: Path
) -> None:
    """With engines of the device and type that were scored."""
    from phinery.evaluate.examples import write_examples
    from phinery.infer import Engine
    from phinery.model import checkpoint

    engines: dict[str, Engine] = {}
    with contextlib.ExitStack() as stack:
        for folder, name in zip(folders, names, strict=True):
            if arguments.device is None and arguments.dtype is None:
                engines[name] = Engine.open(folder)
            else:
                model, tokenizer = checkpoint.load(
                    folder, device=arguments.device or "cpu", dtype=arguments.dtype
                )
                engines[name] = Engine(model, tokenizer)
            stack.callback(engines[name].close)
        write_examples(engines, out, seed=arguments.seed)
