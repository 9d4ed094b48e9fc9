from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from phinery.data import Document, TokenShards, write_shards
from phinery.data.mixture import Anneal, Mixture, MixtureSampler, Weight
from phinery.text import Tokenizer

EOS_ID = 256
LENGTH = 4
APART = 10**6


class Numbers(TokenShards):
    """Shards in memory whose token at place p is p, beyond a base that tells the source."""

    def __init__(self, tokens: int, base: int = 0, tokenizer: str = "same") -> None:
        self.split, self.directory = "train", Path("memory")
        self.eos_token_id = EOS_ID
        self.num_tokens = tokens
        self.base = base
        self.manifest = {"tokenizer_sha256": tokenizer, "files": {}}

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        assert 0 <= start <= stop <= self.num_tokens
        return np.arange(start, stop) + self.base


def sources(*tokens: int, names: str = "abcdef") -> dict[str, TokenShards]:
    """Sources called a, b, ..."""
    return {
        name: Numbers(count, APART * number)
        for number, (name, count) in enumerate(zip(names, tokens, strict=False), start=1)
    }


def mixed(
    weights: Mapping[str, Weight], samples: int, *, tokens: int = 4001, seed: int = 1, **rest: Any
) -> MixtureSampler:
    return MixtureSampler(
        sources(*[tokens] * len(weights)),
        Mixture(weights, **rest),
        sequence_length=LENGTH,
        seed=seed,
        samples=samples,
    )


def drawn(sampler: MixtureSampler) -> NDArray[np.int64]:
    """The number of the source of every sample."""
    return np.array(
        [sampler.mixture.names.index(sampler.locate(i)[0]) for i in range(len(sampler))]
    )


heights = st.one_of(st.just(0.0), st.floats(0.01, 5))
weights = st.one_of(
    heights,
    st.tuples(heights, heights).map(list),
    st.lists(st.tuples(st.floats(0, 1), heights), min_size=1, max_size=4).map(
        lambda points: sorted(points, key=lambda point: point[0])
    ),
)


@settings(max_examples=150)
@given(
    drawn_weights=st.lists(weights, min_size=1, max_size=5),
    anneal=st.one_of(st.none(), st.floats(0.01, 0.9)),
    samples=st.integers(1, 3000),
)
def test_each_source_gives_what_its_shares_add_up_to(
    drawn_weights: list[Weight], anneal: float | None, samples: int
):
    named: dict[str, Weight] = {"z": 0.5, **dict(zip("abcde", drawn_weights, strict=False))}
    end = None if anneal is None else Anneal(anneal, {"z": 2, "a": 1})
    mixture = Mixture(named, anneal=end)
    sampler = MixtureSampler(
        sources(*[801] * len(named), names="".join(named)),
        mixture,
        sequence_length=LENGTH,
        seed=3,
        samples=samples,
    )
    ends, counts = sampler._ends, sampler._counts
    assert ends[0] == 0
    assert ends[-1] == samples
    assert (np.diff(ends) > 0).all()
    assert np.diff(ends).max() <= max(1, samples // 128)
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (counts.sum(axis=1) == ends).all()
    middles = (ends[:-1] + ends[1:]) / (2 * samples)
    wanted = np.cumsum(mixture.shares(middles) * np.diff(ends)[:, None], axis=0)
    assert np.abs(counts[1:] - wanted).max() < 1 + 1e-3
    assert not counts[-1][(mixture.shares(middles) == 0).all(axis=0)].any()


@settings(max_examples=30)
@given(
    samples=st.integers(1, 600),
    seed=st.integers(0, 2**63),
    order=st.sampled_from(["random", "difficulty"]),
    cuts=st.data(),
)
def test_samples_do_not_depend_on_how_they_are_cut(
    samples: int, seed: int, order: Any, cuts: st.DataObject
):
    def fresh() -> MixtureSampler:
        return mixed({"a": [3, 1], "b": 1}, samples, seed=seed, order={"b": order})

    whole = fresh().batch(0, samples)
    again = fresh()
    places = sorted({0, samples, *cuts.draw(st.sets(st.integers(0, samples), max_size=4))})
    parts = [again.batch(a, b - a) for a, b in reversed(list(itertools.pairwise(places)))]
    for name in ("input_ids", "labels", "document_ids"):
        together = np.concatenate([getattr(part, name) for part in reversed(parts)])
        assert np.array_equal(together, getattr(whole, name))
        assert together.dtype == np.int64
        assert together.shape == (samples, LENGTH)


def test_every_window_of_a_source_comes_once_an_epoch():
    sampler = mixed({"a": 1, "b": [0, 2], "c": 0.25}, 3000, tokens=1201)
    seen: dict[str, list[int]] = {name: [] for name in "abc"}
    for index in range(len(sampler)):
        name, number = sampler.locate(index)
        seen[name].append(number)
        row = sampler.sample(index)
        assert row[0] // APART == "abc".index(name) + 1
        assert np.array_equal(row, np.arange(row[0], row[0] + LENGTH + 1))
        assert np.array_equal(row, sampler.samplers[name].sample(number))
    for numbers in seen.values():
        assert sorted(numbers) == list(range(len(numbers)))
        assert np.abs(np.array(numbers) - np.arange(len(numbers))).max() <= 3000 // 128
    assert {name: len(numbers) for name, numbers in seen.items()} == sampler.counts(3000)


def test_counts_are_those_of_the_first_samples():
    sampler = mixed({"a": [3, 1], "b": 1, "c": [0, 1]}, 500)
    order = drawn(sampler)
    for samples in (0, 1, 7, 100, 250, 499, 500):
        expected = np.bincount(order[:samples], minlength=3).tolist()
        assert list(sampler.counts(samples).values()) == expected
    with pytest.raises(ValueError, match="500 samples, not 501"):
        sampler.counts(501)


def test_a_ramp_an_even_mixture_and_steps():
    ramp = drawn(mixed({"a": [1, 0], "b": [0, 1]}, 4000))
    assert np.mean(ramp) == pytest.approx(0.5, abs=0.001)
    for part, expected in ((slice(0, 1000), 0.125), (slice(3000, 4000), 0.875)):
        assert np.mean(ramp[part]) == pytest.approx(expected, abs=0.005)
    steps = drawn(mixed({"a": [(0, 1), (0.5, 1), (0.5, 3)], "b": 1}, 4000))
    assert np.mean(steps[:2000]) == pytest.approx(0.5, abs=0.001)
    assert np.mean(steps[2000:]) == pytest.approx(0.25, abs=0.001)
    # Within a block neither source comes in a lump: a random order has 256 / 4 runs of b or so.
    even = drawn(mixed({"a": 1, "b": 1}, 128 * 256))
    changes = np.abs(np.diff(even)).reshape(-1)
    assert np.mean(changes) == pytest.approx(0.5, abs=0.02)


def test_the_end_has_weights_of_its_own():
    mixture = Mixture({"a": [0.9, 0.1], "b": 1, "c": 0}, anneal=Anneal(0.1, {"c": 3, "b": 1}))
    order = drawn(
        MixtureSampler(sources(901, 901, 901), mixture, sequence_length=4, seed=1, samples=1000)
    )
    assert not (order[:900] == 2).any()
    # One sample more or less is what may be left over from before.
    assert np.abs(np.bincount(order[900:], minlength=3) - [0, 25, 75]).max() <= 1


def test_a_source_that_is_used_up_leaves_its_share_to_the_others():
    named = {"a": 2, "b": 1, "c": 1}
    mixture = Mixture(named, epochs={"b": 1.5})
    held = sources(40_001, 401, 40_001)
    sampler = MixtureSampler(held, mixture, sequence_length=4, seed=1, samples=2000)
    order = drawn(sampler)
    windows = sampler.samplers["b"].windows_per_epoch
    assert windows == 99
    assert np.bincount(order).tolist() == [1235, 148, 617]
    assert not (order[620:] == 1).any(), "148 samples at a quarter are used up after 592"
    assert np.mean(order[700:] == 0) == pytest.approx(2 / 3, abs=0.003)
    plan = sampler.plan["b"]
    assert (plan.samples, plan.tokens, plan.held_tokens) == (148, 592, 401)
    assert plan.epochs == pytest.approx(148 / 99)
    assert plan.used_up_at == pytest.approx(592 / 2000, abs=0.01)
    assert sampler.plan["a"].used_up_at is None
    assert sum(plan.samples for plan in sampler.plan.values()) == 2000


def test_too_little_text_is_told_with_its_tokens():
    mixture = Mixture({"a": 1, "b": 1, "c": 0}, epochs={"a": 2, "b": 1})
    with pytest.raises(ValueError) as caught:
        MixtureSampler(sources(401, 2001, 9001), mixture, sequence_length=4, seed=1, samples=1000)
    message = str(caught.value)
    for part in ("4,000 tokens", "a 401 tokens x 2", "b 2,001 tokens x 1", "more epochs"):
        assert part in message
    assert "\n" not in message
    # What is there can be used to the last sample.
    enough = 2 * 99 + 499
    sampler = MixtureSampler(
        sources(401, 2001, 9001), mixture, sequence_length=4, seed=1, samples=enough
    )
    assert sampler.counts(enough) == {"a": 198, "b": 499, "c": 0}


def test_the_table_is_what_the_run_gets():
    sampler = mixed({"a": [1, 0], "b": [0, 1]}, 12_800)
    table = sampler.shares(points=10)
    assert list(table) == ["progress", "a", "b"]
    assert table["progress"] == pytest.approx(np.arange(0.05, 1, 0.1).tolist(), abs=0.005)
    assert table["b"] == pytest.approx(np.arange(0.05, 1, 0.1).tolist(), abs=0.01)
    assert np.add(table["a"], table["b"]) == pytest.approx(np.ones(10))
    order = drawn(sampler)
    assert table["b"][0] == pytest.approx(np.mean(order[:1280]), abs=0.002)
    assert len(mixed({"a": 1}, 3).shares()["progress"]) == 3
    wanted = Mixture({"a": [1, 0], "b": [0, 1]}).shares(np.array([0, 0.25, 1]))
    assert wanted == pytest.approx(np.array([[1, 0], [0.75, 0.25], [0, 1]]))


@pytest.mark.parametrize("samples", [200, 999, 2500])
def test_by_difficulty_each_pass_goes_from_easy_to_hard(samples: int):
    sampler = mixed({"a": 1, "b": 1}, 2 * samples, order={"b": "difficulty"})
    count = sampler.counts(2 * samples)["b"]
    starts = np.array([sampler.samplers["b"].window(i) for i in range(count)])
    passes = -(-count // 999)
    assert passes == {200: 1, 999: 1, 2500: 3}[samples]
    span = len(sampler.samplers["b"])
    assert span == -(-count // passes)
    for part in np.split(starts, range(span, count, span)):
        ideal = np.arange(len(part)) * 4000 / len(part)
        assert np.abs(part - ideal).max() < 4000 / 32 + 16
        assert len(set(part)) == len(part)
        assert part[:20].tolist() != sorted(part[:20]), "neighbours are mixed"
        assert part.max() > 3850
    if passes > 1:
        assert not np.array_equal(starts[:700], starts[span : span + 700])


def test_seeds_and_names_differ_and_the_order_never_changes():
    def starts(seed: int, name: str = "a", more: str = "z") -> list[int]:
        held = {name: Numbers(4001), more: Numbers(4001)}
        mixture = Mixture({name: 1, more: 1})
        sampler = MixtureSampler(held, mixture, sequence_length=4, seed=seed, samples=300)
        return [int(sampler.sample(index)[0]) for index in range(300)]

    assert starts(1) == starts(1)
    for other in (starts(2), starts(1, "b", "y")):
        assert np.mean(np.equal(starts(1), other)) < 0.05
    assert starts(42)[:6] == [1940, 1607, 683, 1096, 3716, 3499]


def test_a_plan_of_a_large_run_is_made_quickly_and_without_much_memory():
    sampler = mixed({"a": [5, 1], "b": 1, "c": [0, 3]}, 10**8, epochs={"b": 10**9})
    assert len(sampler._ends) < 70_000
    assert sampler.locate(10**8 - 1)[1] < 10**8
    assert sum(sampler.counts(10**8 - 5).values()) == 10**8 - 5


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"weights": {}}, "no sources"),
    "negative": ({"weights": {"a": -1}}, "a is -1"),
    "nan": ({"weights": {"a": float("nan")}}, "a is nan"),
    "infinite": ({"weights": {"a": [1, float("inf")]}}, "a is inf"),
    "text": ({"weights": {"a": "much"}}, "write a number"),
    "three": ({"weights": {"a": [1, 2, 3]}}, "write a number"),
    "no points": ({"weights": {"a": []}}, "points"),
    "order of points": ({"weights": {"a": [(0.5, 1), (0.2, 1)]}}, "in order"),
    "beyond": ({"weights": {"a": [(0, 1), (1.5, 1)]}}, "from 0 to 1"),
    "all zero": ({"weights": {"a": 0, "b": [0, 0]}}, "all weights of the mixture are 0"),
    "zero between": (
        {"weights": {"a": [(0, 1), (0.3, 0)], "b": [(0.6, 0), (1, 1)]}},
        "are 0 at progress 0.3",
    ),
    "zero at the end": (
        {"weights": {"a": 1}, "anneal": Anneal(0.1, {})},
        "are 0 at progress 0.9",
    ),
    "anneal name": (
        {"weights": {"a": 1}, "anneal": Anneal(0.1, {"x": 1})},
        r"anneal\.weights names x",
    ),
    "anneal weight": (
        {"weights": {"a": 1}, "anneal": Anneal(0.1, {"a": -2})},
        "a is -2",
    ),
    "cap name": ({"weights": {"a": 1}, "epochs": {"x": 1}}, "epochs names x"),
    "cap": ({"weights": {"a": 1}, "epochs": {"a": 0}}, "epochs of a is 0"),
    "order": ({"weights": {"a": 1}, "order": {"a": "size"}}, "random and difficulty"),
}


@pytest.mark.parametrize(("settings", "message"), BAD.values(), ids=BAD.keys())
def test_mistakes_in_a_mixture_are_told(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message) as caught:
        Mixture(**settings)
    assert "\n" not in str(caught.value)


def test_mistakes_around_a_mixture_are_told():
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Anneal(share, {"a": 1})
    mixture = Mixture({"a": 1, "b": 1})

    def refused(held: Mapping[str, TokenShards], message: str, samples: int = 10) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            MixtureSampler(held, mixture, sequence_length=4, seed=1, samples=samples)
        assert "\n" not in str(caught.value)

    refused(sources(100), "names b, but the sources are a")
    refused(sources(100, 100, 100), "no weight to c")
    refused(sources(100, 4), "source b: .* holds 4 tokens")
    refused({"a": Numbers(99), "b": Numbers(99, 0, "other")}, "different tokenizers")
    refused(sources(100, 100), "samples is 0", samples=0)
    sampler = MixtureSampler(sources(99, 99), mixture, sequence_length=4, seed=1, samples=10)
    for index in (-1, 10):
        with pytest.raises(ValueError, match=f"sample {index} does not exist"):
            sampler.sample(index)


def test_a_fingerprint_tells_runs_apart(tmp_path: Path, byte_tokenizer: Tokenizer):
    held: dict[str, TokenShards] = {}
    for name in "ab":
        texts = [Document(str(n), f"{name} document number {n}", name) for n in range(60)]
        write_shards(texts, byte_tokenizer, tmp_path / name, heldout_share=0)
        held[name] = TokenShards.open(tmp_path / name)

    def fingerprint(samples: int = 100, seed: int = 1, **weights: Weight) -> dict[str, Any]:
        mixture = Mixture(weights)
        return MixtureSampler(
            held, mixture, sequence_length=16, seed=seed, samples=samples
        ).fingerprint()

    base = fingerprint(a=1, b=1)
    assert base == fingerprint(a=2, b=2)
    assert base["counts"] == {"a": 50, "b": 50}
    others = [fingerprint(a=1, b=[2, 0]), fingerprint(a=1, b=1, seed=2), fingerprint(200, a=1, b=1)]
    for other in others:
        assert other["order_sha256"] != base["order_sha256"]
