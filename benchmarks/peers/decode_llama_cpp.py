"""Participant: llama.cpp through llama-cpp-python: `llama_decode`, and `Llama` for "generate"."""

# pyright: reportMissingImports=false

from __future__ import annotations

import ctypes
import itertools
from importlib import metadata
from typing import Any

import llama_cpp
import numpy as np
from decode_worker import Decoder, Generate, Logits, Tokens, Variant, serve

# Tokens that are computed in one pass over the weights; the library's own default.
MICRO_BATCH = 512


@llama_cpp.llama_log_callback
def _be_quiet(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """Loading prints hundreds of lines."""


class LlamaDecoder:
    """`llama_decode` with a sequence id for each sequence."""

    def __init__(self, request: dict[str, Any]) -> None:
        llama_cpp.llama_log_set(_be_quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        path = request["gguf"]
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        if not self._model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        system = llama_cpp.llama_print_system_info().decode()
        self.versions = {
            "llama_cpp_python": metadata.version("llama_cpp_python"),
            "system": " ".join(system.split()),
        }
        self._vocab_size = request["vocab_size"]
        # Our writer keeps the embedding in q8_0, 8.5 bits, where the matrices are quantised.
        bits = 16 if request["format"] == "bf16" else 8.5
        width = llama_cpp.llama_model_n_embd(self._model)
        embedding = int(self._vocab_size * width * bits / 8)
        self.matrix_bytes = int(llama_cpp.llama_model_size(self._model)) - embedding
        self._threads, self._contended = request["threads"], request["contended"]
        self._context: Any = None
        self._batch: Any = None
        self._sequences = 0

    def variants(self, batch: int, steps: bool) -> list[Variant]:
        """Flash attention or not, one cache or one a sequence; fewer threads where others compute.

        On a machine of its own more threads were never slower (the cells of 1 thread tell).
        """
        threads = range(1 if self._contended else self._threads, self._threads + 1)
        choices = itertools.product(threads, (False, True), (False, True) if batch > 1 else (True,))
        return [
            {"threads": number, "flash_attention": flash, "unified_cache": unified}
            for number, flash, unified in choices
        ]

    def start(self, variant: Variant, batch: int, capacity: int) -> None:
        """A new context: its cache is as large as needed, and not larger."""
        self._free()
        params = llama_cpp.llama_context_default_params()
        # Cells come in multiples of 256, and each sequence has its share when not unified.
        each = -(-capacity // 256) * 256
        params.n_ctx = each * batch
        params.n_seq_max = batch
        params.n_batch = max(batch * min(capacity, MICRO_BATCH), MICRO_BATCH)
        params.n_ubatch = MICRO_BATCH
        params.n_threads = params.n_threads_batch = variant["threads"]
        params.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if variant["flash_attention"]
            else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        # One cache for all needs no copying, but each sequence looks at the others' cells.
        params.kv_unified = variant["unified_cache"]
        params.no_perf = True
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise SystemExit(f"llama.cpp makes no context for {batch} x {capacity} tokens")
        self._batch = llama_cpp.llama_batch_init(params.n_batch, 0, 1)
        self._sequences = batch

    def feed(self, tokens: Tokens, position: int) -> None:
        """One `llama_decode`, with logits for the last token of each sequence."""
        batch, count, length = self._batch, 0, tokens.shape[1]
        for sequence, row in enumerate(tokens.tolist()):
            for offset, token in enumerate(row):
                batch.token[count] = token
                batch.pos[count] = position + offset
                batch.n_seq_id[count] = 1
                batch.seq_id[count][0] = sequence
                batch.logits[count] = offset == length - 1
                count += 1
        batch.n_tokens = count
        status = llama_cpp.llama_decode(self._context, batch)
        # The logits are asked for once they are computed; nothing is copied.
        if status or not llama_cpp.llama_get_logits(self._context):
            raise SystemExit(f"llama_decode failed with status {status}")

    def logits(self) -> Logits:
        """Of the last call, a copy."""
        pointer = llama_cpp.llama_get_logits(self._context)
        shape = (self._sequences, self._vocab_size)
        return np.ctypeslib.as_array(pointer, shape=shape).copy()

    def rewind(self, position: int) -> None:
        """Remove the cells from `position` on."""
        memory = llama_cpp.llama_get_memory(self._context)
        for sequence in range(self._sequences):
            llama_cpp.llama_memory_seq_rm(memory, sequence, position, -1)

    def close(self) -> None:
        """Release context and weights."""
        self._free()
        llama_cpp.llama_model_free(self._model)

    def _free(self) -> None:
        if self._context is not None:
            llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self._context)
            self._context = None


def open_generate(request: dict[str, Any]) -> Generate:
    """`Llama.generate`, greedy; one prompt after the other, as it has no batches."""
    model = llama_cpp.Llama(
        request["gguf"],
        n_ctx=2048,
        n_threads=request["threads"],
        n_threads_batch=request["threads"],
        flash_attn=True,
        verbose=False,
    )

    def generate(prompts: list[list[int]], tokens: int) -> list[list[int]]:
        answers: list[list[int]] = []
        for prompt in prompts:
            model.reset()
            produced = model.generate(prompt, temp=0.0, repeat_penalty=1.0)
            answers.append([int(token) for token in itertools.islice(produced, tokens)])
        return answers

    return generate


def open_decoder(request: dict[str, Any]) -> Decoder:
    """llama.cpp's low-level interface."""
    return LlamaDecoder(request)


if __name__ == "__main__":
    serve(open_decoder, open_generate)
