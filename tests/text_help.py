"""A small tokenizer of Phi's shape, its files in the older layout, and text that is hard on it."""

from __future__ import annotations

import json
from pathlib import Path

import tokenizers
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers

from phinery.text import Tokenizer

EOS = "<|endoftext|>"
# Runs of whitespace, special tokens' text and characters of 1 to 4 bytes are where things go wrong.
awkward_text = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.text(alphabet=" \t\n\r\u00a0", max_size=40),
        st.sampled_from([EOS, "<|endo", "é", "🦜", "日本", "\ufffd", "\0", " the", "\u0100"]),
    ),
    max_size=8,
).map("".join)


def write_parts(folder: Path, tokenizer: Tokenizer) -> None:
    """Write the older layout that Phi-1 and CodeGen have beside tokenizer.json."""
    tokenizer.save(folder)
    whole = json.loads((folder / "tokenizer.json").read_text())
    base, added = dict(whole["model"]["vocab"]), {}
    for token in whole["added_tokens"]:
        (base if token["special"] else added)[token["content"]] = token["id"]
    (folder / "vocab.json").write_text(json.dumps(base))
    (folder / "added_tokens.json").write_text(json.dumps(added))
    merges = [" ".join(pair) for pair in whole["model"]["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()


TRAINING_TEXT = [
    "def area(width, height):\n    return width * height  # the rectangle's\n",
    "for number in range(10):\n        print(number, number ** 2)\n",
    "The weather in Zürich was fine; the naïve façade — “quoted” — is 日本語 text. " * 3,
    "the the the and and of of to to in in is is that that it it for for was was",
] * 4


def codegen_backend() -> tokenizers.Tokenizer:
    """The shape of Phi's tokenizer: BPE, the end of text in its vocabulary, runs of whitespace."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(TRAINING_TEXT, trainer)
    backend.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    runs = [" " * length for length in range(31, 1, -1)]
    runs += ["\t" * length for length in range(9, 1, -1)]
    backend.add_tokens([AddedToken(run, normalized=True) for run in runs])
    return backend
