import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.contamination.ngrams import Table, ngram_hashes, whole_hash

few_values = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 2), max_size=40)


@given(few_values, st.integers(1, 16))
def test_a_run_has_the_hash_that_its_words_have_alone(values, n):
    words = np.array(values, dtype=np.uint64)
    hashes = ngram_hashes(words, n)
    assert hashes.dtype == np.uint64
    assert hashes.tolist() == [
        whole_hash(words[at : at + n]) for at in range(max(0, len(values) - n + 1))
    ]


@given(few_values, st.integers(1, 5))
def test_equal_runs_and_no_others_have_equal_hashes(values, n):
    hashes = ngram_hashes(np.array(values, dtype=np.uint64), n).tolist()
    runs = [tuple(values[at : at + n]) for at in range(len(hashes))]
    assert len(set(hashes)) == len(set(runs))


def test_the_order_of_words_counts():
    words = np.array([1, 2, 3], dtype=np.uint64)
    assert whole_hash(words) != whole_hash(words[::-1])


keys = st.integers(0, 10) | st.integers(2**64 - 10, 2**64 - 1) | st.sampled_from([2**40, 2**41])


@given(st.lists(keys, max_size=30), st.lists(keys, max_size=30))
def test_a_table_finds_all_entries_of_known_keys(stored, asked):
    stored = sorted(stored)
    places, entries = Table.of(np.array(stored, dtype=np.uint64)).find(
        np.array(asked, dtype=np.uint64)
    )
    expected = [
        (place, entry)
        for place, key in enumerate(asked)
        for entry, known in enumerate(stored)
        if key == known
    ]
    assert list(zip(places.tolist(), entries.tolist(), strict=True)) == expected
