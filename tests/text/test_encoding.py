"""The fast encoding gives the ids of the `tokenizers` library, or leaves the text to it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from phinery.data import train_tokenizer
from phinery.text import Tokenizer, encoding
from phinery.text.encoding import FastEncoding, bytes_of_characters
from text_help import EOS, TRAINING_TEXT, awkward_text, codegen_backend

# All of Unicode's White_Space, and what other definitions of whitespace count as well.
WHITESPACE = "".join(map(chr, [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)])) + (
    "\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u2060\ufeff\x1c\x1d\x1e\x1f"
)
MARKS = "".join(map(chr, range(9)))


def trained_backend(vocab_size: int = 400) -> tokenizers.Tokenizer:
    backend = train_tokenizer(TRAINING_TEXT, vocab_size)._backend
    assert backend.encode_special_tokens
    return backend


def phi_backend() -> tokenizers.Tokenizer:
    backend = codegen_backend()
    backend.encode_special_tokens = True
    return backend


def added_backend(*added: str | AddedToken) -> tokenizers.Tokenizer:
    backend = trained_backend()
    for token in added:
        backend.add_tokens([token])
    return backend


def reference(backend: tokenizers.Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [backend.encode(text, add_special_tokens=False).ids for text in texts]


def fast(backend: tokenizers.Tokenizer) -> FastEncoding:
    made = FastEncoding.of(backend)
    assert made is not None
    return made


def ids_of(made: FastEncoding, texts: Sequence[str], **options: Any) -> list[list[int]]:
    return [ids.tolist() for ids in made.encode(texts, **options)]


BACKENDS = {"trained": trained_backend, "phi": phi_backend}


@pytest.fixture(scope="module", params=BACKENDS.values(), ids=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> tokenizers.Tokenizer:
    return request.param()


@pytest.fixture(scope="module")
def made(backend: tokenizers.Tokenizer) -> FastEncoding:
    return fast(backend)


hard_text = st.lists(
    st.one_of(
        awkward_text,
        st.text(alphabet=WHITESPACE, max_size=12),
        st.text(alphabet=MARKS, max_size=3),
        st.tuples(st.sampled_from(" \t\n\u3000"), st.integers(1, 70)).map(
            lambda run: run[0] * run[1]
        ),
        st.sampled_from(
            [*"a1!'", "'s", "'ll", "'LL", " '", "x\u0301", "٣", "Ⅷ", "㍿", "𝟘", "👩‍👩‍👧"]
        ),
    ),
    max_size=10,
).map("".join)


@settings(max_examples=300)
@given(texts=st.lists(hard_text, max_size=5))
def test_the_same_ids(backend: tokenizers.Tokenizer, made: FastEncoding, texts: list[str]):
    assert ids_of(made, texts) == reference(backend, texts)


def test_the_same_ids_for_every_code_point():
    """Among letters, digits and signs, so that a character of another class would show."""
    backend = trained_backend()
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    texts = [
        "".join(f"a{chr(point)}1{chr(point)}!" for point in points[start : start + 4000])
        for start in range(0, len(points), 4000)
    ]
    expected = backend.encode_batch_fast(texts, add_special_tokens=False)
    encoded = fast(backend).encode(texts)
    for number, (ids, answer) in enumerate(zip(encoded, expected, strict=True)):
        assert ids.tolist() == answer.ids, f"code points from {points[number * 4000]:#x}"


def test_each_run_of_whitespace_in_every_place(backend: tokenizers.Tokenizer, made: FastEncoding):
    runs = [
        space * length for space in WHITESPACE for length in (*range(1, 12), 31, 32, 33, 62, 64)
    ]
    runs += [first + second * 3 for first in WHITESPACE for second in WHITESPACE]
    runs += ["  \t\t  ", " \t \n\n ", "\n    \n\t\tx", "\r\n\r\n", EOS, f"  {EOS}  "]
    texts = [text for run in runs for text in (run, f"a{run}", f"{run}b", f"a{run}b", f"1{run}'s!")]
    assert ids_of(made, texts) == reference(backend, texts)


RUNS: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "none": trained_backend,
    "Phi's": phi_backend,
    # Two more than the longest, and a run after a run, are within reach of few characters.
    "short": lambda: added_backend("  ", "   ", "\t\t"),
    "line ends": lambda: added_backend("\n\n", "\r\r", "\r\r\r", "\v\v"),
    "not all lengths": lambda: added_backend("  ", "    ", "\t\t\t"),
    "long characters": lambda: added_backend("\u3000\u3000", "\u3000\u3000\u3000", "\x85\x85"),
    "mixed": lambda: added_backend("\n ", "\t\t"),
}


@pytest.mark.parametrize("make", RUNS.values(), ids=RUNS.keys())
@pytest.mark.parametrize("alphabet", [" \t\na!", " \r\v\u3000x", "\t \x85\u20033"])
def test_all_short_texts(make: Callable[[], tokenizers.Tokenizer], alphabet: str):
    backend = make()
    texts = ["".join(text) for n in range(7) for text in itertools.product(alphabet, repeat=n)]
    expected = backend.encode_batch_fast(texts, add_special_tokens=False)
    for text, ids, answer in zip(texts, fast(backend).encode(texts), expected, strict=True):
        assert ids.tolist() == answer.ids, repr(text)


def test_runs_that_are_merges_too():
    """As in CodeGen's tokenizer, where two spaces are a token of the merges, and an added one."""
    backend = phi_backend()
    merged, added = backend.token_to_id("\u0120\u0120"), backend.token_to_id("  ")
    assert merged is not None
    assert merged != added
    assert ids_of(fast(backend), ["  ", "a  \n"])[0] == [added]
    assert ids_of(fast(backend), ["a  \n"]) == reference(backend, ["a  \n"])


def test_groups_become_smaller_towards_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoding, "_CHUNK_CHARACTERS", 100)
    monkeypatch.setattr(encoding, "_SMALLEST_CHUNK", 10)
    texts = ["x" * (1 + number % 9) for number in range(200)]
    for threads in (1, 2, 5):
        groups = list(encoding._chunks(texts, threads))
        assert [text for group in groups for text in group] == texts
        sizes = [sum(map(len, group)) for group in groups]
        assert max(sizes) < 110
        assert all(size >= (100 if threads == 1 else 10) for size in sizes[:-1])
        assert threads == 1 or max(sizes[-threads:]) < 20
    assert list(encoding._chunks(["x" * 500, "", "y"], 2)) == [["x" * 500], ["", "y"]]


@pytest.mark.parametrize("unit", ["a", "!", "7", " ", "\n", "\t", "é", "日", "ab", " a", "\u3000"])
@pytest.mark.parametrize("end", ["", "x"])
def test_long_runs(made: FastEncoding, backend: tokenizers.Tokenizer, unit: str, end: str):
    text = unit * 100_000 + end
    assert ids_of(made, [text]) == reference(backend, [text])


def test_many_texts_in_threads(
    backend: tokenizers.Tokenizer, made: FastEncoding, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(encoding, "_CHUNK_CHARACTERS", 50)
    monkeypatch.setattr(encoding, "_SMALLEST_CHUNK", 5)
    texts = [
        f"{'  ' * (n % 20)}text {n}\n\n\tof many{MARKS[n % 40 : n % 40 + 1]}" for n in range(99)
    ]
    texts[5] = ""
    expected = reference(backend, texts)
    for threads in (1, 2, 7):
        assert ids_of(made, texts, threads=threads) == expected
    assert ids_of(made, []) == []
    assert ids_of(made, ["", ""]) == [[], []]


@pytest.mark.parametrize("place", [0, 1])
def test_an_error_ends_all_threads(made: FastEncoding, monkeypatch: pytest.MonkeyPatch, place: int):
    monkeypatch.setattr(encoding, "_CHUNK_CHARACTERS", 1)
    monkeypatch.setattr(encoding, "_SMALLEST_CHUNK", 1)
    begun: list[str] = []
    meeting = threading.Barrier(2)
    encode_chunk = made._encode_chunk

    def slowly(texts: Sequence[str]) -> list[Any]:
        begun.extend(texts)
        if texts[0] in ("first", "\ud800"):  # both threads have one before one of them fails
            meeting.wait(timeout=20)
        else:
            time.sleep(0.01)
        return encode_chunk(texts)

    monkeypatch.setattr(made, "_encode_chunk", slowly)
    texts = ["first", "first", *(300 * ["the weather"])]
    texts[place] = "\ud800"
    with pytest.raises(UnicodeEncodeError):
        made.encode(texts, threads=2)
    assert len(begun) < 150


def test_few_texts_are_left_to_the_library(made: FastEncoding, monkeypatch: pytest.MonkeyPatch):
    left: list[Any] = []
    monkeypatch.setattr(made, "_backend", _Refusing(left))
    texts = [
        "the weather",
        f"{EOS} and    \t\t  more\n\n  x",
        "\x0b\x0c\x0e\x1f",
        " " * 99,
        "日本語 ",
    ]
    assert len(ids_of(made, texts)) == len(texts)
    with pytest.raises(RuntimeError):
        made.encode(["a\x00b"])
    assert left == [["a\x00b"]]


class _Refusing:
    """Notes what it is asked to encode."""

    def __init__(self, left: list[Any]) -> None:
        self._left = left

    def encode_batch_fast(self, texts: Any, **_: Any) -> Any:
        self._left.append(texts)
        raise RuntimeError


ADDED: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "nested": lambda: added_backend("<a", "<a>", "<a><b>", "b>", "><"),
    "words": lambda: added_backend("the", "there", "er", "rather"),
    "runs and more": lambda: added_backend("  ", "   ", "  x", "yy", "yyy", "zz", "zzz", "zzzz"),
    "a gap in a run": lambda: added_backend("yy", "yyyy"),
    "single characters": lambda: added_backend("é", "日", "y"),
    "non-normalized": lambda: added_backend(
        AddedToken("abc", normalized=False), AddedToken("bcd", normalized=True), "cde"
    ),
    "left": lambda: added_backend(AddedToken("<l>", lstrip=True), "<m>"),
    "right": lambda: added_backend(AddedToken("<r>", rstrip=True), "  "),
    "word": lambda: added_backend(AddedToken("the", single_word=True), "zz"),
    "special that overlaps": lambda: added_backend(
        AddedToken("<a><b>", special=True), "<a>", "><", "b>"
    ),
    "mark": lambda: added_backend("\x00", "\x01\x02", "é"),
    "families": lambda: added_backend("aa", "bb", "cc", "dd", "ee", "ff", "gg"),
}
PARTS = [
    *["<a", "<a>", "<b>", "><", "b>", "<l>", "<m>", "<r>", "the", "there", "er", "rather", "  x"],
    *["y", "yy", "zz", "abc", "bcd", "cde", "abcde", "é", "日", " ", "  ", "\t", "\n", EOS, "aa"],
    *[*MARKS[:5], *"abcdefg"],
]


@pytest.mark.parametrize("make", ADDED.values(), ids=ADDED.keys())
def test_added_tokens_of_every_kind(make: Callable[[], tokenizers.Tokenizer]):
    backend = make()
    made = fast(backend)

    @settings(max_examples=60)
    @given(texts=st.lists(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), max_size=3))
    def same(texts: list[str]) -> None:
        assert ids_of(made, texts) == reference(backend, texts)

    same()


def test_special_tokens_that_are_found_are_found_here_too():
    backend = codegen_backend()
    assert not backend.encode_special_tokens
    made = fast(backend)
    texts = [f"a{EOS}b", f"  {EOS}{EOS}   ", "<|endo", f"{EOS}  \n"]
    assert ids_of(made, texts) == reference(backend, texts)
    assert made.encode([EOS])[0].tolist() == [backend.token_to_id(EOS)]


def changed(**parts: Any) -> tokenizers.Tokenizer:
    state = json.loads(trained_backend().to_str())
    for name, value in parts.items():
        state[name] = {**state[name], **value} if isinstance(state[name], dict) else value
    return tokenizers.Tokenizer.from_str(json.dumps(state))


def replaced(part: str, value: Any) -> tokenizers.Tokenizer:
    backend = trained_backend()
    setattr(backend, part, value)
    return backend


UNKNOWN: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "normaliser": lambda: replaced("normalizer", normalizers.NFC()),
    "prefix space": lambda: replaced("pre_tokenizer", pre_tokenizers.ByteLevel()),
    "no pattern": lambda: replaced(
        "pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ),
    "other pattern": lambda: replaced(
        "pre_tokenizer",
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        ),
    ),
    "whole words": lambda: changed(model={"ignore_merges": True}),
    "dropout": lambda: changed(model={"dropout": 0.1}),
    "too many families": lambda: added_backend(*(2 * letter for letter in "abcghijklmpq")),
    "too many tokens": lambda: added_backend(*(f"<{number}>" for number in range(1001))),
}


@pytest.mark.parametrize("make", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_known_to_be_the_same_is_left_to_the_library(
    make: Callable[[], tokenizers.Tokenizer],
):
    backend = make()
    assert FastEncoding.of(backend) is None
    backend.add_special_tokens([AddedToken(EOS, special=True)])
    if backend.model.dropout is None:
        tokenizer = Tokenizer.from_backend(backend)
        texts = ["the weather  is fine 42", "x" * 20_000]
        assert tokenizer.encode_batch(texts) == reference(backend, texts)
        assert [ids.tolist() for ids in tokenizer.encode_arrays(texts)] == reference(backend, texts)


@st.composite
def any_merges(draw: st.DrawFn) -> tokenizers.Tokenizer:
    """BPE with merges that no training would make: in any order, tokens made twice or never."""
    vocab = {character: number for number, character in enumerate(bytes_of_characters())}
    known, merges = list("abc"), list[tuple[str, str]]()
    for _ in range(draw(st.integers(1, 12))):
        pair = (draw(st.sampled_from(known)), draw(st.sampled_from(known)))
        if pair not in merges:
            merges.append(pair)
            known.append("".join(pair))
    merges = draw(st.one_of(st.just(merges), st.permutations(merges)))
    tokens = list(dict.fromkeys(known[3:]))
    tokens = draw(st.one_of(st.just(tokens), st.permutations(tokens)))
    vocab |= {token: 256 + number for number, token in enumerate(tokens)}
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend


@settings(max_examples=400)
@given(backend=any_merges(), texts=st.lists(st.text(alphabet="abc", max_size=40), max_size=8))
def test_merges_in_any_order_give_the_same_ids_or_none(
    backend: tokenizers.Tokenizer, texts: list[str]
):
    made = FastEncoding.of(backend)
    if made is not None:
        assert ids_of(made, texts) == reference(backend, texts)


def test_merges_that_do_not_make_their_token_are_noticed():
    def with_merges(*merges: tuple[str, str]) -> FastEncoding | None:
        vocab = {character: number for number, character in enumerate(bytes_of_characters())}
        tokens = dict.fromkeys("".join(pair) for pair in merges)
        vocab |= {token: 256 + number for number, token in enumerate(tokens)}
        backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return FastEncoding.of(backend)

    assert with_merges(("b", "c"), ("a", "bc")) is not None
    assert with_merges(("b", "c"), ("a", "b"), ("ab", "c")) is None, "abc becomes a, bc"
    assert with_merges(("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c")) is None, "made twice"


def test_ids_in_another_order_than_the_merges():
    vocab = {character: 500 - number for number, character in enumerate(bytes_of_characters())}
    vocab |= {"th": 7, "the": 3, "Ġthe": 9}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the")]
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.add_tokens(["  "])
    texts = ["the the  the\n\nthx", "naïve  "]
    assert ids_of(fast(backend), texts) == reference(backend, texts)


@given(text=awkward_text)
@settings(max_examples=30)
def test_a_tokenizer_takes_the_fast_way_for_long_texts(tokenizer: Tokenizer, text: str):
    long = (text + " the weather\n\n    ") * 800
    assert tokenizer.encode(long) == tokenizer._backend.encode(long).ids
    assert tokenizer.encode_batch([long, text]) == [tokenizer.encode(long), tokenizer.encode(text)]
    assert tokenizer.decode(tokenizer.encode(long)) == long


def test_long_texts_that_are_not_unicode_are_refused(tokenizer: Tokenizer):
    for encode in (tokenizer.encode_batch, tokenizer.encode_arrays):
        with pytest.raises(ValueError, match=r"text 1 .* lone surrogate at character 20000"):
            encode(["fine", "x" * 20_000 + "\ud800"])
        with pytest.raises(TypeError, match="text 1 is int"):
            encode(["fine", 3])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="lone surrogate at character 20000"):
        tokenizer.encode("x" * 20_000 + "\ud800")
