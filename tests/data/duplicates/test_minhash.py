import gzip
import json
import random
from pathlib import Path

import daft
import numpy as np
import pytest
from daft import col
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.duplicates import (
    BANDS,
    NO_SIGNATURE,
    NUM_HASHES,
    ROWS,
    band_key,
    band_keys,
    exact_hash,
    has_signature,
    near_duplicates,
    normalized,
    signature,
)

SHARED = Path(__file__).resolve().parents[4] / "shared"
STACKEXCHANGE = SHARED / "corpora" / "web" / "stackexchange.jsonl.gz"


def signatures_of(texts):
    column = daft.from_pydict({"text": texts}).select(signature(col("text")).alias("signature"))
    return np.array(column.to_pydict()["signature"], dtype=np.uint32)


def shingles(text):
    words = text.split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def edited(text, share, rng):
    """`text` with that share of its words replaced, left out or followed by a new one."""
    words = []
    for word in text.split():
        draw = rng.random() / share
        new = f"w{rng.randrange(10**6)}"
        words += [word] if draw >= 1 else [[new], [], [word, new]][int(draw * 3)]
    return " ".join(words)


@pytest.fixture(scope="module")
def pairs():
    """Signatures of real documents and of edited ones, and the exact Jaccard similarities."""
    if not STACKEXCHANGE.is_file():
        pytest.skip(f"{STACKEXCHANGE} is not there")
    with gzip.open(STACKEXCHANGE, "rt") as lines:
        originals = [json.loads(line)["text"] for line in lines]
    rng = random.Random(7)
    originals = [text for text in originals if len(text) > 1000][:600] * 3
    copies = [edited(text, rng.uniform(0.002, 0.12), rng) for text in originals]
    both = daft.from_pydict({"text": originals + copies}).select(normalized(col("text")))
    sets = [shingles(text) for text in both.to_pydict()["text"]]
    n = len(originals)
    exact = [len(a & b) / len(a | b) for a, b in zip(sets[:n], sets[n:], strict=True)]
    signed = signatures_of(originals + copies)
    return signed[:n], signed[n:], np.array(exact)


def test_agreement_is_an_unbiased_estimate_of_the_jaccard_similarity(pairs):
    left, right, exact = pairs
    agreement = (left == right).mean(axis=1)
    within = (exact > 0.02) & (exact < 0.98)
    assert within.sum() > 1500
    expected = np.sqrt(exact * (1 - exact) / NUM_HASHES)[within]
    errors = (agreement - exact)[within] / expected
    # The standard normal distribution, within about 4 standard errors of its mean and deviation.
    assert abs(errors.mean()) < 0.1
    assert 0.93 < errors.std() < 1.07


def test_near_duplicates_are_found_as_often_as_bands_promise(pairs):
    left, right, exact = pairs
    found = np.array(
        [
            near_duplicates([np.stack(pair)], np.zeros(2), ["a", "b"]).num_duplicates == 1
            for pair in zip(left, right, strict=True)
        ]
    )
    high, medium, low = exact >= 0.85, (exact >= 0.72) & (exact <= 0.78), exact < 0.4
    assert min(high.sum(), medium.sum(), low.sum()) > 90
    assert found[high].mean() >= 0.95
    assert 0.65 <= found[medium].mean() <= 0.9
    assert not found[low].any()


def test_texts_of_fewer_than_five_words_have_no_signature():
    short = ["", " ", "!!! ...", "one two three four", "one. two; three - four"]
    signed = signatures_of([*short, "one two three four five", "One, two: THREE\nfour  five!"])
    assert signed.shape == (7, NUM_HASHES)
    assert (signed[:5] == NO_SIGNATURE).all()
    assert has_signature(signed).tolist() == [False] * 5 + [True] * 2
    assert (signed[5] == signed[6]).all()


def test_a_missing_text_has_a_missing_signature():
    column = daft.from_pydict({"text": [None, "one two three four five"]})
    assert column.select(signature(col("text"))).to_pydict()["text"][0] is None


def test_signatures_stay_what_they_are():
    # Signatures may be kept on disk and compared with later ones.
    signed = signatures_of(["the quick brown fox jumps over the lazy dog"])
    assert signed[0, :3].tolist() == [204633930, 368999530, 218841165]


def test_band_keys_are_equal_exactly_where_bands_are():
    rng = np.random.default_rng(1)
    left = rng.integers(0, 2**32, size=(500, NUM_HASHES), dtype=np.uint32)
    right = np.where(rng.random(left.shape) < 0.9, left, left + np.uint32(1))
    same = (left == right).reshape(-1, BANDS, ROWS).all(axis=2)
    assert 0.3 < same.mean() < 0.6
    keys = band_keys(left)
    assert keys.shape == (500, BANDS)
    assert keys.dtype == np.uint64
    assert ((keys == band_keys(right)) == same).all()
    assert (band_key(left, 3) == keys[:, 3]).all()
    # The highest bits are not lost, nor do they outweigh each other.
    flipped = left.copy()
    flipped[:, [1, 3]] ^= np.uint32(2**31)
    assert (band_key(flipped, 0) != keys[:, 0]).all()
    assert len(np.unique(keys)) == keys.size


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 111), np.uint32), np.zeros((2, 112), np.int64), np.zeros(112, np.uint32)]
)
def test_band_keys_refuse_other_arrays(wrong):
    with pytest.raises(ValueError, match="make them with `signature`"):
        band_key(wrong, 0)


@given(st.lists(st.text(st.characters(), max_size=5), max_size=8))
def test_exact_hashes_are_equal_exactly_where_texts_are(texts):
    hashes = exact_hash(texts)
    assert hashes.shape == (len(texts), 2)
    assert hashes.dtype == np.uint64
    assert len(np.unique(hashes, axis=0)) == len(set(texts))


def test_exact_hash_is_blake2b():
    # First 16 bytes asked of BLAKE2b for "abc", as `b2sum -l 128` prints them.
    assert exact_hash(["abc"]).astype("<u8").tobytes().hex() == "cf4ab791c62b8d2b2109c90275287816"
