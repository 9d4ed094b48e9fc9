from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.text import TextStream, Tokenizer

EOS = "<|endoftext|>"


def stream(tokenizer: Tokenizer, ids: list[int], *stops: str) -> tuple[list[str], TextStream]:
    """What is shown at every step, the last of them `finish`."""
    text = TextStream(tokenizer, stops)
    return [*(text.push(token) for token in ids), text.finish()], text


def cut(text: str, stops: list[str]) -> tuple[str, str | None]:
    """The definition: before the stop string that ends first, the longest of those."""
    for end in range(1, len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            longest = max(ending, key=len)
            return text[: end - len(longest)], longest
    return text, None


# The first 256 tokens are bytes in no order of UTF-8: most sequences of them are not valid.
byte_ids = st.lists(st.integers(0, 260), max_size=40)
text_ids = st.lists(
    st.sampled_from(["a", "b", "ab", "ba", "\n", "é", "🦜", "aab", "  ", EOS]), max_size=25
)
some_stops = st.lists(
    st.one_of(
        st.text(alphabet="ab\n", min_size=1, max_size=4),
        st.sampled_from(["é", "\ufffd", "🦜", "a🦜", "  ", "<|", EOS]),
    ),
    max_size=4,
)


@given(ids=byte_ids)
def test_the_stream_is_the_decoded_text_for_any_tokens(tokenizer: Tokenizer, ids: list[int]):
    shown, text = stream(tokenizer, ids)
    assert "".join(shown) == tokenizer.decode(ids)
    assert text.stopped is None


@given(pieces=text_ids, stops=some_stops, noise=byte_ids)
def test_nothing_is_shown_beyond_a_stop_string(
    tokenizer: Tokenizer, pieces: list[str], stops: list[str], noise: list[int]
):
    ids = [token for piece in pieces for token in tokenizer.encode(piece, special_tokens=True)]
    for tokens in (ids, ids + noise, noise + ids):
        shown, text = stream(tokenizer, tokens, *stops)
        expected, stopped = cut(tokenizer.decode(tokens), stops)
        assert "".join(shown) == expected
        assert text.stopped == stopped


@given(text=st.text(max_size=30), stops=some_stops, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_it_does_not_matter_how_tokens_cut_the_text(
    tokenizer: Tokenizer, text: str, stops: list[str], cuts: list[int]
):
    content = text.encode()
    edges = sorted({0, len(content), *(place for place in cuts if place < len(content))})
    byte_of = {tokenizer.token_bytes(token): token for token in range(256)}
    whole = tokenizer.encode(text)
    single = [byte_of[content[i : i + 1]] for i in range(len(content))]
    mixed: list[int] = []
    for start, end in itertools.pairwise(edges):
        part = content[start:end]
        try:
            mixed += tokenizer.encode(part.decode())
        except UnicodeDecodeError:
            mixed += single[start:end]
    outcomes = set()
    for ids in (whole, single, mixed):
        shown, ended = stream(tokenizer, ids, *stops)
        outcomes.add(("".join(shown), ended.stopped))
    assert outcomes == {cut(text, stops)}


@given(pieces=text_ids, stops=some_stops)
def test_what_is_shown_on_the_way_is_never_taken_back(
    tokenizer: Tokenizer, pieces: list[str], stops: list[str]
):
    ids = [token for piece in pieces for token in tokenizer.encode(piece, special_tokens=True)]
    final, _ = cut(tokenizer.decode(ids), stops)
    shown, _ = stream(tokenizer, ids, *stops)
    for step in range(len(shown)):
        assert final.startswith("".join(shown[:step]))


def test_text_is_shown_as_soon_as_it_is_certain(tokenizer: Tokenizer):
    def ids(text: str) -> list[int]:
        return [token for c in text for token in tokenizer.encode(c)]

    assert stream(tokenizer, ids("abc"))[0] == ["a", "b", "c", ""]
    assert stream(tokenizer, ids("axyb"), "xyz")[0] == ["a", "", "", "xyb", ""]
    assert stream(tokenizer, ids("axy"), "xyz")[0] == ["a", "", "", "xy"]
    bird = [token for token in range(256) for byte in "🦜".encode()[:1]
            if tokenizer.token_bytes(token) == bytes([byte])]  # fmt: skip
    assert stream(tokenizer, bird)[0] == ["", "\ufffd"]


def test_after_a_stop_string_nothing_comes(tokenizer: Tokenizer):
    text = TextStream(tokenizer, "STOP")
    shown = [text.push(token) for token in tokenizer.encode("one STOP two STO")]
    assert "".join(shown) == "one "
    assert text.push(tokenizer.encode("x")[0]) == ""
    assert (text.finish(), text.stopped) == ("", "STOP")


def test_special_tokens_can_be_left_out(tokenizer: Tokenizer):
    ids = [*tokenizer.encode("a"), tokenizer.eos_token_id, *tokenizer.encode("b")]
    text = TextStream(tokenizer, skip_special_tokens=True)
    assert [text.push(token) for token in ids] == ["a", "", "b"]
    assert "".join(stream(tokenizer, ids)[0]) == f"a{EOS}b"


def test_an_empty_stop_string_is_refused(tokenizer: Tokenizer):
    with pytest.raises(ValueError, match="empty"):
        TextStream(tokenizer, ["a", ""])
