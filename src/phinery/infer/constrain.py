"""Completions that are JSON of a schema, or match a regular expression: which tokens may come next.

The work is done by llguidance (https://github.com/guidance-ai/llguidance), which turns a schema or
an expression into a grammar over bytes and says for each state which tokens fit. It is an optional
dependency (`phinery[constrain]`) and imported when the first constraint is compiled. Schemas and
expressions may come from strangers: everything here is bounded, and what goes beyond is a
ValueError in one line.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer

    from phinery.text import Tokenizer

MAX_SCHEMA_CHARACTERS = 65_536
MAX_REGEX_CHARACTERS = 4096
# With counted repetitions written out: (a{100}){100} has 10,000.
MAX_REGEX_LENGTH = 10_000
# Fuel is work of llguidance's, of which it does some 14 to 50 thousand a millisecond.
_LIMITS = {
    "initial_lexer_fuel": 1_000_000,
    "step_lexer_fuel": 100_000,
    "step_max_items": 50_000,
    "max_lexer_states": 50_000,
    "max_grammar_size": 200_000,
    "verbose_errors": False,
}
# JSON may have white space between its parts, but a small model would go on with it for ever.
_WHITE_SPACE = r"[ \n]{1,20}"
_CACHED = 64


class Constraint:
    """What may follow the tokens that were accepted. Made by `ConstraintCompiler.compile`."""

    def __init__(self, matcher: LLMatcher, vocab_size: int) -> None:
        self._matcher = matcher
        self._vocab_size = vocab_size

    def mask(self) -> NDArray[np.bool_]:
        """Which tokens may come next, (vocab,); an end-of-text token where the text may end.

        Raises ValueError when the constraint needs more work than its limits allow, or nothing can
        follow although the text is not complete.
        """
        packed = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            raise ValueError(f"the constraint cannot go on: {self._reason()}")
        return np.unpackbits(packed, count=self._vocab_size, bitorder="little").view(np.bool_)

    def accept(self, token: int) -> None:
        """Go on with one of the allowed tokens. Raises ValueError as `mask`, and for any other."""
        if not self._matcher.consume_token(token):
            raise ValueError(f"the constraint cannot go on with token {token}: {self._reason()}")

    @property
    def is_finished(self) -> bool:
        """Whether the text is complete: nothing but the end of the text can follow."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    def fork(self) -> Constraint:
        """A copy that goes its own way from here."""
        return Constraint(self._matcher.deep_copy(), self._vocab_size)

    def _reason(self) -> str:
        """Of the error that ended it."""
        reason = _one_line(self._matcher.get_error())
        # llguidance's name for a dead end.
        return "no text fits" if reason == "NoExtensionBias" else reason


class ConstraintCompiler:
    """Makes the constraints of one model, and keeps what it compiled last.

    Parameters
    ----------
    tokenizer : whose tokens spell the text; special ones are never part of it.
    vocab_size : the model's, where its embedding has more rows than the tokenizer has tokens.
    end_tokens : ids that end a text, beside the tokenizer's end-of-text token.

    Safe to use from several threads.
    """

    def __init__(
        self, tokenizer: Tokenizer, vocab_size: int | None = None, end_tokens: Iterable[int] = ()
    ) -> None:
        self.vocab_size = tokenizer.vocab_size if vocab_size is None else vocab_size
        self._tokenizer = tokenizer
        self._end_tokens = sorted({tokenizer.eos_token_id, *end_tokens})
        self._lock = threading.Lock()
        self._prepared: tuple[LLTokenizer, LLParserLimits] | None = None
        self._compiled: OrderedDict[str, Constraint] = OrderedDict()

    def compile(
        self, *, json_schema: str | Mapping[str, Any] | None = None, regex: str | None = None
    ) -> Constraint:
        """A constraint at its beginning, from one of the two.

        Raises ValueError, in one line, for what is no schema or expression, that nothing fits, that
        is too large, or that has parts which llguidance does not know; and when llguidance is
        missing.
        """
        if (json_schema is None) == (regex is None):
            raise ValueError("a constraint is made from either a json_schema or a regex")
        if regex is not None:
            name, grammar = "regex", _grammar_of_regex(regex)
        else:
            assert json_schema is not None
            name, grammar = "json_schema", _grammar_of_schema(json_schema)
        with self._lock:
            if grammar not in self._compiled:
                self._compiled[grammar] = self._compile(name, grammar)
                if len(self._compiled) > _CACHED:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(grammar)
            return self._compiled[grammar].fork()

    def _compile(self, name: str, grammar: str) -> Constraint:
        guidance = _guidance()
        if self._prepared is None:
            self._prepared = self._prepare()
        tokenizer, limits = self._prepared
        matcher = guidance.LLMatcher(tokenizer, grammar, log_level=0, limits=limits)
        if matcher.is_error():
            raise ValueError(f"{name} cannot be used: {_one_line(matcher.get_error())}")
        constraint = Constraint(matcher, self.vocab_size)
        try:
            # Of a copy: what nothing fits shows at the first token only.
            possible = constraint.fork().mask().any()
        except ValueError as error:
            raise ValueError(f"{name} cannot be used: {error}") from error
        if not possible:
            raise ValueError(f"{name} cannot be used: no token of the vocabulary can begin it")
        return constraint

    def _prepare(self) -> tuple[LLTokenizer, LLParserLimits]:
        guidance = _guidance()
        wrapper = guidance.TokenizerWrapper(
            _Vocabulary(self._tokenizer, self.vocab_size, self._end_tokens)
        )
        tokenizer = guidance.LLTokenizer(
            wrapper, n_vocab=self.vocab_size, eos_token=self._end_tokens
        )
        return tokenizer, guidance.LLParserLimits(**_LIMITS)


class _Vocabulary:
    """What llguidance asks of a tokenizer."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, ends: Collection[int]) -> None:
        ids = range(vocab_size)
        self._tokenizer = tokenizer
        self.eos_token_id = tokenizer.eos_token_id
        self.bos_token_id = tokenizer.bos_token_id
        self.tokens = [tokenizer.token_bytes(token) for token in ids]
        self.special_token_ids = [
            token for token in ids if token in ends or tokenizer.is_special(token)
        ]

    def __call__(self, text: str | bytes) -> list[int]:
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        return self._tokenizer.encode(text)


def _guidance() -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise ValueError(
            "json_schema and regex need llguidance: pip install 'phinery[constrain]'"
        ) from error
    return llguidance


def _grammar_of_schema(schema: str | Mapping[str, Any]) -> str:
    try:
        if isinstance(schema, str):
            _check_size("json_schema", schema, MAX_SCHEMA_CHARACTERS)
            schema = json.loads(schema, parse_constant=_refuse_constant)
        else:
            schema = dict(schema)
        # Written anew, so that nothing but JSON goes into the grammar.
        text = json.dumps(schema, allow_nan=False)
    except RecursionError as error:
        raise ValueError("json_schema cannot be used: it is nested too deeply") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"json_schema is not JSON: {_one_line(str(error))}") from error
    _check_size("json_schema", text, MAX_SCHEMA_CHARACTERS)
    if not isinstance(schema, dict):
        raise ValueError(f"json_schema must be a JSON object, not {text[:40]}")
    for pattern in _patterns(schema):
        _check_regex("json_schema's pattern", pattern)
    if "x-guidance" in schema:
        raise ValueError('json_schema cannot be used: it has llguidance\'s own key "x-guidance"')
    options = {"whitespace_pattern": _WHITE_SPACE, "lenient": False}
    return json.dumps({"grammars": [{"json_schema": {**schema, "x-guidance": options}}]})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _patterns(schema: Any) -> list[str]:
    """All regular expressions in a schema, and whatever else stands where one could."""
    found: list[str] = []
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if isinstance(part.get("pattern"), str):
                found.append(part["pattern"])
            if isinstance(part.get("patternProperties"), dict):
                found += part["patternProperties"]
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


def _grammar_of_regex(regex: str) -> str:
    _check_regex("regex", regex)
    return _guidance().LLMatcher.grammar_from_regex(regex)


def _check_regex(name: str, regex: str) -> None:
    """ValueError for an expression whose size alone would take seconds."""
    _check_size(name, regex, MAX_REGEX_CHARACTERS)
    try:
        regex.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} cannot be used: it is not valid Unicode") from error
    if re.search(r"\(\?[a-zA-Z-]*x", regex):
        # Its comments would have to be understood to see the groups.
        raise ValueError(f"{name} cannot be used: the verbose mode (?x) is not supported")
    length = _written_out(name, regex)
    if length > MAX_REGEX_LENGTH:
        raise ValueError(
            f"{name} cannot be used: with its repetitions written out it has {length} characters, "
            f"{MAX_REGEX_LENGTH} are allowed"
        )


def _written_out(name: str, regex: str) -> int:
    """About how many characters an expression has with its counted repetitions written out.

    Only sizes are counted: what is no expression is for llguidance to refuse.
    """
    # The lengths of the open groups, and of the last thing in the innermost one.
    groups, last, place = [0], 0, 0
    while place < len(regex):
        character = regex[place]
        place += 1
        if character == "(":
            groups[-1] += last
            groups.append(0)
            last = 0
        elif character == ")" and len(groups) > 1:
            last = groups.pop() + last + 1
        elif character == "{" and (end := regex.find("}", place)) > 0:
            counts = regex[place:end].replace(" ", "").split(",")
            if all(count.isdecimal() for count in counts if count) and any(counts):
                last *= max(int(count[:9]) if count else 1 for count in counts)
                place = end + 1
        else:
            groups[-1] += last
            last = 1
            if character == "\\":
                if place == len(regex):
                    raise ValueError(f"{name} cannot be used: it ends within an escape")
                place += 1
            elif character == "[":
                place = _end_of_class(regex, place)
    return sum(groups) + last


def _end_of_class(regex: str, place: int) -> int:
    """Behind the `]` that closes a character class, whose first character is at `place`."""
    depth, first = 1, True
    while place < len(regex) and depth:
        character = regex[place]
        if character == "\\":
            place += 1
        elif character == "[":
            depth += 1
        elif character == "]" and not first:
            depth -= 1
        first = first and character == "^"
        place += 1
    return place


def _check_size(name: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(
            f"{name} cannot be used: it has {len(text)} characters, {limit} are allowed"
        )


def _one_line(text: str) -> str:
    """The first 300 characters, on one line."""
    line = " ".join(text.replace("<non-verbose/>", "").split())
    return line if len(line) <= 300 else line[:300] + "..."
