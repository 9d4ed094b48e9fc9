"""The held-out loss, and what it is in bits per byte of text."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from numpy.typing import NDArray

from phinery.data import TokenShards
from phinery.model import Phi
from phinery.model.loss import IGNORE_INDEX
from phinery.text import Tokenizer
from phinery.train.limits import TORCH_DTYPES, DtypeName


@dataclasses.dataclass(frozen=True)
class HeldOutScore:
    """How well a model predicts text that it was not trained on."""

    loss: float
    """Nats per token, the end-of-document tokens counted."""
    bits_per_byte: float
    """Bits for each UTF-8 byte of text; compares models with different tokenizers."""
    tokens: int
    bytes: int


def held_out_loss(
    model: Phi,
    shards: TokenShards,
    sequence_length: int,
    *,
    tokenizer: Tokenizer | None = None,
    max_tokens: int | None = None,
    batch_size: int = 8,
    dtype: DtypeName = "float32",
    separate_documents: bool = False,
) -> HeldOutScore:
    """Score `model` on the documents of `shards`, one after another.

    The tokens are cut into windows of `sequence_length`, and every token is predicted once, from
    those before it in its window and one more. Weights and random generators stay as they are.

    Parameters
    ----------
    model
        In training or evaluation mode; it is in the same mode afterwards.
    shards
        The held-out split.
    sequence_length
        Tokens of a window.
    tokenizer
        That of the shards; needed for the bytes of a part of them.
    max_tokens
        Score about so many tokens, in windows spread evenly over the split; all by default.
    batch_size
        Windows at once.
    dtype
        Of the matrix products, as in training.
    separate_documents
        Whether documents in a window are kept from attending to each other, as in training.

    Raises ValueError when there is nothing to score, or no tokenizer for a part of the split.
    """
    if shards.num_tokens == 0:
        raise ValueError("the held-out split is empty: give more documents, or hold out more")
    windows = chosen_windows(shards.num_tokens, sequence_length, max_tokens)
    is_all = len(windows) == math.ceil(shards.num_tokens / sequence_length)
    if not is_all and tokenizer is None:
        raise ValueError("give held_out_loss a tokenizer to score a part of the held-out split")
    nats, tokens, text_bytes = 0.0, 0, 0
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(windows), batch_size):
            inputs, labels, documents = _batch(
                shards, windows[start : start + batch_size], sequence_length
            )
            with (
                torch.no_grad(),
                torch.autocast(
                    model.device.type, TORCH_DTYPES["bfloat16"], enabled=dtype == "bfloat16"
                ),
            ):
                loss = model.loss(
                    torch.from_numpy(inputs).to(model.device),
                    torch.from_numpy(labels).to(model.device),
                    document_ids=torch.from_numpy(documents).to(model.device)
                    if separate_documents
                    else None,
                    reduction="sum",
                )
            nats += loss.item()
            scored = labels[labels != IGNORE_INDEX]
            tokens += scored.size
            if tokenizer is not None and not is_all:
                text_bytes += _bytes_of(scored, tokenizer, shards.eos_token_id)
    finally:
        model.train(was_training)
    text_bytes = shards.num_bytes if is_all else text_bytes
    return HeldOutScore(nats / tokens, nats / math.log(2) / text_bytes, tokens, text_bytes)


def chosen_windows(num_tokens: int, sequence_length: int, max_tokens: int | None) -> list[int]:
    """Numbers of the windows to score, in order, evenly spread."""
    total = math.ceil(num_tokens / sequence_length)
    wanted = total
    if max_tokens is not None:
        wanted = min(total, max(1, max_tokens // sequence_length))
    return [number * total // wanted for number in range(wanted)]


def _batch(
    shards: TokenShards, windows: list[int], sequence_length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Inputs, labels and document numbers (windows, sequence_length).

    The token before the first is taken to be an end of document; the last window is filled up with
    labels that do not count.
    """
    shape = (len(windows), sequence_length)
    inputs = np.full(shape, shards.eos_token_id, dtype=np.int64)
    labels = np.full(shape, IGNORE_INDEX, dtype=np.int64)
    for row, window in enumerate(windows):
        start = window * sequence_length
        stop = min(start + sequence_length, shards.num_tokens)
        tokens = shards.read(max(start - 1, 0), stop)
        if start == 0:
            tokens = np.concatenate(([shards.eos_token_id], tokens))
        inputs[row, : stop - start] = tokens[:-1]
        labels[row, : stop - start] = tokens[1:]
    ends = inputs == shards.eos_token_id
    return inputs, labels, np.cumsum(ends, axis=1) - ends


def _bytes_of(tokens: NDArray[np.int64], tokenizer: Tokenizer, eos_token_id: int) -> int:
    ids, counts = np.unique(tokens[tokens != eos_token_id], return_counts=True)
    pairs = zip(ids.tolist(), counts.tolist(), strict=True)
    return sum(count * len(tokenizer.token_bytes(token)) for token, count in pairs)
