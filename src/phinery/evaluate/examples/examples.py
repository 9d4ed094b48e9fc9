"""Each prompt of `prompts.toml` with a model's greedy answer and two sampled ones."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from phinery.files import write_atomic, write_json

if TYPE_CHECKING:
    from phinery.infer import Completion, Engine

FORMAT = 1
TEMPERATURE = 0.8
TOP_P = 0.95
SAMPLES = 2

_FORMS = {"plain": "{text}", "instruct": "Instruct: {text}\nOutput:", "code": "{text}"}
# An instruction's answer is over where the model asks itself the next one.
_STOPS: dict[str, tuple[str, ...]] = {"plain": (), "instruct": ("\nInstruct:",), "code": ()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt. `good` says what a good answer contains; `stop` are texts that end an answer."""

    name: str
    topic: str
    form: Literal["plain", "instruct", "code"]
    text: str
    good: str
    stop: tuple[str, ...] = ()

    @property
    def full(self) -> str:
        """As the model reads it."""
        return _FORMS[self.form].format(text=self.text)

    @property
    def stops(self) -> list[str]:
        """All texts that end an answer."""
        return [*_STOPS[self.form], *self.stop]


@dataclasses.dataclass(frozen=True)
class Answer:
    """A text of a model; `finish_reason` is "stop" where it ended by itself, else "length"."""

    text: str
    finish_reason: str


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model answered to a prompt; without `greedy` when it could not, for `reason`."""

    greedy: Answer | None
    sampled: tuple[Answer, ...] = ()
    reason: str = ""


@functools.cache
def prompts() -> tuple[Prompt, ...]:
    """The prompts that come with the package."""
    place = resources.files("phinery.evaluate.examples").joinpath("prompts.toml")
    raw = tomllib.loads(place.read_text(encoding="utf-8"))
    return tuple(_prompt_of(fields) for fields in raw["prompts"])


def _prompt_of(fields: dict[str, Any]) -> Prompt:
    stop = tuple(fields.pop("stop", ()))
    return Prompt(**fields, stop=stop)


def answers_of(
    engine: Engine, asked: Sequence[Prompt], *, seed: int = 0, max_tokens: int = 200
) -> list[Answers]:
    """A model's answers: one greedy, two sampled (temperature 0.8, top_p 0.95) from `seed`.

    All are generated side by side. A prompt that leaves no room in the model's context gets no
    answer. Raises ValueError for a `max_tokens` below 1.
    """
    from phinery.infer import SamplingParams

    encoded = [engine.tokenizer.encode(prompt.full) for prompt in asked]
    fits = [place for place, ids in enumerate(encoded) if len(ids) < engine.context_length]
    greedy = [
        SamplingParams(temperature=0.0, max_tokens=max_tokens, stop=asked[place].stops or None)
        for place in fits
    ]
    drawn = [
        SamplingParams(
            n=SAMPLES,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            max_tokens=max_tokens,
            stop=asked[place].stops or None,
            # The numbers of a prompt do not depend on which other prompts are asked.
            seed=seed,
        )
        for place in fits
    ]
    ids = [encoded[place] for place in fits]
    done = engine.generate([*ids, *ids], [*greedy, *drawn])
    firsts, rest = done[: len(fits)], done[len(fits) :]
    found = [
        Answers(
            None, reason=f"{len(one)} tokens leave no room in a context of {engine.context_length}"
        )
        for one in encoded
    ]
    for number, place in enumerate(fits):
        sampled = rest[number * SAMPLES : (number + 1) * SAMPLES]
        found[place] = Answers(_answer(firsts[number]), tuple(_answer(one) for one in sampled))
    return found


def write_examples(
    models: Mapping[str, Engine], out: Path, *, seed: int = 0, max_tokens: int = 200
) -> None:
    """Write `examples.html`, `examples.md` and `examples.json` into the folder `out`.

    Parameters
    ----------
    models : engines by the names to show; two stand side by side.
    seed : of the sampled answers, the same for every model.
    max_tokens : of each answer.

    Raises ValueError without models, or for a `max_tokens` below 1.
    """
    from phinery.evaluate.examples.page import render_html, render_markdown

    if not models:
        raise ValueError("there is no model to ask: name at least one")
    asked = prompts()
    answers = {
        name: answers_of(engine, asked, seed=seed, max_tokens=max_tokens)
        for name, engine in models.items()
    }
    setting: dict[str, Any] = {
        "seed": seed,
        "max_tokens": max_tokens,
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "examples.json", _plain(asked, answers, setting))
    write_atomic(out / "examples.md", render_markdown(asked, answers, setting))
    write_atomic(out / "examples.html", render_html(asked, answers, setting))


def _answer(completion: Completion) -> Answer:
    return Answer(completion.text, completion.finish_reason)


def _plain(
    asked: Sequence[Prompt],
    answers: Mapping[str, Sequence[Answers]],
    setting: Mapping[str, Any],
) -> dict[str, Any]:
    """JSON values."""
    return {
        "format": FORMAT,
        **setting,
        "models": list(answers),
        "prompts": [
            {
                **dataclasses.asdict(prompt),
                "prompt": prompt.full,
                "answers": {name: dataclasses.asdict(a[place]) for name, a in answers.items()},
            }
            for place, prompt in enumerate(asked)
        ],
    }
