"""Participant: Phinery's native core, and its Engine for "generate"."""

from __future__ import annotations

from importlib import metadata
from typing import Any, Literal

import numpy as np
from decode_worker import Decoder, Generate, Logits, Tokens, Variant, serve

QUANTIZATION: dict[str, Literal["int8", "int4"] | None] = {
    "bf16": None,
    "int8": "int8",
    "int4": "int4",
}


class NativeDecoder:
    """Calls of the native core's step, sequences side by side in its pages."""

    def __init__(self, request: dict[str, Any]) -> None:
        # Here and not above: the request's environment may choose the instruction set.
        from phinery.infer.backend import Span
        from phinery.infer.native import NativeBackend, isa

        self._span = Span
        self._backend = NativeBackend.open(
            request["directory"],
            quantization=QUANTIZATION[request["format"]],
            threads=request["threads"],
            cache_tokens=request["cache_tokens"],
        )
        self.versions = {"phinery": metadata.version("phinery"), "isa": str(isa())}
        self.matrix_bytes = int(self._backend.weight_bytes)
        self._threads, self._contended = request["threads"], request["contended"]
        self._pages: list[np.ndarray[Any, np.dtype[np.int32]]] = []
        self._logits = np.zeros((0, 0), np.float32)

    def variants(self, batch: int, steps: bool) -> list[Variant]:
        """Fewer threads where others compute, as an engine chooses them when it is opened."""
        least = 1 if self._contended else self._threads
        return [{"threads": number} for number in range(least, self._threads + 1)]

    def start(self, variant: Variant, batch: int, capacity: int) -> None:
        """Give each sequence pages of its own."""
        self._backend.set_threads_of_few(variant["threads"])
        each = -(-capacity // self._backend.page_size)
        if batch * each > self._backend.num_pages:
            raise SystemExit(f"{batch} x {each} pages wanted, there are {self._backend.num_pages}")
        self._pages = list(np.arange(batch * each, dtype=np.int32).reshape(batch, each))

    def feed(self, tokens: Tokens, position: int) -> None:
        """One step with a span for each sequence."""
        self._logits = self._backend.step(
            [
                self._span(tokens=row, start=position, pages=pages, num_logits=1)
                for row, pages in zip(tokens, self._pages, strict=True)
            ]
        )

    def logits(self) -> Logits:
        """Of the last step."""
        return self._logits

    def rewind(self, position: int) -> None:
        """Nothing to do: a span says where it starts."""

    def close(self) -> None:
        """Release weights and cache."""
        self._backend.close()


def open_generate(request: dict[str, Any]) -> Generate:
    """`Engine.generate`, greedy, as a user calls it."""
    from phinery.infer import Engine, SamplingParams

    engine = Engine.open(
        request["directory"],
        backend="native",
        quantization=QUANTIZATION[request["format"]],
        threads=request["threads"],
    )

    def generate(prompts: list[list[int]], tokens: int) -> list[list[int]]:
        params = SamplingParams(max_tokens=tokens, temperature=0.0, ignore_eos=True)
        return [completion.token_ids for completion in engine.generate(prompts, params)]

    return generate


def open_decoder(request: dict[str, Any]) -> Decoder:
    """The native core."""
    return NativeDecoder(request)


if __name__ == "__main__":
    serve(open_decoder, open_generate)
