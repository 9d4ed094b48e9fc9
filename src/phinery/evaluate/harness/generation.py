"""Generation as the harness's `hf` model means it, by the engine's continuous batching.

Rules: `HFLM.generate_until` and `HFLM._model_generate` of lm-evaluation-harness 0.4.13.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from phinery.evaluate.harness.requests import Encoder
from phinery.evaluate.harness.sharing import SharingBackend
from phinery.infer import Engine, SamplingParams
from phinery.model.decoder import Phi
from phinery.text import Tokenizer

# What transformers samples from when nothing is said (GenerationConfig's default).
_DEFAULT_TOP_K = 50
# Names that mean the same there and here; the first four change nothing of a greedy choice.
_SAMPLING = ("temperature", "top_p", "top_k", "min_p")
_KNOWN = (*_SAMPLING, "repetition_penalty", "seed")


@dataclasses.dataclass(frozen=True)
class Job:
    """One text to generate: the prompt's tokens, how to choose, and the texts that end it."""

    prompt: list[int]
    params: SamplingParams
    until: list[str]


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for asynchronous work, also in a notebook, whose own loop must not be waited in."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, work).result()


class TextGenerator:
    """Generates many texts with one model.

    `max_length` is how many tokens prompt and answer have together, `max_gen_toks` how many an
    answer has where a request does not say, `side_by_side` how many are made at a time.
    """

    def __init__(
        self,
        model: Phi,
        tokenizer: Tokenizer,
        *,
        max_length: int,
        max_gen_toks: int,
        side_by_side: int,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._max_gen_toks = max_gen_toks
        self._side_by_side = side_by_side
        self._end = tokenizer.decode([tokenizer.eos_token_id])

    def jobs(self, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Job]:
        """What the harness's contexts and `generation_kwargs` ask for.

        A context that leaves no room for the answer loses its beginning. Raises ValueError for
        arguments that do not exist, and for answers longer than the model's context.
        """
        tokens = Encoder(self._tokenizer).encode(context for context, _ in requests)
        return [
            self._job(tokens[context], arguments, number)
            for number, (context, arguments) in enumerate(requests)
        ]

    def run(self, jobs: Sequence[Job], done: Callable[[int, str], None]) -> None:
        """Generate all; `done` is called with a job's number and its text when it is finished."""
        backend = SharingBackend(self._model, max_batch=self._side_by_side)
        engine = Engine(backend, self._tokenizer, max_batch=self._side_by_side)
        try:
            run_to_end(self._run(engine, jobs, done))
        finally:
            engine.close()

    def text(self, job: Job, tokens: list[int]) -> str:
        """An answer's text: without special tokens, and cut before the first of `until`."""
        for place, token in enumerate(tokens):
            if self._tokenizer.is_special(token) and self._tokenizer.decode([token]) in job.until:
                tokens = tokens[:place]
                break
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return postprocess_generated_text(text, job.until, None)

    async def _run(
        self, engine: Engine, jobs: Sequence[Job], done: Callable[[int, str], None]
    ) -> None:
        async def one(number: int) -> None:
            job, tokens = jobs[number], list[int]()
            async for delta in engine.stream(job.prompt, job.params):
                tokens += delta.token_ids
            done(number, self.text(job, tokens))

        # Prompts that begin alike come one after the other, while their pages are there.
        order = sorted(range(len(jobs)), key=lambda number: jobs[number].prompt)
        async with asyncio.TaskGroup() as tasks:
            for number in order:
                tasks.create_task(one(number))

    def _job(self, context: list[int], arguments: Mapping[str, Any], number: int) -> Job:
        chosen: dict[str, Any] = dict(normalize_gen_kwargs(dict(arguments), self._max_gen_toks))
        until = handle_stop_sequences(chosen.pop("until", None), self._end)
        count = chosen.pop("max_gen_toks")
        sampled = chosen.pop("do_sample", None)
        chosen.setdefault("temperature", 0.0)
        unknown = [name for name in chosen if name not in _KNOWN]
        if unknown:
            raise ValueError(
                f"unknown generation argument {unknown[0]!r}; there are until, max_gen_toks, "
                f"do_sample, {', '.join(_KNOWN)}"
            )
        room = self._max_length - count
        if room < 1:
            raise ValueError(
                f"max_gen_toks is {count}, but the model's context has {self._max_length} tokens: "
                f"pass a smaller max_gen_toks as generation argument"
            )
        if sampled and not chosen["temperature"]:
            raise ValueError("do_sample=True needs a temperature above 0")
        if sampled:
            chosen = {"top_k": _DEFAULT_TOP_K, "seed": number} | chosen
        else:
            chosen = {name: value for name, value in chosen.items() if name not in _SAMPLING}
            chosen["temperature"] = 0.0
        stops = [text for text in until if text]
        params = SamplingParams(max_tokens=count, stop=stops, **chosen)
        return Job(context[-room:], params, until)
