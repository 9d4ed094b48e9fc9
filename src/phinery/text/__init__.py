"""Text and tokens: the tokenizer, and the stream that turns tokens into text as they come.

A leaf: knows no other room, and needs no torch.
"""

from __future__ import annotations

from phinery.text.stream import TextStream
from phinery.text.tokenizer import Tokenizer, available_cores

__all__ = ["TextStream", "Tokenizer", "available_cores"]
