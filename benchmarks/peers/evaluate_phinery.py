"""Participant: Phinery's `HarnessModel`."""

from __future__ import annotations

from evaluate_worker import serve

from phinery.evaluate import HarnessModel


def start(folder: str) -> HarnessModel:
    """In float32 on the CPU."""
    return HarnessModel(folder, device="cpu", dtype="float32")


def resize(model: HarnessModel, batch_size: int) -> None:
    """It has no batch size to choose."""


if __name__ == "__main__":
    serve("phinery", start, resize)
