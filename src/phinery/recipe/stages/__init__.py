"""The stages of a recipe, in the order in which they run. Making the list imports nothing heavy."""

from __future__ import annotations

from typing import Any

from phinery.evaluate.suites import suites_of
from phinery.recipe.load import RecipeError, show_recipe
from phinery.recipe.schema import HUB, Grow, Pretrain, Recipe
from phinery.recipe.stage import Outcome, Stage, Workplace
from phinery.recipe.stages.corpus import describe_source

_SHARED = ("files.py", "recipe/stage.py")
# How training is carried out, not what comes of it; a finished one need not be done again.
_HOW = frozenset({"micro_batch_size", "compile", "checkpoint_every"})
_TEACHING = frozenset({"teacher", "teacher_weight", "teacher_temperature"})
# Where a refining is carried out; its result is the same anywhere.
_WHERE = frozenset({"engine", "workers"})


def stages_of(recipe: Recipe) -> list[Stage]:
    """The stages that a recipe names, each after those that it needs."""
    stages = [_corpus(recipe)]
    if recipe.refine is not None:
        stages.append(_refine(recipe))
    if recipe.synthesize is not None:
        stages.append(_synthesize(recipe))
    if recipe.tokenizer is not None:
        stages += [_tokenizer(recipe), _shards(recipe)]
    names = list(recipe.phases)
    stages += [_phase(recipe, number, names) for number in range(len(names))]
    if recipe.evaluate is not None:
        stages.append(_evaluate(recipe, names))
    if names:
        stages.append(_model(recipe, names))
    return stages


def _corpus(recipe: Recipe) -> Stage:
    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import corpus

        return corpus.make(place, recipe.corpus)

    return Stage(
        "corpus",
        needs=(),
        settings=recipe.corpus.model_dump(mode="json"),
        code=(*_SHARED, "data", "recipe/stages/corpus.py"),
        make=make,
        outside=lambda: describe_source(recipe.corpus.path),
    )


def _refine(recipe: Recipe) -> Stage:
    table = recipe.refine
    assert table is not None

    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import refine

        return refine.make(place, table, held_out=recipe.corpus.held_out)

    settings = {k: v for k, v in table.model_dump(mode="json").items() if k not in _WHERE}
    return Stage(
        "refine",
        needs=("corpus",),
        settings={**settings, "held_out": recipe.corpus.held_out},
        code=(*_SHARED, "data", "recipe/stages/sources.py", "recipe/stages/refine.py"),
        make=make,
        outside=lambda: [
            None if path is None else describe_source(path)
            for path in (table.benchmarks, table.scorer)
        ],
    )


def _synthesize(recipe: Recipe) -> Stage:
    table = recipe.synthesize
    assert table is not None

    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import synthesize

        return synthesize.make(place, table, seed=recipe.seed, held_out=recipe.corpus.held_out)

    return Stage(
        "synthesize",
        needs=(),
        settings={
            **table.model_dump(mode="json"),
            "seed": recipe.seed,
            "held_out": recipe.corpus.held_out,
        },
        code=(
            *_SHARED,
            "data",
            "recipe/stages/sources.py",
            "recipe/stages/refine.py",
            "recipe/stages/synthesize.py",
        ),
        make=make,
        outside=lambda: None if table.benchmarks is None else describe_source(table.benchmarks),
    )


def _made(recipe: Recipe) -> tuple[str, ...]:
    return tuple(name for name in ("refine", "synthesize") if getattr(recipe, name) is not None)


def _text_stages(recipe: Recipe) -> tuple[str, ...]:
    """The stages that make the sources: all but the Primer, which comes with the package."""
    return tuple(name for name in recipe.sources if name != "primer")


def _tokenizer(recipe: Recipe) -> Stage:
    table = recipe.tokenizer
    assert table is not None

    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import tokenizer

        return tokenizer.make(place, table, recipe.sources)

    return Stage(
        "tokenizer",
        needs=_text_stages(recipe),
        settings={**table.model_dump(mode="json"), "sources": list(recipe.sources)},
        code=(*_SHARED, "data", "text", "recipe/stages/sources.py", "recipe/stages/tokenizer.py"),
        make=make,
        outside=lambda: None if table.path is None else describe_source(table.path),
    )


def _shards(recipe: Recipe) -> Stage:
    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import shards

        return shards.make(place, recipe.sources, recipe.mixture)

    return Stage(
        "shards",
        needs=(*_text_stages(recipe), "tokenizer"),
        settings={
            "sources": list(recipe.sources),
            "by_difficulty": list(recipe.mixture.by_difficulty) if recipe.mixture else [],
        },
        code=(*_SHARED, "data", "text", "recipe/stages/sources.py", "recipe/stages/shards.py"),
        make=make,
    )


def _phase(recipe: Recipe, number: int, names: list[str]) -> Stage:
    """A phase of training, `[[pretrain]]` or `[[grow]]`."""
    phases = list(recipe.phases.values())
    phase = phases[number]
    before = names[number - 1] if number else None
    after = phases[number + 1] if number + 1 < len(phases) else None
    keep_moments = isinstance(after, Grow) and after.moments == "carried"
    longest = max(phase.sequence_length for phase in phases)
    teacher = phase.teacher if isinstance(phase, Pretrain) else None
    teacher_phase = teacher if teacher in names[:number] else None

    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import grow, pretrain
        from phinery.text import Tokenizer

        if number == 0:
            _report_before_training(place, recipe)
            grow.check_phases(phases, Tokenizer.load(place.of("tokenizer")))
        seed = recipe.seed + number
        if isinstance(phase, Grow):
            assert before is not None
            return grow.make(
                place,
                phase,
                recipe.mixture,
                seed=seed,
                before=before,
                keep_moments=keep_moments,
            )
        return pretrain.make(
            place,
            phase,
            recipe.mixture,
            seed=seed,
            before=before,
            context_length=longest,
            keep_moments=keep_moments,
            teacher_phase=teacher_phase,
        )

    def outside() -> Any:
        if isinstance(phase, Grow):
            return _target_file(phase)
        if teacher is None or teacher_phase is not None:
            return None
        from phinery.recipe.stages import pretrain

        return pretrain.describe_teacher(teacher)

    unused = _HOW if teacher is not None else _HOW | _TEACHING
    settings = {
        key: value for key, value in phase.model_dump(mode="json").items() if key not in unused
    }
    needed = [name for name in (before, teacher_phase) if name is not None]
    return Stage(
        names[number],
        needs=("tokenizer", "shards", *dict.fromkeys(needed)),
        settings={
            **settings,
            "seed": recipe.seed + number,
            "context_length": longest,
            "mixture": recipe.mixture.model_dump(mode="json") if recipe.mixture else None,
            **({"keep_moments": True} if keep_moments else {}),
        },
        code=(
            *_SHARED,
            "data",
            "text",
            "model",
            "train",
            "recipe/stages/sampling.py",
            "recipe/stages/pretrain.py",
            *(["recipe/stages/grow.py"] if isinstance(phase, Grow) else []),
        ),
        make=make,
        outside=outside,
        resumable=True,
        free=frozenset({"evaluations", "evaluation_tokens"}),
    )


def _target_file(phase: Grow) -> Any:
    return describe_source(phase.to) if phase.to.endswith(".json") else None


def _report_before_training(place: Workplace, recipe: Recipe) -> None:
    """Write the report of what is there: the data, and what training will draw on."""
    from phinery.recipe.report import write_report

    write_report(place.run, recipe, place.records, "")


def _evaluate(recipe: Recipe, names: list[str]) -> Stage:
    table = recipe.evaluate
    assert table is not None
    phases = {
        name: (phase, recipe.seed + number)
        for number, (name, phase) in enumerate(recipe.phases.items())
    }

    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import evaluate

        return evaluate.make(place, table, recipe.mixture, phases=phases, seed=recipe.seed)

    settings: dict[str, Any] = {**table.model_dump(mode="json"), "seed": recipe.seed}
    try:
        if table.suites:
            suites_of(table.suites)
    except ValueError as error:  # now, not after the training
        raise RecipeError(f"[evaluate] suites: {error}") from error
    return Stage(
        "evaluate",
        needs=(*(_made(recipe) if table.suites else ()), "tokenizer", "shards", *names),
        settings=settings,
        code=(
            *_SHARED,
            "data",
            "text",
            "model",
            "train",
            "infer",
            *(["evaluate"] if table.suites else []),
            "recipe/compression.py",
            "recipe/stages/sampling.py",
            "recipe/stages/evaluate.py",
            "recipe/stages/suites.py",
        ),
        make=make,
        outside=lambda: None if table.items in (None, HUB) else describe_source(table.items),
    )


def _model(recipe: Recipe, names: list[str]) -> Stage:
    def make(place: Workplace) -> Outcome:
        from phinery.recipe.stages import model

        return model.make(place, recipe, last=names[-1])

    needs = ("corpus", *_made(recipe), "tokenizer", "shards", *names)
    return Stage(
        "model",
        needs=(*needs, "evaluate") if recipe.evaluate is not None else needs,
        settings={"recipe": show_recipe(recipe)},
        code=(*_SHARED, "model", "recipe/report_text.py", "recipe/stages/model.py"),
        make=make,
    )
