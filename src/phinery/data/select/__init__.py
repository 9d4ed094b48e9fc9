"""Which documents are worth keeping, step by step: each a pure function of a batch of texts."""
