from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.train.schedule import SCHEDULES, learning_rate_scale


def scales(total: int, warmup: int, schedule: Any, **options: float) -> list[float]:
    return [
        learning_rate_scale(
            step, total_steps=total, warmup_steps=warmup, schedule=schedule, **options
        )
        for step in range(total)
    ]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_warm_up_is_a_line_that_ends_at_the_peak(schedule: str) -> None:
    assert scales(100, 5, schedule)[:5] == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_constant_stays() -> None:
    assert scales(20, 4, "constant")[4:] == [1.0] * 16


def test_linear_against_its_closed_form() -> None:
    expected = [1 - 0.9 * n / 90 for n in range(90)]
    assert scales(100, 10, "linear", floor=0.1)[10:] == pytest.approx(expected, abs=1e-12)


def test_cosine_against_its_closed_form() -> None:
    # sin^2 form of the same curve.
    expected = [0.1 + 0.9 * (1 - math.sin(math.pi * n / 180) ** 2) for n in range(90)]
    assert scales(100, 10, "cosine", floor=0.1)[10:] == pytest.approx(expected, abs=1e-12)


def test_warmup_stable_decay_against_its_closed_form() -> None:
    expected = [1.0] * 65 + [1 - 0.8 * n / 25 for n in range(25)]
    found = scales(100, 10, "warmup-stable-decay", decay_fraction=0.25, floor=0.2)[10:]
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_decay_waits_for_the_warm_up() -> None:
    found = scales(10, 8, "warmup-stable-decay", decay_fraction=1.0)
    assert found == pytest.approx([n / 8 for n in range(1, 9)] + [1.0, 0.5])


@given(
    total=st.integers(1, 300),
    warmup=st.integers(0, 300),
    schedule=st.sampled_from(SCHEDULES),
    decay_fraction=st.floats(0, 1),
    floor=st.floats(0, 1),
)
def test_any_schedule_rises_then_falls_and_wastes_no_step(
    total: int, warmup: int, schedule: str, decay_fraction: float, floor: float
) -> None:
    warmup = min(warmup, total - 1)
    found = scales(total, warmup, schedule, decay_fraction=decay_fraction, floor=floor)
    assert all(0 < scale <= 1 for scale in found)
    assert found[:warmup] == sorted(found[:warmup])
    assert found[warmup:] == sorted(found[warmup:], reverse=True)
    assert found[warmup] == 1.0
    assert all(scale >= floor - 1e-12 for scale in found[warmup:])
