"""Does a grown model save training? The same large model from chance and from a small one.

    main        256 x 4, heads of 64 -> 320 x 6, heads of 80: phi-1.5 -> phi-2 in small
    nano-micro  128 x 4 -> 256 x 4
    long        64 x 2 -> 128 x 4, with 20 tokens a parameter: where does growth stop paying?
    mini-small  512 x 6 -> 768 x 12
    small-medium  768 x 12 -> 1024 x 20

For every seed a small model is trained, then the large one from chance (random) and from the small
one by each method, all on the same samples in the same order with the same schedule. The held-out
loss is taken on the way. What counts is at how many floating-point operations a method reaches the
best loss of random, with the small model's own training counted and without; a grown model
that has reached it is done, unless --whole is given.

    phinery tokenize RECIPE --out runs/text        a recipe with [refine], say: refined text
    python benchmarks/growth.py --shards runs/text/shards --pairs main
    python benchmarks/growth.py --shards runs/text/shards --pairs main --status

A run that was stopped goes on; --seconds stops it by itself. Two calls with different pairs and
--output may run side by side. Needs torch, and of Phinery only text, data, model and train.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import math
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import growth_report
import torch
from growth_report import SMALL, best_until, smoothed, steps_to_reach
from safetensors.torch import load_file, save_file
from torch import Tensor

from phinery.data import Sampler, TokenShards
from phinery.files import read_json, write_atomic, write_json
from phinery.model import Phi, PhiConfig
from phinery.model.growth import METHODS, grow, grow_moments
from phinery.train import Callback, Interrupted, StepMetrics, TrainConfig, Trainer

HERE = Path(__file__).parent
SEQUENCE = 256
CARRIED = "+moments"
"""Behind a method's name: AdamW's moments are grown too."""
DECISIVE = (
    "batch",
    "schedule",
    "warmup",
    "dtype",
    "vocab_size",
    "points",
    "evaluation_tokens",
)
"""Options that change what a training gives, beside those that a Run holds."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two shapes, and how much each is trained before --scale."""

    small: dict[str, Any]
    large: dict[str, Any]
    small_tokens: int
    tokens: int
    learning_rate: float


def _shape(width: int, layers: int, head_dim: int = 64) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // head_dim,
        "partial_rotary_factor": 32 / head_dim,
    }


PAIRS = {
    "main": Pair(_shape(256, 4), _shape(320, 6, 80), 1_800_000, 3_600_000, 2e-3),
    "nano-micro": Pair(_shape(128, 4), _shape(256, 4), 2_000_000, 4_000_000, 2e-3),
    "long": Pair(_shape(64, 2), _shape(128, 4), 9_000_000, 36_000_000, 2e-3),
    "mini-small": Pair(_shape(512, 6), _shape(768, 12), 40_000_000, 80_000_000, 6e-4),
    "small-medium": Pair(_shape(768, 12), _shape(1024, 20), 80_000_000, 160_000_000, 4e-4),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training."""

    pair: str
    seed: int
    method: str
    config: PhiConfig
    steps: int

    @property
    def is_small(self) -> bool:
        """Whether it is the small model's."""
        return self.method == SMALL


class OutOfTime(Exception):
    """--seconds are over; the training is saved."""


class Reached(Exception):
    """A grown model is as good as random's best: what comes after is not asked for."""


class Bench:
    """The trainings that are asked for, and how far they are."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.train = TokenShards.open(options.shards, "train", verify=False)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.deadline = math.inf
        if options.seconds is not None:
            self.deadline = time.monotonic() + options.seconds

    def runs(self) -> Iterator[Run]:
        """In the order in which they are worth most when time is short: seed after seed.

        Random comes before the methods that are held against it.
        """
        methods = sorted(self.options.methods, key=lambda method: method != "random")
        for seed in range(1, self.options.seeds + 1):
            for pair in self.options.pairs:
                for method in (SMALL, *methods):
                    yield self._run(pair, seed, method)

    def _run(self, pair: str, seed: int, method: str) -> Run:
        shapes = PAIRS[pair]
        is_small = method == SMALL
        config = PhiConfig(
            **(shapes.small if is_small else shapes.large),
            vocab_size=self.options.vocab_size or self.train.vocab_size,
            max_position_embeddings=SEQUENCE,
            eos_token_id=self.train.eos_token_id,
        )
        tokens = self.options.scale * shapes.tokens
        if is_small:
            share = self.options.small_share
            tokens *= shapes.small_tokens / shapes.tokens if share is None else share
        steps = max(1, round(tokens / (self.options.batch * SEQUENCE)))
        return Run(pair, seed, method, config, steps)

    def directory(self, run: Run) -> Path:
        """Where a training is kept; its name changes with everything that decides the result."""
        options = self.options
        decisive = {
            "text": self.train.manifest["files"],
            "rate": self.learning_rate(run),
            **{name: getattr(options, name) for name in DECISIVE},
        }
        if run.method not in (SMALL, "random"):
            decisive |= {"small steps": self.small(run).steps, "whole": options.whole}
        encoded = json.dumps(decisive, sort_keys=True).encode()
        digest = hashlib.blake2b(encoded, digest_size=4).hexdigest()
        return options.work / f"{run.pair} {run.seed} {run.method} {run.steps} {digest}"

    def learning_rate(self, run: Run) -> float:
        """The peak; the same for all methods of a pair."""
        rate = self.options.learning_rate
        return PAIRS[run.pair].learning_rate if rate is None else rate

    def flops(self, run: Run, steps: int) -> float:
        """Floating-point operations of so many steps."""
        per_token = run.config.flops_per_token(SEQUENCE)
        return float(steps * self.options.batch * SEQUENCE * per_token)

    def result(self, run: Run) -> dict[str, Any] | None:
        """What a finished training gave: points ([steps, held-out loss]), seconds, reached."""
        path = self.directory(run) / "result.json"
        return read_json(path) if path.is_file() else None

    def steps_done(self, run: Run) -> int:
        """Steps that are safe: of a finished training, or up to its last checkpoint."""
        result = self.result(run)
        if result is not None:
            return int(result["points"][-1][0])
        kept = (self.directory(run) / "checkpoints").glob("step-*")
        return max((int(path.name.removeprefix("step-")) for path in kept), default=0)

    def carry_out(self, run: Run) -> None:
        """Train, going on where it was left."""
        directory = self.directory(run)
        sampler = Sampler(
            self.train, sequence_length=SEQUENCE, seed=run.seed if run.is_small else 1000 + run.seed
        )
        training = TrainConfig(
            steps=run.steps,
            batch_size=self.options.batch,
            sequence_length=SEQUENCE,
            learning_rate=self.learning_rate(run),
            warmup_steps=min(round(self.options.warmup * run.steps), run.steps - 1),
            schedule=self.options.schedule,
            dtype=self.options.dtype,
            compile=self.options.compile,
            seed=run.seed,
            checkpoint_every=max(1, min(run.steps // 4, 400)),
            keep_checkpoints=1,
        )
        model = self.first_model(run).to(self.device)
        points = max(1, run.steps // self.options.points)
        curve = HeldOutCurve(directory, self.windows(), points, self.target(run))
        trainer = Trainer(
            model,
            sampler,
            training,
            directory,
            [curve, Clock(self.deadline)],
            matmul_rate=1e12,
        )
        if run.method.endswith(CARRIED):
            self.set_moments(run, trainer)
        reached = False
        try:
            trainer.fit()
        except Reached:
            reached = True
        if run.is_small:
            save_file(model.state_dict(), directory / "weights.safetensors")
            save_file(moments_of(trainer), directory / "moments.safetensors")
        result = {"points": curve.points, "seconds": curve.seconds, "reached": reached}
        write_json(directory / "result.json", result)
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)

    def target(self, run: Run) -> float | None:
        """The held-out loss at which a grown model's training may end."""
        if self.options.whole or run.is_small or run.method == "random":
            return None
        random = self.result(self._run(run.pair, run.seed, "random"))
        assert random is not None, "random comes first"
        return best_until(smoothed(random["points"]), run.steps)

    def first_model(self, run: Run) -> Phi:
        """A new model, or one grown from the small one of the same seed."""
        if run.is_small:
            torch.manual_seed(run.seed)
            return Phi(run.config)
        before = self.small(run)
        with torch.device("meta"):
            small = Phi(before.config)
        weights = load_file(self.directory(before) / "weights.safetensors")
        small.load_state_dict(weights, assign=True)
        method = run.method.removesuffix(CARRIED)
        return grow(small, run.config, method=method, seed=run.seed)

    def set_moments(self, run: Run, trainer: Trainer) -> None:
        """Give the optimiser the small one's moments, grown."""
        before = self.small(run)
        stored = load_file(self.directory(before) / "moments.safetensors")
        method = run.method.removesuffix(CARRIED)
        grown = grow_moments(stored, before.config, run.config, method=method, seed=run.seed)
        for name, weight in trainer.model.named_parameters():
            for key in ("exp_avg", "exp_avg_sq", "step"):
                moment = grown[f"{name}.{key}"].to(self.device)
                trainer.optimizer.state[weight][key] = moment

    def small(self, run: Run) -> Run:
        """The training of the small model that a run begins with."""
        return self._run(run.pair, run.seed, SMALL)

    def windows(self) -> Tensor:
        """Held-out windows, spread evenly: int64 (count, SEQUENCE + 1)."""
        shards = TokenShards.open(self.options.shards, "heldout", verify=False)
        room = (shards.num_tokens - 1) // SEQUENCE
        count = min(self.options.evaluation_tokens // SEQUENCE, room)
        if count < 1:
            raise SystemExit(f"the held-out split has {shards.num_tokens} tokens: too few")
        starts = [number * room // count * SEQUENCE for number in range(count)]
        rows = [torch.from_numpy(shards.read(start, start + SEQUENCE + 1)) for start in starts]
        return torch.stack(rows).long().to(self.device)


class HeldOutCurve(Callback):
    """Takes the held-out loss at the start, every so many steps and at the end.

    Raises Reached when the smoothed curve is at `target`. `seconds` are those of all sittings.
    """

    def __init__(self, directory: Path, windows: Tensor, every: int, target: float | None) -> None:
        self._path = directory / "curve.json"
        self._windows = windows
        self._every = every
        self._target = target
        self._before = 0.0
        self._begin = time.monotonic()
        self.points: list[list[float]] = []

    @property
    def seconds(self) -> float:
        """How long it took so far, points included."""
        return self._before + time.monotonic() - self._begin

    def on_start(self, trainer: Trainer) -> None:
        """Go on with the points up to this step."""
        if self._path.is_file():
            kept = read_json(self._path)
            self.points = [point for point in kept["points"] if point[0] <= trainer.step]
            self._before = kept["seconds"]
        if not self.points:
            self._take(trainer)

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Take a point when it is time."""
        if trainer.step % self._every == 0 or trainer.step == trainer.config.steps:
            self._take(trainer)
            if self._target is None:
                return
            if steps_to_reach(smoothed(self.points), self._target) is not None:
                raise Reached

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Have the points on the disk before the checkpoint."""
        write_json(self._path, {"points": self.points, "seconds": self.seconds})

    def _take(self, trainer: Trainer) -> None:
        trainer.model.eval()
        total = 0.0
        rows = 64 if self._windows.is_cuda else 8
        with torch.no_grad(), trainer.autocast():
            for part in self._windows.split(rows):
                loss = trainer.model.loss(part[:, :-1], part[:, 1:], reduction="sum")
                total += loss.item()
        trainer.model.train()
        self.points.append([trainer.step, total / self._windows[:, 1:].numel()])


class Clock(Callback):
    """Ends the training when the time is over, once it is saved."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Save and stop, if it is time."""
        if time.monotonic() > self._deadline and trainer.step < trainer.config.steps:
            trainer.save_checkpoint()
            raise OutOfTime


def moments_of(trainer: Trainer) -> dict[str, Tensor]:
    """AdamW's state by parameter, as in a training checkpoint."""
    return {
        f"{name}.{key}": trainer.optimizer.state[weight][key]
        for name, weight in trainer.model.named_parameters()
        for key in ("exp_avg", "exp_avg_sq", "step")
    }


def status(bench: Bench) -> None:
    """How much of the floating-point operations is done."""
    rows = [(run, bench.steps_done(run), bench.result(run)) for run in bench.runs()]
    total = sum(bench.flops(run, run.steps) for run, _, _ in rows)
    done = sum(bench.flops(run, steps) for run, steps, _ in rows)
    finished = sum(result is not None for _, _, result in rows)
    print(f"{finished} of {len(rows)} trainings done; {done:.3g} FLOPs of at most {total:.3g}")
    for run, steps, result in rows:
        planned = bench.flops(run, run.steps)
        state = f"{steps / run.steps:4.0%}" if result is None else "done"
        if result is not None and result["reached"]:
            state += f" after {steps / run.steps:.0%}: at random's best loss"
        print(
            f"  {run.pair} seed {run.seed} {run.method:{len(SMALL)}}  {planned:.3g} FLOPs  {state}"
        )


def report(bench: Bench) -> None:
    """Print the table; write results and picture."""
    options = bench.options
    curves = [
        growth_report.Curve(
            pair=run.pair,
            seed=run.seed,
            method=run.method,
            parameters=run.config.num_parameters(),
            tokens_per_step=options.batch * SEQUENCE,
            flops_per_step=bench.flops(run, 1),
            steps=run.steps,
            points=result["points"],
            seconds=result["seconds"],
            reached=result["reached"],
        )
        for run in bench.runs()
        if (result := bench.result(run)) is not None
    ]
    rows = growth_report.savings(curves)
    growth_report.print_table(rows)
    device = torch.cuda.get_device_name() if bench.device.type == "cuda" else platform.processor()
    told = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(options).items()
    }
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": device or platform.machine(),
        "torch": str(torch.__version__),
        "options": told,
        "savings": rows,
        "runs": [dataclasses.asdict(curve) for curve in curves],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.output, content)
    write_atomic(options.output.with_suffix(".svg"), growth_report.picture(curves))
    print(f"\nwritten to {options.output} and {options.output.with_suffix('.svg')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing while there is time, then tell how it stands."""
    options = parse(arguments)
    bench = Bench(options)
    if options.status:
        status(bench)
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        for run in bench.runs():
            if bench.result(run) is None:
                print(f"{run.pair} seed {run.seed} {run.method}", file=sys.stderr, flush=True)
                bench.carry_out(run)
    except OutOfTime:
        print("the time is over: give the same command again to go on", file=sys.stderr)
    except Interrupted:
        print("stopped: give the same command again to go on", file=sys.stderr)
        return 130
    status(bench)
    report(bench)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--shards", type=Path, required=True, help="token shards, splits train and heldout")
    add("--pairs", default="main,nano-micro", help="default: %(default)s")
    add("--methods", default=",".join(METHODS), help=f"each may end in {CARRIED}")
    add("--seeds", type=int, default=3, choices=range(1, 6))
    add("--scale", type=float, default=1.0, help="of all token counts")
    add("--small-share", type=float, help="the small one's tokens; default: the pair's")
    add("--whole", action="store_true", help="train on when random's best loss is reached")
    add("--batch", type=int, default=16, help="windows of 256 tokens in a step")
    add("--learning-rate", type=float, help="default: the pair's")
    add("--schedule", default="constant", help="default: constant, which any two points compare in")
    add("--warmup", type=float, default=0.02, help="share of the steps")
    add("--points", type=int, default=40, help="of a curve")
    add("--evaluation-tokens", type=int, default=32_768)
    add("--vocab-size", type=int, help="default: the tokenizer's of the shards")
    add("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    add("--compile", action="store_true", help="pays on a GPU")
    add("--seconds", type=float, help="stop after so long; what is done is kept")
    add("--work", type=Path, default=HERE / "results" / "growth")
    add("--output", type=Path, default=HERE / "results" / "growth.json")
    add("--status", action="store_true", help="tell how much is done, and do nothing")
    options = parser.parse_args(arguments)
    if options.points < 4:
        parser.error("--points: a curve is averaged over three points, so give at least 4")
    for name in ("scale", "small_share", "learning_rate", "batch", "evaluation_tokens"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            parser.error(f"--{name.replace('_', '-')} must be above 0, not {value}")
    options.pairs = options.pairs.split(",")
    options.methods = options.methods.split(",")
    for pair in options.pairs:
        if pair not in PAIRS:
            parser.error(f"there is no pair {pair!r}; there are {', '.join(PAIRS)}")
    for method in options.methods:
        if method.removesuffix(CARRIED) not in METHODS:
            parser.error(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    if "random" not in options.methods:
        parser.error("random must be among the methods: the others are held against it")
    return options


if __name__ == "__main__":
    sys.exit(main())
