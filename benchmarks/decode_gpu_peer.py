"""transformers' Phi on a GPU with the same weights: static cache; eager, captured, compiled."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PhiConfig, PhiForCausalLM, StaticCache

from phinery.model import Phi


class Peer:
    """Decodes greedily with transformers, the likeliest tokens chosen on the GPU."""

    def __init__(self, model: Phi) -> None:
        config = PhiConfig(**model.config.to_dict())
        config._attn_implementation = "sdpa"
        with torch.device("meta"):
            self.model = PhiForCausalLM(config).eval()
        self.model.load_state_dict(model.state_dict(), assign=True)
        # Its frequencies are in no state dict.
        rotary: Any = self.model.model.rotary_emb
        self.model.model.rotary_emb = type(rotary)(config=config).to(model.device)
        self.config = config
        self.device = model.device

    def logits(self, texts: list[list[int]]) -> np.ndarray:
        """Float32 (texts, 9, vocab) of the last tokens, without a cache."""
        with torch.inference_mode():
            tokens = torch.tensor(texts, device=self.device)
            return self.model(tokens, logits_to_keep=9).logits.float().cpu().numpy()

    def seconds(self, form: str, batch: int, prompt: int, steps: int) -> float:
        """Of a step, the median."""
        torch.compiler.reset()
        # Not inference mode, whose tensors a compiled graph cannot take over.
        with torch.no_grad():
            return self._seconds(form, batch, prompt, steps)

    def _seconds(self, form: str, batch: int, prompt: int, steps: int) -> float:
        generator = torch.Generator(self.device).manual_seed(4)
        tokens = torch.randint(
            self.config.vocab_size, (batch, prompt), generator=generator, device=self.device
        )
        cache = StaticCache(config=self.config, max_cache_len=prompt + steps + 16)
        places = torch.arange(prompt, device=self.device)
        output = self._run(tokens, places, cache, logits_to_keep=1)
        token = output[:, -1].argmax(-1, keepdim=True)
        place = torch.tensor([prompt], device=self.device)
        step: Callable[[Tensor, Tensor], Tensor] = lambda one, at: self._run(one, at, cache)  # noqa: E731
        if form == "compiled":
            step = torch.compile(step, mode="reduce-overhead", fullgraph=True)
        elif form == "graph":
            step = _captured(step, token, place)
        times: list[float] = []
        for _ in range(steps):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            token = step(token, place)[:, -1].argmax(-1, keepdim=True).clone()
            place += 1
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) / 1000)
        return statistics.median(times[8:])

    def _run(self, tokens: Tensor, places: Tensor, cache: Any, **options: Any) -> Tensor:
        return self.model(
            input_ids=tokens,
            position_ids=places[None].expand(tokens.shape[0], -1),
            past_key_values=cache,
            use_cache=True,
            **options,
        ).logits


def _captured(
    step: Callable[[Tensor, Tensor], Tensor], token: Tensor, place: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """The same as a CUDA graph."""
    fixed_token, fixed_place = token.clone(), place.clone()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        step(fixed_token, fixed_place)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = step(fixed_token, fixed_place)

    def replay(one: Tensor, at: Tensor) -> Tensor:
        fixed_token.copy_(one)
        fixed_place.copy_(at)
        graph.replay()
        return output

    return replay
