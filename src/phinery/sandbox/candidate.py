"""The side of the program: runs it, then answers what its tests ask, one message each.

Everything here is at the program's mercy, which shares the process. So nothing here is secret and
nothing here decides: what leaves this process is plain values, whoever wrote them.
"""

from __future__ import annotations

import builtins
import sys

from phinery.sandbox import plan, wire
from phinery.sandbox.arguments import Reference, containers, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ITERATORS: set[type] = {
    type(iterator)
    for iterator in (
        (item for item in ()),
        iter([]),
        iter(()),
        iter(set[int]()),
        iter({}),
        iter(""),
        iter(range(0)),
        reversed([]),
        map(str, ()),
        filter(None, ()),
        zip(),
        enumerate(()),
    )
}
_LONGEST_MESSAGE = 10_000  # of an exception whose arguments have no plain form
_CALLABLES: set[object] = {type(lambda: None), type(len), type("".join.__call__)}


def serve(program: str, requests: int, answers: int, name: str) -> None:
    """Run a program as the module called `name`, then answer requests until "finish" or the end.

    Messages are tuples that `wire` encodes. In: ("call", name or number, arguments, keywords),
    ("next", number), ("value", name), ("beside", tests, entry point, nonce), ("finish",). Out:
    ("ready",), ("value", result, changed containers or None), ("raised", builtin's name, own name,
    arguments), ("cannot cross", why), ("done", nonce), ("finished",).
    """
    module = type(sys)(name)
    sys.modules[name] = module
    scope = module.__dict__
    scope["__builtins__"] = builtins
    kept = _Kept()
    try:
        exec(compile(program, "program.py", "exec", dont_inherit=True), scope)
        answer: object = ("ready",)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the program's
        answer = _raised(error)
    while True:
        try:
            message = wire.encode(answer, kept.keep)
        except wire.CannotCrossError as error:
            message = wire.encode(("cannot cross", str(error)))
        except (MemoryError, RecursionError) as error:
            message = wire.encode(_raised(error))
        wire.send(answers, message)
        request = wire.receive(requests)
        try:
            answer = _answer(request, scope, kept)
        except wire.CannotCrossError as error:
            answer = ("cannot cross", str(error))
        except BaseException as error:  # noqa: BLE001
            answer = _raised(error)


class _Kept:
    """Functions and iterators that the tests know by number."""

    def __init__(self) -> None:
        self.objects: list[object] = []

    def keep(self, value: object) -> bytes | None:
        """A number for a function or an iterator; None for other objects, which can't cross."""
        kind = type(value)
        if isinstance(value, Reference):
            return wire.kept_object(wire.REFERENCE, value.number)
        partial = getattr(sys.modules.get("functools"), "partial", None)
        if kind not in _ITERATORS and kind not in _CALLABLES and kind is not partial:
            return None
        tag = wire.ITERATOR if kind in _ITERATORS else wire.CALLABLE
        for number, known in enumerate(self.objects):
            if known is value:
                return wire.kept_object(tag, number)
        self.objects.append(value)
        return wire.kept_object(tag, len(self.objects) - 1)

    def build(self, tag: bytes, number: int) -> object:
        """The object itself, when it comes back as an argument."""
        return self.objects[number]


def _answer(request: bytes, scope: dict[str, Any], kept: _Kept) -> object:
    kind, *rest = wire.decode(request, kept.build)
    if kind == "call":
        target, arguments, keywords = rest
        function: Any = _named(target, scope) if isinstance(target, str) else kept.objects[target]
        known = containers((arguments, keywords))
        before = wire.encode(states(known), kept.keep)
        result = function(*arguments, **keywords)
        after = states(known)
        is_changed = wire.encode(after, kept.keep) != before
        return ("value", result, after if is_changed else None)
    if kind == "next":
        return ("value", next(kept.objects[rest[0]]), None)  # pyright: ignore[reportArgumentType]
    if kind == "value":
        return ("value", _named(rest[0], scope), None)
    if kind == "beside":
        tests, entry_point, nonce = rest
        run_tests(tests, scope, entry_point)
        return ("done", nonce)
    return ("finished",)


def _named(name: str, scope: dict[str, Any]) -> Any:
    if name not in scope and not hasattr(builtins, name):
        raise NameError(f"name {name!r} is not defined")
    return scope[name] if name in scope else getattr(builtins, name)


def run_tests(tests: str, scope: dict[str, Any], entry_point: str | None) -> None:
    """Run tests in a scope, in HumanEval's form as well: then their `check` is called."""
    exec(compile(tests, "tests.py", "exec", dont_inherit=True), scope)
    if entry_point is not None and plan.defines_check(plan.parse(tests)):
        scope["check"](scope[entry_point])


def _raised(error: BaseException) -> object:
    """An exception as names and plain arguments: its own name, and its nearest built-in type's."""
    own = type(error)
    known = [base.__name__ for base in type.mro(own) if vars(builtins).get(base.__name__) is base]
    try:
        arguments = wire.decode(wire.encode(BaseException.__getattribute__(error, "args")))
    except (wire.CannotCrossError, wire.GarbledError):
        try:
            arguments = (str(error)[:_LONGEST_MESSAGE],)
        except Exception:  # noqa: BLE001 - the program wrote that method
            arguments = ()
    return ("raised", known[0], own.__name__, arguments)
