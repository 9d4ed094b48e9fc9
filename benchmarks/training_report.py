"""The tables of the training benchmark. Everything is computed from what the JSON file holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

GIGA = 1e9


def print_cell(cell: dict[str, Any]) -> None:
    """A table with one line for each participant and form."""
    shape = cell["shape"]
    ceiling = matmul_ceiling(cell)
    rates = ", ".join(
        f"{max(by_size.values()) / GIGA:.0f} in {dtype} ({max(by_size, key=by_size.__getitem__)})"
        for dtype, by_size in cell["matmul_flops"].items()
    )
    print(
        f"\n{cell['cell']}, {cell['dtype']}: {cell['parameters'] / 1e6:.1f}M parameters, batch "
        f"{shape['batch_size']} x {shape['sequence_length']}\n"
        f"matmul GFLOP/s: {rates}; "
        f"weights, gradients and moments: {cell['state_bytes'] / GIGA:.2f} GB"
    )
    rows = [("", "tokens/s", "x best peer", "of matmul", "peak GB", "less state", "libraries")]
    best = fastest_peer(cell)
    for entry in cell["entries"]:
        name = f"{entry['participant']}, {entry['form']}"
        if entry["dtype"] != cell["dtype"]:
            name += f" ({entry['dtype']})"
        if "error" in entry:
            rows.append((name, "failed", "", "", "", "", ""))
            continue
        rate = entry["tokens_per_second"]
        rows.append(
            (
                name,
                f"{rate:,.0f}",
                f"{rate / best:.2f}" if best else "",
                f"{rate * cell['flops_per_token'] / ceiling:.0%}",
                f"{entry['peak_bytes'] / GIGA:.2f}",
                f"{entry['peak_less_state_bytes'] / GIGA:.2f}",
                f"{entry['libraries_bytes'] / GIGA:.2f}",
            )
        )
    print_table(rows)
    disturbed = [entry for entry in finished(cell) if not entry["turns_alone"]]
    if disturbed:
        names = ", ".join(f"{entry['participant']} {entry['form']}" for entry in disturbed)
        print(f"(never alone on the machine, so not to be trusted: {names})")


def print_summary(cells: Sequence[dict[str, Any]]) -> None:
    """One line a cell: Phinery's best form against the best form of the faster peer."""
    rows = [
        (
            "",
            "tokens/s",
            "x best peer",
            "x in any type",
            "of matmul",
            "peak / leanest peer",
            "less state",
        )
    ]
    for cell in cells:
        own = best_entry(cell, peers=False)
        peer = fastest_peer(cell)
        if own is None or not peer:
            continue
        leanest = min(entry["peak_bytes"] for entry in finished(cell, peers=True))
        working = min(entry["peak_less_state_bytes"] for entry in finished(cell, peers=True))
        ceiling = matmul_ceiling(cell)
        rate = own["tokens_per_second"]
        in_any_type = max(fastest_peer(c) for c in cells if c["cell"] == cell["cell"])
        rows.append(
            (
                f"{cell['cell']}, {cell['dtype']}",
                f"{rate:,.0f}",
                f"{rate / peer:.2f}",
                f"{rate / in_any_type:.2f}",
                f"{rate * cell['flops_per_token'] / ceiling:.0%}",
                f"{own['peak_bytes'] / leanest:.2f}",
                f"{own['peak_less_state_bytes'] / working:.2f}",
            )
        )
    if len(rows) > 1:
        print("\nPhinery's faster form against the fastest and the leanest of the peers")
        print_table(rows)


def matmul_ceiling(cell: dict[str, Any]) -> float:
    """The best rate of matrix products, FLOP/s.

    In a bfloat16 cell the better of both types: a model is free to multiply in float32 where the
    processor does that faster.
    """
    return max(rate for by_size in cell["matmul_flops"].values() for rate in by_size.values())


def finished(cell: dict[str, Any], *, peers: bool | None = None) -> list[dict[str, Any]]:
    """Entries that did not fail: of the peers, of Phinery, or all."""
    return [
        entry
        for entry in cell["entries"]
        if "error" not in entry and peers in (None, entry["participant"] != "phinery")
    ]


def best_entry(cell: dict[str, Any], *, peers: bool) -> dict[str, Any] | None:
    """The fastest of them."""
    entries = finished(cell, peers=peers)
    return max(entries, key=lambda entry: entry["tokens_per_second"], default=None)


def fastest_peer(cell: dict[str, Any]) -> float:
    """Tokens/s of the fastest peer in its faster form; 0 without peers."""
    entry = best_entry(cell, peers=True)
    return entry["tokens_per_second"] if entry else 0.0


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be, the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
