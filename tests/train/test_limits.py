from __future__ import annotations

import pytest
import torch

from phinery.train import limits


def test_a_measured_rate_is_that_of_a_product() -> None:
    rate = limits.measure_matmul_rate(torch.float32, shape=(64, 128, 32), seconds=0.01)
    assert 1e6 < rate < 1e16


def test_the_fastest_of_the_repeats_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([9.0, 0.5, 0.25, 1.0])
    monkeypatch.setattr(limits, "_timed_product", lambda left, right, out: next(times))
    rate = limits.measure_matmul_rate(torch.float32, shape=(2, 3, 5), seconds=1.0)
    assert rate == 2 * 2 * 3 * 5 / 0.25


@pytest.mark.parametrize(
    ("exact", "brief", "chosen", "ceiling"),
    [(100, 290, "bfloat16", 290), (100, 120, "float32", 120), (100, 40, "float32", 100)],
)
def test_the_type_that_is_worth_it(
    monkeypatch: pytest.MonkeyPatch, exact: float, brief: float, chosen: str, ceiling: float
) -> None:
    rates = {torch.float32: exact, torch.bfloat16: brief}
    monkeypatch.setattr(limits, "measure_matmul_rate", lambda dtype, device: rates[dtype])
    device = torch.device("cpu")
    assert limits.faster_dtype(device) == chosen
    assert limits.matmul_ceiling("bfloat16", device) == ceiling
    assert limits.matmul_ceiling("float32", device) == exact
