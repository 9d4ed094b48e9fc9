"""Made-up evaluations with everything that tables must cope with."""

from __future__ import annotations

import math

from phinery.evaluate.evaluation import Category, Evaluation, SuiteScores
from phinery.evaluate.outcome import Estimate, Score

ODD = 'a|b <i>&"*x*'
NAN = math.nan


def estimate(value: float, n: int, half: float = 0.02) -> Estimate:
    return Estimate(value, n, value - half, value + half)


def score(
    task: str,
    value: float,
    n: int = 200,
    *,
    metric: str = "acc",
    half: float = 0.02,
    chance: float | None = None,
    **more: object,
) -> Score:
    return Score(task, metric, estimate(value, n, half), chance=chance, **more)  # pyright: ignore[reportArgumentType]


def phi2_suite(shift: float = 0.0, n: int = 200, *, without_mbpp: bool = True) -> SuiteScores:
    common = ("piqa", "winogrande", "arc_easy", "arc_challenge", "social_iqa")
    values = (0.612, 0.508, 0.447, 0.236, 0.351)
    chances = (0.5, 0.5, 0.25, 0.25, 1 / 3)
    coding = [score("humaneval", 0.041 + shift, 164, metric="pass@1")]
    skipped = {"mbpp": "the sandbox is missing: <install> it"} if without_mbpp else {}
    if not without_mbpp:
        coding.append(score("mbpp", 0.052 + shift, n, metric="pass@1"))
    return SuiteScores(
        "phi2",
        "Phi-2's benchmarks",
        (
            Category("BBH", (score("bbh", 0.287 + shift, n, metric="exact_match"),), ("bbh",)),
            Category(
                "commonsense",
                (
                    *(
                        score(task, value + shift, n, chance=chance)
                        for task, value, chance in zip(common, values, chances, strict=True)
                    ),
                    score("arc_challenge", 0.2713 + shift, n, metric="acc_norm"),
                ),
                common,
            ),
            Category("math", (score("gsm8k", 0.013 + shift, n, metric="exact_match"),), ("gsm8k",)),
            Category("coding", tuple(coding), ("humaneval", "mbpp"), skipped),
            Category("more", (score("wsc273", 0.567 + shift, 273, chance=0.5),)),
        ),
    )


def small_suite(shift: float = 0.0) -> SuiteScores:
    groups = {"women": estimate(0.4321, 20), ODD: Estimate(NAN, 0, NAN, NAN)}
    return SuiteScores(
        "safety",
        "Safety & more",
        (
            Category(
                "toxicity",
                (
                    score(
                        "toxigen",
                        0.446542847733,
                        6541,
                        metric="toxigen_score",
                        by_group=groups,
                        note=f"dropped groups: {ODD}",
                    ),
                    Score(ODD, "acc", Estimate(NAN, 0, NAN, NAN), tainted=0),
                ),
            ),
            Category(
                "bias",
                (
                    score(
                        "crows_pairs",
                        0.571 + shift,
                        1508,
                        chance=0.5,
                        majority=0.513,
                        ideal=0.5,
                        higher_is_better=None,
                        tainted=8,
                        clean=estimate(0.5659, 1500),
                    ),
                    score("perplexity", 1234.56, 50, metric="perplexity", higher_is_better=False),
                ),
            ),
        ),
    )


def evaluation(name: str = "nano", shift: float = 0.0, *suites: SuiteScores) -> Evaluation:
    return Evaluation(
        {"name": name, "sha256": "ab" * 32, "parameters": 23_068_672, "dtype": "torch.float32"},
        {"items": "/items", "limit": None, "sample": 200, "seed": 0},
        suites or (phi2_suite(shift), small_suite(shift)),
        83.4,
    )
