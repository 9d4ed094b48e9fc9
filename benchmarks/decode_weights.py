"""The models of the decoding benchmark: random ones of a shape, and each participant's files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers.decode_shape import Shape

_ROWS = 4096
# llama.cpp's names of what is nearest to our formats.
GGUF_TYPES = {"bf16": "bf16", "f16": "f16", "int8": "q8_0", "int4": "q4_0"}


def write_random_model(shape: Shape, directory: Path) -> None:
    """A Hugging Face Phi in bfloat16 with weights N(0, 0.02), LayerNorms around 1, small biases.

    Written in pieces, so that the memory is that of a few rows; under another name until it is
    whole. Does nothing where the directory is there.
    """
    if directory.exists():
        return
    print(f"writing {shape.num_parameters / 1e6:,.0f}M weights to {directory}", file=sys.stderr)
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / "config.json").write_text(json.dumps(_config(shape), indent=1) + "\n")
    (unfinished / "tokenizer.json").write_text(json.dumps(_tokenizer()) + "\n", encoding="utf-8")
    (unfinished / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"})
    )
    _write_safetensors(shape, unfinished / "model.safetensors")
    unfinished.rename(directory)


def write_gguf(directory: Path, path: Path, kind: str) -> None:
    """The same weights for llama.cpp, by Phinery's own writer, in a process that then ends.

    `kind` is a key of GGUF_TYPES. Raises CalledProcessError when the writer fails.
    """
    if path.exists():
        return
    print(f"writing {path}", file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}.unfinished.gguf")
    unfinished.unlink(missing_ok=True)
    program = (
        "import sys\n"
        "from phinery.model.gguf import write_gguf\n"
        "write_gguf(sys.argv[1], sys.argv[2], dtype=sys.argv[3])\n"
    )
    arguments = [str(directory), str(unfinished), GGUF_TYPES[kind]]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)
    unfinished.rename(path)


def _config(shape: Shape) -> dict[str, Any]:
    return {
        "architectures": ["PhiForCausalLM"],
        "model_type": "phi",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_attention_heads,
        "max_position_embeddings": shape.max_position_embeddings,
        "partial_rotary_factor": shape.partial_rotary_factor,
        "rope_theta": 10000.0,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": shape.partial_rotary_factor,
        },
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu_new",
        "tie_word_embeddings": False,
        "bos_token_id": 256,
        "eos_token_id": 256,
        "dtype": "bfloat16",
    }


def _tokenizer() -> dict[str, Any]:
    """A token a byte and the end of text, 256; the vocabulary's other rows have no text."""
    # Bytes that print stand for themselves, the others for the characters from 256 on (GPT-2).
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in prints]
    characters = [chr(byte) for byte in prints] + [chr(256 + rank) for rank in range(len(others))]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    byte_level["use_regex"] = True
    end = {"id": 256, "content": "<|endoftext|>", "special": True, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end | {"single_word": False, "lstrip": False, "rstrip": False}],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {text: rank for rank, text in enumerate(sorted(characters))},
            "merges": [],
        },
    }


def _write_safetensors(shape: Shape, path: Path) -> None:
    """The header, then tensor after tensor (https://github.com/huggingface/safetensors)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, size in shape.tensors().items():
        start, end = end, end + 2 * int(np.prod(size))
        header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for number, (name, size) in enumerate(shape.tensors().items()):
            for values in _random(name, size, number):
                file.write(_to_bfloat16(values).tobytes())


def _random(name: str, size: tuple[int, ...], seed: int) -> Iterator[NDArray[np.float32]]:
    """Values of one tensor, some thousand rows at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, size[0], _ROWS):
        rows = (min(_ROWS, size[0] - start), *size[1:])
        values = generator.standard_normal(rows, dtype=np.float32)
        values *= 0.02
        if name.endswith("layernorm.weight"):
            values += 1
        yield values


def _to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves, rounded to the nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
