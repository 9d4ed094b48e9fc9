"""Byte-level BPE tokenizers: GPT-2's, CodeGen's (which Phi-1 to Phi-2 use) and our own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from phinery.text.encoding import FastEncoding, bytes_of_characters

DEFAULT_EOS = "<|endoftext|>"
_ROLES = ("eos_token", "bos_token", "unk_token", "pad_token")
_WORTH_PREPARING = 2**14
"""Characters from which on the faster encoding pays for its preparation."""
# What transformers writes about where and how it loaded a tokenizer: says nothing about a copy.
_NOT_COPIED = frozenset(
    {"added_tokens_decoder", "auto_map", "name_or_path", "tokenizer_file", "vocab_file"}
    | {"merges_file", "special_tokens_map_file", "tokenizer_class", "processor_class"}
)


class Tokenizer:
    """A byte-level BPE tokenizer and the names of its special tokens.

    Make one with `load`, `from_backend` or `phinery.data.train_tokenizer`. Encoding adds no tokens
    of its own: neither a beginning nor an end of text.
    """

    def __init__(
        self, backend: tokenizers.Tokenizer, roles: Mapping[str, str], config: Mapping[str, Any]
    ) -> None:
        """Wrap `backend`, which from now on belongs to this object.

        `roles` names the special tokens ("eos_token" is a must, "bos_token", "unk_token" and
        "pad_token" may be absent); `config` is what else stands in `tokenizer_config.json`.
        Raises ValueError for a tokenizer that is not byte-level or lacks one of the tokens.
        """
        _check_byte_level(backend)
        backend.no_truncation()
        backend.no_padding()
        known = backend.get_added_tokens_decoder()
        ids: dict[str, int] = {}
        for role, token in roles.items():
            number = backend.token_to_id(token)
            if number is None:
                raise ValueError(f"the tokenizer's {role} {token!r} is not in its vocabulary")
            if number not in known or not known[number].special:
                backend.add_special_tokens([AddedToken(token, special=True, normalized=False)])
            ids[role] = number
        # Not part of the serialised state: text that spells a special token stays text.
        backend.encode_special_tokens = True
        self._backend = backend
        self._roles = dict(roles)
        self._config = {key: value for key, value in config.items() if key not in _NOT_COPIED}
        added = backend.get_added_tokens_decoder()
        self._special_ids = frozenset(number for number, token in added.items() if token.special)
        self.eos_token: str = roles["eos_token"]
        self.eos_token_id: int = ids["eos_token"]
        self.bos_token_id: int | None = ids.get("bos_token")
        self.pad_token_id: int | None = ids.get("pad_token")

    @classmethod
    def from_backend(cls, backend: tokenizers.Tokenizer, eos_token: str = DEFAULT_EOS) -> Tokenizer:
        """Wrap a copy of a `tokenizers.Tokenizer`; `eos_token` also begins a text and is unknown.

        Raises ValueError when the backend is not byte-level BPE or has no such token.
        """
        return cls(tokenizers.Tokenizer.from_str(backend.to_str()), _roles_of(eos_token), {})

    @classmethod
    def load(cls, directory: str | Path) -> Tokenizer:
        """Read the tokenizer of a Hugging Face folder.

        That is `tokenizer.json`, or the older `vocab.json`, `merges.txt` and `added_tokens.json`
        of CodeGen and GPT-2. The special tokens' names come from `tokenizer_config.json` or
        `special_tokens_map.json`, and are `<|endoftext|>` where neither names one.
        Raises ValueError, in one line with the file's name, when one is missing or damaged.
        """
        directory = Path(directory)
        whole, vocab = directory / "tokenizer.json", directory / "vocab.json"
        if whole.is_file():
            source, backend = whole, _read_whole(whole)
        elif vocab.is_file():
            source, backend = vocab, _read_parts(directory)
        else:
            raise ValueError(
                f"{directory} has no tokenizer.json, nor vocab.json and merges.txt: "
                f"copy the tokenizer's files there"
            )
        config = _read_object(directory / "tokenizer_config.json")
        special_map = _read_object(directory / "special_tokens_map.json")
        roles: dict[str, str] = {}
        for role in _ROLES:
            token = _token_text(config.get(role)) or _token_text(special_map.get(role))
            if token is not None:
                roles[role] = token
        if "eos_token" not in roles:
            roles = {**_roles_of(DEFAULT_EOS), **roles}
        try:
            return cls(backend, roles, config)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error

    def save(self, directory: str | Path) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json` into an existing directory.

        `transformers.AutoTokenizer` opens them, and decodes with them as this tokenizer does.
        """
        directory = Path(directory)
        config = {
            **self._config,
            **self._roles,
            "clean_up_tokenization_spaces": False,
            "tokenizer_class": "PreTrainedTokenizerFast",
        }
        (directory / "tokenizer.json").write_text(
            self._backend.to_str(pretty=True) + "\n", encoding="utf-8"
        )
        (directory / "tokenizer_config.json").write_text(
            json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )

    def encode(self, text: str, *, special_tokens: bool = False) -> list[int]:
        """Token ids of a text; `decode` of them is the text again.

        With `special_tokens`, text such as `<|endoftext|>` becomes the special token it spells;
        without, as for every text from outside, it is encoded like any other text. Added tokens
        that are not special (CodeGen's runs of spaces) always match.
        Raises ValueError for text with lone surrogates, which has no UTF-8 form.
        """
        if not special_tokens and len(text) >= _WORTH_PREPARING:
            return self.encode_batch([text])[0]
        backend = self._special_backend if special_tokens else self._backend
        try:
            return backend.encode(text, add_special_tokens=False).ids
        except TypeError:
            _check_unicode([text])
            raise

    def encode_batch(
        self, texts: Sequence[str], *, special_tokens: bool = False
    ) -> list[list[int]]:
        """Token ids of many texts, on all cores; see `encode`."""
        try:
            if not special_tokens and sum(map(len, texts)) >= _WORTH_PREPARING:
                arrays = self.encode_arrays(texts, threads=available_cores())
                return [ids.tolist() for ids in arrays]
            backend = self._special_backend if special_tokens else self._backend
            encodings = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        except TypeError:
            _check_unicode(texts)
            raise
        return [encoding.ids for encoding in encodings]

    def encode_arrays(self, texts: Sequence[str], *, threads: int = 1) -> list[NDArray[np.uint32]]:
        """Token ids of many texts as arrays, the fastest way to get them; see `encode`.

        The interpreter's lock is free most of the time, so that others may do the same in other
        threads.
        """
        try:
            if self._fast_encoding is not None:
                return self._fast_encoding.encode(texts, threads=threads)
            encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):
            _check_unicode(texts)
            raise
        return [np.array(encoding.ids, dtype=np.uint32) for encoding in encodings]

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """The text of token ids; bytes that are not UTF-8 become U+FFFD, one per invalid sequence.

        Ids beyond the vocabulary (rows that only pad a model's embedding) have no text. Raises
        ValueError for negative ids.
        """
        skipped = self._special_ids if skip_special_tokens else frozenset[int]()
        pieces = [self.token_bytes(number) for number in ids if number not in skipped]
        return b"".join(pieces).decode("utf-8", errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of a token: none for ids beyond the vocabulary. ValueError for negative ids."""
        if token_id < 0:
            raise ValueError(f"{token_id} is no token id: they begin at 0")
        return self._bytes_of_tokens[token_id] if token_id < self.vocab_size else b""

    def is_special(self, token_id: int) -> bool:
        """Whether a token stands for something other than its text, such as the end of a text."""
        return token_id in self._special_ids

    @cached_property
    def vocab_size(self) -> int:
        """The highest id plus one, added tokens included: the rows that an embedding needs."""
        return max(self._backend.get_vocab(with_added_tokens=True).values()) + 1

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of `tokenizer.json`'s content, whatever its layout and key order."""
        content = json.dumps(json.loads(self._backend.to_str()), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @cached_property
    def _bytes_of_tokens(self) -> list[bytes]:
        table = [b""] * self.vocab_size
        byte_of = bytes_of_characters()
        for token, number in self._backend.get_vocab(with_added_tokens=True).items():
            # An added token with a character outside the alphabet is spelt as it is.
            if all(character in byte_of for character in token):
                table[number] = bytes(byte_of[character] for character in token)
            else:
                table[number] = token.encode()
        return table

    @cached_property
    def _fast_encoding(self) -> FastEncoding | None:
        """A faster way to the same ids, where there is one; it takes a moment to prepare."""
        return FastEncoding.of(self._backend)

    @cached_property
    def _special_backend(self) -> tokenizers.Tokenizer:
        """A copy that finds special tokens in the text: the setting is a property of a backend."""
        return tokenizers.Tokenizer.from_str(self._backend.to_str())


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _roles_of(token: str) -> dict[str, str]:
    """One token in all the roles that it has in GPT-2 and CodeGen."""
    return {"eos_token": token, "bos_token": token, "unk_token": token}


def _check_byte_level(backend: tokenizers.Tokenizer) -> None:
    parts = {"model": backend.model, "decoder": backend.decoder}
    wanted = {"model": models.BPE, "decoder": decoders.ByteLevel}
    for name, part in parts.items():
        if not isinstance(part, wanted[name]):
            found = "missing" if part is None else type(part).__name__
            raise ValueError(
                f"this is not a byte-level BPE tokenizer: its {name} is {found}, "
                f"{wanted[name].__name__} is needed"
            )


def _check_unicode(texts: Iterable[object]) -> None:
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {number} is {type(text).__name__}, not str")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"text {number} is not valid Unicode: lone surrogate at character {error.start}"
            ) from error


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object, empty when there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {_one_line(error)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")
    return content


def _token_text(value: object) -> str | None:
    """The text of a special token, which is written as a string or as an object with "content"."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _read_whole(path: Path) -> tokenizers.Tokenizer:
    content = _read_object(path)
    model = content.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, dict):
        _check_vocabulary(path, vocab)
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(content))
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"{path} is not a tokenizer: {_one_line(error)}") from error


def _read_parts(directory: Path) -> tokenizers.Tokenizer:
    """CodeGen's and GPT-2's older layout, put together as their tokenizers in transformers do."""
    vocab = _read_object(directory / "vocab.json")
    _check_vocabulary(directory / "vocab.json", vocab)
    merges = directory / "merges.txt"
    if not merges.is_file():
        raise ValueError(f"{directory} has vocab.json but no merges.txt: copy it there")
    try:
        # "\n" and nothing else ends a line: a merge may hold other characters that count as such.
        lines = merges.read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")
        rules = [
            tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")
        ]
        backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=rules))  # pyright: ignore[reportArgumentType]
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"{merges} does not fit vocab.json: {_one_line(error)}") from error
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    added = _read_object(directory / "added_tokens.json")
    _check_vocabulary(directory / "added_tokens.json", added)
    for token, number in sorted(added.items(), key=lambda item: item[1]):
        backend.add_tokens([AddedToken(token, special=False, normalized=True)])
        if backend.token_to_id(token) != number:
            raise ValueError(
                f"{directory / 'added_tokens.json'}: {token!r} cannot have the id {number}, "
                f"because its ids do not go on from those of vocab.json"
            )
    return backend


def _check_vocabulary(path: Path, vocab: Mapping[str, object]) -> None:
    numbers = list(vocab.values())
    if not all(type(number) is int and 0 <= number < 2**31 for number in numbers):
        raise ValueError(f"{path}: the vocabulary's ids must be whole numbers from 0")
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"{path}: two tokens of the vocabulary have the same id")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
