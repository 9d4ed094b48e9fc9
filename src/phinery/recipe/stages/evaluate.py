"""Evaluate: the held-out score beside what xz needs for the same text, samples, suites."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from phinery.data import Sampler, TokenShards
from phinery.evaluate.evaluation import save_evaluations
from phinery.files import atomic_directory, write_json
from phinery.infer import Engine, SamplingParams
from phinery.model.checkpoint import load_model
from phinery.recipe.compression import consumed_text, decoded, seen_bytes, xz_extra_bytes
from phinery.recipe.schema import Evaluate, Mixture, Training
from phinery.recipe.stage import Outcome, Progress, Workplace
from phinery.recipe.stages.pretrain import MODEL, steps_of
from phinery.recipe.stages.sampling import sampler_of, sampler_plans
from phinery.recipe.stages.suites import evaluate_suites
from phinery.text import Tokenizer
from phinery.train import held_out_loss

Phases = Mapping[str, tuple[Training, int]]
"""Name of a phase -> its table and the seed of its data's order."""


def make(
    place: Workplace, table: Evaluate, mixture: Mixture | None, *, phases: Phases, seed: int
) -> Outcome:
    """Write `scores.json`, `samples.json`, and `suites.json`: an evaluation for each phase."""
    tokenizer = Tokenizer.load(place.of("tokenizer"))
    heldout = TokenShards.open(place.of("shards"), "heldout", tokenizer=tokenizer, verify=False)
    last = list(phases)[-1]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(place.of(last) / MODEL, device=device)
    with _Baseline(place, table.baseline, mixture, phases, tokenizer, heldout) as baseline:
        place.progress.update(None, "scoring the held-out text")
        phase = phases[last][0]
        score = held_out_loss(
            model,
            heldout,
            phase.sequence_length,
            separate_documents=phase.separate_documents,
        )
        place.progress.update(None, "writing samples")
        params = SamplingParams(
            max_tokens=table.max_tokens,
            temperature=table.temperature,
            top_p=table.top_p,
            seed=seed,
        )
        completions = Engine(model, tokenizer).generate(list(table.prompts), params)
        models = {name: place.of(name) / MODEL for name in phases}
        evaluations = evaluate_suites(place, table, models, tokenizer, seed=seed)
        extra = baseline.wait(place.progress)
    xz_bits = None if extra is None else 8 * extra / heldout.num_bytes
    scores: dict[str, Any] = {
        "loss": score.loss,
        "bits_per_byte": score.bits_per_byte,
        "tokens": score.tokens,
        "bytes": score.bytes,
        "xz_bits_per_byte": xz_bits,
        "training_bytes": baseline.training_bytes,
    }
    samples = [
        {
            "prompt": prompt,
            "completion": completion.text,
            "finish_reason": completion.finish_reason,
        }
        for prompt, completion in zip(table.prompts, completions, strict=True)
    ]
    with atomic_directory(place.directory, kind="evaluation") as temporary:
        write_json(temporary / "scores.json", scores)
        write_json(temporary / "samples.json", samples)
        save_evaluations(temporary / "suites.json", evaluations)
    beside = "" if xz_bits is None else f"; xz -9 needs {xz_bits:.3f}"
    return Outcome(f"{score.bits_per_byte:.3f} bits per held-out byte{beside}", scores)


class _Stopped(Exception):
    """The run ended while xz was still at work."""


class _Baseline:
    """xz on the training text and the held-out text, in threads beside the scoring."""

    def __init__(
        self,
        place: Workplace,
        most: int,
        mixture: Mixture | None,
        phases: Phases,
        tokenizer: Tokenizer,
        heldout: TokenShards,
    ) -> None:
        plans: list[tuple[Sampler, int]] = []
        for phase, phase_seed in phases.values():
            count = steps_of(phase) * phase.batch_size
            sampler = sampler_of(
                place.of("shards"),
                mixture,
                sequence_length=phase.sequence_length,
                seed=phase_seed,
                samples=count,
                verify=False,
            )
            plans += sampler_plans(sampler, count)
        self.training_bytes = seen_bytes(plans)
        self._done = 0
        self._total = 0
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._work: Future[int] | None = None
        if self.training_bytes <= most:
            place.progress.update(None, "gathering what training saw")
            training = consumed_text(plans, tokenizer)
            held_out = decoded(heldout, tokenizer)
            self.training_bytes = len(training)
            self._total = 2 * len(training) + len(held_out)
            self._work = self._pool.submit(xz_extra_bytes, training, held_out, self._tell)

    def __enter__(self) -> _Baseline:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._pool.shutdown()

    def wait(self, progress: Progress) -> int | None:
        """Bytes that xz needs; None when there was too much training text to ask it."""
        if self._work is None:
            return None
        while True:
            share = self._done / self._total
            progress.update(share, f"xz -9 on the same {self.training_bytes / 1e6:.1f} MB")
            try:
                return self._work.result(timeout=0.2)
            except TimeoutError:
                if self._work.done():
                    raise

    def _tell(self, count: int) -> None:
        self._done += count
        if self._stop.is_set():
            raise _Stopped
