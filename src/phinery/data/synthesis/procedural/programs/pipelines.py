"""Functions over lists: some elements are chosen, something is made of each, all put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.grammar import between, chance, pick, several, shuffled
from phinery.data.synthesis.procedural.programs.frame import Mistake, Sketch
from phinery.data.synthesis.procedural.programs.names import NUMBER_LISTS, WORD_LISTS, WORDS
from phinery.data.synthesis.procedural.programs.reducers import Reducer, reducer
from phinery.data.synthesis.procedural.programs.steps import (
    Condition,
    Transform,
    number_condition,
    number_transform,
    word_condition,
    word_transform,
)
from phinery.data.synthesis.procedural.wording import vary


@dataclass(frozen=True)
class Pipeline:
    """What a function over a list does."""

    things: str
    """The noun for the elements."""
    condition: Condition | None
    transform: Transform | None
    reducer: Reducer

    def intermediate(self, values: Sequence[object]) -> tuple[list[object], list[object]]:
        """The elements that are kept, and what is made of them."""
        kept = [x for x in values if self.condition is None or self.condition.holds(x)]
        made = [x if self.transform is None else self.transform.apply(x) for x in kept]
        return kept, made

    def value(self, values: Sequence[object]) -> object:
        """The result, by the steps' own functions."""
        return self.reducer.reduce(self.intermediate(values)[1])

    def phrase(self, name: str) -> str:
        """The result in words."""
        things = self.condition.phrase(self.things) if self.condition else self.things
        things = f"the {things} in `{name}`"
        if self.transform:
            things = self.transform.phrase.replace("{things}", things)
        return self.reducer.phrase.replace("{things}", things)


def _name(random: Random, pipeline: Pipeline, things: str) -> str:
    slug = pipeline.reducer.slug
    first = pick(random, {
        "sum": ("sum", "total", "add_up", "sum_of"),
        "count": ("count", "how_many", "number_of", "count_of"),
        "list": ("list_of", "get", "collect", "all", "find", "select"),
        "largest": ("largest", "max_of", "biggest", "greatest"),
        "smallest": ("smallest", "min_of", "least", "lowest"),
        "joined": ("join", "joined", "glue", "one_string_of"),
        "distinct": ("distinct", "unique", "without_repeats"),
        "sorted": ("sorted", "in_order", "ordered"),
    }.get(slug, (slug,)))  # fmt: skip
    middle = pipeline.transform.slug if pipeline.transform else ""
    last = pipeline.condition.slug if pipeline.condition else ""
    plain = chance(random, 0.6) or not (middle or last)
    parts = [first, middle, last, things if plain else ""]
    name = "_".join(part for part in parts if part)
    if len(name) > 44:
        name = "_".join(part for part in (first, middle or last or things) if part)
    return "sorted_values" if name == "sorted" else name


def _loop(
    pipeline: Pipeline, name: str, one: str, result: str, condition: str | None
) -> tuple[str, ...]:
    chosen, value = pipeline.reducer, one
    if pipeline.transform:
        value = pipeline.transform.code.replace("{x}", one)
    lines = chosen.start.replace("{{}}", "{}").replace("{r}", result).split("\n")
    lines.append(f"for {one} in {name}:")
    indent = "    "
    if condition:
        lines.append(f"    if {condition.replace('{x}', one)}:")
        indent = "        "
    update = chosen.update
    if update.startswith("value = {v}\n") and value == one:
        update = update.removeprefix("value = {v}\n").replace("value", one)
    for line in update.replace("{v}", value).replace("{r}", result).split("\n"):
        lines.append(indent + line)
    lines.append(f"return {chosen.end.replace('{r}', result)}")
    return tuple(lines)


def _expression(pipeline: Pipeline, name: str, one: str, condition: str | None) -> str:
    value = pipeline.transform.code.replace("{x}", one) if pipeline.transform else one
    part = f"{value} for {one} in {name}"
    if condition:
        part += f" if {condition.replace('{x}', one)}"
    return part


def _comprehension(
    random: Random, pipeline: Pipeline, name: str, one: str, condition: str | None
) -> tuple[str, ...]:
    form = pipeline.reducer.expression
    part = _expression(pipeline, name, one, condition)
    if form == "list({gen})":
        return (f"return [{part}]",)
    if form == "sum(1 for _ in {gen})":
        if condition and chance(random, 0.5):
            return (f"return sum({condition.replace('{x}', one)} for {one} in {name})",)
        return (f"return len([{part}])",)
    if form == "list({gen})[::-1]":
        return (f"return [{part}][::-1]",)
    alone = form.endswith("({gen})") and not form.startswith(("list(", "len("))
    inside = part if alone else f"({part})"
    if chance(random, 0.35) or len(form) + len(part) > 84:
        middle = pick(random, ("chosen", "selected", "picked", "wanted"))
        return (f"{middle} = [{part}]", f"return {form.replace('{gen}', middle)}")
    return (f"return {form.replace('{gen}', inside)}",)


def _steps(random: Random, pipeline: Pipeline, one: str, name: str, loop: bool) -> tuple[str, ...]:
    steps: list[str] = []
    chosen = pipeline.reducer
    if loop:
        start = chosen.start.replace("{{}}", "{}").split("\n")[0].replace("{r} = ", "")
        steps.append(
            vary(
                random,
                "(before the loop|at the start) the result (is set to|begins as) `{start}`(, "
                "because nothing has been seen yet||).",
                start=start,
            )
        )
        steps.append(
            vary(
                random,
                "the loop (goes through|visits|takes) the {things} (one by one|in order|one after "
                "the other)(, and each is called `{one}` in turn||, from the first to the last).",
                things=pipeline.things,
                one=one,
            )
        )
    else:
        steps.append(
            vary(
                random,
                "the (comprehension|expression in brackets) goes through `{name}` and calls each "
                "(element|one) `{one}`.",
                name=name,
                one=one,
            )
        )
    if pipeline.condition:
        code = pipeline.condition.code.replace("{x}", one)
        kept = pipeline.condition.phrase(pipeline.things)
        steps.append(
            vary(
                random,
                "(the condition|the test) `{code}` (is true for|lets through|keeps) {kept} only(; "
                "the others are skipped|; everything else is passed over||).",
                code=code,
                kept=kept,
            )
        )
    if pipeline.transform:
        code = pipeline.transform.code.replace("{x}", one)
        steps.append(
            vary(
                random,
                "(for each of them|from each) `{code}` is computed, (which is how we get|so that "
                "we have) {made}.",
                code=code,
                made=pipeline.transform.phrase.replace(
                    "{things}",
                    "them"
                    if pipeline.transform.phrase.startswith("the ")
                    else "the " + pipeline.things,
                ),
            )
        )
    end = chosen.end.replace("{r}", "the variable")
    if loop and end == "the variable":
        steps.append(
            vary(
                random,
                "(after the loop|at the end|when all are done) the (result|variable) is returned.",
            )
        )
    elif loop:
        steps.append(
            vary(
                random,
                "(after the loop|at the end) one more step is left(:|, namely) `{end}`.",
                end=chosen.end.replace("{r}", "..."),
            )
        )
    else:
        steps.append(
            vary(random, "(finally|at the end) the result is put together( from what is left||).")
        )
    return tuple(steps)


def _walk(random: Random, pipeline: Pipeline, name: str, values: Sequence[object]) -> str:
    kept, made = pipeline.intermediate(values)
    parts = [
        vary(
            random,
            "(take|let us take|suppose we have|start with) `{name} = {values}`.",
            name=name,
            values=list(values),
        )
    ]
    if pipeline.condition:
        words = pipeline.condition.phrase(pipeline.things)
        if kept:
            parts.append(
                vary(
                    random,
                    "(the {words} are|what stays, the {words}, is|of these, the {words} are) "
                    "`{kept}`.",
                    words=words,
                    kept=kept,
                )
            )
        else:
            parts.append(vary(random, "(there are no|it has no) {words}.", words=words))
    if pipeline.transform and kept:
        pairs = ", ".join(
            f"{old!r} becomes {new!r}" for old, new in list(zip(kept, made, strict=True))[:6]
        )
        parts.append(vary(random, "(then|next|now) {pairs}.", pairs=pairs))
    parts.append(
        vary(
            random,
            "(so the result is|the result is|this gives|we get) `{value}`.",
            value=repr(pipeline.value(values)),
        )
    )
    return " ".join(parts)


def _inputs(random: Random, pipeline: Pipeline, words: bool) -> tuple[tuple[object, ...], ...]:
    small = pipeline.reducer.slug == "product"
    positive = pipeline.things in {"ages", "scores", "prices", "step counts", "weights"}
    condition = pipeline.condition
    lists: list[tuple[object, ...]] = []
    for _ in range(4):
        length = between(random, 3, 5 if small else 7)
        pool: Sequence[object] = WORDS
        if not words:
            low = -12 if not positive and chance(random, 0.6) else 1
            high = 12 if small else pick(random, (15, 30, 50))
            pool = [between(random, low, high) for _ in range(3 * length)]
        chosen = several(random, pool, length)
        if condition:
            # Lists in which nothing is chosen would teach little.
            fit = [x for x in several(random, pool, min(len(pool), 40)) if condition.holds(x)]
            chosen = shuffled(random, [*chosen[: length - 2], *fit[:3]])
        if words:
            chosen = list(dict.fromkeys(chosen))
        if chance(random, 0.35):
            chosen.append(pick(random, chosen))
        lists.append((chosen,))
    return (*lists, ([],))


def _mistakes(
    pipeline: Pipeline, name: str, one: str, result: str, words: bool
) -> tuple[Mistake, ...]:
    made: list[Mistake] = []
    condition = pipeline.condition
    if condition and condition.near:
        made.append(
            Mistake(_loop(pipeline, name, one, result, condition.near), condition.near_reason)
        )
    loop = _loop(pipeline, name, one, result, condition.code if condition else None)
    early = (*loop[:-1], f"    {loop[-1]}")
    made.append(
        Mistake(
            early,
            "The `return` is indented too far: it stands inside the loop, so the function ends "
            "after the first round.",
        )
    )
    if loop[0] == f"{result} = 0" and pipeline.reducer.slug in {"sum", "count", "characters_in"}:
        made.append(
            Mistake(
                (f"{result} = 1", *loop[1:]),
                "The variable must start at 0; starting at 1 makes every answer one too large.",
            )
        )
    if loop[0] == f"{result} = 1":
        made.append(
            Mistake(
                (f"{result} = 0", *loop[1:]),
                "A product must start at 1: zero times anything is zero.",
            )
        )
    if pipeline.transform and (words is (pipeline.transform.result == "str")):
        plain = Pipeline(pipeline.things, condition, None, pipeline.reducer)
        forgotten = pipeline.transform.code.replace("{x}", one)
        made.append(
            Mistake(
                _loop(plain, name, one, result, condition.code if condition else None),
                f"The step `{forgotten}` was forgotten.",
            )
        )
    return tuple(made)


def pipeline_sketch(random: Random, difficulty: int, words: bool) -> Sketch:
    """A function over a list of integers, or of words."""
    name, one, things, setting = pick(random, WORD_LISTS if words else NUMBER_LISTS)
    condition: Condition | None = None
    transform: Transform | None = None
    while condition is None and transform is None:
        if chance(random, 0.35 + 0.1 * difficulty):
            condition = word_condition(random) if words else number_condition(random, difficulty)
        if chance(random, 0.2 + 0.12 * difficulty):
            transform = word_transform(random) if words else number_transform(random)
    element = transform.result if transform else "str" if words else "int"
    summary = reducer(random, element)
    while transform and summary.slug in {"count", "last"}:
        summary = reducer(random, element)
    pipeline = Pipeline(things, condition, transform, summary)
    loop = not pipeline.reducer.expression or chance(random, 0.75 - 0.12 * difficulty)
    result = pick(random, pipeline.reducer.variable)
    if one in {"value", "count"} and one in summary.start + summary.update:
        one = "entry"
    if result in {name, one}:
        result = "outcome"
    code = condition.code if condition else None
    if loop:
        body = _loop(pipeline, name, one, result, code)
    else:
        body = _comprehension(random, pipeline, name, one, code)
    kind = "list[str]" if words else "list[int]"
    return Sketch(
        name=_name(random, pipeline, name),
        parameters=((name, kind),),
        returns=pipeline.reducer.kind,
        summary=pipeline.phrase(name),
        body=body,
        reference=pipeline.value,
        inputs=_inputs(random, pipeline, words),
        steps=_steps(random, pipeline, one, name, loop),
        remarks=(pipeline.reducer.empty,),
        setting=vary(random, setting) if setting and chance(random, 0.7) else "",
        walk=lambda arguments: _walk(random, pipeline, name, arguments[0]),  # pyright: ignore[reportArgumentType]
        mistakes=_mistakes(pipeline, name, one, result, words),
    )


def number_pipeline(random: Random, difficulty: int) -> Sketch:
    """A function over a list of integers."""
    return pipeline_sketch(random, difficulty, words=False)


def word_pipeline(random: Random, difficulty: int) -> Sketch:
    """A function over a list of words."""
    return pipeline_sketch(random, difficulty, words=True)
