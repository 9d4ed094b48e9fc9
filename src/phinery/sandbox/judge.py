"""The side of the tests: asks the program through pipes and forms the verdict.

No object and no code of the program comes into this process. The names that the tests use are
stand-ins here, whose calls are messages.
"""

from __future__ import annotations

import builtins
import contextlib

from phinery.sandbox import wire
from phinery.sandbox.arguments import containers, restore
from phinery.sandbox.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PASSED, FAILED, BESIDE = "passed", "failed", "beside"
_PARTS = {
    "ready": 0,
    "value": 2,
    "done": 1,
    "finished": 0,
    "observed": 1,
}  # of the answers, by kind
_OUT_OF_TIME = 24  # SIGXCPU


class _GoneError(BaseException):
    """The program's process ended or sends nonsense: no test may catch that and go on."""


class _NoPlainFormError(TypeError):
    """The program returned something that can't cross, or that has grown too large for it."""


class _NeedsObjectsError(BaseException):
    """The tests hand the program something that can't cross."""


class Judge:
    """Runs tests against a program at the other end of two pipes.

    `verdict` gives (outcome, is weak, reason): PASSED, FAILED, or BESIDE when the tests can only
    run beside the program and calls were made already, so that it takes a fresh run.
    """

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        self._stand_ins: dict[int, object] = {}
        self._kept_numbers: dict[int, bytes] = {}
        self._containers: list[Any] = []  # of the call that goes on
        self._trouble = ""
        self._needs_objects = False

    def verdict(
        self, program: str, tests: str, entry_point: str | None, nonce: str, *, beside: bool
    ) -> tuple[str, bool, str]:
        """Wait until the program ran, then run its tests."""
        is_weak = not tests
        try:
            self._receive("ready")
            if tests:
                plan = Plan(program, tests, entry_point)
                is_weak = beside or plan.needs_objects
                if is_weak:
                    self._run_beside(tests, plan.entry_point, nonce)
                elif not self._run_here(tests, plan):
                    is_weak = True
                    self._run_beside(tests, plan.entry_point, nonce)
            if not self._trouble and not self._needs_objects:
                self._ask("finished", "finish")
        except _NeedsObjectsError:
            return BESIDE, True, ""
        except BaseException as error:  # noqa: BLE001 - the tests' own, or the program's
            if self._needs_objects:
                return BESIDE, True, ""
            return FAILED, is_weak, self._trouble or reason_of(error)
        if self._needs_objects:  # and the tests caught it
            return BESIDE, True, ""
        return (FAILED if self._trouble else PASSED), is_weak, self._trouble

    def observed(self) -> list[str]:
        """What the probe in the program's place found."""
        return self._receive("observed")[0]

    def _run_beside(self, tests: str, entry_point: str | None, nonce: str) -> None:
        if self._ask("done", "beside", tests, entry_point, nonce) != [nonce]:
            raise self._gone("garbled answer")

    def _run_here(self, tests: str, plan: Plan) -> bool:
        """Run the tests in this process; False, and nothing done, if they need an object."""
        scope: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
        for name in plan.values:
            try:
                scope[name] = self._ask("value", "value", name)[0]
            except _NoPlainFormError:
                return False
            except NameError:
                pass  # the tests will find out
        for name, (module, attribute) in plan.modules.items():
            scope[name] = _import(module, attribute)
        for name in plan.functions:
            scope[name] = self._stand_in(name, name)
        code = compile(tests, "tests.py", "exec", dont_inherit=True)
        exec(code, scope)
        if plan.calls_check and plan.entry_point is not None:
            scope["check"](self._stand_in(plan.entry_point, plan.entry_point))
        return True

    def _stand_in(self, target: str | int, name: str) -> Callable[..., Any]:
        """A function that has the program call its own."""

        def stand_in(*arguments: Any, **keywords: Any) -> Any:
            self._containers = known = containers((arguments, keywords))
            value, told = self._ask("value", "call", target, arguments, keywords)
            if told is not None:
                self._restore(known, told)
            return value

        stand_in.__name__ = stand_in.__qualname__ = name
        return stand_in

    def _restore(self, known: list[Any], told: Any) -> None:
        try:
            restore(known, told)
        except (TypeError, ValueError) as error:
            raise self._gone("garbled answer") from error

    def _build(self, tag: bytes, number: int) -> object:
        """What stands for a function or an iterator that stayed with the program."""
        if tag == wire.REFERENCE:
            return self._containers[number]
        if number not in self._stand_ins:
            made: object = self._stand_in(number, "function")
            if tag == wire.ITERATOR:
                made = _Iterator(lambda: self._ask("value", "next", number)[0])
            self._stand_ins[number] = made
            self._kept_numbers[id(made)] = wire.kept_object(tag, number)
        return self._stand_ins[number]

    def _ask(self, expected: str, *request: object) -> list[Any]:
        """What an answer of the expected kind holds; an exception that it tells of is raised."""
        if self._trouble or self._needs_objects:
            raise _GoneError
        try:
            message = wire.encode(request, lambda value: self._kept_numbers.get(id(value)))
        except wire.TooLargeError as error:
            # The program may have made it so; it gets nowhere by that.
            raise _NoPlainFormError(str(error)) from error
        except wire.CannotCrossError as error:
            self._needs_objects = True
            raise _NeedsObjectsError from error
        with contextlib.suppress(OSError):  # it is gone; it may have said before why
            wire.send(self._requests, message)
        return self._receive(expected)

    def _receive(self, expected: str) -> list[Any]:
        try:
            answer = wire.decode(wire.receive(self._answers), self._build)
        except EOFError as error:
            raise self._gone("ended early") from error
        except wire.GarbledError as error:
            raise self._gone("garbled answer") from error
        kind, *rest = answer if type(answer) is tuple and answer else ("",)
        if kind == "raised" and len(rest) == 3:
            raise _exception(*rest)
        if kind == "cannot cross":
            raise _NoPlainFormError(*rest)
        if kind == "died" and len(rest) == 1:
            raise self._gone(_reason_of_death(rest[0]))
        if kind != expected or len(rest) != _PARTS[expected]:
            raise self._gone("garbled answer")
        return rest

    def _gone(self, trouble: str) -> _GoneError:
        self._trouble = self._trouble or trouble
        return _GoneError()


class _Iterator:
    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask

    def __iter__(self) -> _Iterator:
        return self

    def __next__(self) -> object:
        return self._ask()


def _exception(known: object, own: object, arguments: object) -> BaseException:
    """An exception of a built-in type, or of one derived from it that has the program's name."""
    base = vars(builtins).get(known) if isinstance(known, str) else None
    if not (isinstance(base, type) and issubclass(base, BaseException)):
        base = Exception
    if isinstance(own, str) and own != known:
        base = type(own, (base,), {})
    try:
        return base(*(arguments if isinstance(arguments, tuple) else ()))
    except Exception:  # noqa: BLE001 - some want arguments of certain kinds
        return type(base.__name__, (ValueError,), {})(str(arguments))


def _import(module: str, attribute: str | None) -> object:
    import importlib

    found = importlib.import_module(module)
    return found if attribute is None else getattr(found, attribute)


def reason_of(error: BaseException) -> str:
    """Why a run failed, for the caller: "memory", "ended early", or the exception's name."""
    if isinstance(error, MemoryError):
        return "memory"
    return "ended early" if isinstance(error, SystemExit) else type(error).__name__


def _reason_of_death(signal: object) -> str:
    if signal == _OUT_OF_TIME:
        return "timeout"
    return "killed" if signal else "ended early"
