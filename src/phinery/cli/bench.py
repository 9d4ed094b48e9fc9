"""The verb bench: how fast a model runs here, and what the machine could do at most."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from phinery.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from phinery.infer.bench import Limits, Rate

BENCH_HELP = """\
Measure how fast a model runs on this machine, beside what the machine can do at most.

MODEL is a model folder (ours or any Hugging Face Phi), a run directory, or a hub id. Single tokens
are bound by reading memory, prompts and large batches by multiplying: the table says how much of
either limit was reached. Let nothing else run meanwhile.

examples:
  phinery bench runs/nano/model
  phinery bench microsoft/phi-2 --quantization int8 --threads 2
  phinery bench runs/nano/model --backend torch --batches 1,16
"""


def add_verb(add: Callable[..., argparse.ArgumentParser], verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add(verbs, "bench", "measure tokens/s and GB/s", BENCH_HELP, _bench)
    option = parser.add_argument
    option("model", metavar="MODEL")
    option(
        "--quantization",
        choices=("int8", "int4"),
        help="round the weights while loading; default: as they are",
    )
    option("--threads", type=int, metavar="N", help="default: as many as generate takes")
    option(
        "--batches",
        default="1,8,32",
        metavar="N,N",
        help="sequences side by side; default: %(default)s",
    )
    option(
        "--prompt-tokens",
        type=int,
        metavar="N",
        help="tokens of a prompt, or of a batch of prompts together; default: 512, or the context",
    )
    option("--seconds", type=float, default=1.0, metavar="S", help="for each figure; default: 1")
    option(
        "--backend",
        choices=("auto", "native", "torch"),
        default="auto",
        help="what computes; default: the native core where it was built",
    )


def _bench(arguments: argparse.Namespace) -> int:
    batches = _batches(arguments.batches)
    for name in ("threads", "prompt_tokens"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    if not arguments.seconds > 0:
        raise UsageError(f"--seconds must be more than 0, not {arguments.seconds}")

    from rich.console import Console

    from phinery.infer import Engine, native
    from phinery.infer.bench import measure_limits, measure_rates, read_bytes, tokens_in_cache
    from phinery.model import hub

    page_size = 16
    options: dict[str, Any] = {
        "quantization": arguments.quantization,
        "threads": arguments.threads,
    }
    console = Console()
    engine = Engine.open(
        hub.resolve(arguments.model),
        backend=arguments.backend,
        page_size=page_size,
        cache_tokens=tokens_in_cache(batches, arguments.prompt_tokens or 512, page_size),
        **{name: value for name, value in options.items() if value is not None},
    )
    try:
        backend = engine.backend
        threads: int = getattr(backend, "threads", _cores())
        counts = sorted({1, threads, _cores()})
        with console.status("measuring the machine") as status:
            limits = [measure_limits(count, arguments.seconds) for count in counts]
            rates: list[Rate] = []
            status.update("measuring the model")
            for rate in measure_rates(
                backend,
                batches=batches,
                prompt_tokens=arguments.prompt_tokens or min(512, engine.context_length),
                seconds=arguments.seconds,
            ):
                rates.append(rate)
                status.update(f"measured {rate.kind}, batch {rate.batch}")
        is_native = isinstance(backend, native.NativeBackend)
        how = f"native core for {native.isa()}" if is_native else "torch"
        console.print(
            f"{engine.config.num_parameters() / 1e6:,.1f}M parameters, "
            f"{read_bytes(backend) / 1e6:,.1f} MB read for each step; {how}, {_threads(threads)}"
        )
        console.print(_limits_table(limits))
        console.print(_rates_table(rates, limits[counts.index(threads)]))
    finally:
        engine.close()
    return 0


def _limits_table(limits: Sequence[Limits]) -> Table:
    table = _table("this machine at most", "threads", "GB/s read", "GFLOP/s in float32")
    for limit in limits:
        table.add_row(
            str(limit.threads),
            f"{limit.read_bytes_per_second / 1e9:.1f}",
            f"{limit.matmul_flops / 1e9:.0f}",
        )
    return table


def _rates_table(rates: Sequence[Rate], limits: Limits) -> Table:
    names = ("", "batch", "tokens/s", "GB/s", "of limit", "GFLOP/s", "of limit")
    table = _table(f"this model, {_threads(limits.threads)}", *names)
    table.columns[0].justify = "left"
    for rate in rates:
        table.add_row(
            f"prompts of {rate.tokens}" if rate.kind == "prompt" else "decode",
            str(rate.batch),
            f"{rate.tokens_per_second:,.1f}",
            f"{rate.bytes_per_second / 1e9:.2f}",
            f"{rate.bytes_per_second / limits.read_bytes_per_second:.0%}",
            f"{rate.flops / 1e9:,.1f}",
            f"{rate.flops / limits.matmul_flops:.0%}",
        )
    table.caption = (
        "A model that fits into the processor's cache is read faster than memory; bfloat16 and "
        "8-bit instructions multiply faster than float32."
    )
    return table


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _batches(text: str) -> list[int]:
    try:
        batches = [int(word) for word in text.split(",")]
    except ValueError:
        batches = []
    if not batches or min(batches) < 1:
        raise UsageError(f"--batches must be numbers from 1 on, as in 1,8,32, not {text!r}")
    return batches


def _cores() -> int:
    from phinery.text import available_cores

    return available_cores()
