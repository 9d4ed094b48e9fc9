"""The model card that is written beside a model's weights."""

from __future__ import annotations

from phinery.model.config import PhiConfig


def model_card(config: PhiConfig, *, dtype: str, vocabulary: int) -> str:
    """`README.md` of a model folder: front matter of the hub, the architecture, how to open it.

    `vocabulary` is the number of tokens the tokenizer knows; `config.vocab_size` may be larger.
    """
    parameters = config.num_parameters()
    rows = {
        "parameters": f"{parameters:,}",
        "layers": config.num_hidden_layers,
        "width": f"{config.hidden_size:,}",
        "attention heads": f"{config.num_attention_heads} of {config.head_dim} dimensions, "
        f"{config.rotary_dim} of them rotary",
        "MLP": f"{config.mlp_size:,} (gelu_new)",
        "vocabulary": f"{config.vocab_size:,} ({vocabulary:,} in the tokenizer)",
        "context": f"{config.max_position_embeddings:,} tokens",
        "type of the weights": dtype,
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags:
- phi
- phinery
---

# A Phi of {_rounded(parameters)} parameters

A causal language model with the architecture of Microsoft's Phi (`PhiForCausalLM`): one LayerNorm
per block feeds attention and MLP in parallel, rotary positions in a part of each head, biases
everywhere, an output head of its own.

| | |
| --- | --- |
{table}

```python
import phinery

model, tokenizer = phinery.load("PATH/OF/THIS/FOLDER")
```

or, with transformers:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("PATH/OF/THIS/FOLDER")
tokenizer = AutoTokenizer.from_pretrained("PATH/OF/THIS/FOLDER")
```
"""


def _rounded(count: int) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)
