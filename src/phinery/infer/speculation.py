"""Speculation: a smaller model proposes tokens, which the model then computes all at once.

A proposal stands only where it is what the request's own sampler chooses from the model's logits,
so that the text is the same with and without a draft model, greedy or sampled. The draft draws with
a copy of the sampler, hence with the random numbers with which the choice will be made. The draft's
cache has pages of its own under the same numbers: one page table serves both models.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phinery.infer.backend import Backend, Span
from phinery.infer.request import Work
from phinery.infer.sampling import Sampler


def propose(draft: Backend, plan: Sequence[Work]) -> bool:
    """Let the draft model compute what it lacks of a step's work, and add proposals to it.

    Whether it worked: if not, that is told as a warning, and the draft model is of no more use.
    """
    try:
        _propose(draft, plan)
    except Exception as error:  # noqa: BLE001 (told, and the text does not depend on it)
        warnings.warn(f"the draft model failed and is not used any more: {error}", stacklevel=2)
        for work in plan:
            work.proposals = []
        return False
    return True


def _propose(draft: Backend, plan: Sequence[Work]) -> None:
    spans: list[Span] = []
    for work in plan:
        # One token at least: after an interrupt the draft model may be ahead.
        start = min(work.request.draft_computed, work.end - 1)
        num_logits = 1 if work.extra else 0
        spans.append(work.request.span(start, work.end, num_logits, draft.page_size, 0))
    logits = draft.step(spans)
    for work in plan:
        work.request.draft_computed = work.end
    proposing = [(work, work.request.sampler.fork()) for work in plan if work.extra]
    while True:
        proposing = [
            (work, sampler)
            for (work, sampler), row in zip(proposing, logits, strict=True)
            if _propose_one(work, sampler, row)
        ]
        if not proposing:
            return
        logits = draft.step([_last_proposal(work, draft.page_size) for work, _ in proposing])


def _propose_one(work: Work, sampler: Sampler, logits: NDArray[np.float32]) -> bool:
    """Add a proposal; whether there may be another one."""
    try:
        work.proposals.append(sampler.next(logits))
    except ValueError:
        # Nothing is allowed to come, say. The request's own sampler will tell, if it is so.
        return False
    constraint = sampler.constraint
    is_finished = constraint is not None and constraint.is_finished
    return len(work.proposals) < work.extra and not is_finished


def _last_proposal(work: Work, page_size: int) -> Span:
    position = work.start + len(work.proposals)
    tokens = np.array(work.proposals[-1:], dtype=np.int32)
    return Span(tokens, position, work.request.table[: position // page_size + 1], 1)
