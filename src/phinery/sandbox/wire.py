"""Plain values as bytes, and back: all that passes between a program and its tests.

Only values cross, never code or objects: None, bool, int of any size, float with nan and
infinities, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict with any plain key,
range, and some of the standard library's containers and numbers. Each comes out as exactly the
type that went in; a value of a subclass comes out as the value of its base, so that a method that
somebody overrode stays behind. Functions and iterators cross as a number by which they are asked.

Not JSON's text: it knows no tuples, sets, bytes or keys but strings, and its reader costs 10 ms of
imports in each fresh interpreter.
"""

from __future__ import annotations

import os
import struct
import sys

TYPE_CHECKING = False  # the typing module takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MOST_BYTES = 2**24
"""Of one message. What is larger can't cross."""
CALLABLE, ITERATOR, REFERENCE = b"C", b"I", b"R"
_DEEPEST = 200  # containers inside containers
_LENGTH = struct.Struct("<I")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")


class CannotCrossError(Exception):
    """A value has no plain form, is too large, or is nested too deeply."""


class TooLargeError(CannotCrossError):
    """A value is too large or nested too deeply."""


class GarbledError(Exception):
    """Bytes that no honest sender would send."""


def encode(value: object, keep: Callable[[object], bytes | None] | None = None) -> bytes:
    """A value's bytes. `keep` may give those of an object that has no plain form.

    Raises CannotCrossError.
    """
    out = bytearray()
    _write(out, value, keep, 0)
    return bytes(out)


def _write(
    out: bytearray, value: Any, keep: Callable[[object], bytes | None] | None, depth: int
) -> None:
    if depth > _DEEPEST or len(out) > MOST_BYTES:
        raise TooLargeError("it is too large or nested too deeply")
    kind = base = type(value)
    if kind not in _TAGS:
        named, base = _named(kind), _plain_base(kind)
        if named is not None:
            name, take_apart = named
            _write_items(out, b"n", [name, *take_apart(value)], keep, depth)
            return
        if base is None:
            kept = None if keep is None else keep(value)
            if kept is None:
                raise CannotCrossError(f"a value of type {kind.__name__} has no plain form")
            out += kept
            return
    if value is None:
        out += b"N"
    elif base is bool:
        out += b"T" if value else b"F"
    elif base is int:
        number = int.__int__(value)
        _write_bytes(
            out, b"i", number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
        )
    elif base is float:
        out += b"f" + _FLOAT.pack(float.__float__(value))
    elif base is complex:
        number = complex.__complex__(value)
        out += b"c" + _COMPLEX.pack(number.real, number.imag)
    elif base is str:
        _write_bytes(out, b"s", str.encode(value, "utf-8", "surrogatepass"))
    elif base is bytes:
        _write_bytes(out, b"b", bytes.__getitem__(value, slice(None)))
    elif base is bytearray:
        _write_bytes(out, b"B", bytes(bytearray.copy(value)))
    else:
        items = dict.items(value) if base is dict else base.__iter__(value)
        _write_items(out, _TAGS[base], list(items), keep, depth)


_TAGS: dict[type, bytes] = {
    type(None): b"N",
    bool: b"T",
    int: b"i",
    float: b"f",
    complex: b"c",
    str: b"s",
    bytes: b"b",
    bytearray: b"B",
    list: b"l",
    tuple: b"t",
    set: b"S",
    frozenset: b"Z",
    dict: b"d",
}


def _plain_base(kind: type) -> type | None:
    """The plain type that a type inherits from; asked of the type, whatever the value claims."""
    return next((base for base in type.mro(kind) if base in _TAGS), None)


def _write_bytes(out: bytearray, tag: bytes, content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise TooLargeError("it is too large")
    out += tag + _LENGTH.pack(len(content)) + content


def _write_items(
    out: bytearray,
    tag: bytes,
    items: list[Any],
    keep: Callable[[object], bytes | None] | None,
    depth: int,
) -> None:
    out += tag + _LENGTH.pack(len(items))
    for item in items:
        if tag == b"d":
            _write(out, item[0], keep, depth + 1)
            _write(out, item[1], keep, depth + 1)
        else:
            _write(out, item, keep, depth + 1)


# The standard library's types: module, name, how one is taken apart and how put together.
_NAMED: dict[str, tuple[str, str, Callable[[Any], Any], Callable[..., Any]]] = {
    "range": ("builtins", "range", lambda v: (v.start, v.stop, v.step), lambda t, *a: t(*a)),
    "Decimal": ("decimal", "Decimal", lambda v: (str(v),), lambda t, text: t(text)),
    "Fraction": (
        "fractions",
        "Fraction",
        lambda v: (v.numerator, v.denominator),
        lambda t, *a: t(*a),
    ),
    "deque": ("collections", "deque", lambda v: (list(v), v.maxlen), lambda t, *a: t(*a)),
    "Counter": ("collections", "Counter", lambda v: (dict(v),), lambda t, d: t(d)),
    "OrderedDict": ("collections", "OrderedDict", lambda v: (dict(v),), lambda t, d: t(d)),
    "defaultdict": ("collections", "defaultdict", lambda v: (dict(v),), lambda t, d: t(None, d)),
    "array": ("array", "array", lambda v: (v.typecode, v.tolist()), lambda t, *a: t(*a)),
    "date": ("datetime", "date", lambda v: (v.isoformat(),), lambda t, text: t.fromisoformat(text)),
    "timedelta": (
        "datetime",
        "timedelta",
        lambda v: (v.days, v.seconds, v.microseconds),
        lambda t, *a: t(*a),
    ),
    "datetime": (
        "datetime",
        "datetime",
        lambda v: (v.isoformat(), v.fold),
        lambda t, text, fold: t.fromisoformat(text).replace(fold=fold),
    ),
    "keys": ("builtins", "dict", list, lambda t, *a: t.fromkeys(a).keys()),
    "values": ("builtins", "dict", list, lambda t, *a: t(enumerate(a)).values()),
    "items": ("builtins", "dict", list, lambda t, *a: t(a).items()),
}
_VIEWS: dict[type, str] = {
    type({}.keys()): "keys",
    type({}.values()): "values",
    type({}.items()): "items",
}


def _named(kind: type) -> tuple[str, Callable[[Any], Any]] | None:
    """The name and the parts of a type in the table; its module was imported if it has values."""
    if kind in _VIEWS:
        return _VIEWS[kind], _NAMED[_VIEWS[kind]][2]
    for name, (module, attribute, take_apart, _) in _NAMED.items():
        if kind is getattr(sys.modules.get(module), attribute, None) and kind is not dict:
            return name, take_apart
    return None


def decode(content: bytes, build: Callable[[bytes, int], object] | None = None) -> Any:
    """The value that `encode` wrote. `build` makes what stands for an object that was kept.

    Raises GarbledError for anything else, whatever the bytes are.
    """
    try:
        value, end = _read(content, 0, build, 0)
    except (
        ArithmeticError,  # of decimal and fractions
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise GarbledError(f"{type(error).__name__}: {error}") from error
    if end != len(content):
        raise GarbledError("bytes are left over")
    return value


def _read(
    content: bytes, at: int, build: Callable[[bytes, int], object] | None, depth: int
) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise GarbledError("nested too deeply")
    tag, at = content[at : at + 1], at + 1
    if tag in b"NTF" and tag:
        return {b"N": None, b"T": True, b"F": False}[tag], at
    if tag == b"f":
        return _FLOAT.unpack_from(content, at)[0], at + 8
    if tag == b"c":
        return complex(*_COMPLEX.unpack_from(content, at)), at + 16
    (length,) = _LENGTH.unpack_from(content, at)
    at += 4
    if tag in (CALLABLE, ITERATOR, REFERENCE):
        if build is None:
            raise GarbledError("objects are not kept here")
        return build(tag, length), at
    if tag in (b"i", b"s", b"b", b"B"):
        piece, at = content[at : at + length], at + length
        if len(piece) != length:
            raise GarbledError("cut short")
        if tag == b"i":
            return int.from_bytes(piece, "little", signed=True), at
        if tag == b"s":
            return piece.decode("utf-8", "surrogatepass"), at
        return piece if tag == b"b" else bytearray(piece), at
    items: list[Any] = []
    for _ in range(length * 2 if tag == b"d" else length):
        item, at = _read(content, at, build, depth + 1)
        items.append(item)
    if tag == b"d":
        return dict(zip(items[::2], items[1::2], strict=True)), at
    if tag == b"n":
        name, *parts = items
        module, attribute, _, put_together = _NAMED[name]
        import importlib

        return put_together(getattr(importlib.import_module(module), attribute), *parts), at
    return {b"l": list, b"t": tuple, b"S": set, b"Z": frozenset}[tag](items), at


def kept_object(tag: bytes, number: int) -> bytes:
    """What `keep` gives for an object that stays: CALLABLE, ITERATOR or REFERENCE."""
    return tag + _LENGTH.pack(number)


def send(descriptor: int, content: bytes) -> None:
    """One message. Raises OSError when nobody listens any more."""
    left = memoryview(_LENGTH.pack(len(content)) + content)
    while left:
        left = left[os.write(descriptor, left) :]


def receive(descriptor: int) -> bytes:
    """The next message; EOFError at the end, GarbledError when it claims to be too large."""
    (length,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size))
    if length > 2 * MOST_BYTES:
        raise GarbledError("a message is too large")
    return _exactly(descriptor, length)


def _exactly(descriptor: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length:
        piece = os.read(descriptor, min(length, 2**20))
        if not piece:
            raise EOFError("the other side is gone")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
