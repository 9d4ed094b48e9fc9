"""Teachers for distillation: who can be one, and a model as one, checked to have our tokens."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from phinery.model import Phi
from phinery.model.checkpoint import load_model
from phinery.model.hub import resolve
from phinery.model.products import multiplies_bfloat16
from phinery.text import Tokenizer

_HEAD_ROWS = 512

TopLogProbs = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Ids and log-probabilities, both (rows, seq, k); minus infinity where fewer than k are known."""


class LogProbSource(Protocol):
    """A teacher that can be asked for its likeliest next tokens: a model, or an endpoint."""

    top_k: int

    def fingerprint(self) -> dict[str, Any]:
        """Who it is, ready for JSON: another one's answers are not mixed with these."""
        ...

    def __call__(self, input_ids: NDArray[np.int64], eos_token_id: int) -> TopLogProbs:
        """The k likeliest tokens after each of input_ids (rows, seq), and their log-probabilities.

        Where fewer are known they come first, and the others are minus infinity. The answer for a
        position follows from the tokens of its row up to it.
        """
        ...


class ModelSource:
    """A Phi as the teacher, with the tokenizer of the shards (`load_teacher` checks that).

    `tokens` are those of the tokenizer, where the vocabulary is padded. With `separate_documents`
    a token sees only its own document, as in a training with that setting.
    """

    def __init__(
        self,
        model: Phi,
        top_k: int,
        *,
        tokens: int | None = None,
        separate_documents: bool = False,
    ) -> None:
        self.model = model.eval()
        self.tokens = tokens or model.config.vocab_size
        self.separate_documents = separate_documents
        self.top_k = top_k
        if not 1 <= top_k < self.tokens:
            raise ValueError(f"top_k must be from 1 to {self.tokens - 1}, not {top_k}")

    def fingerprint(self) -> dict[str, Any]:
        """The model's weights, and how it is asked."""
        return {
            "weights_sha256": weights_sha256(self.model),
            "tokens": self.tokens,
            "separate_documents": self.separate_documents,
        }

    def __call__(self, input_ids: NDArray[np.int64], eos_token_id: int) -> TopLogProbs:
        """See `LogProbSource`; the head runs in chunks of rows."""
        model = self.model
        if input_ids.shape[1] > model.config.max_position_embeddings:
            raise ValueError(
                f"windows of {input_ids.shape[1]} tokens are longer than the teacher's "
                f"max_position_embeddings, {model.config.max_position_embeddings}"
            )
        documents = None
        if self.separate_documents:
            ends = np.cumsum(input_ids == eos_token_id, axis=1)
            before = np.pad(ends[:, :-1], ((0, 0), (1, 0)))
            documents = torch.from_numpy(before).to(model.device)
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        with torch.inference_mode():
            ids = torch.from_numpy(input_ids).to(model.device)
            for rows in model.model(ids, document_ids=documents).flatten(0, 1).split(_HEAD_ROWS):
                logits = model.lm_head(rows)[:, : self.tokens].float()
                top = torch.log_softmax(logits, 1).topk(self.top_k)
                found.append((top.indices.cpu(), top.values.cpu()))
        shape = (*input_ids.shape, self.top_k)
        token_ids, log_probs = (torch.cat(part).view(shape) for part in zip(*found, strict=True))
        return token_ids.numpy(), log_probs.numpy()


def load_teacher(
    place: str | Path,
    tokenizer: Tokenizer,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Phi:
    """The model in a folder, a run directory or on the hub, for a student with `tokenizer`.

    `dtype` is the stored type unless given, but float32 on a processor that does not multiply
    smaller ones faster. Raises ValueError, in one line, when there is no such model, or its tokens
    are not those of `tokenizer`.
    """
    folder = resolve(place)
    try:
        theirs = Tokenizer.load(folder)
    except OSError as error:
        raise ValueError(f"the teacher's tokenizer cannot be read: {error}") from error
    if not have_same_tokens(theirs, tokenizer):
        raise ValueError(
            f"the teacher {place} has another tokenizer ({theirs.vocab_size:,} tokens) than the "
            f"student ({tokenizer.vocab_size:,}): distillation compares token by token, so train "
            "the student with the teacher's, as in [tokenizer] path = TEACHER"
        )
    teacher = load_model(folder, device=device, dtype=dtype)
    if dtype is None and not multiplies_bfloat16(teacher.device):
        teacher = teacher.float()
    return teacher


def have_same_tokens(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether equal ids mean equal tokens: the same text, special or not, and the same end.

    Tokenizers that came by different ways may differ in their files' words and not in that.
    """
    if one.sha256 == other.sha256:
        return True
    if (one.vocab_size, one.eos_token_id) != (other.vocab_size, other.eos_token_id):
        return False
    return all(
        one.token_bytes(token) == other.token_bytes(token)
        and one.is_special(token) == other.is_special(token)
        for token in range(one.vocab_size)
    )


def weights_sha256(model: Phi) -> str:
    """One checksum of a model's shape and weights, whatever files they came from."""
    content = hashlib.sha256(repr(model.config.to_dict()).encode())
    for name, weight in model.named_parameters():
        flat = weight.detach().to("cpu").contiguous().view(-1)
        content.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        content.update(flat.view(torch.uint8).numpy().data)
    return content.hexdigest()
