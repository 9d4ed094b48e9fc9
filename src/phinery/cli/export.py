"""The verb export: a model with smaller weights, and what that costs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinery.cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from phinery.model import Phi
    from phinery.model.quantization import Damage
    from phinery.recipe.terminal import Terminal
    from phinery.text import Tokenizer

EXPORT_HELP = """\
Write a model with smaller weights, and show what that costs on text that it was not trained on.

MODEL is a model folder (ours or any Hugging Face Phi), a run directory, or a hub id.
  int8  8 bits a weight, a scale for each row; a folder for Phinery's engine
  int4  4.5 bits a weight, a scale for each 32 weights, the head int8; the same
  gguf  one file for llama.cpp, its matrices in the type that --dtype names

Perplexity before and after, and the cost of each layer by itself, are measured on the held-out
text of the model's run, or on --text, or else on the textbook that comes with Phinery. int4 is
rounded by GPTQ, for which half of that text is kept.

examples:
  phinery export runs/nano --to int8 --out nano-int8
  phinery export microsoft/phi-2 --to int4 --text notes.txt --brief --out phi-2-int4
  phinery export runs/nano --to gguf --dtype q4_0 --out gguf
"""

Verb = Callable[..., argparse.ArgumentParser]
_GGUF_TYPES = ("f16", "bf16", "q8_0", "q4_0")
_SEQUENCE = 256
# Each layer by itself is measured on so many tokens at most: there are many layers.
_LAYER_TOKENS = 8192
_MOST_LAYERS = 12


def add_verb(add: Verb, verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add(verbs, "export", "write a model with smaller weights", EXPORT_HELP, _export)
    option = parser.add_argument
    option("model", metavar="MODEL")
    option("--to", required=True, choices=("int8", "int4", "gguf"), help="what to write")
    option("--out", metavar="DIR", required=True, help="the folder to make; for gguf, to write in")
    option("--dtype", choices=_GGUF_TYPES, help="of gguf's matrices; default: f16")
    option(
        "--method",
        choices=("rtn", "gptq"),
        help="round to nearest, or GPTQ; default: rtn for int8, gptq for int4",
    )
    option("--text", metavar="FILE", help="a UTF-8 text to measure on, and for GPTQ")
    option(
        "--tokens",
        type=int,
        default=32768,
        metavar="N",
        help="to measure on, at most, and for GPTQ; default: %(default)s",
    )
    option("--brief", action="store_true", help="do not measure layer by layer")


def _export(arguments: argparse.Namespace) -> int:
    from phinery.model import checkpoint, hub
    from phinery.model.folder import check_folder, check_replaceable, read_config_values
    from phinery.model.quantization import is_quantized
    from phinery.recipe.terminal import Terminal

    _check(arguments)
    is_gguf = arguments.to == "gguf"
    if not is_gguf:
        check_replaceable(Path(arguments.out).resolve())
    folder = hub.resolve(arguments.model)
    if is_quantized(read_config_values(check_folder(folder))):
        raise UsageError(f"{folder} is quantised already: export the model that it was made of")
    model, tokenizer = checkpoint.load(folder)
    text = _Text.of(folder, tokenizer, arguments)
    export = _export_gguf if is_gguf else _export_quantized
    return export(arguments, Terminal(), folder, model, tokenizer, text)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.to == "gguf" and arguments.method:
        raise UsageError("--method is for int8 and int4: gguf's types are rounded to nearest")
    if arguments.to != "gguf" and arguments.dtype:
        raise UsageError(f"--dtype is for gguf: {arguments.to} says it all")
    if arguments.tokens < _SEQUENCE:
        raise UsageError(f"--tokens is {arguments.tokens}: {_SEQUENCE} at least make a figure")


def _export_quantized(
    arguments: argparse.Namespace,
    terminal: Terminal,
    folder: Path,
    model: Phi,
    tokenizer: Tokenizer,
    text: _Text,
) -> int:
    from phinery.model.quantization import perplexity, quantize, save_quantized

    with terminal.stage("export") as line:
        line.update(None, "measuring the model as it is")
        before = perplexity(model, text.windows)
        quantized = quantize(
            model,
            int(arguments.to.removeprefix("int")),
            calibration=text.calibration,
            method=arguments.method,
            on_progress=lambda done, total: line.update(
                done / total, f"{done} of {total} layers quantised"
            ),
        )
        rounded = quantized.dequantize()
        line.update(None, "measuring what came out")
        after = perplexity(rounded, text.windows)
    damage = _damage(arguments, terminal, model, rounded, text)
    figures = {
        "perplexity before": f"{before:.4f}",
        "perplexity": f"{after:.4f} ({_percent(after, before)})",
        "measured on": text.name,
    }
    save_quantized(quantized, tokenizer, arguments.out, figures=figures)
    _show_cost(terminal, arguments.to, before, after, text)
    _show_layers(terminal, damage)
    bits = 8 * quantized.num_bytes / model.num_parameters()
    stored = sum(weight.nbytes for weight in model.parameters())
    terminal.note(
        f"{_megabytes(stored)} of weights became {_megabytes(quantized.num_bytes)}, {bits:.2f} "
        f"bits a weight, in {arguments.out}"
    )
    return 0


def _export_gguf(
    arguments: argparse.Namespace,
    terminal: Terminal,
    folder: Path,
    model: Phi,
    tokenizer: Tokenizer,
    text: _Text,
) -> int:
    from phinery.model.gguf import load_gguf, write_gguf
    from phinery.model.quantization import perplexity

    dtype = arguments.dtype or "f16"
    full = folder.resolve()
    name = full.parent.name if full.name == "model" else full.name
    file = Path(arguments.out) / f"{name}-{dtype}.gguf"
    with terminal.stage("export") as line:
        line.update(None, f"writing {file.name}")
        write_gguf(folder, file, dtype=dtype)
        written, _ = load_gguf(file)
        line.update(None, "measuring the model before and after")
        before, after = perplexity(model, text.windows), perplexity(written, text.windows)
    damage: list[Damage] = []
    if dtype.startswith("q"):
        damage = _damage(arguments, terminal, model, written, text)
    _show_cost(terminal, dtype, before, after, text)
    _show_layers(terminal, damage)
    terminal.note(f"{_megabytes(file.stat().st_size)} in {file}")
    return 0


class _Text:
    """Held-out text: windows to score, others to calibrate on, and where they came from."""

    def __init__(self, name: str, score: Tensor, calibration: Tensor) -> None:
        self.name = name
        self.windows = score
        """(count, length + 1)."""
        self.calibration = calibration
        """(count, length)."""

    @classmethod
    def of(cls, folder: Path, tokenizer: Tokenizer, arguments: argparse.Namespace) -> _Text:
        """What `--text` names, or what the model's run held out, or the Primer."""
        length = _SEQUENCE
        name, score, calibration = _documents(folder, tokenizer, arguments.text)
        count = arguments.tokens // length
        windows = _windows(score, tokenizer.eos_token_id, length + 1, count)
        others = _windows(calibration, tokenizer.eos_token_id, length, count)
        if len(windows) == 0 or len(others) == 0:
            raise UsageError(
                f"{name} is too short: a window of {length} tokens to measure on is needed, and "
                "another for GPTQ; give a longer one with --text FILE"
            )
        return cls(f"{windows[:, 1:].numel():,} tokens of {name}", windows, others)


def _documents(folder: Path, tokenizer: Tokenizer, text: str | None) -> tuple[str, Any, Any]:
    """A name, the documents to score and those to calibrate on, as token ids."""
    import numpy as np

    from phinery.data import TokenShards
    from phinery.data.sources.primer import primer_documents

    if text is not None:
        try:
            content = Path(text).expanduser().read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"--text {text} is not UTF-8") from error
        except OSError as error:
            raise UsageError(f"--text {text} cannot be read: {error.strerror}") from error
        ids = np.asarray(tokenizer.encode(content), dtype=np.int64)
        return text, [ids[: len(ids) // 2]], [ids[len(ids) // 2 :]]
    full = folder.resolve()
    for run in (full.parent, full.parent.parent):
        if (run / "shards" / "manifest.json").is_file():
            shards = TokenShards.open(run / "shards", "heldout", tokenizer=tokenizer)
            documents = list(shards.documents())
            # One is for scoring and the next for calibration, so that both are of all sources.
            return f"{run.name}'s held-out text", documents[::2], documents[1::2]
    score, calibration = (
        [
            np.asarray(tokenizer.encode(document.text), dtype=np.int64)
            for document in primer_documents(held_out=held_out)
        ]
        for held_out in (True, False)
    )
    return "the Primer", score, calibration


def _windows(
    documents: Iterable[NDArray[np.int64]], eos_token_id: int, length: int, count: int
) -> Tensor:
    """Documents, an end of text after each, cut into windows: int64 (at most count, length), spread
    evenly over all of them.
    """
    import numpy as np
    import torch

    pieces = [np.append(document, eos_token_id) for document in documents]
    ids = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)
    total = len(ids) // length
    chosen = np.arange(min(count, total)) * total // max(min(count, total), 1)
    return torch.from_numpy(ids[: total * length].reshape(total, length)[chosen])


def _damage(
    arguments: argparse.Namespace, terminal: Terminal, model: Phi, rounded: Phi, text: _Text
) -> list[Damage]:
    """What each layer costs by itself; the first entry is the model with no layer changed."""
    from phinery.model.quantization import Damage, damage_by_layer, perplexity

    if arguments.brief:
        return []
    windows = text.windows[: _LAYER_TOKENS // _SEQUENCE]
    with terminal.stage("layers") as line:
        line.update(None, "measuring each layer by itself")
        none = Damage("none", perplexity(model, windows), {})
        return [
            none,
            *damage_by_layer(
                model,
                rounded,
                windows,
                on_progress=lambda done, total: line.update(
                    done / total, f"{done} of {total} layers measured"
                ),
            ),
        ]


def _show_cost(terminal: Terminal, name: str, before: float, after: float, text: _Text) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_row("", "before", f"{before:.4f}", "")
    table.add_row("", name, f"{after:.4f}", f"[bold]{_percent(after, before)}[/]")
    terminal.say(f"perplexity on {text.name}")
    terminal.console.print(table)


def _show_layers(terminal: Terminal, damage: list[Damage]) -> None:
    """A row for each layer, or for those that cost most when there are many."""
    from rich import box
    from rich.table import Table

    if not damage:
        return
    none, *layers = damage
    shown = layers
    if len(layers) > _MOST_LAYERS:
        worst = sorted(layers, key=lambda layer: -layer.perplexity)[:_MOST_LAYERS]
        shown = [layer for layer in layers if layer in worst]
    columns = {name: name.rpartition(".")[2] for layer in layers for name in layer.errors}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer")
    table.add_column("perplexity", justify="right")
    for heading in columns.values():
        table.add_column(heading.removesuffix("_proj"), justify="right")
    for layer in shown:
        errors = [layer.errors.get(name) for name in columns]
        cells = ["" if error is None else f"{100 * error:.2f}%" for error in errors]
        table.add_row(layer.name, _percent(layer.perplexity, none.perplexity), *cells)
    many = f", the {len(shown)} of {len(layers)} that cost most" if len(shown) < len(layers) else ""
    terminal.say(
        f"\neach layer by itself{many}, and the relative error of its linear maps' outputs"
    )
    terminal.console.print(table)


def _percent(after: float, before: float) -> str:
    return f"{100 * (after / before - 1):+.3f}%"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
