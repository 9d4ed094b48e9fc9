"""Participant: `transformers`' PhiForCausalLM, attention through SDPA; compiled or not."""

# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from importlib import metadata
from typing import Any

import torch
import torch._inductor.config as inductor
from decode_worker import Decoder, Generate, Logits, Tokens, Variant, serve
from transformers import AutoModelForCausalLM, DynamicCache, StaticCache

DTYPES = {"bf16": torch.bfloat16, "float32": torch.float32}


def load(request: dict[str, Any]) -> Any:
    """The model in the format's type, for inference."""
    torch.set_num_threads(request["threads"])
    torch.set_grad_enabled(False)
    model = AutoModelForCausalLM.from_pretrained(
        request["directory"], dtype=DTYPES[request["format"]], attn_implementation="sdpa"
    )
    return model.eval()


class TransformersDecoder:
    """The model's forward with a cache: a growing one, or a static one when compiled."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._model = load(request)
        self.versions = {name: metadata.version(name) for name in ("torch", "transformers")}
        self.matrix_bytes = sum(
            weight.numel() * weight.element_size()
            for name, weight in self._model.named_parameters()
            if "embed_tokens" not in name
        )
        self._may_compile = request["compile"]
        self._forward: Any = self._model
        self._compiled: Any = None
        self._cache: Any = None
        self._logits = torch.zeros(0)

    def variants(self, batch: int, steps: bool) -> list[Variant]:
        """Both caches; compiled for steps only, as transformers advises and does itself."""
        variants: list[Variant] = [
            {"compiled": False, "cache": "dynamic"},
            {"compiled": False, "cache": "static"},
        ]
        if steps and self._may_compile:
            variants.append({"compiled": True, "cache": "static"})
        return variants

    def start(self, variant: Variant, batch: int, capacity: int) -> None:
        """A new cache. What is compiled is so for one batch size and capacity."""
        if variant["compiled"]:
            # Weights become constants, laid out as the matrix products like them.
            inductor.freezing = True
            torch._dynamo.reset()
            self._compiled = torch.compile(self._model.forward, dynamic=False)
        self._forward = self._compiled if variant["compiled"] else self._model
        self._cache = (
            StaticCache(config=self._model.config, max_cache_len=capacity)
            if variant["cache"] == "static"
            else DynamicCache(config=self._model.config)
        )

    def feed(self, tokens: Tokens, position: int) -> None:
        """One forward, logits of the last token only."""
        forward = self._forward if tokens.shape[1] == 1 else self._model
        output = forward(
            input_ids=torch.from_numpy(tokens).long(),
            position_ids=torch.arange(position, position + tokens.shape[1])[None],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._logits = output.logits

    def logits(self) -> Logits:
        """Of the last call."""
        return self._logits[:, -1].float().numpy()

    def rewind(self, position: int) -> None:
        """Cut the cache; a static one only forgets how much of it was written."""
        if isinstance(self._cache, StaticCache):
            for layer in self._cache.layers:
                layer.cumulative_length.fill_(position)
        elif position == 0:
            self._cache = DynamicCache(config=self._model.config)
        elif excess := self._cache.get_seq_length() - position:
            self._cache.crop(-excess)

    def close(self) -> None:
        """The process ends anyway."""


def open_generate(request: dict[str, Any]) -> Generate:
    """`model.generate`, greedy."""
    model = load(request)

    def generate(prompts: list[list[int]], tokens: int) -> list[list[int]]:
        ids = torch.tensor(prompts)
        produced = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
        )
        return produced[:, ids.shape[1] :].tolist()

    return generate


def open_decoder(request: dict[str, Any]) -> Decoder:
    """The model for calls of one step."""
    return TransformersDecoder(request)


if __name__ == "__main__":
    serve(open_decoder, open_generate)
