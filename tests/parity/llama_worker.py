"""Answers, as llama.cpp, one request: JSON on standard input, JSON on standard output.

Runs in the environment of `benchmarks/peers/llama_cpp.txt`, so it imports nothing of Phinery.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np


def main() -> None:
    request = json.load(sys.stdin)
    answer = {}
    if "path" in request:
        answer = run(request)
    if "quantize" in request:
        answer["quantized"] = [quantize(**job) for job in request["quantize"]]
    json.dump(answer, sys.stdout)


def run(request: dict) -> dict:
    """What a model file makes of texts, prompts and documents."""
    llama = llama_cpp.Llama(
        model_path=request["path"],
        n_ctx=request["context"],
        n_batch=request["context"],
        n_threads=1,
        n_threads_batch=1,
        logits_all=True,
        verbose=False,
        type_k=llama_cpp.GGML_TYPE_F32,
        type_v=llama_cpp.GGML_TYPE_F32,
    )
    return {
        "metadata": llama.metadata,
        "bos": llama.token_bos(),
        "eos": llama.token_eos(),
        "tokens": [
            [llama.tokenize(text.encode(), add_bos=False, special=special) for special in (0, 1)]
            for text in request.get("texts", [])
        ],
        # What the settings in the file say, which add_bos=True asks for.
        "default_tokens": llama.tokenize(b"a", add_bos=True, special=False),
        "greedy": [greedy(llama, ids, request["steps"]) for ids in request.get("prompts", [])],
        "losses": [losses(llama, ids) for ids in request.get("documents", [])],
        "text": llama.detokenize(request.get("detokenize", [])).decode(errors="replace"),
    }


def greedy(llama: llama_cpp.Llama, ids: list[int], steps: int) -> list[int]:
    """The likeliest next tokens, one after the other."""
    llama.reset()
    written: list[int] = []
    fresh = ids
    for _ in range(steps):
        llama.eval(fresh)
        fresh = [int(llama.scores[llama.n_tokens - 1].argmax())]
        written += fresh
    return written


def losses(llama: llama_cpp.Llama, ids: list[int]) -> list[float]:
    """Negative log-likelihood, in nats, of each token after the first."""
    llama.reset()
    llama.eval(ids)
    logits = np.array(llama.scores[: len(ids) - 1], dtype=np.float64)
    top = logits.max(axis=1, keepdims=True)
    normaliser = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return (normaliser - logits[np.arange(len(ids) - 1), ids[1:]]).tolist()


def quantize(values: list[list[float]], type_id: int, row_bytes: int) -> str:
    """Rows in one of ggml's types, by ggml itself, in hexadecimal."""
    folder = Path(llama_cpp.__file__).parent / "lib"
    ggml = ctypes.CDLL(str(next(folder.glob("libggml-base.*"))))
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    pointers, counts = [ctypes.c_void_p] * 2, [ctypes.c_int64] * 3
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, *pointers, *counts, ctypes.c_void_p]
    rows = np.array(values, dtype=np.float32)
    out = np.zeros(len(rows) * row_bytes, dtype=np.uint8)
    written = ggml.ggml_quantize_chunk(
        type_id, rows.ctypes.data, out.ctypes.data, 0, len(rows), rows.shape[1], None
    )
    assert written == out.nbytes
    return out.tobytes().hex()


main()
