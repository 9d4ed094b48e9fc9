"""The random generators that training and its callbacks may draw from: kept, and put back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def torch_states() -> dict[str, Tensor]:
    """States of torch's own generators by name: "cpu", and "cuda.0" and so on when CUDA is used."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        states |= {f"cuda.{n}": state for n, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_torch_states(states: Mapping[str, Tensor]) -> None:
    """Put back what `torch_states` gave; the state of a device that is not there is left out."""
    # Copies, since what is mapped from a file may not be aligned.
    torch.set_rng_state(states["cpu"].clone())
    for name, state in states.items():
        kind, _, number = name.partition(".")
        if kind == "cuda" and int(number) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state.clone(), int(number))


def other_states() -> dict[str, Any]:
    """States of Python's and NumPy's global generators, ready for JSON."""
    state: Any = np.random.get_state(legacy=False)
    inner = {"key": state["state"]["key"].tolist(), "pos": state["state"]["pos"]}
    return {"python": random.getstate(), "numpy": {**state, "state": inner}}


def restore_other_states(states: Mapping[str, Any]) -> None:
    """Put back what `other_states` gave, read from JSON again."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    stored = states["numpy"]
    key = np.array(stored["state"]["key"], dtype=np.uint32)
    np.random.set_state({**stored, "state": {**stored["state"], "key": key}})


@contextlib.contextmanager
def kept_torch_states(device: torch.device) -> Generator[None]:
    """Leave torch's generators, of the CPU and of `device`, as they were before the block."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield
