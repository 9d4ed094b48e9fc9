"""The kernels of `native/` for the processor, called through ctypes.

`hatch_build.py` builds them with the package, for several instruction sets, where there is a C++
compiler. Without them everything works on plain torch, slower.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_DTYPES = (torch.float32, torch.bfloat16)
_ARGUMENTS: dict[str, str] = {
    # i: C int, l: C long, p: pointer
    "phinery_attention_forward": "iillllllppppppp",
    "phinery_attention_backward": "iillllllpppppppppp",
    "phinery_gelu": "iilpp",
    "phinery_gelu_backward": "iilppp",
    "phinery_add_branches": "iilpppp",
    "phinery_softmax_gradient": "iillppppp",
}
_TYPES = {"i": ctypes.c_int, "l": ctypes.c_long, "p": ctypes.c_void_p}


def is_available() -> bool:
    """Whether the package was built with kernels that this processor runs."""
    return _library() is not None


def build() -> str | None:
    """Instruction set of the kernels that are used, as `hatch_build.py` names it; None: there are
    none.
    """
    library = _library()
    return library and Path(library._name).stem.removeprefix("libphinery-")


def takes(*tensors: Tensor) -> bool:
    """Whether the kernels can work on these: contiguous, float32 or bfloat16 alike, on the CPU."""
    return (
        is_available()
        and tensors[0].dtype in _DTYPES
        and all(
            tensor.dtype == tensors[0].dtype
            and tensor.device.type == "cpu"
            and tensor.is_contiguous()
            for tensor in tensors
        )
    )


def attention_forward(
    query: Tensor, key: Tensor, value: Tensor, cos: Tensor, sin: Tensor, documents: Tensor | None
) -> Tensor:
    """Causal attention over rotated queries and keys; all (batch, seq, heads, head_dim).

    `cos` and `sin` are float32 (batch or 1, seq, 1, rotary_dim / 2), `documents` is int64
    (batch, seq) or None.
    """
    mixed = torch.empty_like(query)
    arguments = _attention_arguments(query, key, value, cos, sin, documents)
    if not _call("phinery_attention_forward", query, *arguments, mixed):
        raise MemoryError("there is no memory left for attention")
    return mixed


def attention_backward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cos: Tensor,
    sin: Tensor,
    documents: Tensor | None,
    grad_mixed: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attention_forward` in query, key and value."""
    gradients = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
    arguments = _attention_arguments(query, key, value, cos, sin, documents)
    if not _call("phinery_attention_backward", query, *arguments, grad_mixed, *gradients):
        raise MemoryError("there is no memory left for attention")
    return gradients


def gelu(pre: Tensor) -> Tensor:
    """gelu_new(pre)."""
    value = torch.empty_like(pre)
    _call("phinery_gelu", pre, pre.numel(), pre, value)
    return value


def gelu_backward(grad: Tensor, pre: Tensor) -> tuple[Tensor, Tensor]:
    """Turns `grad`, in gelu_new's value, into that in `pre`; returns it and the value."""
    value = torch.empty_like(pre)
    _call("phinery_gelu_backward", pre, pre.numel(), pre, grad, value)
    return grad, value


def add_branches(hidden: Tensor, attention: Tensor, mlp: Tensor) -> Tensor:
    """The sum hidden (float32) + attention + mlp, in float32."""
    total = torch.empty_like(hidden)
    _call("phinery_add_branches", attention, hidden.numel(), hidden, attention, mlp, total)
    return total


def softmax_gradient(
    logits: Tensor, bias: Tensor, targets: Tensor, row_scale: Tensor
) -> tuple[Tensor, Tensor]:
    """As `kernels.softmax_gradient`; bias and row_scale are float32."""
    nll = torch.empty_like(row_scale)
    _call("phinery_softmax_gradient", logits, *logits.shape, logits, bias, targets, row_scale, nll)
    return nll, logits


def _attention_arguments(
    query: Tensor, key: Tensor, value: Tensor, cos: Tensor, sin: Tensor, documents: Tensor | None
) -> tuple[int | Tensor | None, ...]:
    cos, sin = cos.contiguous(), sin.contiguous()
    half = cos.shape[-1]
    between_batches = 0 if cos.shape[0] == 1 else cos.shape[1] * half
    if documents is not None:
        documents = documents.contiguous()
    return (*query.shape, half, between_batches, query, key, value, cos, sin, documents)


def _call(name: str, typed: Tensor, *arguments: int | Tensor | None) -> int:
    """Call a kernel in the type of `typed`; tensors become the addresses of their elements."""
    library = _library()
    assert library is not None
    plain = [
        argument.data_ptr() if isinstance(argument, Tensor) else argument for argument in arguments
    ]
    is_bfloat16 = int(typed.dtype == torch.bfloat16)
    return getattr(library, name)(is_bfloat16, torch.get_num_threads(), *plain)


@functools.cache
def _library() -> ctypes.CDLL | None:
    for target in _targets():
        path = Path(__file__).with_name(f"libphinery-{target}.so")
        if path.is_file():
            # After torch, whose OpenMP threads it then shares.
            library = ctypes.CDLL(str(path))
            for name, types in _ARGUMENTS.items():
                function: Any = getattr(library, name)
                function.argtypes = [_TYPES[letter] for letter in types]
                function.restype = ctypes.c_int if "attention" in name else None
            return library
    return None


def _targets() -> list[str]:
    """Instruction sets that this processor has, the fastest first; the names of hatch_build.py."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ["generic"]
    features = torch.cpu.get_capabilities()
    wide = ("avx512_f", "avx512_bw", "avx512_cd", "avx512_dq", "avx512_vl")
    targets = ["x86-64-v4"] if all(features.get(name) for name in wide) else []
    if targets and features.get("avx512_bf16"):
        targets.insert(0, "x86-64-v4-bf16")
    if all(features.get(name) for name in ("avx2", "fma3", "bmi2", "f16c")):
        targets.append("x86-64-v3")
    return targets
