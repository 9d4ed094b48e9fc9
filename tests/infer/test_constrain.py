from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.infer import constrain
from phinery.infer.constrain import ConstraintCompiler
from phinery.infer.sampling import Sampler, SamplingParams
from phinery.text import Tokenizer
from text_help import codegen_backend

pytest.importorskip("llguidance", reason="needs the extra `constrain`")
jsonschema = pytest.importorskip("jsonschema")

PADDING = 13


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    """Tokens of one and of several bytes, runs of spaces, and a special one."""
    return Tokenizer.from_backend(codegen_backend())


@pytest.fixture(scope="module")
def compiler(words: Tokenizer) -> ConstraintCompiler:
    return ConstraintCompiler(words, words.vocab_size + PADDING)


@pytest.fixture(scope="module")
def byte_compiler(byte_tokenizer: Tokenizer) -> ConstraintCompiler:
    return ConstraintCompiler(byte_tokenizer)


def write(compiler, tokenizer, seed, *, limit=300, **kind):
    """A text of random logits and whether it was finished."""
    constraint = compiler.compile(**kind)
    vocab = compiler.vocab_size
    sampler = Sampler(SamplingParams(seed=seed), 0, [], vocab, constraint)
    random = np.random.default_rng(seed)
    tokens = []
    while not constraint.is_finished and len(tokens) < limit:
        tokens.append(sampler.next(random.normal(0, 2, vocab).astype(np.float32)))
    ended = tokens[-1:] == [tokenizer.eos_token_id]
    text = tokens[:-1] if ended else tokens
    assert not any(tokenizer.is_special(token) or token >= tokenizer.vocab_size for token in text)
    return tokenizer.decode(text), constraint.is_finished


SCHEMAS = [
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "tags": {"type": "array", "items": {"enum": ["a", "bc", "é🦜"]}, "maxItems": 3},
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {"anyOf": [{"type": "null"}, {"const": {"x": [1, None, "\n"]}}]},
    {
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {
                    "value": {"enum": [1, 2, 3]},
                    "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                },
                "required": ["value", "left"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/tree",
    },
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "string", "format": "date"},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_random_json_is_what_the_schema_accepts(compiler, words, schema):
    validator = jsonschema.Draft202012Validator(schema)
    finished = 0
    for seed in range(200):
        text, done = write(compiler, words, seed, json_schema=schema)
        if done:
            finished += 1
            validator.validate(json.loads(text))
    assert finished > 100


REGEXES = [
    r"[a-c]{2,5}|x+y",
    r"[0-9]{3}-[0-9]{4}",
    r"(the|of|and)( (the|of|and)){0,3}\.",
    r"[^a]é?🦜",
    r"a*",
    r'"([^"\\\n]|\\["n]){0,6}"',
    r"(?i)yes|no",
    r"line\nnext/(#|%)",
]


@pytest.mark.parametrize("regex", REGEXES)
def test_random_text_matches_the_expression(compiler, words, regex):
    finished = 0
    for seed in range(200):
        text, done = write(compiler, words, seed, regex=regex)
        if done:
            finished += 1
            assert re.fullmatch(regex, text), text
    assert finished > 100


atoms = st.sampled_from(
    [
        {"type": "null"},
        {"type": "boolean"},
        {"type": "integer", "minimum": -7, "maximum": 1200},
        {"type": "string", "maxLength": 4},
        {"enum": ["x", 1, None, ["y"]]},
        {"const": 'quote " and \\'},
    ]
)
schemas = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(
            lambda item, low: {"type": "array", "items": item, "minItems": low, "maxItems": 2},
            inner,
            st.integers(0, 2),
        ),
        st.builds(
            lambda parts: {
                "type": "object",
                "properties": parts,
                "required": sorted(parts)[:1],
                "additionalProperties": False,
            },
            st.dictionaries(st.sampled_from(["a", "b c", "é", '"', ""]), inner, max_size=3),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(schema=schemas, seed=st.integers(0, 2**32 - 1))
def test_any_schema_is_kept(compiler, words, schema, seed):
    text, done = write(compiler, words, seed, json_schema=schema)
    if done:
        jsonschema.validate(json.loads(text), schema, jsonschema.Draft202012Validator)
    assert compiler.compile(json_schema=json.dumps(schema)).mask().any()


@pytest.mark.parametrize(
    "wanted", ["hello", "<|endoftext|>", "a\tb\0c", "Zürich 日本 🦜", 'a "quoted" \\ one', ""]
)
def test_a_schema_of_one_string_gives_that_string(compiler, words, wanted):
    text, done = write(compiler, words, 1, json_schema={"const": wanted})
    assert done
    assert json.loads(text) == wanted


@settings(deadline=None, max_examples=40)
@given(
    language=st.sets(st.text("ther of\né🦜", min_size=1, max_size=7), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_exactly_the_tokens_that_lead_to_a_word_are_allowed(compiler, words, language, seed):
    """Against the definition, for languages of a few words."""
    spelled = [word.encode() for word in language]
    pieces = [words.token_bytes(token) for token in range(compiler.vocab_size)]
    constraint = compiler.compile(regex="|".join(map(re.escape, sorted(language))))
    random = np.random.default_rng(seed)
    text = b""
    while not constraint.is_finished:
        left = [word[len(text) :] for word in spelled if word.startswith(text)]
        fits = {
            token for token, piece in enumerate(pieces) if any(w.startswith(piece) for w in left)
        }
        fits = {token for token in fits if pieces[token] and not words.is_special(token)}
        if b"" in left:
            fits.add(words.eos_token_id)
        mask = constraint.mask()
        assert mask.shape == (compiler.vocab_size,)
        allowed = set(np.flatnonzero(mask).tolist())
        # Where only one byte can follow, llguidance leaves only the usual way to spell the text.
        if len({word[:1] for word in left}) > 1:
            assert allowed == fits
        assert allowed
        assert allowed <= fits
        forbidden = int(random.choice([t for t in range(compiler.vocab_size) if t not in fits]))
        with pytest.raises(ValueError, match=f"cannot go on with token {forbidden}"):
            constraint.fork().accept(forbidden)
        token = int(random.choice(sorted(allowed)))
        constraint.accept(token)
        if token == words.eos_token_id:
            assert constraint.is_finished
        else:
            text += pieces[token]
    assert text in spelled


def test_the_text_may_end_only_where_it_is_complete(byte_compiler, byte_tokenizer):
    end = byte_tokenizer.eos_token_id
    constraint = byte_compiler.compile(regex="ab*")
    assert not constraint.mask()[end]
    for letter in "abb":
        (token,) = byte_tokenizer.encode(letter)
        constraint.accept(token)
        assert constraint.mask()[end]
        assert not constraint.is_finished
    constraint.accept(end)
    assert constraint.is_finished


def test_white_space_between_parts_comes_to_an_end(byte_compiler, byte_tokenizer):
    """A model that loves nothing more than spaces still has to go on."""
    constraint = byte_compiler.compile(json_schema={"type": "array", "items": {"const": 1}})
    (space,) = byte_tokenizer.encode(" ")
    constraint.accept(*byte_tokenizer.encode("["))
    count = 0
    while constraint.mask()[space]:
        constraint.accept(space)
        count += 1
        assert count < 100
    assert count > 0


def test_a_special_token_is_never_part_of_a_text():
    backend = codegen_backend()
    backend.add_special_tokens(["<|pad|>"])
    tokenizer = Tokenizer.from_backend(backend)
    constraint = ConstraintCompiler(tokenizer).compile(regex="(<.pad.>|x)+")
    (pad,) = tokenizer.encode("<|pad|>", special_tokens=True)
    assert tokenizer.is_special(pad)
    assert constraint.mask()[tokenizer.encode("<")[0]]
    assert not constraint.mask()[pad]


def test_several_tokens_may_end_a_text(words):
    """And are then no part of a text, whatever they spell."""
    (other,) = words.encode("a")
    compiler = ConstraintCompiler(words, end_tokens=[other])
    allowed = np.flatnonzero(compiler.compile(regex="[xa]?").mask()).tolist()
    assert allowed == sorted([words.eos_token_id, other, *words.encode("x")])
    assert other not in np.flatnonzero(compiler.compile(regex="[xa]").mask())


def test_fork_goes_its_own_way(byte_compiler, byte_tokenizer):
    constraint = byte_compiler.compile(regex="(ab|cd){2}")
    a, b, c = (byte_tokenizer.encode(letter)[0] for letter in "abc")
    fork = constraint.fork()
    fork.accept(a)
    assert np.flatnonzero(fork.mask()).tolist() == [b]
    assert sorted(np.flatnonzero(constraint.mask()).tolist()) == sorted([a, c])


def test_compiled_again_it_begins_again(byte_compiler, byte_tokenizer):
    first = byte_compiler.compile(regex="ab")
    first.accept(*byte_tokenizer.encode("a"))
    again = byte_compiler.compile(regex="ab")
    assert np.flatnonzero(again.mask()).tolist() == byte_tokenizer.encode("a")


def test_only_the_latest_are_kept(byte_tokenizer, monkeypatch):
    byte_compiler = ConstraintCompiler(byte_tokenizer)
    monkeypatch.setattr(constrain, "_CACHED", 3)
    for number in range(10):
        byte_compiler.compile(regex=f"kept{number}")
    compiled = []
    compile_one = byte_compiler._compile
    monkeypatch.setattr(
        byte_compiler, "_compile", lambda *of: compiled.append(of) or compile_one(*of)
    )
    for number in (7, 8, 9):
        byte_compiler.compile(regex=f"kept{number}")
    assert not compiled
    byte_compiler.compile(regex="kept6")
    assert len(compiled) == 1


def test_threads_may_compile_side_by_side(byte_tokenizer):
    compiler = ConstraintCompiler(byte_tokenizer)
    kinds = [{"regex": f"x{n % 5}"} for n in range(20)] + [{"json_schema": {"const": 1}}] * 20
    with ThreadPoolExecutor(8) as pool:
        texts = [*pool.map(lambda kind: write(compiler, byte_tokenizer, 1, **kind), kinds)]
    assert texts == [(f"x{n % 5}", True) for n in range(20)] + [("1", True)] * 20


def nested(depth, leaf='{"type":"integer"}'):
    return '{"type":"array","items":' * depth + leaf + "}" * depth


circle: dict = {}
circle["items"] = circle
REFUSED = [
    ({"json_schema": "{nope"}, "json_schema is not JSON"),
    ({"json_schema": '{"const": NaN}'}, "NaN is no JSON number"),
    ({"json_schema": {"const": float("inf")}}, "json_schema is not JSON"),
    ({"json_schema": {"const": {1, 2}}}, "json_schema is not JSON"),
    ({"json_schema": circle}, "json_schema is not JSON"),
    ({"json_schema": "[1]"}, "json_schema must be a JSON object, not [1]"),
    ({"json_schema": "true"}, "json_schema must be a JSON object, not true"),
    ({"json_schema": {"type": "strin"}}, "Invalid type: strin"),
    ({"json_schema": {"type": 5}}, "type must be"),
    ({"json_schema": {"not": {}}}, "not"),
    ({"json_schema": {"not": {}, "x-guidance": {"lenient": True}}}, "x-guidance"),
    ({"json_schema": {"type": "integer", "minimum": 5, "maximum": 3}}, "Unsatisfiable"),
    ({"json_schema": {"$ref": "#"}}, "no text fits"),
    ({"json_schema": {"$ref": "#/$defs/none"}}, "does not exist"),
    ({"json_schema": {"$ref": "http://127.0.0.1:9/x"}}, "does not fetch"),
    ({"json_schema": {"$ref": "file:///etc/passwd"}}, "does not fetch"),
    ({"json_schema": '{"const": "\\ud800"}'}, "json_schema cannot be used"),
    ({"json_schema": nested(200)}, "json_schema cannot be used"),
    ({"json_schema": nested(2000)}, "json_schema cannot be used"),
    ({"json_schema": "[" * 60_000}, "json_schema cannot be used: it is nested too deeply"),
    ({"json_schema": {"enum": [f"number {n}" for n in range(9000)]}}, "65536 are allowed"),
    ({"json_schema": '{"const": 1}' + " " * 70_000}, "65536 are allowed"),
    ({"json_schema": {"type": "string", "pattern": "(a{1000}){1000}"}}, "10000 are allowed"),
    ({"json_schema": {"items": [{"pattern": "a{10001}"}]}}, "10000 are allowed"),
    ({"json_schema": {"patternProperties": {"a{10001}": {}}}}, "10000 are allowed"),
    ({"json_schema": {"type": "string", "pattern": "("}}, "json_schema cannot be used"),
    ({"json_schema": {"type": "integer", "multipleOf": 982451653}}, "fuel exhausted"),
    ({"regex": "(a"}, "unclosed group"),
    ({"regex": "*"}, "regex cannot be used"),
    ({"regex": "["}, "unclosed character class"),
    ({"regex": "a\\"}, "it ends within an escape"),
    ({"regex": r"(a)\1"}, "backreferences are not supported"),
    ({"regex": "(?=a)a"}, "look-ahead"),
    ({"regex": r"\bfoo"}, "regex cannot be used"),
    ({"regex": "a$b"}, "regex cannot be used"),
    ({"regex": r"[^\s\S]"}, "no text fits"),
    ({"regex": r"(?-u)\xff"}, "regex cannot be used"),
    ({"regex": "\ud800"}, "not valid Unicode"),
    ({"regex": "(?x) (a{1000} #)\n){1000}"}, "verbose mode"),
    ({"regex": "(" * 2000 + "a" + ")" * 2000}, "regex cannot be used"),
    ({"regex": "ab" * 2049}, "4096 are allowed"),
    ({"regex": "a{10001}"}, "it has 10001 characters, 10000 are allowed"),
    ({"regex": "(a{1000}){1000}"}, "10000 are allowed"),
    ({"regex": "((a{100}b){10}){100}"}, "10000 are allowed"),
    ({"regex": r"(\[[]a{}]{500}x){0,500}"}, "10000 are allowed"),
    ({"regex": "(a{100}[^])]){200}"}, "10000 are allowed"),
    ({"regex": "(a{999999999999999999999999}){2}"}, "10000 are allowed"),
    ({"regex": 'x"\nstart: /y'}, None),
    ({}, "either a json_schema or a regex"),
    ({"regex": "a", "json_schema": {}}, "either a json_schema or a regex"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("kind", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_used_is_refused_in_one_line(byte_compiler, byte_tokenizer, kind, message):
    if message is None:
        # Not refused: it is an expression like any other, and no way into the grammar.
        assert write(byte_compiler, byte_tokenizer, 1, **kind) == (kind["regex"], True)
        return
    with pytest.raises(ValueError) as caught:
        byte_compiler.compile(**kind)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


HARD = [
    {"regex": "(a+)+$"},
    {"regex": "(a|a)*b"},
    {"regex": "(.*)*x"},
    {"regex": "(x+x+)+y"},
    {"regex": "(a|b)*a(a|b){18}"},
    {"regex": "((a|b)*a(a|b){18}|c){500}"},
    {"regex": "(a?){4000}a{4000}"},
    {"regex": "(.*a.*){20}"},
    {"regex": "(a{0,60}){0,60}b"},
    {"regex": r"(\w{1,90}\s){1,90}"},
    {"regex": "[a-zé]{3000}"},
    {"regex": "ab" * 2048},
    {"json_schema": {"const": "ab" * 2000}},
    {"json_schema": {"enum": [f"value {n}" for n in range(3000)]}},
    {"json_schema": {"type": "string", "minLength": 10**6, "maxLength": 10**9}},
    {"json_schema": {"type": "array", "items": {}, "minItems": 10**6, "maxItems": 10**7}},
    {"json_schema": {"properties": {f"p{n}": {"type": "string"} for n in range(800)}}},
    {
        "json_schema": {
            "$defs": {
                **{f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(25)},
                "a25": {"type": "integer"},
            },
            "$ref": "#/$defs/a0",
        }
    },
    {"json_schema": nested(30)},
    {"json_schema": {}},
]


def write_or_give_up(compiler, tokenizer, kind):
    """The text if it was finished, or the error."""
    try:
        text, done = write(compiler, tokenizer, 3, limit=60, **kind)
    except ValueError as error:
        return None, str(error)
    return text if done else None, ""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", HARD, ids=range(len(HARD)))
def test_what_is_hard_is_followed_or_given_up_but_never_hangs(byte_compiler, byte_tokenizer, kind):
    text, error = write_or_give_up(byte_compiler, byte_tokenizer, kind)
    assert "\n" not in error
    assert not error or "the constraint cannot go on" in error or "cannot be used" in error
    if text is not None and "regex" in kind:
        assert re.fullmatch(kind["regex"], text)


def test_a_constraint_that_was_given_up_is_not_finished(byte_tokenizer, monkeypatch):
    monkeypatch.setitem(constrain._LIMITS, "max_lexer_states", 100)
    constraint = ConstraintCompiler(byte_tokenizer).compile(regex="((a|b)*a(a|b){18}|c){100}")
    random = np.random.default_rng(1)
    with pytest.raises(ValueError, match="the constraint cannot go on"):
        for _ in range(5000):
            constraint.accept(int(random.choice(np.flatnonzero(constraint.mask()))))
    assert not constraint.is_finished
    with pytest.raises(ValueError, match="the constraint cannot go on"):
        constraint.mask()


def test_without_llguidance_one_line_says_what_to_install(byte_tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    compiler = ConstraintCompiler(byte_tokenizer)
    for kind in ({"regex": "a"}, {"json_schema": {}}):
        with pytest.raises(ValueError, match=re.escape("pip install 'phinery[constrain]'")):
            compiler.compile(**kind)
