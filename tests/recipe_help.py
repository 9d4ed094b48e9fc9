"""A small corpus and a recipe for it, for the tests of whole runs."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

RECIPE = """\
name = "tiny"
seed = 3

[corpus]
path = "{corpus}"
held_out = 0.15

[tokenizer]
vocab_size = 290

[[pretrain]]
model = "nano"
tokens = "20k"
sequence_length = 32
batch_size = 8
learning_rate = 3e-3
dtype = "float32"
compile = false
evaluations = 3
evaluation_tokens = 512
checkpoint_every = 20

[evaluate]
prompts = ["The ", "<b>&"]
max_tokens = 8
"""
_WORDS = ("the", "a", "cat", "dog", "house", "river", "sees", "finds", "likes", "red", "near")


def write_corpus(folder: Path, documents: int = 40) -> None:
    """Small files of made-up sentences, two of them equal, one empty."""
    chance = random.Random(5)
    folder.mkdir()
    for number in range(documents):
        lines = (" ".join(chance.choices(_WORDS, k=9)) + "." for _ in range(30))
        (folder / f"text-{number:02}.txt").write_text("\n".join(lines))
    shutil.copy(folder / "text-00.txt", folder / "twin.txt")
    (folder / "empty.md").write_text("")
