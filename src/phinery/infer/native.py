"""The native core: a Phi on the CPU through the C++ engine of `native/engine/`, without torch.

The library is built with the package, once for each instruction set (`hatch_build.py`), and called
through ctypes. PHINERY_ENGINE_ISA=avx512|avx2|portable takes another one than the best.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from phinery.infer.adapters import TARGETS, read_adapter
from phinery.infer.backend import Span, cache_pages
from phinery.model.config import PhiConfig
from phinery.model.folder import ModelFiles
from phinery.model.quantized_files import read_generating_files, scale_of
from phinery.model.stored import CheckpointError, StoredTensor, fill
from phinery.text import available_cores

Quantization = Literal["int8", "int4"]

_FOLDER = Path(__file__).parent
_ISAS = ("portable", "avx2", "avx512")
_SIGNATURES: dict[str, tuple[str, Any]] = {
    # i: int32, l: long, f: float, p: pointer
    "phinery_engine_instructions": ("", ctypes.c_int),
    "phinery_engine_new": ("pfpp", ctypes.c_void_p),
    "phinery_engine_delete": ("p", None),
    "phinery_engine_set": ("piippill", ctypes.c_int),
    "phinery_engine_set_threads_of_few": ("pi", ctypes.c_int),
    "phinery_engine_add_adapter": ("p", ctypes.c_int),
    "phinery_engine_set_adapter": ("piiiipp", ctypes.c_int),
    "phinery_engine_step": ("pippppip", ctypes.c_int),
    "phinery_engine_weight_bytes": ("p", ctypes.c_long),
    "phinery_engine_read_rate": ("lii", ctypes.c_double),
}
_TYPES: dict[str, Any] = {
    "i": ctypes.c_int,
    "l": ctypes.c_long,
    "f": ctypes.c_float,
    "p": ctypes.c_void_p,
}
# The numbers that native/engine/ gives to formats, types of stored tensors, and parameters.
_FORMATS = {None: 0, "int8": 1, "int4": 2}
_SOURCES = {"F32": 0, "F16": 1, "BF16": 2, "I8": 3, "U8": 4}
_OUTER = (
    "model.embed_tokens.weight",
    "model.final_layernorm.weight",
    "model.final_layernorm.bias",
    "lm_head.weight",
    "lm_head.bias",
)
_OF_LAYER = (
    "input_layernorm.weight",
    "input_layernorm.bias",
    *(f"self_attn.{name}.weight" for name in ("q_proj", "k_proj", "v_proj", "dense")),
    *(f"mlp.{name}.weight" for name in ("fc1", "fc2")),
    *(f"self_attn.{name}.bias" for name in ("q_proj", "k_proj", "v_proj", "dense")),
    *(f"mlp.{name}.bias" for name in ("fc1", "fc2")),
)
_MODULES = ("q_proj", "k_proj", "v_proj", "fc1", "dense", "fc2")
# A page table's entries have 32 bits.
_MAX_PAGES = 2**31 - 1
# Choosing the number of threads takes no longer than this at a start, in seconds.
_TUNING = 0.25

assert set(_MODULES) == set(TARGETS)


def is_available() -> bool:
    """Whether the package was built with the native core."""
    return _library() is not None


def isa() -> str | None:
    """The instruction set in use, avx512, avx2 or portable; None without the native core."""
    library = _library()
    return library and Path(library._name).stem.rpartition("-")[2]


def read_rate(threads: int, *, num_bytes: int = 2**28, repeats: int = 5) -> float:
    """Bytes a second at which threads read memory: the most that weights can be read at."""
    return _loaded().phinery_engine_read_rate(num_bytes, threads, repeats)


class NativeBackend:
    """A Phi in bfloat16, 8 or 4 bits on the native core. Use `NativeBackend.open`.

    `bitwise`: what a token's logits are does not depend on what is computed beside it, on the
    chunks of the prompt, the pages or the threads. One step at a time: others wait.
    """

    bitwise = True

    def __init__(
        self,
        config: PhiConfig,
        *,
        quantization: Quantization | None,
        threads: int,
        page_size: int,
        num_pages: int,
        keys_in_bytes: bool = False,
    ) -> None:
        self.config = config
        self.page_size = page_size
        self.num_pages = num_pages
        self.quantization = quantization
        self._turn = threading.Lock()
        self._model: int | None = None
        if num_pages > _MAX_PAGES:
            raise MemoryError(f"a cache has {_MAX_PAGES} pages at most: lower cache_tokens")
        cos, sin = _rotations(config)
        shape = np.array(
            [
                config.vocab_size,
                config.hidden_size,
                config.num_hidden_layers,
                config.num_attention_heads,
                config.rotary_dim,
                config.mlp_size,
                config.max_position_embeddings,
                _FORMATS[quantization],
                _FORMATS["int8" if quantization else None],
                page_size,
                num_pages,
                keys_in_bytes,
                threads,
            ],
            dtype=np.int32,
        )
        self.threads = threads
        # Of a step with fewer than eight rows, which waits for the memory more than it computes.
        self.threads_of_few = threads
        self._model = _loaded().phinery_engine_new(
            shape.ctypes.data, config.layer_norm_eps, cos.ctypes.data, sin.ctypes.data
        )
        if not self._model:
            raise MemoryError(
                f"there is no memory for the model and a cache of {num_pages * page_size} tokens: "
                "lower cache_tokens, or take int8 or int4"
            )

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        quantization: Quantization | None = None,
        threads: int | None = None,
        cache_tokens: int | None = None,
        page_size: int = 16,
        kv_dtype: Literal["bfloat16", "int8"] = "bfloat16",
        max_batch: int = 32,
    ) -> NativeBackend:
        """Read a model folder, and round its weights to bfloat16 or as `quantization` says.

        A folder that `phinery export` quantised is taken as it is. `threads` are by default all
        cores, for single tokens the fewest that are as fast as any number. Raises CheckpointError
        for a folder that is not in order, ValueError for options that do not exist, MemoryError.
        """
        if kv_dtype not in ("bfloat16", "int8"):
            raise ValueError(f"kv_dtype must be bfloat16 or int8, not {kv_dtype!r}")
        if quantization not in _FORMATS:
            raise ValueError(f"quantization must be int8, int4 or None, not {quantization!r}")
        cores = available_cores()
        if threads is not None and not 1 <= threads <= 1024:
            raise ValueError(f"threads must be from 1 to 1024, not {threads}")
        files, stored_in = read_generating_files(directory)
        if stored_in and quantization not in (None, stored_in):
            raise ValueError(f"{files.folder} holds {stored_in} weights, not {quantization}")
        config = files.config
        pages = cache_pages(
            config,
            page_size=page_size,
            cache_tokens=cache_tokens,
            max_batch=max_batch,
            bytes_per_token=config.kv_bytes_per_token(1 if kv_dtype == "int8" else 2),
        )
        backend = cls(
            config,
            quantization=stored_in or quantization,
            threads=threads or cores,
            page_size=page_size,
            num_pages=pages,
            keys_in_bytes=kv_dtype == "int8",
        )
        try:
            backend._read(files)
            if threads is None and cores > 1:
                backend._tune(cores)
        except BaseException:
            backend.close()
            raise
        return backend

    @property
    def weight_bytes(self) -> int:
        """Bytes of the packed matrices, which one token reads all of."""
        return _loaded().phinery_engine_weight_bytes(self._opened())

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """See `Backend.step`."""
        table = np.empty((len(spans), 4), dtype=np.int32)
        rows: list[int] = []
        count = first_page = 0
        for place, span in enumerate(spans):
            length = len(span.tokens)
            table[place] = length, span.start, span.adapter, first_page
            count += length
            first_page += len(span.pages)
            rows.extend(range(count - span.num_logits, count))
        tokens = np.concatenate([span.tokens for span in spans], dtype=np.int32)
        pages = np.concatenate([span.pages for span in spans], dtype=np.int32)
        logit_rows = np.array(rows, dtype=np.int32)
        logits = np.empty((len(rows), self.config.vocab_size), dtype=np.float32)
        with self._turn:
            done = _loaded().phinery_engine_step(
                self._opened(),
                len(spans),
                table.ctypes.data,
                pages.ctypes.data,
                tokens.ctypes.data,
                logit_rows.ctypes.data,
                len(rows),
                logits.ctypes.data,
            )
        if not done:
            raise MemoryError(f"there is no memory for a step of {count} tokens")
        return logits

    def load_adapter(self, directory: str | Path) -> int:
        """See `Backend.load_adapter`."""
        changes = read_adapter(directory, self.config)
        with self._turn:
            library, model = _loaded(), self._opened()
            number: int = library.phinery_engine_add_adapter(model)
            for (layer, name), change in changes.items():
                down, up = np.ascontiguousarray(change.down), np.ascontiguousarray(change.up)
                done = library.phinery_engine_set_adapter(
                    model,
                    number,
                    layer,
                    _MODULES.index(name),
                    len(down),
                    down.ctypes.data,
                    up.ctypes.data,
                )
                if not done:
                    raise MemoryError(f"there is no memory for the adapter {directory}")
        return number

    def close(self) -> None:
        """See `Backend.close`."""
        with self._turn:
            if self._model:
                _loaded().phinery_engine_delete(self._model)
            self._model = None

    def __del__(self) -> None:
        if getattr(self, "_model", None):
            self.close()

    def _opened(self) -> int:
        assert self._model, "the backend was closed"
        return self._model

    def _read(self, files: ModelFiles) -> None:
        room = bytearray()
        scale_room = bytearray()
        for layer, number, name in _parameters(files.config.num_hidden_layers):
            source, stored = files.places[name], files.tensor(name)
            size = stored.num_bytes // source.parts
            _read_part(stored, source.part * size, size, room)
            kind = stored.dtype
            if kind == "F64":
                wide = np.frombuffer(room, dtype=np.float64, count=size // 8)
                room = bytearray(wide.astype(np.float32).tobytes())
                kind = "F32"
            scales = scale_of(files, name)
            if scales is not None:
                _read_part(scales, 0, scales.num_bytes, scale_room)
            columns, depth = _size_of(stored, source.parts)
            done = _loaded().phinery_engine_set(
                self._opened(),
                layer,
                number,
                _address(room),
                _address(scale_room) if scales is not None else None,
                _SOURCES[kind],
                columns,
                depth,
            )
            if not done:
                raise CheckpointError(f"{stored.path}: there is no memory to pack {name}")

    def _tune(self, cores: int) -> None:
        """Compute single tokens with the fewest threads that are as fast as any number."""
        span = Span(np.zeros(1, np.int32), 0, np.zeros(1, np.int32), 1)
        deadline = time.perf_counter() + _TUNING
        best = self._seconds(span)
        chosen = cores
        for count in _halvings(cores):
            if time.perf_counter() > deadline:
                break
            self.set_threads_of_few(count)
            seconds = self._seconds(span)
            if seconds > 1.05 * best:
                break
            best, chosen = min(best, seconds), count
        self.set_threads_of_few(chosen)

    def _seconds(self, span: Span) -> float:
        taken: list[float] = []
        for _ in range(4):
            begin = time.perf_counter()
            self.step([span])
            taken.append(time.perf_counter() - begin)
            if taken[-1] > _TUNING / 4:
                break
        return min(taken)

    def set_threads_of_few(self, count: int) -> None:
        """How many threads compute a step of fewer than eight rows; at most `threads`."""
        if not _loaded().phinery_engine_set_threads_of_few(self._opened(), count):
            raise MemoryError(f"{count} threads cannot be started")
        self.threads_of_few = count


def _halvings(count: int) -> Iterator[int]:
    while count > 1:
        count //= 2
        yield count


def _rotations(config: PhiConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines (positions, rotary_dim / 2), in float32 as transformers computes them."""
    exponents = np.arange(0, config.rotary_dim, 2, dtype=np.float32) / config.rotary_dim
    frequencies = np.float32(1) / np.float32(config.rope_theta) ** exponents
    positions = np.arange(config.max_position_embeddings, dtype=np.float32)
    angles = np.outer(positions, frequencies).astype(np.float32)
    return np.cos(angles), np.sin(angles)


def _parameters(layers: int) -> Iterator[tuple[int, int, str]]:
    """Layer (-1 outside of them), number and name of every parameter."""
    for number, name in enumerate(_OUTER):
        yield -1, number, name
    for layer in range(layers):
        for number, name in enumerate(_OF_LAYER, start=len(_OUTER)):
            yield layer, number, f"model.layers.{layer}.{name}"


def _size_of(stored: StoredTensor, parts: int) -> tuple[int, int]:
    """Outputs and inputs; those of a vector are its length and 1."""
    rows = stored.shape[0] // parts
    if len(stored.shape) == 1:
        return rows, 1
    return rows, stored.shape[1] * (2 if stored.dtype == "U8" else 1)


def _read_part(stored: StoredTensor, start: int, size: int, room: bytearray) -> None:
    """Bytes start to start + size of a tensor, to the beginning of `room`, which grows."""
    if len(room) < size:
        room.extend(bytes(size - len(room)))
    try:
        with stored.path.open("rb", buffering=0) as file:
            file.seek(stored.offset + start)
            fill(stored, file, memoryview(room)[:size])
    except OSError as error:
        raise CheckpointError(f"{stored.path} cannot be read: {error.strerror}") from error


def _address(room: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(room))


def _loaded() -> ctypes.CDLL:
    library = _library()
    assert library is not None, "the native core was not built"
    return library


@functools.cache
def _library() -> ctypes.CDLL | None:
    portable = _open_library("portable")
    if portable is None:
        return None
    best = portable.phinery_engine_instructions()
    wanted = os.environ.get("PHINERY_ENGINE_ISA")
    if wanted:
        if wanted not in _ISAS or _ISAS.index(wanted) > best:
            raise ValueError(
                f"PHINERY_ENGINE_ISA is {wanted!r}; this processor has "
                f"{', '.join(_ISAS[: best + 1])}"
            )
        return _open_library(wanted)
    found = (_open_library(name) for name in reversed(_ISAS[: best + 1]))
    return next((library for library in found if library is not None), None)


def _open_library(name: str) -> ctypes.CDLL | None:
    path = _FOLDER / f"libphinery-engine-{name}.so"
    if not path.is_file():
        return None
    library = ctypes.CDLL(str(path))
    for function, (arguments, result) in _SIGNATURES.items():
        entry: Any = getattr(library, function)
        entry.argtypes = [_TYPES[letter] for letter in arguments]
        entry.restype = result
    return library
