"""A tokenizer as keys of a GGUF file and back.

llama.cpp has GPT-2's pattern built in under the name `gpt-2`, which phi-2's tokenizer and ours use.
Tokens of the merges are spelt in the byte-level alphabet, added ones as they are. A token's type
says how it is found in a text: always (user-defined), only where special tokens are asked for
(control), by merging (normal) or never (unused: rows that only pad the embedding). Source:
`llama-vocab.cpp` and `get_vocab_base` of the converter in https://github.com/ggml-org/llama.cpp.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from phinery.model.stored import CheckpointError, shown
from phinery.text import Tokenizer

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
_PATTERNS = ("gpt-2", "phi-2")
_KEY = "tokenizer.ggml."
_TEMPLATE = "tokenizer.chat_template"
# llama.cpp wants at least one merge and gguf cannot write an empty list. This one joins two bytes
# into what is no token, which llama.cpp takes apart again.
_NO_MERGES = "Ā Ā"
_ROLES = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}


def tokenizer_metadata(
    tokenizer: Tokenizer, vocab_size: int, special_ids: Mapping[str, int], template: str | None
) -> dict[str, Any]:
    """The keys that describe a tokenizer, without `add_bos_token`, which is false.

    `vocab_size` is the model's, `special_ids` has `bos_token_id` and so on. Raises CheckpointError
    for a tokenizer that llama.cpp would not tokenise with alike.
    """
    state = _state(tokenizer)
    _check_pattern(state)
    added = {token["id"]: token for token in state["added_tokens"]}
    vocab: dict[str, int] = state["model"]["vocab"]
    texts = {number: text for text, number in vocab.items()}
    texts.update({number: token["content"] for number, token in added.items()})
    if max(texts) >= vocab_size:
        raise CheckpointError(
            f"the tokenizer has {max(texts) + 1} tokens, but the model's vocab_size is only "
            f"{vocab_size}: they do not belong together"
        )
    if len(set(texts.values())) < len(texts):
        raise CheckpointError("two of the tokenizer's tokens have the same text: GGUF has no way")
    tokens: list[str] = []
    types: list[int] = []
    taken = set(texts.values())
    for number in range(vocab_size):
        text = texts.get(number)
        if text is None:
            text, kind = f"[PAD{number}]", _UNUSED
            while text in taken:
                text = f"[{text}]"
        elif number not in added:
            kind = _NORMAL
        else:
            kind = _CONTROL if added[number]["special"] else _USER_DEFINED
            _check_added(added[number])
        tokens.append(text)
        types.append(kind)
    merges = [
        merge if isinstance(merge, str) else " ".join(merge) for merge in state["model"]["merges"]
    ]
    for name, number in special_ids.items():
        if not 0 <= number < vocab_size:
            raise CheckpointError(f"{name} is {number}, but there are {vocab_size} tokens")
    keys = {"bos_token_id": "bos_token_id", "eos_token_id": "eos_token_id"}
    keys["pad_token_id"] = "padding_token_id"
    return {
        f"{_KEY}model": "gpt2",
        f"{_KEY}pre": _PATTERNS[0],
        f"{_KEY}tokens": tokens,
        f"{_KEY}token_type": types,
        f"{_KEY}merges": merges or [_NO_MERGES],
        **{f"{_KEY}{keys[name]}": number for name, number in special_ids.items()},
        **({_TEMPLATE: template} if template else {}),
    }


def read_tokenizer(path: Path, metadata: Mapping[str, Any], vocab_size: int) -> Tokenizer:
    """The tokenizer that a file's keys describe. Raises CheckpointError for what is not right."""
    model, pattern = metadata.get(f"{_KEY}model"), metadata.get(f"{_KEY}pre", _PATTERNS[0])
    if model != "gpt2" or pattern not in _PATTERNS:
        raise CheckpointError(
            f"{path}: its tokenizer is {shown(model)} with the pattern {shown(pattern)}; only gpt2 "
            f"with {' or '.join(_PATTERNS)} is read"
        )
    tokens = _list_of(path, metadata, "tokens", str)
    types = _list_of(path, metadata, "token_type", int)
    merges = _list_of(path, metadata, "merges", str)
    if len(tokens) != vocab_size or len(types) != vocab_size:
        raise CheckpointError(
            f"{path} has {len(tokens)} tokens with {len(types)} types for {vocab_size} rows of its "
            "embedding"
        )
    if len(set(tokens)) < len(tokens) or "" in tokens:
        raise CheckpointError(f"{path}: two of its tokens have the same text, or one has none")
    if merges == [_NO_MERGES]:
        merges = []
    state = _tokenizer_json(tokens, types, merges)
    try:
        backend = tokenizers.Tokenizer.from_str(json.dumps(state))
    except Exception as error:  # the library raises nothing narrower
        message = f"its tokens and merges make no tokenizer: {' '.join(str(error).split())}"
        raise CheckpointError(f"{path}: {message}") from error
    roles: dict[str, str] = {}
    for role, key in _ROLES.items():
        number = metadata.get(_KEY + key)
        if number is None:
            continue
        if not isinstance(number, int) or not 0 <= number < vocab_size:
            raise CheckpointError(f"{path}: {_KEY}{key} is {shown(number)}, which is no token")
        if types[number] != _UNUSED:
            roles[role] = tokens[number]
    if "eos_token" not in roles:
        raise CheckpointError(f"{path}: {_KEY}eos_token_id, the end of a text, is missing")
    template = metadata.get(_TEMPLATE)
    config = {"chat_template": template} if isinstance(template, str) else {}
    try:
        return Tokenizer(backend, roles, config)
    except ValueError as error:
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from error


def _state(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of `tokenizer.json`, in one form whatever files the tokenizer came from."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(folder)
        return json.loads((Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))


def _check_pattern(state: Mapping[str, Any]) -> None:
    model, before = state["model"], state["pre_tokenizer"] or {}
    is_plain = (
        state["normalizer"] is None
        and before.get("type") == "ByteLevel"
        and before.get("add_prefix_space") is False
        and before.get("use_regex", True) is True
        and not any(model.get(key) for key in ("dropout", "continuing_subword_prefix"))
        and not any(model.get(key) for key in ("end_of_word_suffix", "ignore_merges"))
    )
    if not is_plain:
        raise CheckpointError(
            "the tokenizer does not cut texts by GPT-2's pattern alone (a normaliser, another "
            "pre-tokenizer or an option of its merges is set), so llama.cpp would not get the same "
            "tokens"
        )


def _check_added(token: Mapping[str, Any]) -> None:
    if not token["special"] and (token["lstrip"] or token["rstrip"] or token["single_word"]):
        raise CheckpointError(
            f"the tokenizer's token {shown(token['content'])} has rules about what stands beside "
            "it (lstrip, rstrip or single_word), which llama.cpp does not know"
        )


def _list_of(path: Path, metadata: Mapping[str, Any], key: str, kind: type) -> list[Any]:
    value = metadata.get(_KEY + key)
    if not isinstance(value, list) or not all(type(item) is kind for item in value):
        found = "missing" if value is None else "of another type"
        raise CheckpointError(f"{path}: {_KEY}{key} is {found}")
    return value


def _tokenizer_json(
    tokens: Sequence[str], types: Sequence[int], merges: Sequence[str]
) -> dict[str, Any]:
    """Content of a `tokenizer.json`.

    The library numbers added tokens on from the vocabulary. Those that come after all others may
    so be added; a token with a number of its own must be in the vocabulary too, as GPT-2's end of
    text is.
    """
    used = [number for number, kind in enumerate(types) if kind != _UNUSED]
    end = used[-1] + 1 if used else 0
    first_added = end
    while first_added and types[first_added - 1] not in (_NORMAL, _UNUSED):
        first_added -= 1
    if _UNUSED in types[:first_added]:
        first_added = end
    added = [number for number in used if types[number] != _NORMAL]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": tokens[number],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": types[number] == _USER_DEFINED,
                "special": types[number] != _USER_DEFINED,
            }
            for number in added
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {tokens[number]: number for number in used if number < first_added},
            "merges": [merge.split(" ", 1) for merge in merges],
        },
    }
