"""One participant's process: opens a model, runs tokens through it, answers in JSON lines.

Runs in the participant's own environment, so it imports nothing but numpy. Requests on stdin and
answers on stdout are one JSON object a line:

    {"command": "prepare", "directory": ..., "gguf": {...}, "format": "int8", "threads": 1, ...}
        -> {"versions": {...}, "matrix_bytes": b, "open_seconds": s}
    {"command": "start", "batch": 16, "prompt": 64, "tokens": 32, "variant": null}
        -> {"variant": {...}, "trials": [...]}; variant null: try each for a moment, keep the best
    {"command": "measure", "seconds": 1.5}
        -> {"tokens": n, "seconds": s, "logits": [...]}
    {"command": "perplexity", "tokens": [[...], ...]}
        -> {"perplexity": p}
    {"command": "generate", "batch": 1, "prompt": 64, "tokens": 32, "seconds": 1.5}
        -> {"tokens": n, "seconds": s}

"start" with tokens 0 is the measure of a prompt: all its tokens in one call, logits of the last.
Otherwise "measure" times steps of one token for each of `batch` sequences, after prompts that were
computed before. The tokens are the same in every process, whatever the logits: choosing the next
one is no part of the measure. "prepare" must come first for the measures of single calls, and must
not for "generate", which opens the model as a user would.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int32]
Logits = NDArray[np.float32]
Variant = dict[str, Any]

TRIAL_SECONDS = 0.4


class Decoder(Protocol):
    """A model with a cache of keys and values for a batch of sequences of the same length."""

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that matter."""
        ...

    @property
    def matrix_bytes(self) -> int:
        """Of the weights that a step reads, as they are kept: all but the embedding."""
        ...

    def variants(self, batch: int, steps: bool) -> list[Variant]:
        """Ways to run it, for steps of one token a sequence or for prompts; the fastest counts."""
        ...

    def start(self, variant: Variant, batch: int, capacity: int) -> None:
        """Make room for `batch` sequences of at most `capacity` tokens, and forget all others."""
        ...

    def feed(self, tokens: Tokens, position: int) -> None:
        """Compute `tokens` (batch, n) from `position` on, and the logits of the last ones."""
        ...

    def logits(self) -> Logits:
        """(batch, vocab_size): of each sequence's last token in the last `feed`. Not timed."""
        ...

    def rewind(self, position: int) -> None:
        """Forget what stands at `position` or later: the next `feed` starts there. Not timed."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


Generate = Callable[[list[list[int]], int], list[list[int]]]
"""(prompts, number of new tokens) to the new tokens, likeliest first, never ending early."""


class Session:
    """What a worker holds between requests."""

    def __init__(
        self,
        vocab_size: int,
        open_decoder: Callable[[], Decoder],
        open_generate: Callable[[], Generate] | None,
    ) -> None:
        self.vocab_size = vocab_size
        self._open_decoder = open_decoder
        self._open_generate = open_generate
        self._decoder: Decoder | None = None
        self._generate: Generate | None = None
        self._prompt = 0
        self._tokens = np.zeros((0, 0), np.int32)

    def prepare(self) -> dict[str, Any]:
        """Open the model for calls of one step."""
        started = time.perf_counter()
        decoder = self._decoder = self._open_decoder()
        return {
            "open_seconds": time.perf_counter() - started,
            "versions": decoder.versions,
            "matrix_bytes": decoder.matrix_bytes,
        }

    def start(self, batch: int, prompt: int, tokens: int, variant: Variant | None) -> Any:
        """Compute the prompts; choose among the variants unless one is given."""
        decoder = self._decoder
        assert decoder is not None
        self._prompt = prompt
        self._tokens = random_tokens(self.vocab_size, batch, prompt + tokens)
        candidates = [variant] if variant is not None else decoder.variants(batch, tokens > 0)
        trials: list[dict[str, Any]] = []
        for candidate in candidates:
            self._fill(candidate)
            if len(candidates) > 1:
                self.measure(0.0)  # what is compiled or planned at first use
                turn = self.measure(TRIAL_SECONDS)
                trials.append({**candidate, "tokens_per_second": turn["tokens"] / turn["seconds"]})
        best = candidates[0]
        if trials:
            rates = [trial["tokens_per_second"] for trial in trials]
            best = candidates[rates.index(max(rates))]
            if best is not candidates[-1]:
                self._fill(best)
        self.measure(0.0)
        return {"variant": best, "trials": trials}

    def _fill(self, variant: Variant) -> None:
        assert self._decoder is not None
        batch, capacity = self._tokens.shape
        self._decoder.start(variant, batch, capacity)
        if self._prompt < capacity:
            self._decoder.feed(self._tokens[:, : self._prompt], 0)

    def measure(self, seconds: float) -> dict[str, Any]:
        """Whole runs of steps (or prompts) for about `seconds`, one at least."""
        assert self._decoder is not None
        decoder, tokens, prompt = self._decoder, self._tokens, self._prompt
        batch, end = tokens.shape
        spent, computed = 0.0, 0
        while not computed or spent < seconds:
            decoder.rewind(prompt if prompt < end else 0)
            started = time.perf_counter()
            if prompt < end:
                for position in range(prompt, end):
                    decoder.feed(tokens[:, position : position + 1], position)
            else:
                decoder.feed(tokens, 0)
            spent += time.perf_counter() - started
            computed += batch * ((end - prompt) or prompt)
        logits = decoder.logits()
        # Enough of the first and the last sequence to see that all compute the same.
        sample = np.concatenate([logits[0, :: self.vocab_size // 128], logits[-1, :64]])
        return {"tokens": computed, "seconds": spent, "logits": [float(x) for x in sample]}

    def perplexity(self, tokens: Tokens) -> float:
        """Of `tokens` (sequences, length), each predicted from those before it in its sequence.

        Computed in steps of one token for each sequence, by the calls that are timed.
        """
        assert self._decoder is not None
        count, length = tokens.shape
        self._decoder.start(self._decoder.variants(count, True)[0], count, length)
        total = 0.0
        for position in range(length - 1):
            self._decoder.feed(tokens[:, position : position + 1], position)
            logits = self._decoder.logits().astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            chosen = logits[np.arange(count), tokens[:, position + 1]]
            total += float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum())
        return float(np.exp(total / (count * (length - 1))))

    def generate(self, batch: int, prompt: int, tokens: int, seconds: float) -> dict[str, Any]:
        """Whole requests, prompt included, for about `seconds`, one at least.

        Each request has other prompts, so that nothing can be remembered from the one before; the
        rate counts new tokens. The first time one request goes before, to warm up.
        """
        if self._generate is None:
            if self._open_generate is None:
                raise SystemExit("no way to generate")
            self._generate = self._open_generate()
            self._request(self._generate, batch, prompt, tokens, 0)
        spent, made, number = 0.0, 0, 0
        while not made or spent < seconds:
            number += 1
            elapsed = self._request(self._generate, batch, prompt, tokens, number)
            spent += elapsed
            made += batch * tokens
        return {"tokens": made, "seconds": spent}

    def _request(
        self, generate: Generate, batch: int, prompt: int, tokens: int, number: int
    ) -> float:
        """Seconds of one request; SystemExit when it does not give all tokens."""
        prompts = random_tokens(self.vocab_size, batch, prompt, seed=100 + number).tolist()
        started = time.perf_counter()
        answers = generate(prompts, tokens)
        elapsed = time.perf_counter() - started
        if [len(answer) for answer in answers] != [tokens] * batch:
            raise SystemExit(f"asked for {tokens} tokens, got {[len(a) for a in answers]}")
        return elapsed


def random_tokens(vocab_size: int, batch: int, length: int, seed: int = 2) -> Tokens:
    """(batch, length) token ids, the same in every process and for a longer length.

    Below 256 at most: those are no special tokens in any tokenizer of this benchmark.
    """
    draw = np.random.default_rng(seed).integers(0, min(vocab_size, 256), (length, batch))
    return np.ascontiguousarray(draw.T.astype(np.int32))


def serve(
    open_decoder: Callable[[dict[str, Any]], Decoder],
    open_generate: Callable[[dict[str, Any]], Generate] | None = None,
) -> None:
    """Answer requests until the end of the input.

    Both functions take the first request: `directory`, `gguf` (files by format), `cache` (a folder
    for what a participant makes of the weights), `format`, `threads`, `vocab_size`, `environment`.
    """
    session: Session | None = None
    for request, answer in requests():
        command = request.pop("command")
        if command == "open":
            os.environ.update(request.get("environment", {}))
            session = Session(
                request["vocab_size"],
                lambda asked=request: open_decoder(asked),
                open_generate and (lambda asked=request: open_generate(asked)),
            )
            answer(pid=os.getpid())
            continue
        assert session is not None
        match command:
            case "prepare":
                answer(**session.prepare())
            case "start":
                answer(**session.start(**request))
            case "measure":
                answer(**session.measure(**request))
            case "perplexity":
                answer(perplexity=session.perplexity(np.array(request["tokens"], np.int32)))
            case "generate":
                answer(**session.generate(**request))
            case _:
                raise ValueError(f"no command is called {command!r}")


def requests() -> Iterator[tuple[dict[str, Any], Callable[..., None]]]:
    """Requests until the end of the input, each with the function that answers it.

    What a library prints goes to stderr, so that it cannot get between the answers.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(**fields: Any) -> None:
            print(json.dumps(fields), file=answers, flush=True)

        for line in sys.stdin:
            yield json.loads(line), answer
