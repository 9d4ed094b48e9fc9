"""The engine: prompts in, completions out, many at a time, whole or token by token."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from phinery.infer.backend import Backend
from phinery.infer.completion import Completion, CompletionDelta, Writing
from phinery.infer.constrain import Constraint, ConstraintCompiler
from phinery.infer.driver import Driver
from phinery.infer.request import Prompt, Request, Ticket
from phinery.infer.sampling import Sampler, SamplingParams
from phinery.infer.scheduler import Scheduler, Statistics
from phinery.model import CheckpointError
from phinery.text import TextStream, Tokenizer

if TYPE_CHECKING:
    import torch

    from phinery.model.config import PhiConfig
    from phinery.model.decoder import Phi

BackendName = Literal["auto", "native", "torch"]


class Engine:
    """Generates text with a model. Safe to use from several threads and event loops at a time.

    Parameters
    ----------
    model : a Phi, which is run in evaluation mode and left in the mode it was in; its weights may
        change while nothing is being generated. Or another `Backend`, which belongs to the engine
        from now on. `Engine.open` makes the fastest one for a model folder.
    tokenizer : the tokenizer it was trained with.
    max_batch : how many completions are made side by side; more wait for their turn.
    cache_tokens : how many tokens the key-value cache holds, rounded up to pages; by default
        `max_batch` contexts, or what a quarter of the memory holds.
    page_size : tokens per page of the cache, a multiple of 16. (`cache_tokens` and `page_size` are
        for a Phi; another back end has its cache already.)
    prefill_chunk : how many prompt tokens are computed at most between two tokens of the others.
    prefix_cache : whether a prompt that begins as an earlier one finds that beginning computed. A
        Phi's is forgotten whenever the engine is idle, because its weights may change.
    draft : a smaller model with the same tokenizer, a Phi or a `Backend` with as many pages, that
        proposes tokens. What is generated doesn't depend on it, only how fast.
    num_draft_tokens : how many tokens it proposes at a time.
    adapters : names of LoRA adapters, and their folders in peft's layout.

    Raises ValueError when tokenizer, model, draft and adapters do not belong together.
    """

    def __init__(
        self,
        model: Phi | Backend,
        tokenizer: Tokenizer,
        *,
        max_batch: int = 32,
        cache_tokens: int | None = None,
        page_size: int = 16,
        prefill_chunk: int = 512,
        prefix_cache: bool = True,
        draft: Phi | Backend | None = None,
        num_draft_tokens: int = 4,
        adapters: Mapping[str, str | Path] | None = None,
    ) -> None:
        for name, value in (
            ("max_batch", max_batch),
            ("prefill_chunk", prefill_chunk),
            ("num_draft_tokens", num_draft_tokens),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        _check_vocabulary("model", model.config, tokenizer)
        is_ours = isinstance(model, Backend)
        backend = model if is_ours else _around(model, max_batch, cache_tokens, page_size)
        if draft is not None:
            _check_draft(draft.config, model.config)
            if not isinstance(draft, Backend):
                tokens = backend.num_pages * backend.page_size
                draft = _around(draft, max_batch, tokens, backend.page_size)
            if (draft.page_size, draft.num_pages) != (backend.page_size, backend.num_pages):
                raise ValueError("the draft model's cache must have the model's pages")
        self.backend = backend
        self.tokenizer = tokenizer
        self.max_batch = max_batch
        self.config = model.config
        self._adapters = {
            name: backend.load_adapter(folder) for name, folder in (adapters or {}).items()
        }
        self._prefix_cache = prefix_cache
        self._prompts = itertools.count()
        self._scheduler = Scheduler(
            backend,
            max_batch=max_batch,
            prefill_chunk=prefill_chunk,
            keep_prefixes=prefix_cache and is_ours,
            draft=draft,
            num_draft_tokens=num_draft_tokens,
        )
        self._driver = Driver(self._scheduler)
        ends = {tokenizer.eos_token_id, model.config.eos_token_id}
        self._ends = frozenset(end for end in ends if end is not None)
        self._constraints = ConstraintCompiler(tokenizer, model.config.vocab_size, self._ends)

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        backend: BackendName = "auto",
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        quantization: Literal["int8", "int4"] | None = None,
        threads: int | None = None,
        max_batch: int = 32,
        cache_tokens: int | None = None,
        page_size: int = 16,
        kv_dtype: Literal["bfloat16", "int8"] = "bfloat16",
        draft: str | Path | None = None,
        **options: Any,
    ) -> Engine:
        """An engine for a model folder; raises CheckpointError as `phinery.load` does.

        `backend="auto"` takes the CUDA back end when `device` names a card, the native core when it
        was built, `device` is the CPU and `dtype` bfloat16 (or neither is given), else torch.
        `quantization` is for the first two, `threads` (as many as were measured to be fastest) and
        `kv_dtype` for the native core, `device` and `dtype` for CUDA and torch.
        `draft` is another model folder. The other options are `Engine`'s.
        """
        cuda = backend == "auto" and str(device or "").startswith("cuda")
        native = not cuda and _wants_native(backend, device, dtype)
        if not native and (threads, kv_dtype) != (None, "bfloat16"):
            raise ValueError("threads and kv_dtype are options of the native core")
        if not (native or cuda) and quantization is not None:
            raise ValueError("quantization is for the native core and CUDA: torch has none")

        def opened(folder: str | Path, tokens: int | None) -> tuple[Backend, Tokenizer]:
            cache: dict[str, Any] = {
                "cache_tokens": tokens,
                "page_size": page_size,
                "max_batch": max_batch,
            }
            if native:
                from phinery.infer.native import NativeBackend

                core = NativeBackend.open(
                    folder, quantization=quantization, threads=threads, kv_dtype=kv_dtype, **cache
                )
                return core, _tokenizer_of(folder)
            if cuda:
                from phinery.infer.cuda_backend import CudaBackend

                backend = CudaBackend.open(
                    folder, device=device, dtype=dtype, quantization=quantization, **cache
                )
                return backend, _tokenizer_of(folder)
            from phinery.infer.torch_backend import TorchBackend
            from phinery.model.checkpoint import load

            model, tokenizer = load(folder, device=device, dtype=dtype)
            return TorchBackend(model, **cache), tokenizer

        model, tokenizer = opened(directory, cache_tokens)
        helper: Backend | None = None
        if draft is not None:
            helper, helper_tokenizer = opened(draft, model.num_pages * page_size)
            if helper_tokenizer.sha256 != tokenizer.sha256:
                raise ValueError(f"the draft model {draft} has another tokenizer")
        return cls(model, tokenizer, max_batch=max_batch, draft=helper, **options)

    @property
    def context_length(self) -> int:
        """How many tokens a prompt and its completion can have together."""
        capacity = self.backend.num_pages * self.backend.page_size
        return min(self.config.max_position_embeddings, capacity)

    @property
    def stats(self) -> Statistics:
        """What was computed since the engine was made."""
        return self._scheduler.stats

    @property
    def pages_in_use(self) -> int:
        """How many pages of the cache belong to completions in the making."""
        return self._scheduler.pool.used

    def close(self) -> None:
        """Free the memory; the engine cannot be used after it."""
        self.backend.close()
        if self._scheduler.draft is not None:
            self._scheduler.draft.close()

    def generate(
        self,
        prompts: Sequence[str] | Sequence[Sequence[int]],
        params: SamplingParams | Sequence[SamplingParams] | None = None,
        *,
        adapter: str | None = None,
    ) -> list[Completion]:
        """Complete every prompt, a text or token ids: `params.n` completions each, in their order.

        `params` are for all prompts, or one for each. `adapter` is a name of the engine's
        `adapters`. An empty prompt begins a new document. A completion that fills the context ends
        with "length". Raises ValueError for a prompt that leaves no room in the context, or with
        tokens that the model does not have.
        """
        if isinstance(prompts, str) or any(isinstance(prompt, int) for prompt in prompts):
            raise ValueError("generate takes a list of prompts; put the one prompt into a list")
        if params is None or isinstance(params, SamplingParams):
            params = [params or SamplingParams()] * len(prompts)
        elif len(params) != len(prompts):
            raise ValueError(f"there are {len(prompts)} prompts, but {len(params)} params")
        ticket = self._ticket(prompts, params, adapter, streams=False)
        self._driver.finish(ticket)
        return ticket.completions()

    def stream_sync(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams | None = None,
        *,
        adapter: str | None = None,
    ) -> Iterator[CompletionDelta]:
        """Complete one prompt token by token; errors as `generate`'s, raised at the call.

        The work is done between the items: whoever stops asking, stops it.
        """
        ticket = self._ticket([prompt], [params or SamplingParams()], adapter, streams=True)
        return self._driver.iterate(ticket)

    def stream(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams | None = None,
        *,
        adapter: str | None = None,
    ) -> AsyncIterator[CompletionDelta]:
        """`stream_sync` for an event loop, which stays free: the model runs in another thread."""
        ticket = self._ticket([prompt], [params or SamplingParams()], adapter, streams=True)
        return self._driver.follow(ticket)

    def _ticket(
        self,
        prompts: Sequence[str | Sequence[int]],
        params: Sequence[SamplingParams],
        adapter: str | None,
        *,
        streams: bool,
    ) -> Ticket:
        requests: list[Request] = []
        for number, (prompt, chosen) in enumerate(zip(prompts, params, strict=True)):
            requests += self._requests(self._prompt_ids(prompt, number), chosen, adapter)
        return Ticket(requests, streams=streams)

    def _requests(
        self, ids: list[int], params: SamplingParams, adapter: str | None
    ) -> Iterator[Request]:
        if adapter is not None and adapter not in self._adapters:
            known = ", ".join(self._adapters) or "none"
            raise ValueError(f"no adapter is called {adapter!r}; there are: {known}")
        root = b"" if self._prefix_cache else next(self._prompts).to_bytes(8, "big")
        prompt = Prompt(
            ids,
            root=root + (adapter or "").encode(),
            adapter=0 if adapter is None else self._adapters[adapter],
            count_logprobs=params.prompt_logprobs,
        )
        room = self.context_length - len(ids)
        limit = room if params.max_tokens is None else min(params.max_tokens, room)
        ends = frozenset[int]() if params.ignore_eos else self._ends
        for index in range(params.n):
            stream = TextStream(self.tokenizer, params.stop_strings, skip_special_tokens=True)
            sampler = Sampler(params, index, ids, self.config.vocab_size, self._constraint(params))
            writing = Writing(index, limit, stream, ends)
            yield Request(prompt, sampler, writing, params.logprobs)

    def _constraint(self, params: SamplingParams) -> Constraint | None:
        if params.json_schema is None and params.regex is None:
            return None
        return self._constraints.compile(json_schema=params.json_schema, regex=params.regex)

    def _prompt_ids(self, prompt: str | Sequence[int], number: int) -> list[int]:
        ids = self.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if not ids:
            start = self.tokenizer.bos_token_id
            ids = [self.tokenizer.eos_token_id if start is None else start]
        vocab = self.config.vocab_size
        for token in ids:
            if not 0 <= token < vocab:
                raise ValueError(f"prompt {number} has token id {token}; the model has {vocab} ids")
        if len(ids) >= self.context_length:
            raise ValueError(
                f"prompt {number} has {len(ids)} tokens, but the model's context holds "
                f"{self.context_length}, the answer included: shorten the prompt"
            )
        return ids


def _around(model: Phi, max_batch: int, cache_tokens: int | None, page_size: int) -> Backend:
    from phinery.infer.torch_backend import TorchBackend

    return TorchBackend(model, max_batch=max_batch, cache_tokens=cache_tokens, page_size=page_size)


def _tokenizer_of(folder: str | Path) -> Tokenizer:
    try:
        return Tokenizer.load(folder)
    except (OSError, ValueError) as error:
        raise CheckpointError(" ".join(str(error).split())) from error


def _wants_native(
    backend: str, device: str | torch.device | None, dtype: str | torch.dtype | None
) -> bool:
    if backend not in ("auto", "native", "torch"):
        raise ValueError(f"backend must be auto, native or torch, not {backend!r}")
    fits = str(device or "cpu") == "cpu" and str(dtype or "bfloat16") in (
        "bfloat16",
        "torch.bfloat16",
    )
    if backend == "torch" or (backend == "auto" and not fits):
        return False
    if not fits:
        raise ValueError("the native core computes bfloat16 on the CPU: leave out device and dtype")
    from phinery.infer import native

    if native.is_available():
        return True
    missing = "the package was built without the native core (no C++ compiler)"
    if backend == "native":
        raise ValueError(f"{missing}: install a compiler and reinstall, or use backend='torch'")
    warnings.warn(f"{missing}; torch generates, more slowly", stacklevel=3)
    return False


def _check_vocabulary(name: str, config: PhiConfig, tokenizer: Tokenizer) -> None:
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the {name} only "
            f"{config.vocab_size}: they do not belong together"
        )


def _check_draft(draft: PhiConfig, config: PhiConfig) -> None:
    if draft.vocab_size != config.vocab_size:
        raise ValueError(
            f"the draft model has {draft.vocab_size} token ids, the model {config.vocab_size}: "
            "they need the same tokenizer"
        )
    if draft.max_position_embeddings < config.max_position_embeddings:
        raise ValueError(
            f"the draft model's context of {draft.max_position_embeddings} tokens is shorter than "
            f"the model's {config.max_position_embeddings}"
        )
