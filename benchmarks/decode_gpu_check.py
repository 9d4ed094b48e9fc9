"""Whether the GPU computes what it should: the CUDA back end and training, against float32."""

from __future__ import annotations

import random
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from decode_gpu_help import Job, compile_ahead, random_model, span

from phinery.data import Batch
from phinery.infer.cuda_backend import CudaBackend, Decoding
from phinery.infer.cuda_weights import Quantization
from phinery.model import Phi, PhiConfig, preset
from phinery.model.quantization import round_to_nearest
from phinery.train import Callback, StepMetrics, TrainConfig, Trainer

CONTEXT = 256
VOCABULARY = 515
SHAPES: dict[str, dict[str, Any]] = {
    "heads of 64": {"hidden_size": 256, "num_attention_heads": 4},
    "heads of 80": {"hidden_size": 320, "num_attention_heads": 4, "partial_rotary_factor": 0.4},
    "odd": {
        "hidden_size": 90,
        "num_attention_heads": 3,
        "intermediate_size": 250,
        "partial_rotary_factor": 0.4,
    },
}
# Largest difference of logits over their root mean square. Formats' own errors are of this size.
TOLERANCES = {torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.15}
CASES: list[tuple[str, torch.dtype, Quantization | None, int]] = [
    ("heads of 64", torch.float32, None, 16),
    ("heads of 64", torch.bfloat16, None, 16),
    ("heads of 80", torch.bfloat16, None, 32),
    ("heads of 80", torch.float16, None, 16),
    ("heads of 80", torch.float32, "int8", 16),
    ("heads of 64", torch.bfloat16, "int8", 48),
    ("heads of 80", torch.float32, "int4", 16),
    ("heads of 64", torch.bfloat16, "int4", 16),
    ("odd", torch.float32, None, 16),
    ("odd", torch.bfloat16, "int8", 16),
]


def check_all() -> bool:
    """Print a line for each check; whether all passed."""
    jobs = [
        Job(config_of(shape), dtype, quantization, rows, page_size)
        for shape, dtype, quantization, page_size in CASES
        for rows in (1, 8, 32)
    ]
    print(f"compiled in {compile_ahead(jobs):.0f} s", flush=True)
    results = [
        attempted(", ".join(str(part) for part in case), check_texts, *case) for case in CASES
    ]
    results.append(attempted("repeatable, bf16", check_repeatable))
    results += [
        attempted("training, float32", check_training, "float32", False),
        attempted("training, bfloat16", check_training, "bfloat16", False),
        attempted("training, bfloat16, compiled", check_training, "bfloat16", True),
    ]
    return all(results)


def attempted(name: str, check: Callable[..., str], *arguments: Any) -> bool:
    """Run a check, print what it says or what it raised."""
    started = time.perf_counter()
    try:
        said, passed = check(*arguments), True
    except Exception as error:  # noqa: BLE001 (at the edge: the other checks go on)
        trace = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{trace.filename.rpartition('/')[2]}:{trace.lineno}"
        said, passed = f"{type(error).__name__} at {where}: {str(error)[:600]}", False
    print(
        f"{'ok  ' if passed else 'FAIL'} {name}: {said} ({time.perf_counter() - started:.1f} s)",
        flush=True,
    )
    return passed


def config_of(shape: str) -> PhiConfig:
    """The small model of this name."""
    values = SHAPES[shape]
    return PhiConfig(
        vocab_size=VOCABULARY,
        num_hidden_layers=3,
        max_position_embeddings=CONTEXT,
        initializer_range=1.3 / values["hidden_size"] ** 0.5,
        **values,
    )


def quantised(model: Phi, quantization: Quantization | None) -> Phi:
    """The model with the weights that its quantised form stands for."""
    if quantization is None:
        return model
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear):
                bits = 8 if quantization == "int8" or name == "lm_head" else 4
                module.weight.copy_(round_to_nearest(module.weight, bits).dequantize())
    return model


def check_texts(
    shape: str,
    dtype: torch.dtype,
    quantization: Quantization | None,
    page_size: int,
    device: str = "cuda",
    decodings: tuple[Decoding, ...] = ("graphs", "kernels", "torch"),
) -> str:
    """Texts in steps of every kind, beside each other, have the logits of the plain model."""
    config = config_of(shape)
    reference = quantised(random_model(config, torch.float32, device), quantization)
    generator = random.Random(3)
    lengths = [20, 61, 130, 3, 75, 17, 40, 90, 33, 64, 150, 2]
    texts = [[generator.randrange(VOCABULARY) for _ in range(length)] for length in lengths]
    with torch.inference_mode():
        expected = [
            reference(torch.tensor([text], device=device))[0].cpu().numpy() for text in texts
        ]
    scale = float(np.sqrt(np.mean(np.square(np.concatenate(expected)))))
    said: list[str] = []
    for decoding in decodings:
        backend = CudaBackend(
            random_model(config, torch.float32, device),
            dtype=dtype,
            quantization=quantization,
            cache_tokens=4096,
            page_size=page_size,
            max_batch=32,
            device=device,
            decoding=decoding,
        )
        found = run_texts(backend, texts)
        backend.close()
        errors = [np.abs(ours - theirs).max() for ours, theirs in zip(found, expected, strict=True)]
        worst = float(max(errors)) / scale
        said.append(f"{decoding} {worst:.1e}")
        if not worst <= TOLERANCES[dtype]:
            raise AssertionError(f"{said}: more than {TOLERANCES[dtype]} of the logits' size")
    return "largest error of logits / their rms: " + ", ".join(said)


def run_texts(backend: CudaBackend, texts: list[list[int]]) -> list[np.ndarray]:
    """All logits of the texts, in random pieces: alone, many at a time, prompts beside tokens."""
    size = backend.page_size
    generator = random.Random(4)
    free = generator.sample(range(backend.num_pages), backend.num_pages)
    tables = [[free.pop() for _ in range(-(-len(text) // size))] for text in texts]
    done = [0] * len(texts)
    rows: list[list[np.ndarray]] = [[] for _ in texts]
    while open_texts := [place for place, text in enumerate(texts) if done[place] < len(text)]:
        count = min(generator.choice([1, 1, 2, 5, len(texts)]), len(open_texts))
        chosen = generator.sample(open_texts, count)
        kind = generator.choice(["prompt", "single", "single", "single", "several", "mixed"])
        pieces: list[int] = []
        for place in chosen:
            longest = {"prompt": 60, "single": 1, "several": 6, "mixed": generator.choice([1, 40])}
            left = len(texts[place]) - done[place]
            pieces.append(min(left, generator.randint(1, longest[kind])))
        spans = [
            span(
                texts[place][done[place] : done[place] + count],
                done[place],
                tables[place][: -(-(done[place] + count) // size)],
                count,
            )
            for place, count in zip(chosen, pieces, strict=True)
        ]
        logits = backend.step(spans)
        first = 0
        for place, count in zip(chosen, pieces, strict=True):
            rows[place].append(logits[first : first + count])
            first += count
            done[place] += count
    return [np.concatenate(parts) for parts in rows]


def check_repeatable() -> str:
    """The same step gives the same bits, again and again: what changes is a race."""
    config = config_of("heads of 80")
    backend = CudaBackend(
        random_model(config, torch.float32), cache_tokens=8192, max_batch=16, device="cuda"
    )
    generator = random.Random(5)
    for rows in (1, 8, 16):
        texts = [[generator.randrange(VOCABULARY) for _ in range(200)] for _ in range(rows)]
        tables = [list(range(16 * place, 16 * place + 13)) for place in range(rows)]
        backend.step([span(text, 0, table, 1) for text, table in zip(texts, tables, strict=True)])
        step = [span([7], 200, table, 1) for table in tables]
        first = backend.step(step)
        for _ in range(200):
            if not np.array_equal(backend.step(step), first):
                raise AssertionError(f"{rows} rows: another result at the same step")
    return "200 equal results for 1, 8 and 16 rows"


class RandomSamples:
    """Samples of tokens in which the next is often a function of the last."""

    sequence_length = 64
    seed = 1

    def batch(self, first_index: int, count: int) -> Batch:
        """See `SampleOrder`."""
        rows = []
        for index in range(first_index, first_index + count):
            generator = np.random.default_rng(index)
            tokens = generator.integers(1, 64, self.sequence_length + 1)
            tokens[1::2] = (tokens[::2] * 5 + 3)[: len(tokens[1::2])] % 64
            rows.append(tokens)
        return Batch.of_rows(rows, 0)

    def fingerprint(self) -> dict[str, Any]:
        """See `SampleOrder`."""
        return {"kind": "random"}


class _Losses(Callback):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        self.losses.append(metrics.loss)


def losses(device: str, dtype: Literal["float32", "bfloat16"], compiled: bool) -> list[float]:
    """Of twenty steps of a new `nano`, with a checkpoint at the end."""
    torch.manual_seed(1)
    model = Phi(preset("nano", vocab_size=512)).to(device)
    config = TrainConfig(
        steps=20,
        batch_size=8,
        sequence_length=RandomSamples.sequence_length,
        learning_rate=3e-3,
        dtype=dtype,
        compile=compiled,
    )
    seen = _Losses()
    with tempfile.TemporaryDirectory() as directory:
        Trainer(model, RandomSamples(), config, directory, [seen], matmul_rate=1e12).fit()
    return seen.losses


def check_training(dtype: Literal["float32", "bfloat16"], compiled: bool) -> str:
    """The losses on the GPU are the CPU's."""
    torch.set_num_threads(4)
    there, here = losses("cuda", dtype, compiled), losses("cpu", dtype, False)
    apart = max(abs(one - other) / other for one, other in zip(there, here, strict=True))
    said = f"losses from {here[0]:.4f} to {here[-1]:.4f}, largest difference {apart:.1e}"
    if not apart <= (1e-3 if dtype == "float32" else 3e-2):
        raise AssertionError(said)
    return said
