from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phinery.infer.pages import PagePool, chain_digests

PAGE = 16


def tokens(*values):
    return np.array(values, dtype=np.int32)


def text(*pages):
    """One number a page."""
    return np.repeat(np.array(pages, dtype=np.int32), PAGE)


def test_digests_are_those_of_full_pages():
    assert chain_digests(text(1)[:-1], PAGE, b"") == []
    assert len(chain_digests(text(1), PAGE, b"")) == 1
    assert len(chain_digests(text(1, 2, 3)[:-1], PAGE, b"")) == 2


def test_a_digest_depends_on_all_that_comes_before():
    one = chain_digests(text(1, 2, 3), PAGE, b"")
    other = chain_digests(text(1, 5, 3), PAGE, b"")
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert one[2] != other[2]
    assert not set(one) & set(chain_digests(text(1, 2, 3), PAGE, b"adapter"))


def test_digests_go_on_where_they_ended():
    whole = chain_digests(text(1, 2, 3), PAGE, b"root")
    for known in range(4):
        assert chain_digests(text(1, 2, 3), PAGE, b"root", whole[:known]) == whole


def test_low_pages_come_first():
    pool = PagePool(8)
    assert pool.allocate(3) == [0, 1, 2]
    pool.release([0, 1, 2])
    assert sorted(pool.allocate(3) or []) == [0, 1, 2]


def test_too_many_pages_are_refused_and_nothing_changes():
    pool = PagePool(4)
    assert pool.allocate(3) is not None
    assert pool.allocate(2) is None
    assert pool.available == 1
    assert pool.allocate(1) == [3]
    assert pool.available == 0
    assert pool.allocate(0) == []


def test_a_page_is_found_until_its_place_is_needed():
    pool = PagePool(4)
    digests = chain_digests(text(1, 2), PAGE, b"")
    pages = pool.allocate(2) or []
    for page, digest in zip(pages, digests, strict=True):
        pool.register(page, digest)
    assert pool.find(digests) == pages
    pool.release(pages)
    assert (pool.used, pool.available, pool.findable) == (0, 4, 2)
    assert pool.find(digests) == pages
    assert pool.find([b"unknown", *digests]) == []
    # Free pages go first, then the text's end, then its beginning.
    assert set(pool.allocate(2) or []).isdisjoint(pages)
    assert pool.find(digests) == pages
    assert pool.allocate(1) == [pages[1]]
    assert pool.find(digests) == pages[:1]
    assert pool.allocate(1) == [pages[0]]
    assert pool.find(digests) == []
    assert pool.findable == 0


def test_the_page_that_was_let_go_first_is_replaced_first():
    pool = PagePool(3)
    pages = pool.allocate(3) or []
    for page in pages:
        pool.register(page, bytes([page]))
    for page in (1, 0, 2):
        pool.release([page])
    # Page 1 is used once more, so that it is the latest now.
    pool.hold(pool.find([b"\x01"]))
    pool.release([1])
    assert [pool.allocate(1) for _ in range(3)] == [[0], [2], [1]]


def test_a_held_page_is_not_replaced():
    pool = PagePool(2)
    (page,) = pool.allocate(1) or []
    pool.register(page, b"digest")
    pool.hold(pool.find([b"digest"]))
    pool.release([page])
    assert pool.available == 1
    pool.release([page])
    assert pool.available == 2


def test_of_two_pages_with_the_same_tokens_one_is_found():
    pool = PagePool(4)
    one, other = pool.allocate(2) or []
    pool.register(one, b"digest")
    pool.register(other, b"digest")
    assert pool.find([b"digest"]) == [one]
    pool.release([one, other])
    assert (pool.available, pool.findable) == (4, 1)


def test_forgetting_keeps_what_is_held():
    pool = PagePool(4)
    held, idle = pool.allocate(2) or []
    pool.register(held, b"held")
    pool.register(idle, b"idle")
    pool.release([idle])
    pool.forget_idle()
    assert pool.find([b"held"]) == [held]
    assert pool.find([b"idle"]) == []
    assert pool.available == 3
    assert len(set(pool.allocate(3) or [])) == 3


class PoolMachine(RuleBasedStateMachine):
    """A pool against a model that keeps plain lists of who holds what."""

    def __init__(self):
        super().__init__()
        self.pool = PagePool(6)
        self.texts: list[list[int]] = []
        self.known: dict[int, bytes] = {}

    def holders(self, page):
        return sum(pages.count(page) for pages in self.texts)

    @rule(count=st.integers(1, 4))
    def allocate(self, count):
        free = sum(1 for page in range(6) if not self.holders(page))
        pages = self.pool.allocate(count)
        assert (pages is None) == (count > free)
        if pages is not None:
            assert not any(self.holders(page) for page in pages)
            assert len(set(pages)) == count
            for page in pages:
                self.known.pop(page, None)
            self.texts.append(pages)

    @precondition(lambda self: self.texts)
    @rule(data=st.data(), digest=st.binary(min_size=1, max_size=1))
    def register(self, data, digest):
        page = data.draw(st.sampled_from(data.draw(st.sampled_from(self.texts))))
        self.pool.register(page, digest)
        if digest not in self.known.values():
            self.known.setdefault(page, digest)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def find(self, data):
        page, digest = data.draw(st.sampled_from(sorted(self.known.items())))
        assert self.pool.find([digest]) == [page]
        self.pool.hold([page])
        self.texts.append([page])

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def release(self, data):
        pages = data.draw(st.sampled_from(self.texts))
        self.texts.remove(pages)
        self.pool.release(pages)

    @rule()
    def forget(self):
        self.pool.forget_idle()
        self.known = {page: d for page, d in self.known.items() if self.holders(page)}

    @invariant()
    def counts_agree(self):
        assert self.pool.used == sum(1 for page in range(6) if self.holders(page))
        assert self.pool.used + self.pool.available == 6
        assert self.pool.findable == len(self.known)


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPoolMachine = PoolMachine.TestCase
