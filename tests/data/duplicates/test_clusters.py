import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.data.duplicates import NO_SIGNATURE, NUM_HASHES, near_duplicates


def random_signatures(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2**32 - 1, size=(n, NUM_HASHES), dtype=np.uint32)


def changed(signatures, places, seed=1):
    """Signatures that differ in the last `places` places."""
    other = signatures.copy()
    other[:, NUM_HASHES - places :] = random_signatures(len(signatures), seed)[:, :places]
    return other


def test_the_best_document_stays_and_of_equals_the_smallest_id():
    alone, a, b = random_signatures(3)
    clusters = near_duplicates(
        [np.stack([a, alone, a]), np.stack([b, b, b])],
        np.array([1.0, 3.0, 2.0, 5.0, 5.0, 4.0]),
        ["a1", "alone", "a2", "b2", "b1", "b0"],
    )
    assert clusters.survivor.tolist() == [2, 1, 2, 4, 4, 4]
    assert (clusters.num_duplicates, clusters.num_clusters, clusters.largest) == (3, 2, 3)
    links = clusters.links.tolist()
    assert links == sorted(links)
    assert {(2, 0), (4, 3), (4, 5)} <= {*map(tuple, links)} <= {(2, 0), (3, 5), (4, 3), (4, 5)}
    assert (clusters.agreement == 1).all()


@pytest.mark.parametrize(("places", "linked"), [(44, True), (45, False)])
def test_candidates_are_verified_at_six_tenths(places, linked):
    # 68 of 112 places are 0.607; 67 are 0.598.
    left = random_signatures(1)
    clusters = near_duplicates([left, changed(left, places)], np.zeros(2), ["a", "b"])
    assert clusters.candidates >= 1
    assert (clusters.num_duplicates == 1) is linked
    assert len(clusters.links) == linked


def test_a_chain_of_links_is_one_cluster():
    # Neighbours agree in 75 of 100 and share bands; the ends have nothing in common.
    chain = [random_signatures(1)[0]]
    for step in range(40):
        new = chain[-1].copy()
        new[step * 28 % 112 : step * 28 % 112 + 28] = random_signatures(1, seed=step + 5)[0, :28]
        chain.append(new)
    assert not (chain[0] == chain[-1]).any()
    order = np.random.default_rng(2).permutation(41)
    quality = np.linspace(0, 1, 41)
    clusters = near_duplicates([np.stack(chain)[order]], quality, [str(i) for i in range(41)])
    assert clusters.survivor.tolist() == [40] * 41


def test_texts_without_a_signature_are_linked_to_none():
    none = np.full((5, NUM_HASHES), NO_SIGNATURE)
    clusters = near_duplicates([none, none], np.zeros(10), [str(i) for i in range(10)])
    assert clusters.survivor.tolist() == list(range(10))
    assert len(clusters.links) == clusters.candidates == clusters.num_clusters == 0


def test_no_documents():
    for shards in ([], [np.empty((0, NUM_HASHES), np.uint32)]):
        clusters = near_duplicates(shards, np.empty(0), [])
        assert clusters.survivor.shape == (0,)
        assert clusters.links.shape == (0, 2)
        assert clusters.largest == 0


def family(rng, n):
    """Signatures in families whose members agree in 50 to 100 of 100 places, more or less."""
    heads = random_signatures(max(1, n // 5), seed=int(rng.integers(1000)))
    copies = heads[rng.integers(0, len(heads), n)]
    kept = rng.random((n, NUM_HASHES)) < rng.uniform(0.75, 1, (n, 1))
    return np.where(kept, copies, random_signatures(n, seed=int(rng.integers(1000, 2000))))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 120), shards=st.integers(1, 4))
def test_the_result_does_not_depend_on_the_order_of_documents_and_shards(seed, n, shards):
    rng = np.random.default_rng(seed)
    signatures = family(rng, n)
    quality = rng.integers(0, 3, n).astype(np.float64)
    ids = [f"d{number}" for number in rng.permutation(n)]

    def survivors_and_links(order):
        shuffled = [ids[i] for i in order]
        parts = np.array_split(signatures[order], shards)
        clusters = near_duplicates(parts, quality[order], shuffled)
        survivors = {shuffled[i]: shuffled[s] for i, s in enumerate(clusters.survivor)}
        links = {(shuffled[a], shuffled[b]) for a, b in clusters.links}
        return survivors, links

    assert survivors_and_links(np.arange(n)) == survivors_and_links(rng.permutation(n))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60))
def test_links_hold_clusters_together_and_survivors_are_the_best(seed, n):
    rng = np.random.default_rng(seed)
    signatures = family(rng, n)
    quality = rng.integers(0, 3, n).astype(np.float64)
    ids = np.array([f"d{number:03}" for number in rng.permutation(n)])
    clusters = near_duplicates([signatures], quality, ids)
    cluster_of = list(range(n))
    for left, right in clusters.links.tolist():
        assert (signatures[left] == signatures[right]).mean() >= 0.6
        cluster_of = [cluster_of[left] if c == cluster_of[right] else c for c in cluster_of]
    for document in range(n):
        members = [other for other in range(n) if cluster_of[other] == cluster_of[document]]
        best = min(members, key=lambda member: (-quality[member], ids[member]))
        assert clusters.survivor[document] == best


def test_copies_of_one_page_cost_what_their_number_is():
    n = 30_000
    page = np.broadcast_to(random_signatures(1), (n, NUM_HASHES))
    clusters = near_duplicates([page], np.zeros(n), [f"{i:06}" for i in range(n)])
    assert (clusters.survivor == 0).all()
    assert clusters.candidates <= 5 * n


def test_memory_is_some_bytes_for_each_document(tmp_path):
    n = 100_000
    path = tmp_path / "signatures.bin"
    random_signatures(n).tofile(path)
    mapped = np.memmap(path, dtype=np.uint32, mode="r").reshape(n, NUM_HASHES)
    quality, ids = np.random.default_rng(3).random(n), [str(i) for i in range(n)]
    tracemalloc.start()
    try:
        clusters = near_duplicates(np.array_split(mapped, 7), quality, ids)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert clusters.num_duplicates == 0
    assert peak < 100 * n


def test_wrong_arguments_are_refused():
    two = random_signatures(2)
    with pytest.raises(ValueError, match="2 signatures, 2 qualities and 1 ids"):
        near_duplicates([two], np.zeros(2), ["a"])
    with pytest.raises(ValueError, match="not a number"):
        near_duplicates([two], np.array([0.0, np.nan]), ["a", "b"])
    with pytest.raises(ValueError, match="agreement is 0"):
        near_duplicates([two], np.zeros(2), ["a", "b"], agreement=0)
    with pytest.raises(ValueError, match=r"\(n, 112\)"):
        near_duplicates([two[:, :100]], np.zeros(2), ["a", "b"])
