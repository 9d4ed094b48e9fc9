"""What synthesis will cost, and what it did cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from phinery.data.synthesis.teacher.plan import CODE, EXERCISES, QUESTIONS, REWRITE, TEXTBOOK, Plan
from phinery.data.synthesis.teacher.session import Answer, estimate_tokens

EXPECTED_TOKENS: Mapping[str, int] = MappingProxyType(
    {TEXTBOOK: 900, EXERCISES: 900, CODE: 450, QUESTIONS: 750, REWRITE: 850}
)
"""Tokens of a usual answer by kind: the words that its prompt asks for, at 4 tokens for 3 words."""
_MOST_PROMPTS = 1000


@dataclass(frozen=True)
class KindEstimate:
    """What the requests of one kind will take."""

    requests: int
    input_tokens: int
    output_tokens: int
    most_output_tokens: int
    """If every answer is as long as it may be."""


@dataclass(frozen=True)
class Estimate:
    """What a plan will take, before it is carried out. Costs are None without prices."""

    kinds: dict[str, KindEstimate]
    cost: float | None
    most_cost: float | None

    @property
    def requests(self) -> int:
        """Requests of all kinds."""
        return sum(kind.requests for kind in self.kinds.values())

    @property
    def input_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(kind.input_tokens for kind in self.kinds.values())

    @property
    def output_tokens(self) -> int:
        """Tokens of all answers."""
        return sum(kind.output_tokens for kind in self.kinds.values())

    def summary(self) -> str:
        """One line for a person."""
        line = (
            f"{self.requests:,} requests, about {self.input_tokens:,} tokens in and "
            f"{self.output_tokens:,} out"
        )
        if self.cost is None or self.most_cost is None:
            return line + "; give the prices per million tokens for the cost"
        return line + f", about {self.cost:,.2f} and at most {self.most_cost:,.2f}"


def estimate(
    plan: Plan,
    count: int,
    *,
    input_price: float | None = None,
    output_price: float | None = None,
) -> Estimate:
    """What the first `count` requests of a plan will take, by kind; nothing is asked.

    Prices are per million tokens, in any currency. The prompts are counted, from 1,000 of them
    where there are more, at 4 bytes a token; answers are taken to be as long as they are asked
    for. Retries of requests that the server broke off may cost more, what was answered before
    costs nothing again. Raises ValueError for a count below 1 and for negative prices.
    """
    if count < 1:
        raise ValueError(f"{count} requests are nothing to estimate: ask for 1 or more")
    _check_prices(input_price, output_price)
    sampled = min(count, _MOST_PROMPTS)
    requests: Counter[str] = Counter()
    inputs: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for request in plan.requests(sampled):
        requests[request.kind] += 1
        inputs[request.kind] += estimate_tokens(request.prompt)
        most[request.kind] += request.max_tokens
    scale = count / sampled
    numbers = _whole({kind: number * scale for kind, number in requests.items()}, count)
    kinds = {
        kind: KindEstimate(
            number,
            round(inputs[kind] / requests[kind] * number),
            EXPECTED_TOKENS[kind] * number,
            round(most[kind] / requests[kind] * number),
        )
        for kind, number in numbers.items()
    }
    tokens_in = sum(kind.input_tokens for kind in kinds.values())
    return Estimate(
        kinds,
        cost_of(tokens_in, sum(k.output_tokens for k in kinds.values()), input_price, output_price),
        cost_of(
            tokens_in, sum(k.most_output_tokens for k in kinds.values()), input_price, output_price
        ),
    )


def requests_for(plan: Plan, tokens: int) -> int:
    """About how many requests bring `tokens` tokens of text, if all answers are accepted."""
    usual = sum(EXPECTED_TOKENS[kind] * plan.share(kind) for kind in plan.kinds)
    return max(1, -(-tokens // round(usual)))


def cost_of(
    input_tokens: int, output_tokens: int, input_price: float | None, output_price: float | None
) -> float | None:
    """What tokens cost at prices per million; None when a price is not known."""
    if input_price is None or output_price is None:
        return None
    return (input_tokens * input_price + output_tokens * output_price) / 1e6


def _check_prices(*prices: float | None) -> None:
    if any(price is not None and not 0 <= price < float("inf") for price in prices):
        raise ValueError("prices per million tokens can't be negative")


def _whole(numbers: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers near those given that sum to `total`."""
    whole = {kind: int(number) for kind, number in numbers.items()}
    by_rest = sorted(numbers, key=lambda kind: (whole[kind] - numbers[kind], kind))
    for kind in by_rest[: total - sum(whole.values())]:
        whole[kind] += 1
    return whole


@dataclass
class Spent:
    """Answers and the tokens they took."""

    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: int = 0
    """Answers whose tokens are estimated, because the server told none."""

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        self.answers += 1
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens
        self.estimated += answer.estimated


@dataclass
class Made:
    """Accepted documents of a kind."""

    documents: int = 0
    tokens: int = 0
    """Estimated at 4 bytes a token: which tokenizer will read them is not known yet."""
    bytes: int = 0


@dataclass
class Ledger:
    """What was asked, answered, accepted and paid for. `check` makes sure that it adds up."""

    requests: int = 0
    used: Spent = field(default_factory=Spent)
    """Answers to the plan's requests, accepted or not."""
    unused: Spent = field(default_factory=Spent)
    """Answers in the log that are beyond the target, or to another plan's requests."""
    failed: Counter[str] = field(default_factory=Counter[str])
    """Last reason -> requests that have no answer."""
    failures: Counter[str] = field(default_factory=Counter[str])
    """Reason -> how many times a request was given up, in all runs."""
    retries: Counter[str] = field(default_factory=Counter[str])
    """Reason -> attempts that failed and were followed by another, in all runs."""
    accepted: dict[str, Made] = field(default_factory=dict[str, Made])
    rejected: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    """Kind -> reason -> answers."""
    examples: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Kind -> reason -> the key of the first answer that was rejected for it."""

    @property
    def documents(self) -> int:
        """Accepted documents of all kinds."""
        return sum(made.documents for made in self.accepted.values())

    @property
    def tokens(self) -> int:
        """Tokens of all accepted documents."""
        return sum(made.tokens for made in self.accepted.values())

    def accept(self, kind: str, text: str) -> None:
        """Count a document."""
        made = self.accepted.setdefault(kind, Made())
        made.documents += 1
        made.tokens += estimate_tokens(text)
        made.bytes += len(text.encode())

    def reject(self, kind: str, reason: str, key: str) -> None:
        """Count an answer that is not kept."""
        self.rejected.setdefault(kind, Counter())[reason] += 1
        self.examples.setdefault(kind, {}).setdefault(reason, key)

    def check(self) -> None:
        """Raise ValueError unless requests, answers and documents add up."""
        rejected = sum(reasons.total() for reasons in self.rejected.values())
        if self.used.answers + self.failed.total() != self.requests:
            raise ValueError(
                f"the ledger does not add up: {self.used.answers} answers and "
                f"{self.failed.total()} failures for {self.requests} requests"
            )
        if self.documents + rejected != self.used.answers:
            raise ValueError(
                f"the ledger does not add up: {self.documents} accepted and {rejected} rejected "
                f"of {self.used.answers} answers"
            )

    def cost(self, input_price: float | None, output_price: float | None) -> float | None:
        """What all answers cost, used or not, at prices per million tokens."""
        return cost_of(
            self.used.input_tokens + self.unused.input_tokens,
            self.used.output_tokens + self.unused.output_tokens,
            input_price,
            output_price,
        )

    def record(self) -> dict[str, Any]:
        """The ledger as it is written to `ledger.json`."""
        return {
            "requests": self.requests,
            "documents": self.documents,
            "tokens": self.tokens,
            "used": vars(self.used),
            "unused": vars(self.unused),
            "failed": dict(sorted(self.failed.items())),
            "failures": dict(sorted(self.failures.items())),
            "retries": dict(sorted(self.retries.items())),
            "accepted": {kind: vars(made) for kind, made in sorted(self.accepted.items())},
            "rejected": {
                kind: dict(sorted(reasons.items()))
                for kind, reasons in sorted(self.rejected.items())
            },
            "rejected_examples": {
                kind: dict(sorted(keys.items())) for kind, keys in sorted(self.examples.items())
            },
        }
