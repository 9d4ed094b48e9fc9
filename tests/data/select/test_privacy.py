from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.data.select.privacy import KINDS, mask_private

_CORPORA = Path(__file__).resolve().parents[3].parent / "shared" / "corpora"

_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
_BLOCK = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEpAIBAAKCAQEA7n3\nq8Zl+/abc=\n"
    "-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jane.doe+x@mail.uni-bonn.de, please.", "Write to <email>, please."),
        ("<a href='mailto:bob@acme.io'>Bob</a>", "<a href='mailto:<email>'>Bob</a>"),
        ("from 128.214.6.100 (port 80)", "from <ip> (port 80)"),
        ("at 2a00:1450:4001:82a::200e now", "at <ip> now"),
        ("Call +49 89 320 06433 or (212) 736-5000.", "Call <phone> or <phone>."),
        ("tel: 212-736-5000", "tel: <phone>"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN <iban>."),
        ("GB29NWBK60161331926819", "<iban>"),
        ("card 4111 1111 1111 1111 no: 4012 8888 8888 1881", "card 4111 1111 1111 1111 no: <card>"),
        ("amex 3782-822463-10005", "amex <card>"),
        ("id AKIA" + "Z7Q2M4X9B1C8D5E6 ok", "id <key> ok"),
        ("ghp" + "_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "<key>"),
        ("xoxb" + "-123456789012-abcdEFGH1234", "<key>"),
        ("sk" + "-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6", "<key>"),
        ("AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q", "<key>"),
        (f"Bearer {_JWT}", "Bearer <key>"),
        (f"a\n{_BLOCK}\nb", "a\n<key>\nb"),
        ('api_key = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"', 'api_key = "<key>"'),
        ("8.8.4.199(212) 736-5000", "<ip><phone>"),
    ],
)
def test_masks(text: str, masked: str) -> None:
    result = mask_private([text])
    assert result.texts == [masked]
    assert sum(result.counts[0].values()) == sum(masked.count(f"<{kind}>") for kind in KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "user0123@example.org and admin@localhost",
        "a @decorator, x @ y, @media, me@home",
        "version 4.10.3.2, section 3.1.4.1 and 127.0.0.1, 192.168.0.1, 10.0.0.7, 203.0.113.9",
        "at 12:30:45, ::1, fe80::1, std::vector, a::b::c",
        "ISBN 978-3-16-148410-0, ISSN 2049-3630, DOI 10.1038/171737a0",
        "from 2024-11-24 to 1999-12-31, 1914-1918, 555-1234",
        "(555) 010-4242 and 212-555-0142 and 1-800-772-1213",
        "3.14159265358979, 6,022,140,760, 1234567890123, 2^31 = 2147483648",
        "FR14 2004 1010 0505 0001 3M02 607 fails its check",
        "4111 1111 1111 1112 fails its check",
        "x = 123 456 7890 + 1",
        'api_key = "YOUR_API_KEY_GOES_HERE_123" # password: use_a_long_one_with_words',
        "AKIAIOSFODNN7EXAMPLE",
        "token = tokenizer.encode_batch(texts2)",
    ],
)
def test_leaves_alone(text: str) -> None:
    result = mask_private([text])
    assert result.texts == [text]
    assert result.counts == [{}]


def test_counts_every_kind_of_every_text() -> None:
    result = mask_private(["a@b.com c@d.org 128.214.6.100", "", "x@y.net"])
    assert result.counts == [{"email": 2, "ip": 1}, {}, {"email": 1}]


_PIECES = st.sampled_from(
    [
        "a@b.com",
        "128.214.6.100",
        "+49 89 320 06433",
        "(212) 736-5000",
        "212-736-5000",
        "GB29NWBK60161331926819",
        "4012 8888 8888 1881",
        "2a00:1450:4001:82a::200e",
        "token=9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        "-----BEGIN PRIVATE KEY-----",
        *" .,:;-+()=<>@/1",
        "\n",
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(_PIECES | st.text(max_size=5), max_size=20).map("".join))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask_private([text]).texts
    again = mask_private(once)
    assert again.texts == once
    assert again.counts == [{}]


@pytest.mark.parametrize(
    "piece",
    [
        *("a", "1", "1.", "1 ", "a.", "a@", "@a.", "a1:", "+1", "1-", "AB12 ", "key=", "sk-", "::"),
        *("(212) ", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----\n", "password: a1"),
    ],
)
def test_hostile_texts_take_linear_time(piece: str) -> None:
    """A cost that grew with the square would be 16 times as high, not 4."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        start = time.process_time()
        mask_private([text])
        return time.process_time() - start

    short, long = seconds(20_000), seconds(80_000)
    assert long < 12 * short + 0.5


@pytest.mark.skipif(not _CORPORA.exists(), reason="needs ../shared/corpora")
def test_textbooks_have_next_to_nothing_private() -> None:
    with gzip.open(_CORPORA / "textbooks/openstax.jsonl.gz", "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    counts = mask_private(texts).counts
    with_private = sum(map(bool, counts))
    # Made-up addresses and numbers in exercises on functions, and offices' telephones.
    assert 2 <= with_private < 0.003 * len(texts)
