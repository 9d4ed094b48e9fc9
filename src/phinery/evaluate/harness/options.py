"""What a user may say about an evaluation, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

# What completions side by side may take, and how many tokens of its own each has, about: the
# question and the answer, after examples that all share.
_CACHE_BYTES = 2**32
_OWN_TOKENS = 512
_NUMBERS = frozenset({"max_length", "max_gen_toks", "batch_tokens", "max_batch_size"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `HarnessModel` beside its public ones.

    Parameters
    ----------
    max_length : tokens that the model sees; by default its `max_position_embeddings`.
    max_gen_toks : tokens to generate where a task does not say, 256 as in the harness.
    prefix_token_id : stands before a text without a context; by default the tokenizer's beginning
        of a text, or its end.
    batch_tokens : tokens of a forward pass at most; by default what is fast on the device.
    max_batch_size : completions side by side at most.
    cache : a directory for results, so that a killed run goes on.
    revision : branch, tag or commit of a hub model.
    progress : whether there is a progress bar on a terminal.
    on_progress : called with how many requests of a call are done, and how many there are.

    Raises ValueError, in one line, for values that make no sense.
    """

    max_length: int | None = None
    max_gen_toks: int = 256
    prefix_token_id: int | None = None
    batch_tokens: int | None = None
    max_batch_size: int | None = None
    cache: str | None = None
    revision: str | None = None
    progress: bool = True
    on_progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None and not _is_whole(value, 1):
                raise ValueError(f"{name} must be a whole number from 1 up, not {value!r}")
        if self.prefix_token_id is not None and not _is_whole(self.prefix_token_id, 0):
            raise ValueError(f"prefix_token_id must be a token id, not {self.prefix_token_id!r}")

    @classmethod
    def of(cls, options: dict[str, Any]) -> Options:
        """Options from a mapping; ValueError for names that are none."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            if name not in known:
                raise ValueError(
                    f"HarnessModel has no option {name!r}; its options are pretrained, tokenizer, "
                    f"batch_size, device, dtype, {', '.join(known)}"
                )
        return cls(**options)


def side_by_side(batch_size: int | str | None, limit: int | None, *, bytes_per_token: int) -> int:
    """How many completions to make side by side.

    None, "auto" and 1, which lm_eval gives when nobody chose, leave it to us: as many as 4 GiB of
    keys and values have room for, of `bytes_per_token`, but 16 at least and 64 at most. Raises
    ValueError for what is no number.
    """
    text = str(batch_size)
    if batch_size is None or text.startswith("auto") or text == "1":
        size = min(max(_CACHE_BYTES // (_OWN_TOKENS * bytes_per_token), 16), 64)
    elif text.isdecimal() and int(text):
        size = int(text)
    else:
        raise ValueError(f"batch_size must be a number from 1 up or auto, not {batch_size!r}")
    return size if limit is None else min(size, limit)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
