"""The tables of the decoding benchmark. Everything is computed from what the JSON file holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from decode_perplexity import change
from peers.decode_shape import Shape
from training_report import print_table

GIGA = 1e9
# What Phinery is to reach: times llama.cpp's rate in the same format, by measure.
GOALS = {
    "bf16": {"decode-1": 1.2, "decode-16": 2.0, "decode-32": 2.0, "prefill-512": 1.5},
    "int8": {"decode-1": 1.2, "decode-16": 2.0, "decode-32": 2.0, "prefill-512": 2.0},
    "int4": {"decode-1": 1.2, "decode-16": 2.0, "decode-32": 2.0},
}
FLOOR_GOAL = 0.8


def print_cell(cell: dict[str, Any], perplexity: dict[str, Any] | None) -> None:
    """A table with a line for each participant: tokens/s in each measure, size and quality."""
    limits = cell["limits"]
    matmul = ", ".join(
        f"{rate / GIGA:.0f} GFLOP/s in {dtype}" for dtype, rate in limits["matmul_flops"].items()
    )
    print(
        f"\n{title(cell)}: {cell['parameters'] / 1e6:,.0f}M parameters\n"
        f"reads {limits['read_bytes_per_second'] / GIGA:.1f} GB/s, multiplies {matmul}"
        + ("" if limits["rounds_alone"] else " (disturbed)")
    )
    names = measure_names(cell)
    rows = [("tokens/s", "bits/weight", "perplexity", *names, "of floor", "of matmul")]
    for entry in cell["entries"]:
        error = change(perplexity, cell["format"], entry["participant"])
        rates = [entry["measures"].get(name, {}).get("tokens_per_second") for name in names]
        rows.append(
            (
                entry["participant"] + (" FAILED" if "error" in entry else ""),
                f"{entry['bits_per_weight']:.2f}" if "bits_per_weight" in entry else "",
                "" if error is None else f"{error:+.2%}",
                *("" if rate is None else f"{rate:,.1f}" for rate in rates),
                percent(floor_share(cell, entry)),
                percent(matmul_share(cell, entry)),
            )
        )
    print_table(rows)
    disturbed = [
        f"{entry['participant']} {name}"
        for entry in cell["entries"]
        for name, measured in entry["measures"].items()
        if not measured["turns_alone"]
    ]
    if disturbed:
        everything = len(disturbed) == sum(len(entry["measures"]) for entry in cell["entries"])
        names = "all of it" if everything else ", ".join(disturbed)
        print(f"(never alone on the machine, so not to be trusted: {names})")


def print_summary(runs: Sequence[dict[str, Any]]) -> None:
    """A line for each cell and measure: Phinery against llama.cpp and the fastest of all peers.

    Where a cell was measured more than once, the last time counts.
    """
    cells = {title(cell): cell for run in runs for cell in run["cells"]}
    rows: list[tuple[str, ...]] = [
        ("", "tokens/s", "llama.cpp", "ratio", "goal", "best peer", "ratio", "of limit", "")
    ]
    for cell in cells.values():
        for name in measure_names(cell):
            line = summary_line(cell, name)
            if line is not None:
                rows.append((f"{title(cell)}, {name}", *line))
    if len(rows) > 1:
        print("\nPhinery beside the peers")
        print_table(rows)


def summary_line(cell: dict[str, Any], name: str) -> tuple[str, ...] | None:
    """The columns of the summary; None where Phinery was not measured."""
    rates = {
        entry["participant"]: entry["measures"][name]["tokens_per_second"]
        for entry in cell["entries"]
        if name in entry["measures"] and "error" not in entry
    }
    own = rates.pop("phinery", None)
    if own is None:
        return None
    llama = max((rate for peer, rate in rates.items() if peer.startswith("llama")), default=None)
    best = max(rates, key=lambda peer: rates[peer], default=None)
    entry = next(entry for entry in cell["entries"] if entry["participant"] == "phinery")
    share = None
    if name == "decode-1":
        share = floor_share(cell, entry)
    elif name.startswith("prefill"):
        share = matmul_share(cell, entry)
    wanted = goal(cell, name)
    met = [
        own / llama >= wanted if llama and wanted else True,
        share is None or name != "decode-1" or cell["isa"] != "best" or share >= FLOOR_GOAL,
    ]
    return (
        f"{own:,.1f}",
        f"{llama:,.1f}" if llama else "",
        f"{own / llama:.2f}" if llama else "",
        f"{wanted:.1f}" if wanted else "",
        best or "",
        f"{own / rates[best]:.2f}" if best else "",
        percent(share),
        "" if all(met) else "missed",
    )


def goal(cell: dict[str, Any], name: str) -> float | None:
    """The ratio to llama.cpp that Phinery is to reach in a cell."""
    if name.startswith("generate"):
        return None
    if cell["isa"] != "best":
        return 0.8
    if cell["contended"]:
        return 1.0
    if cell["cell"] == "phi-2":
        return 1.0
    return GOALS[cell["format"]].get(name)


def floor_share(cell: dict[str, Any], entry: dict[str, Any]) -> float | None:
    """Batch 1: the time to read weights, keys and values once, over the time that was taken."""
    measure = measure_of(cell, "decode-1")
    measured = entry["measures"].get("decode-1")
    if measure is None or measured is None or "matrix_bytes" not in entry:
        return None
    position = measure["prompt"] + (measure["tokens"] - 1) / 2
    size = entry["matrix_bytes"] + Shape(**cell["shape"]).kv_bytes(position)
    return size * measured["tokens_per_second"] / cell["limits"]["read_bytes_per_second"]


def matmul_share(cell: dict[str, Any], entry: dict[str, Any]) -> float | None:
    """Prompt: operations a second over the best matrix product's; the head counts once a prompt."""
    name = next((name for name in measure_names(cell) if name.startswith("prefill")), None)
    if name is None or name not in entry["measures"]:
        return None
    measure, shape = measure_of(cell, name), Shape(**cell["shape"])
    assert measure is not None
    length = measure["prompt"]
    head = 2 * shape.embedding_weights * (1 - 1 / length)
    operations = shape.flops_per_token((length - 1) / 2) - head
    rate = entry["measures"][name]["tokens_per_second"]
    return rate * operations / max(cell["limits"]["matmul_flops"].values())


def measure_names(cell: dict[str, Any]) -> list[str]:
    """Of a cell, in the order in which they were measured."""
    return [
        f"{one['kind']}-{one['prompt'] if one['kind'] == 'prefill' else one['batch']}"
        for one in cell["measures"]
    ]


def measure_of(cell: dict[str, Any], name: str) -> dict[str, Any] | None:
    """A measure's sizes."""
    return dict(zip(measure_names(cell), cell["measures"], strict=True)).get(name)


def title(cell: dict[str, Any]) -> str:
    """What tells a cell from others."""
    text = f"{cell['cell']}, {cell['format']}, {cell['threads']} thread"
    text += "s" if cell["threads"] > 1 else ""
    text += f", {cell['isa']}" if cell["isa"] != "best" else ""
    return text + (", contended" if cell["contended"] else "")


def percent(share: float | None) -> str:
    """For a table; nothing when there is none."""
    return "" if share is None else f"{share:.0%}"
