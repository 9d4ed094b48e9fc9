"""Training a byte-level BPE tokenizer."""

from __future__ import annotations

from collections.abc import Iterable

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from phinery.text import Tokenizer

SMALLEST_VOCABULARY = 257
"""All bytes and the end of text."""


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, *, eos_token: str = "<|endoftext|>"
) -> Tokenizer:
    """Learn byte-level BPE with GPT-2's pattern, so that GGUF's `pre = gpt-2` describes it.

    All 256 bytes are in the vocabulary: any text can be encoded, and decoded without loss. The
    end-of-text token comes last, after `vocab_size - 1` others, or fewer when the texts have no
    more pairs that occur twice. The same texts in the same order give the same tokenizer.
    Raises ValueError for a vocab_size below 257.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(
            f"vocab_size is {vocab_size}, but a tokenizer needs {SMALLEST_VOCABULARY}: "
            "all bytes and the end of text"
        )
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[],
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    backend.add_special_tokens([tokenizers.AddedToken(eos_token, special=True, normalized=False)])
    return Tokenizer.from_backend(backend, eos_token=eos_token)
