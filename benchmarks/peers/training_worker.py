"""One participant's process: builds a model, trains it on request, answers in JSON lines.

Runs in the participant's own environment, so it imports nothing but torch. Requests on stdin and
answers on stdout are one JSON object a line:

    {"command": "prepare", "shape": {...}, "dtype": "float32", "compiled": false}
        -> {"losses": [...], "parameters": n, "baseline_bytes": b, "versions": {...}, "threads": n}
    {"command": "step", "seconds": 10}
        -> {"steps": n, "seconds": s, "peak_bytes": p}
    {"command": "quit"}

Between requests the process waits in a read and uses no processor.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from training_shape import Shape

WARMUP_STEPS = 2
BATCHES = 4
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1
BETAS = (0.9, 0.98)
EPS = 1e-7
GRADIENT_CLIP = 1.0

Loss = Callable[[Tensor, Tensor], Tensor]
"""(input_ids, labels), both int64 (batch, seq), to the mean cross-entropy. Labels are shifted."""


class Training(Protocol):
    """A model, its optimiser and random batches, ready to go."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    def step(self) -> float:
        """Forward, backward, clip, update; returns the loss before the update."""
        ...


def serve(package: str, start: Callable[[Shape, str, bool], Training]) -> None:
    """Answer requests until told to quit.

    `package` is the distribution whose version is reported, `start` takes shape, dtype and whether
    to compile. dtype "bfloat16" means float32 weights under autocast, "bfloat16-true" weights in
    bfloat16.
    """
    baseline = memory("VmRSS")
    training: Training | None = None
    for request, answer in requests():
        match request["command"]:
            case "prepare":
                shape = Shape(**request["shape"])
                training = start(shape, request["dtype"], request["compiled"])
                answer(
                    losses=[training.step() for _ in range(WARMUP_STEPS)],
                    parameters=sum(weight.numel() for weight in training.model.parameters()),
                    baseline_bytes=baseline,
                    versions={name: metadata.version(name) for name in ("torch", package)},
                    threads=torch.get_num_threads(),
                )
            case "step":
                assert training is not None
                started = time.perf_counter()
                steps, seconds = 0, 0.0
                while not steps or seconds < request["seconds"]:
                    training.step()
                    steps += 1
                    seconds = time.perf_counter() - started
                answer(steps=steps, seconds=seconds, peak_bytes=memory("VmHWM"))
            case command:
                raise ValueError(f"no command is called {command!r}")


class PlainTraining:
    """The textbook's loop around a peer's model and loss, with torch's fused AdamW."""

    def __init__(
        self, model: nn.Module, loss: Loss, shape: Shape, dtype: str, compiled: bool
    ) -> None:
        self.model = model.train()
        if dtype == "bfloat16-true":
            self.model.to(torch.bfloat16)
        self.loss = torch.compile(loss) if compiled else loss
        self.autocast = dtype == "bfloat16"
        self.weights = list(self.model.parameters())
        matrices = [weight for weight in self.weights if weight.dim() >= 2]
        vectors = [weight for weight in self.weights if weight.dim() < 2]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": WEIGHT_DECAY},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=LEARNING_RATE,
            betas=BETAS,
            eps=EPS,
            fused=True,
        )
        self.batches = random_batches(shape)
        self.steps_done = 0

    def step(self) -> float:
        """Forward, backward, clip, AdamW; returns the loss before the update."""
        input_ids, labels = self.batches[self.steps_done % BATCHES]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = self.loss(input_ids, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, GRADIENT_CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps_done += 1
        return loss.item()


def random_batches(shape: Shape) -> list[tuple[Tensor, Tensor]]:
    """`BATCHES` pairs of tokens and of the tokens that follow them, the same in every process."""
    generator = torch.Generator().manual_seed(2)
    size = (BATCHES, shape.batch_size, shape.sequence_length + 1)
    tokens = torch.randint(shape.vocab_size, size, generator=generator)
    return [(batch[:, :-1].contiguous(), batch[:, 1:].contiguous()) for batch in tokens]


def reference_weights(shape: Shape) -> Iterator[tuple[str, Tensor]]:
    """Hugging Face's names and a start that is the same in every process: N(0, 0.02), small biases.

    Biases are not zero so that a participant that lacks one, or mixes two up, shows in the loss.
    """
    width = shape.hidden_size
    layer = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (width, width),
        "self_attn.v_proj": (width, width),
        "self_attn.dense": (width, width),
        "mlp.fc1": (shape.intermediate_size, width),
        "mlp.fc2": (width, shape.intermediate_size),
    }
    modules: dict[str, tuple[int, ...]] = {}
    for index in range(shape.num_hidden_layers):
        modules |= {f"model.layers.{index}.{name}": size for name, size in layer.items()}
    modules |= {"model.final_layernorm": (width,), "lm_head": (shape.vocab_size, width)}
    generator = torch.Generator().manual_seed(1)

    def normal(*size: int) -> Tensor:
        return torch.empty(size).normal_(std=0.02, generator=generator)

    yield "model.embed_tokens.weight", normal(shape.vocab_size, width)
    for name, size in modules.items():
        yield f"{name}.weight", normal(*size) + 1 if len(size) == 1 else normal(*size)
        yield f"{name}.bias", normal(size[0])


def load_reference_weights(model: nn.Module, shape: Shape) -> None:
    """Fill a model that has Hugging Face's parameter names."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in reference_weights(shape):
            parameters.pop(name).copy_(value)
    assert not parameters, f"not in a Phi: {sorted(parameters)}"


def requests() -> Iterator[tuple[dict[str, Any], Callable[..., None]]]:
    """Requests until "quit" or the end of the input, each with the function that answers it.

    What a library prints goes to stderr, so that it cannot get between the answers.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(**fields: Any) -> None:
            print(json.dumps(fields), file=answers, flush=True)

        for line in sys.stdin:
            request = json.loads(line)
            if request["command"] == "quit":
                return
            yield request, answer


def memory(field: str) -> int:
    """Bytes in a field of /proc/self/status: "VmRSS" now, "VmHWM" at the highest."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    raise SystemExit("this benchmark reads memory from /proc/self/status; it runs on Linux")
