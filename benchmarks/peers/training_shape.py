"""The shape of a training benchmark, and the work that one step of it is. Standard library only."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """A Phi and the batch it is trained on; heads are 64 wide, half of each rotary, MLP 4 x hidden.

    The model's fields have Hugging Face's names.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    batch_size: int
    sequence_length: int

    @property
    def num_attention_heads(self) -> int:
        """Number of heads."""
        return self.hidden_size // 64

    @property
    def intermediate_size(self) -> int:
        """Width of the MLP."""
        return 4 * self.hidden_size

    @property
    def tokens(self) -> int:
        """Tokens in a step."""
        return self.batch_size * self.sequence_length

    @property
    def num_parameters(self) -> int:
        """Number of weights, embedding and head included."""
        width = self.hidden_size
        block = 12 * width * width + 11 * width
        embedding_and_head = 2 * self.vocab_size * width + self.vocab_size
        return embedding_and_head + self.num_hidden_layers * block + 2 * width

    def flops_per_token(self, *, causal: bool = False) -> int:
        """Floating-point operations of forward and backward, the same count for every participant.

        Six for each weight that multiplies (embedding look-up excluded), and for each layer
        12 x hidden x sequence for attention's two products over all positions: the convention of
        PaLM's appendix B (arXiv 2204.02311). With `causal`, half of the latter: what a kernel that
        skips the future has to do.
        """
        width = self.hidden_size
        weights = self.num_hidden_layers * 12 * width * width + self.vocab_size * width
        attention = 12 * self.num_hidden_layers * width * self.sequence_length
        return 6 * weights + (attention // 2 if causal else attention)

    def state_bytes(self, dtype: str) -> int:
        """Bytes of weights, gradients and AdamW's two moments (all in bfloat16 for pure bf16)."""
        return 4 * (2 if dtype == "bfloat16-true" else 4) * self.num_parameters
