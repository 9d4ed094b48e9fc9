"""Does a grown model save training? The same large model from chance and from a small one.

    main        256 x 4, heads of 64 -> 320 x 6, heads of 80: phi-1.5 -> phi-2 in small
    nano-micro  128 x 4 -> 256 x 4
    mini-small  512 x 6 -> 768 x 12
    small-medium  768 x 12 -> 1024 x 20

For every seed a small model is trained, then the large one from chance (random) and from the small
one by each method, all on the same samples in the same order with the same schedule. The held-out
loss is taken on the way. What counts is at how many floating-point operations a method reaches the
loss that random ends with, with the small model's own training counted and without.

    phinery tokenize RECIPE --out runs/text        a recipe with [refine], say: refined text
    python benchmarks/growth.py --shards runs/text/shards --pairs main
    python benchmarks/growth.py --shards runs/text/shards --pairs main --status

A run that was stopped goes on; --seconds stops it by itself. Needs torch, and of Phinery only text,
data, model and train.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import itertools
import math
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from phinery.data import Sampler, TokenShards
from phinery.files import read_json, write_atomic, write_json
from phinery.model import Phi, PhiConfig
from phinery.model.growth import METHODS, grow, grow_moments
from phinery.train import Callback, Interrupted, StepMetrics, TrainConfig, Trainer

HERE = Path(__file__).parent
SEQUENCE = 256
SMALL = "small model"
CARRIED = "+moments"
"""Behind a method's name: AdamW's moments are grown too."""
# Two-sided 95% of Student's t for the mean of so many.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
COLOURS = ("#7b8490", "#2f66d0", "#d0602f", "#2f9e5b", "#8a4fc4", "#b8860b")
# Points over which a held-out curve is averaged: at a constant rate it jitters.
SMOOTH = 3


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
    "main": Pair(_shape(256, 4), _shape(320, 6, 80), 4_000_000, 8_000_000, 2e-3),
    "nano-micro": Pair(_shape(128, 4), _shape(256, 4), 4_000_000, 8_000_000, 2e-3),
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


class Bench:
    """The trainings that are asked for, and how far they are."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.train = TokenShards.open(options.shards, "train", verify=False)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.deadline = math.inf
        if options.seconds:
            self.deadline = time.monotonic() + options.seconds

    def runs(self) -> Iterator[Run]:
        """In the order in which they are worth most when time is short: seed after seed."""
        for seed in range(1, self.options.seeds + 1):
            for pair in self.options.pairs:
                for method in (SMALL, *self.options.methods):
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
        tokens = self.options.scale * (shapes.small_tokens if is_small else shapes.tokens)
        steps = max(1, round(tokens / (self.options.batch * SEQUENCE)))
        return Run(pair, seed, method, config, steps)

    def directory(self, run: Run) -> Path:
        """Where a training is kept; its name tells everything that may differ."""
        options = self.options
        rate = self.learning_rate(run)
        small = self.small(run)
        after = "" if run.is_small else f" after {small.steps}"
        name = f"{run.pair} {run.seed} {run.method} {run.steps} x {options.batch} {rate:g}{after}"
        return options.work / name.replace("/", "-")

    def learning_rate(self, run: Run) -> float:
        """The peak; the same for all methods of a pair."""
        return self.options.learning_rate or PAIRS[run.pair].learning_rate

    def flops(self, run: Run, steps: int) -> float:
        """Floating-point operations of so many steps."""
        per_token = run.config.flops_per_token(SEQUENCE)
        return float(steps * self.options.batch * SEQUENCE * per_token)

    def result(self, run: Run) -> dict[str, Any] | None:
        """What a finished training gave: `curve` is a list of [steps, held-out loss]."""
        path = self.directory(run) / "result.json"
        return read_json(path) if path.is_file() else None

    def steps_done(self, run: Run) -> int:
        """Steps that are safe: all of a finished training, or up to its last checkpoint."""
        if self.result(run) is not None:
            return run.steps
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
        curve = Curve(directory, self.windows(), points)
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
        result = trainer.fit()
        if run.is_small:
            save_file(model.state_dict(), directory / "weights.safetensors")
            save_file(moments_of(trainer), directory / "moments.safetensors")
        write_json(
            directory / "result.json",
            {"curve": curve.points, "seconds": result.seconds, "dtype": result.dtype},
        )
        shutil.rmtree(directory / "checkpoints")

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


class Curve(Callback):
    """Takes the held-out loss at the start, every so many steps and at the end."""

    def __init__(self, directory: Path, windows: Tensor, every: int) -> None:
        self._path = directory / "curve.json"
        self._windows = windows
        self._every = every
        self.points: list[list[float]] = []

    def on_start(self, trainer: Trainer) -> None:
        """Go on with the points up to this step."""
        if self._path.is_file():
            self.points = [point for point in read_json(self._path) if point[0] <= trainer.step]
        if not self.points:
            self._take(trainer)

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Take a point when it is time."""
        if trainer.step % self._every == 0 or trainer.step == trainer.config.steps:
            self._take(trainer)

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Have the points on the disk before the checkpoint."""
        write_json(self._path, self.points)

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
    rows = [(run, bench.steps_done(run)) for run in bench.runs()]
    total = sum(bench.flops(run, run.steps) for run, _ in rows)
    done = sum(bench.flops(run, steps) for run, steps in rows)
    print(f"budget {total:.3g} FLOPs, {done:.3g} done ({done / total:.0%})")
    for run, steps in rows:
        planned = bench.flops(run, run.steps)
        print(
            f"  {run.pair} seed {run.seed} {run.method:{len(SMALL)}}  {planned:.3g} FLOPs"
            f"  {steps / run.steps:4.0%}"
        )


def smoothed(curve: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """The mean of each point and the SMOOTH - 1 before it; the first points as they are."""
    losses = [loss for _, loss in curve]
    return [
        (step, statistics.fmean(losses[max(0, place - SMOOTH + 1) : place + 1]))
        for place, (step, _) in enumerate(curve)
    ]


def steps_to_reach(curve: Sequence[Sequence[float]], target: float) -> float | None:
    """Steps at which the smoothed curve first is at `target`, in a straight line between points."""
    points = smoothed(curve)
    if points[0][1] <= target:
        return points[0][0]
    for (step, loss), (next_step, next_loss) in itertools.pairwise(points):
        if next_loss <= target:
            return step + (loss - target) / (loss - next_loss) * (next_step - step)
    return None


def savings(bench: Bench) -> list[dict[str, Any]]:
    """For each pair and method: the share of random's operations saved, by seed and on average."""
    results = {(run.pair, run.method, run.seed): (run, bench.result(run)) for run in bench.runs()}
    rows: list[dict[str, Any]] = []
    for pair, method in itertools.product(bench.options.pairs, bench.options.methods):
        if method == "random":
            continue
        alone: list[float] = []
        counted: list[float] = []
        unreached = 0
        for seed in range(1, bench.options.seeds + 1):
            run, found = results[pair, method, seed]
            _, random = results[pair, "random", seed]
            if found is None or random is None:
                continue
            target = smoothed(random["curve"])[-1][1]
            steps = steps_to_reach(found["curve"], target)
            if steps is None:
                unreached += 1
                continue
            small = bench.small(run)
            whole = bench.flops(run, run.steps)
            used = bench.flops(run, 1) * steps
            alone.append(1 - used / whole)
            counted.append(1 - (used + bench.flops(small, small.steps)) / whole)
        rows.append(
            {
                "pair": pair,
                "method": method,
                "seeds": len(alone),
                "unreached": unreached,
                "saved": mean_and_half(alone),
                "saved_small_counted": mean_and_half(counted),
            }
        )
    return rows


def mean_and_half(values: Sequence[float]) -> list[float] | None:
    """The mean and half of its 95% interval (Student's t); no interval for one value."""
    if not values:
        return None
    if len(values) == 1:
        return [values[0]]
    half = T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return [statistics.fmean(values), half]


def print_table(rows: Iterable[dict[str, Any]]) -> None:
    """The savings as Markdown."""
    print("| pair | method | FLOPs saved | small model counted | seeds |")
    print("| --- | --- | ---: | ---: | ---: |")
    for row in rows:
        none = "never" if row["unreached"] else "not done"
        cells = [_percent(row[key]) or none for key in ("saved", "saved_small_counted")]
        seeds = f"{row['seeds']}" + (f", {row['unreached']} never" if row["unreached"] else "")
        print(f"| {row['pair']} | {row['method']} | {cells[0]} | {cells[1]} | {seeds} |")


def _percent(value: Sequence[float] | None) -> str:
    if value is None:
        return ""
    return " ± ".join(f"{100 * part:.0f}%" for part in value)


def picture(bench: Bench) -> str:
    """An SVG: a panel a pair, held-out loss over FLOPs, the mean of the seeds that are done."""
    left, width, height, gap = 56, 380, 260, 70
    parts: list[str] = []
    for number, pair in enumerate(bench.options.pairs):
        curves: dict[str, list[tuple[float, float]]] = {}
        for method in bench.options.methods:
            runs = [run for run in bench.runs() if (run.pair, run.method) == (pair, method)]
            found = [(run, bench.result(run)) for run in runs]
            done = [(run, result["curve"]) for run, result in found if result is not None]
            if done:
                curves[method] = [
                    (bench.flops(done[0][0], 1) * points[0][0], statistics.fmean(losses))
                    for points in zip(*(smoothed(curve) for _, curve in done), strict=True)
                    for losses in [[loss for _, loss in points]]
                ]
        if curves:
            x0 = left + number * (width + gap)
            parts.append(panel(pair, curves, x0, 40, width, height))
    total = left + len(bench.options.pairs) * (width + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height + 90}" '
        'font-family="sans-serif" font-size="12" fill="#22262d">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def panel(
    title: str,
    curves: dict[str, list[tuple[float, float]]],
    x0: int,
    y0: int,
    width: int,
    height: int,
) -> str:
    """Curves with axes and names."""
    most = max(flops for curve in curves.values() for flops, _ in curve)
    losses = [loss for curve in curves.values() for flops, loss in curve if flops >= 0.04 * most]
    low, high = min(losses), max(losses)
    span = (high - low) or 1.0
    parts = [f'<text x="{x0}" y="{y0 - 14}" font-weight="bold">{title}</text>']
    for tick in range(5):
        loss, flops = low + span * tick / 4, most * tick / 4
        y, x = y0 + height * (1 - tick / 4), x0 + width * tick / 4
        parts.append(
            f'<line x1="{x0}" x2="{x0 + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e6ea"/>'
            f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{loss:.2f}</text>'
            f'<text x="{x:.1f}" y="{y0 + height + 18}" text-anchor="middle">{flops:.2g}</text>'
        )
    parts.append(f'<text x="{x0}" y="{y0 + height + 36}">held-out loss over FLOPs</text>')
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(
            f"{x0 + width * flops / most:.1f},"
            f"{y0 + height * (1 - min(max(loss - low, 0.0) / span, 1.0)):.1f}"
            for flops, loss in curve
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x0 + width - 4}" y="{y0 + 16 + 16 * place}" text-anchor="end" '
            f'fill="{colour}">{name}</text>'
        )
    return "".join(parts)


def report(bench: Bench) -> None:
    """Print the table; write results and picture."""
    rows = savings(bench)
    print_table(rows)
    options = bench.options
    curves = [
        {
            "pair": run.pair,
            "seed": run.seed,
            "method": run.method,
            "flops": bench.flops(run, run.steps),
            **result,
        }
        for run in bench.runs()
        if (result := bench.result(run)) is not None
    ]
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
        "runs": curves,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.output, content)
    write_atomic(options.output.with_suffix(".svg"), picture(bench))
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
    add("--batch", type=int, default=16, help="windows of 256 tokens in a step")
    add("--learning-rate", type=float, help="default: the pair's")
    add("--schedule", default="constant", help="default: constant, which any two points compare in")
    add("--warmup", type=float, default=0.02, help="share of the steps")
    add("--points", type=int, default=40, help="of a curve")
    add("--evaluation-tokens", type=int, default=65_536)
    add("--vocab-size", type=int, help="default: the tokenizer's of the shards")
    add("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    add("--compile", action="store_true", help="pays on a GPU")
    add("--seconds", type=float, help="stop after so long; what is done is kept")
    add("--work", type=Path, default=HERE / "results" / "growth")
    add("--output", type=Path, default=HERE / "results" / "growth.json")
    add("--status", action="store_true", help="tell how much is done, and do nothing")
    options = parser.parse_args(arguments)
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
