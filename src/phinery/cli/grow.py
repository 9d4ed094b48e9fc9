"""The verb grow: a small model becomes a larger one that knows what it knew, or a smaller one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phinery.cli.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from phinery.model import PhiConfig
    from phinery.recipe.terminal import Terminal
    from phinery.text import Tokenizer

GROW_HELP = """\
Grow a model into a larger one that begins with what the small one knows, or cut it down.

SRC is a model folder (ours or any Hugging Face Phi), a run directory, or a hub id. --to is the
larger shape: a preset (nano, micro, mini, small, medium, phi-1, phi-1.5, phi-2) or a JSON file with
the keys of a Phi's config.json. Vocabulary and context stay unless the file says otherwise.
  lossless  the same logits; what is new can learn
  tile      Phi-2's way: weights repeated around the old ones, layers of the same relative depth
  stack     the layers repeated as a whole (G_stack)
  random    a new model, the control
  prune     to a smaller shape: what is least active on --text goes; needs training afterwards
Weights are grown one by one, so that this takes little memory. To train on, use a [[grow]] table
in a recipe.

examples:
  phinery grow microsoft/phi-1_5 --to phi-2 --out phi-1.5-grown
  phinery grow runs/nano --to mini --method stack --out mini
  phinery grow runs/nano --to wide.json --seed 3 --out wide
  phinery grow runs/nano --to nano --method prune --text notes.txt --out cut
"""
PRUNE = "prune"
_METHODS = ("lossless", "tile", "stack", "random", PRUNE)
_WINDOW, _WINDOWS = 256, 64


def add_verb(add: Callable[..., argparse.ArgumentParser], verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add(verbs, "grow", "make a model larger, or cut it down", GROW_HELP, _grow)
    option = parser.add_argument
    option("model", metavar="SRC")
    option("--to", required=True, metavar="SHAPE", help="a preset or a JSON file")
    option(
        "--out", required=True, metavar="DIR", help="the folder to make; replaces an older model"
    )
    option("--method", choices=_METHODS, default="lossless", help="default: %(default)s")
    option("--seed", type=int, default=0, metavar="N", help="of what is random; default: 0")
    option("--text", metavar="FILE", help="prune: a UTF-8 text to measure on; default: the Primer")


def _grow(arguments: argparse.Namespace) -> int:
    from phinery.model import hub
    from phinery.model.folder import check_replaceable, read_model_files
    from phinery.model.growth import check_growth, check_smaller, target_config
    from phinery.recipe.terminal import Terminal

    if arguments.text is not None and arguments.method != PRUNE:
        raise UsageError(f"--text is for prune: {arguments.method} measures nothing")
    out = Path(arguments.out).expanduser()
    check_replaceable(out.resolve())
    folder = hub.resolve(arguments.model)
    source = read_model_files(folder).config
    try:
        target = target_config(arguments.to, source)
        if arguments.method == PRUNE:
            check_smaller(source, target)
        else:
            check_growth(source, target, method=arguments.method)
    except ValueError as error:
        raise UsageError(f"--to {arguments.to} --method {arguments.method}: {error}") from error
    terminal = Terminal()
    if arguments.method == PRUNE:
        _make_smaller(arguments, folder, source, target, out, terminal)
    else:
        _make_larger(arguments, folder, target, out, terminal)
    print(
        f"{_shape(source)} became {_shape(target)} by {arguments.method}, in {out}; "
        f"{_parameters(source)} parameters became {_parameters(target)}"
    )
    return 0


def _make_larger(
    arguments: argparse.Namespace, folder: Path, target: PhiConfig, out: Path, terminal: Terminal
) -> None:
    from phinery.model.growth import grow_folder

    with terminal.stage("grow") as line:
        grow_folder(
            folder,
            target,
            out,
            method=arguments.method,
            seed=arguments.seed,
            on_progress=lambda done, total: line.update(
                done / total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} million parameters"
            ),
        )


def _make_smaller(
    arguments: argparse.Namespace,
    folder: Path,
    source: PhiConfig,
    target: PhiConfig,
    out: Path,
    terminal: Terminal,
) -> None:
    from phinery.model.growth import prune_folder
    from phinery.text import Tokenizer

    tokenizer = Tokenizer.load(folder)
    context = min(source.max_position_embeddings, target.max_position_embeddings)
    calibration = _calibration(arguments.text, tokenizer, context)
    with terminal.stage("prune") as line:
        line.update(None, f"measuring on {calibration.numel():,} tokens")
        prune_folder(folder, target, out, calibration, seed=arguments.seed)


def _calibration(text: str | None, tokenizer: Tokenizer, context: int) -> Tensor:
    """Windows of a text, or of the Primer: int64 (at most 64, 256), spread evenly over it."""
    import torch

    from phinery.data.sources.primer import primer_documents

    if text is None:
        content = "\n".join(document.text for document in primer_documents(held_out=False))
    else:
        try:
            content = Path(text).expanduser().read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"--text {text} is not UTF-8") from error
        except OSError as error:
            raise UsageError(f"--text {text} cannot be read: {error.strerror}") from error
    length = min(_WINDOW, context)
    ids = torch.tensor(tokenizer.encode(content), dtype=torch.int64)
    count = len(ids) // length
    if count == 0:
        raise UsageError(f"--text {text} is too short: {length} tokens at least are measured on")
    chosen = torch.arange(min(_WINDOWS, count)) * count // min(_WINDOWS, count)
    return ids[: count * length].view(count, length)[chosen]


def _shape(config: PhiConfig) -> str:
    return f"{config.num_hidden_layers} layers of {config.hidden_size}"


def _parameters(config: PhiConfig) -> str:
    return f"{config.num_parameters():,}"
