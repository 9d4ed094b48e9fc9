"""Phinery's models in lm-evaluation-harness: the same scores, what texts share computed once."""

from phinery.evaluate.harness.model import HarnessModel

__all__ = ["HarnessModel"]
