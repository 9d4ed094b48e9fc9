"""`HarnessModel`: Phinery's models in lm-evaluation-harness, registered there as `phinery`.

Scores are those of the harness's `hf` model with batch size 1: log-likelihoods to within rounding,
the same likeliest tokens and texts. The work is less: what texts have in common is computed once.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from phinery.evaluate.harness.generation import TextGenerator
from phinery.evaluate.harness.options import Options, side_by_side
from phinery.evaluate.harness.requests import Encoder, Pair, encode_pairs, query_of
from phinery.evaluate.harness.results import Pending, Results, model_hash
from phinery.evaluate.harness.scoring import TreeScorer
from phinery.model import checkpoint, hub
from phinery.model.decoder import Phi
from phinery.text import Tokenizer

Answer = tuple[float, bool]
"""A continuation's log-likelihood in nats, and whether each of its tokens is the likeliest."""


class HarnessModel(TemplateLM):
    """A Phi in lm-evaluation-harness.

    Parameters
    ----------
    pretrained : a model folder, a run directory, a hub id, or a `Phi`.
    tokenizer : a `Tokenizer` or a folder with one; by default the model's. A `Phi` needs one.
    batch_size : completions side by side when generating; "auto" and 1, the harness's own default,
        leave it to us. Scores do not depend on it.
    device, dtype : torch's objects or their names, for a model that is read; by default CUDA when
        there is one, and the stored type. The harness's reference scores are float32 on a CPU.
    options : see `phinery.evaluate.harness.options.Options`: `cache`, `max_length`, `max_gen_toks`,
        `batch_tokens`, `max_batch_size`, `prefix_token_id`, `revision`, `progress`, `on_progress`.

    Raises ValueError, in one line, for options that do not exist or do not fit.
    """

    def __init__(
        self,
        pretrained: str | Path | Phi,
        tokenizer: Tokenizer | str | Path | None = None,
        *,
        batch_size: int | str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.options = chosen = Options.of(options)
        if tokenizer is not None and not isinstance(tokenizer, Tokenizer):
            tokenizer = Tokenizer.load(tokenizer)
        if isinstance(pretrained, Phi):
            if (device, dtype, chosen.revision) != (None, None, None):
                raise ValueError(
                    "device, dtype and revision are for a model that is read: move and convert "
                    "your own before"
                )
            if tokenizer is None:
                raise ValueError("a Phi has no tokenizer of its own: pass tokenizer=")
            self.model = pretrained
        else:
            if device is None:
                device = "cuda" if torch.cuda.is_available() else "cpu"
            folder = hub.resolve(pretrained, revision=chosen.revision)
            read = None if dtype == "auto" else dtype
            self.model, own = checkpoint.load(folder, device=device, dtype=read)
            tokenizer = tokenizer or own
        self.tokenizer: Tokenizer = tokenizer
        config = self.model.config
        if tokenizer.vocab_size > config.vocab_size:
            raise ValueError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, the model only "
                f"{config.vocab_size}: they do not belong together"
            )
        self.max_length: int = chosen.max_length or config.max_position_embeddings
        if self.max_length > config.max_position_embeddings:
            raise ValueError(
                f"max_length is {self.max_length}, but the model has only "
                f"{config.max_position_embeddings} positions"
            )
        self._device = self.model.device
        self._side_by_side = side_by_side(
            batch_size,
            chosen.max_batch_size,
            bytes_per_token=2
            * config.num_hidden_layers
            * config.hidden_size
            * self.model.dtype.itemsize,
        )
        self._encoder = Encoder(tokenizer)
        self._scorer = TreeScorer(self.model, budget=chosen.batch_tokens)

    # --- what the harness asks about the model

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """The token that stands before a text without context."""
        if self.options.prefix_token_id is not None:
            return self.options.prefix_token_id
        start = self.tokenizer.bos_token_id
        return self.tokenizer.eos_token_id if start is None else start

    @property
    def max_gen_toks(self) -> int:
        """How many tokens to generate where a task does not say."""
        return self.options.max_gen_toks

    @property
    def tokenizer_name(self) -> str:
        """Tells tokenizers apart in the harness's own caches."""
        return f"phinery-{self.tokenizer.sha256[:16]}"

    @property
    def computed_tokens(self) -> int:
        """Positions that scoring has computed, the measure of its work."""
        return self._scorer.computed_tokens

    def description(self, name: str) -> dict[str, Any]:
        """What belongs beside scores: `name`, `sha256` of all that they depend on, size, type."""
        return {
            "name": name,
            "sha256": model_hash(self.model, self.tokenizer),
            "parameters": self.model.num_parameters(),
            "dtype": str(self.model.dtype).removeprefix("torch."),
        }

    def get_model_info(self) -> dict[str, Any]:
        """What the harness writes into its results about the model."""
        return {
            "model_num_parameters": self.model.num_parameters(),
            "model_dtype": str(self.model.dtype),
            "model_revision": self.options.revision or "",
        }

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        """Token ids of a text; none are added, whatever `add_special_tokens` says."""
        return self._encoder.encode([string])[string]

    # --- requests

    def loglikelihood(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[Answer]:
        """Log-likelihood of each request's continuation after its context, and if it is greedy."""
        texts = [_pair_of(one) for one in requests]
        with self.pending("loglikelihood", texts) as pending:
            missing = pending.missing
            pairs = encode_pairs(
                [texts[number] for number in missing], self._encoder, self.prefix_token_id
            )
            for done in self._score(pairs, disable_tqdm):
                pending.put((missing[number], [value, likely]) for number, value, likely in done)
        answers = [(float(value), bool(greedy)) for value, greedy in pending.results]
        for pair, answer in zip(texts, answers, strict=True):
            self.cache_hook.add_partial("loglikelihood", pair, answer)
        return answers

    def loglikelihood_rolling(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-likelihood of each text as a whole, in windows of the model's context."""
        texts = [str(one.args[0]) for one in requests]
        with self.pending("loglikelihood_rolling", [(text,) for text in texts]) as pending:
            tokens = self._encoder.encode(texts[number] for number in pending.missing)
            windows: list[Pair] = []
            owners: list[int] = []
            for number in pending.missing:
                for window in get_rolling_token_windows(
                    tokens[texts[number]], self.prefix_token_id, self.max_length, 1
                ):
                    windows.append(make_disjoint_window(window))
                    owners.append(number)
            totals = dict.fromkeys(pending.missing, 0.0)
            left = Counter(owners)
            pending.put((number, 0.0) for number in totals if not left[number])  # empty texts
            for done in self._score(windows, disable_tqdm):
                for window, value, _ in done:
                    totals[owners[window]] += value
                    left[owners[window]] -= 1
                ready = {owners[window] for window, _, _ in done}
                pending.put((number, totals[number]) for number in ready if not left[number])
        answers = [float(value) for value in pending.results]
        for text, answer in zip(texts, answers, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), answer)
        return answers

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """The text that follows each context, up to the first of its stop texts."""
        asked = [_pair_of(one) for one in requests]
        generator = TextGenerator(
            self.model,
            self.tokenizer,
            max_length=self.max_length,
            max_gen_toks=self.max_gen_toks,
            side_by_side=self._side_by_side,
        )
        jobs = generator.jobs(asked)
        sampled = [job.params.temperature > 0 for job in jobs]
        # Each sampled text is another draw, though it is asked for in the same words.
        keys = [(*one, number if sampled[number] else -1) for number, one in enumerate(asked)]
        with self.pending("generate_until", keys) as pending:
            missing = pending.missing
            with self._progress(len(missing), disable_tqdm) as advance:

                def finished(job: int, text: str) -> None:
                    number = missing[job]
                    pending.put([(number, text)], lasting=not sampled[number])
                    advance(1)

                generator.run([jobs[number] for number in missing], finished)
        answers = [str(text) for text in pending.results]
        for number, answer in enumerate(answers):
            self.cache_hook.add_partial("generate_until", asked[number], answer)
        return answers

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[tuple[str, str], list[int], list[int]]],
        disable_tqdm: bool = False,
        **kwargs: Any,
    ) -> list[Answer]:
        """Answers for requests that are tokens already, as other parts of the harness ask them."""
        answers: list[Answer] = [(0.0, True)] * len(requests)
        pairs = [(context, continuation) for _, context, continuation in requests]
        for done in self._score(pairs, disable_tqdm):
            for number, value, greedy in done:
                answers[number] = (value, greedy)
        return answers

    # --- how they are worked off

    def _score(
        self, pairs: Sequence[Pair], disable_tqdm: bool
    ) -> Iterator[list[tuple[int, float, bool]]]:
        """What each forward pass completed: number of a pair, log-likelihood, whether greedy."""
        queries = [query_of(pair, self.max_length) for pair in pairs]
        with self._progress(len(queries), disable_tqdm) as advance:
            for done in self._scorer.scores(queries):
                yield done
                advance(len(done))

    @contextlib.contextmanager
    def pending(self, kind: str, requests: Sequence[Sequence[Any]]) -> Generator[Pending]:
        """The requests of a call, with what an earlier run has left of their results.

        `kind` names what is asked; requests and results are JSON values. What is put is kept in
        `options.cache`, if there is one, under the model's hash and all that is asked.
        """
        # What besides model and request a result depends on.
        setting = [kind, self.max_length, self.max_gen_toks, self.prefix_token_id]
        keys = [[*setting, *request] for request in requests]
        if self.options.cache is None:
            yield Pending(keys, None)
            return
        # Anew in each call: weights of a model in memory may have been trained since.
        kept = Results(self.options.cache, model_hash(self.model, self.tokenizer))
        with contextlib.closing(kept):
            yield Pending(keys, kept)

    @contextlib.contextmanager
    def _progress(self, total: int, disable_tqdm: bool) -> Generator[Callable[[int], None]]:
        console = Console(stderr=True)
        hidden = disable_tqdm or not self.options.progress or not console.is_terminal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=hidden) as progress:
            task = progress.add_task("requests", total=total)
            listener = self.options.on_progress
            done = 0

            def advance(count: int) -> None:
                nonlocal done
                done += count
                progress.advance(task, count)
                if listener is not None:
                    listener(done, total)

            yield advance


# Not as a decorator, which would hide the class's type from type checkers.
register_model("phinery")(HarnessModel)


def _pair_of(request: Instance) -> tuple[Any, Any]:
    """A request's two arguments, whose types lm_eval does not declare."""
    arguments: tuple[Any, ...] = request.args
    return arguments[0], arguments[1]
