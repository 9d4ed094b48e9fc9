"""Participant: lm-evaluation-harness' own `hf` model."""

# lm_eval's decorator hides the type of the class.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

from evaluate_worker import serve
from lm_eval.models.huggingface import HFLM


def start(folder: str) -> Any:
    """In float32 on the CPU."""
    return HFLM(pretrained=folder, device="cpu", dtype="float32")


def resize(model: Any, batch_size: int) -> None:
    """Rows of a batch."""
    model.batch_size_per_gpu = batch_size


if __name__ == "__main__":
    serve("transformers", start, resize)
