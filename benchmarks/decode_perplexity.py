"""What a format costs in quality: perplexity of a trained model, by participant and format."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import decode_weights
import numpy as np
from decode_cell import HERE, PARTICIPANTS, program_of, progress
from numpy.typing import NDArray
from peers.decode_shape import Shape
from workers import Worker, WorkerError

SEQUENCES = 32


def measure_perplexity(
    model: Path, text: Path | None, formats: Sequence[str], pythons: dict[str, Path], length: int
) -> dict[str, Any]:
    """Perplexity in float32 (transformers) and of each participant in each format.

    `model` is a run directory, whose held-out shards are read, or a model folder with a `text`. 32
    sequences of `length` tokens, the first of each not predicted. Raises SystemExit without text.
    """
    folder = model / "model" if (model / "model" / "config.json").is_file() else model
    tokens = held_out_tokens(model, folder, text, length)
    shape = Shape.of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    result: dict[str, Any] = {
        "model": folder.resolve().as_posix(),
        "predicted_tokens": SEQUENCES * (length - 1),
        "formats": {},
    }
    with tempfile.TemporaryDirectory() as temporary:
        cells = [
            (format_, name)
            for format_ in formats
            for name in pythons
            if format_ in PARTICIPANTS[name]
        ]
        if "transformers" in pythons:
            cells.insert(0, ("float32", "transformers"))
        for format_, name in cells:
            progress(f"perplexity: {name}, {format_}")
            kind = "f16" if name.endswith("_f16") else format_
            gguf = Path(temporary) / f"{kind}.gguf"
            if name.startswith("llama_cpp"):
                decode_weights.write_gguf(folder, gguf, kind)
            opening = {
                "directory": str(folder.resolve()),
                "gguf": str(gguf),
                "cache": temporary,
                "format": format_,
                "threads": os.cpu_count() or 1,
                "vocab_size": shape.vocab_size,
                "cache_tokens": SEQUENCES * (length + 16),
                "compile": False,
                "contended": False,
            }
            program = HERE / "peers" / f"decode_{program_of(name)}.py"
            with Worker(pythons[name], program) as worker:
                try:
                    worker.ask("open", **opening)
                    worker.ask("prepare")
                    value = worker.ask("perplexity", tokens=tokens.tolist())["perplexity"]
                except WorkerError as error:
                    value = None
                    print(f"perplexity of {name} in {format_} failed: {error}")
            result["formats"].setdefault(format_, {})[name] = value
    progress("")
    return result


def held_out_tokens(model: Path, folder: Path, text: Path | None, length: int) -> NDArray[np.int64]:
    """(32, length) token ids that the model has not seen."""
    wanted = SEQUENCES * length
    if text is not None:
        from phinery.text import Tokenizer

        ids = Tokenizer.load(folder).encode(text.read_text(encoding="utf-8"))
        found = np.array(ids[:wanted], np.int64)
    elif (model / "shards" / "manifest.json").is_file():
        from phinery.data.shards import TokenShards

        shards = TokenShards.open(model / "shards", "heldout")
        found = shards.read(0, min(wanted, shards.num_tokens))
    else:
        raise SystemExit(f"{model} is no run directory with held-out shards: name a --text")
    if len(found) < wanted:
        raise SystemExit(f"{len(found)} held-out tokens, {wanted} are needed: use a longer --text")
    return found.reshape(SEQUENCES, length)


def change(perplexity: dict[str, Any] | None, format_: str, participant: str) -> float | None:
    """Relative change against float32; None when it was not measured."""
    if perplexity is None:
        return None
    base = perplexity["formats"].get("float32", {}).get("transformers")
    value = perplexity["formats"].get(format_, {}).get(participant)
    return value / base - 1 if base and value else None
