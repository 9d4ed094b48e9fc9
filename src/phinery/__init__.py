"""Phinery: a small language model's whole life in one place.

The front door is `load` and `generate`. Importing this package imports nothing heavy: the rooms
(`phinery.model`, `phinery.infer`, ...) are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from phinery.model import Phi
    from phinery.text import Tokenizer

__version__ = "0.1.0"

__all__ = ["__version__", "generate", "load"]

_ROOMS = frozenset(
    {"data", "evaluate", "files", "infer", "model", "recipe", "sandbox", "text", "train"}
)


def load(
    path_or_hub_id: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    revision: str | None = None,
) -> tuple[Phi, Tokenizer]:
    """Open a model: a folder on this machine, or `owner/name` on the Hugging Face hub.

    `device` is the CPU and `dtype` the stored type unless given; both may be torch's objects or
    their names. `revision` is a branch, tag or commit of a hub model. Raises
    `phinery.model.CheckpointError` (a ValueError) in one line that says what is wrong.
    """
    from phinery.model import checkpoint, hub

    folder = hub.resolve(path_or_hub_id, revision=revision)
    return checkpoint.load(folder, device=device, dtype=dtype)


def generate(model: Phi, tokenizer: Tokenizer, prompt: str, **sampling: Any) -> str:
    """The text with which `model` goes on after `prompt`.

    `sampling` are fields of `phinery.infer.SamplingParams`: `max_tokens` (16), `temperature` (1.0),
    `top_p`, `stop`, `seed` and so on; ValueError for others. One text is made; for several, or for
    their tokens and reasons to stop, use `phinery.infer.Engine`.
    """
    from phinery.infer import Engine, SamplingParams

    try:
        parameters = SamplingParams(**sampling)
    except TypeError as error:
        raise ValueError(f"unknown sampling option: {error}") from error
    if parameters.n != 1:
        raise ValueError("generate makes one text; for n of them use phinery.infer.Engine")
    return Engine(model, tokenizer).generate([prompt], parameters)[0].text


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"phinery.{name}")
    raise AttributeError(f"module 'phinery' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
