"""The key-value cache's pages: who holds which, and which are worth keeping for the next prompt.

A page holds the keys and values of `page_size` consecutive tokens in every layer. A full page is
known by a digest of all tokens from the beginning of the text to its end, so that another text
with the same beginning finds it. Pages that nobody holds stay findable until their place is
needed; the one that was let go longest ago goes first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def chain_digests(
    tokens: NDArray[np.int32], page_size: int, root: bytes, before: Sequence[bytes] = ()
) -> list[bytes]:
    """Digests of the full pages of a text, `before` being those of its first pages.

    Each depends on all tokens up to its page's end, and on `root`: texts with different roots
    (adapters, say) share nothing.
    """
    digests = list(before)
    parent = digests[-1] if digests else root
    for page in range(len(digests), len(tokens) // page_size):
        chunk = tokens[page * page_size : (page + 1) * page_size]
        parent = hashlib.blake2b(parent + chunk.tobytes(), digest_size=16).digest()
        digests.append(parent)
    return digests


class PagePool:
    """Hands out page numbers, counts who holds them, finds full pages by digest."""

    def __init__(self, num_pages: int) -> None:
        self.num_pages = num_pages
        # Popped from the end: low numbers first, so that a cache that grows stays small.
        self._free = list(range(num_pages - 1, -1, -1))
        self._holders = [0] * num_pages
        self._digests: list[bytes | None] = [None] * num_pages
        self._by_digest: dict[bytes, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()

    @property
    def available(self) -> int:
        """How many pages `allocate` can give: free ones, and findable ones that nobody holds."""
        return len(self._free) + len(self._idle)

    @property
    def used(self) -> int:
        """How many pages somebody holds."""
        return self.num_pages - self.available

    @property
    def findable(self) -> int:
        """How many pages can be found by their digest."""
        return len(self._by_digest)

    def is_idle(self, page: int) -> bool:
        """Whether a page is findable and held by nobody."""
        return page in self._idle

    def allocate(self, count: int) -> list[int] | None:
        """`count` pages with one holder each; None, and nothing changed, when there are fewer."""
        if count > self.available:
            return None
        pages: list[int] = []
        for _ in range(count):
            if self._free:
                page = self._free.pop()
            else:
                page, _ = self._idle.popitem(last=False)
                self._forget(page)
            self._holders[page] = 1
            pages.append(page)
        return pages

    def find(self, digests: Iterable[bytes]) -> list[int]:
        """Pages of the first digests, up to the first one that is unknown."""
        pages: list[int] = []
        for digest in digests:
            page = self._by_digest.get(digest)
            if page is None:
                break
            pages.append(page)
        return pages

    def hold(self, pages: Iterable[int]) -> None:
        """One more holder for pages that `find` gave."""
        for page in pages:
            self._holders[page] += 1
            self._idle.pop(page, None)

    def register(self, page: int, digest: bytes) -> None:
        """Make a held, full page findable, unless another one with these tokens is already."""
        assert self._holders[page] > 0
        if digest not in self._by_digest and self._digests[page] is None:
            self._by_digest[digest] = page
            self._digests[page] = digest

    def release(self, pages: Sequence[int]) -> None:
        """One holder less for each page of a text, given in the text's order.

        The text's last pages are the first to be replaced: fewer texts share them.
        """
        for page in reversed(pages):
            self._holders[page] -= 1
            assert self._holders[page] >= 0
            if self._holders[page]:
                continue
            if self._digests[page] is None:
                self._free.append(page)
            else:
                self._idle[page] = None

    def forget_idle(self) -> None:
        """Make free what is kept only to be found again."""
        for page in self._idle:
            self._forget(page)
            self._free.append(page)
        self._idle.clear()

    def _forget(self, page: int) -> None:
        digest = self._digests[page]
        assert digest is not None
        del self._by_digest[digest]
        self._digests[page] = None
