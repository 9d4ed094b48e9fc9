"""Which documents are kept for scoring and never trained on."""

from __future__ import annotations

import hashlib


def is_held_out(content: str | bytes, *, share: float = 0.01, key: str = "phinery-heldout") -> bool:
    """Whether a document is kept for scoring, decided by nothing but its content.

    It is when the keyed BLAKE2b hash of the UTF-8 text, as a number in [0, 1), is below `share`: so
    exact duplicates land on the same side, in every run and on every machine, and a larger share
    keeps what a smaller one does. Raises ValueError for a share outside [0, 1] and for a key of
    more than 64 bytes.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the held-out share is {share}, but must be between 0 and 1")
    secret = key.encode()
    if len(secret) > hashlib.blake2b.MAX_KEY_SIZE:
        raise ValueError(f"the held-out key has {len(secret)} bytes: 64 is the most")
    data = content.encode() if isinstance(content, str) else content
    digest = hashlib.blake2b(data, digest_size=8, key=secret).digest()
    return int.from_bytes(digest, "little") < share * 2**64
