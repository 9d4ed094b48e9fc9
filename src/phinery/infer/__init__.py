"""Text from a model: sampling, batches, streams."""

from phinery.infer.batch import Completion, CompletionDelta, FinishReason
from phinery.infer.engine import Engine
from phinery.infer.sampling import SamplingParams

__all__ = ["Completion", "CompletionDelta", "Engine", "FinishReason", "SamplingParams"]
