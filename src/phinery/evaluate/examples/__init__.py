"""What models answer to our own prompts, for reading side by side."""

from __future__ import annotations

from phinery.evaluate.examples.examples import Answers, Prompt, answers_of, prompts, write_examples

__all__ = ["Answers", "Prompt", "answers_of", "prompts", "write_examples"]
