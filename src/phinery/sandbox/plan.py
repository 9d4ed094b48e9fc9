"""Reads tests, without running them: which names of the program they use, and how."""

from __future__ import annotations

import _ast
import builtins
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_PARSE_ONLY = 0x400  # ast.PyCF_ONLY_AST; the ast module takes long to import
_PLAIN = (0, 0.5, 0j, "", b"", bytearray(), [], (), set(), {}, range(0), {}.keys(), len, OSError())
_MORE_ATTRIBUTES = """
    appendleft elements extendleft maxlen most_common move_to_end popleft rotate subtract total
"""
_PLAIN_ATTRIBUTES = frozenset(_MORE_ATTRIBUTES.split()).union(*map(dir, _PLAIN))


def parse(source: str) -> _ast.Module:
    """The syntax tree of a source; raises what `compile` raises, SyntaxError and others."""
    tree = compile(source, "tests.py", "exec", _PARSE_ONLY, dont_inherit=True)
    assert isinstance(tree, _ast.Module)
    return tree


class Plan:
    """What the tests need of the program."""

    def __init__(self, program: str, tests: str, entry_point: str | None) -> None:
        """Raises what `compile` raises when the tests are no Python."""
        tree = parse(tests)
        bound = _bindings(program)
        free = _free_names(tests)
        called = {
            node.func.id
            for node in _walk(tree)
            if isinstance(node, _ast.Call) and isinstance(node.func, _ast.Name)
        }
        only_called = called - _used_otherwise(tree)
        names = {name for name in free if not hasattr(builtins, name)}
        if entry_point is None:
            # A task may ask for a function that has a built-in's name. Otherwise the tests mean the
            # built-in functions, whatever the program put in their place.
            likely = names or {name for name in free & called if bound.get(name) == "function"}
            entry_point = likely.pop() if len(likely) == 1 else None
        if entry_point is not None:
            names.add(entry_point)
        self.entry_point = entry_point
        self.calls_check = defines_check(tree)
        self.modules = {
            name: bound[name]
            for name in names - {entry_point}
            if isinstance(bound.get(name), tuple)
        }
        others = names - self.modules.keys() - {entry_point}
        self.functions = {
            name for name in others if bound.get(name) == "function" or name in only_called
        } | ({entry_point} if entry_point is not None else set())
        self.values = others - self.functions
        # By convention a class has a capital. A program that makes a class of what the tests take
        # for a function doesn't get its objects beside the tests that way.
        classes = {name for name in others if bound.get(name) == "class" and name[:1].isupper()}
        self.needs_objects = bool(classes) or _needs_more(tree, set(self.modules))


def defines_check(tree: _ast.Module) -> bool:
    """Whether tests have HumanEval's form: a function `check` of one argument that nobody calls."""
    defined = any(
        isinstance(node, _ast.FunctionDef) and node.name == "check" and len(node.args.args) == 1
        for node in tree.body
    )
    calls = (node.value for node in tree.body if isinstance(node, _ast.Expr))
    return defined and not any(
        isinstance(call, _ast.Call) and isinstance(call.func, _ast.Name) and call.func.id == "check"
        for call in calls
    )


def _walk(tree: _ast.AST) -> Iterator[_ast.AST]:
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, _ast.AST):
            yield node
            waiting += [getattr(node, field, None) for field in node._fields]


def _free_names(source: str) -> set[str]:
    """The names that a module reads and doesn't bind itself, built-in ones too."""
    import symtable

    top = symtable.symtable(source, "tests.py", "exec")
    bound = {
        symbol.get_name()
        for symbol in top.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    read: set[str] = set()
    waiting = [top]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                read.add(symbol.get_name())
    return read - bound


def _used_otherwise(tree: _ast.Module) -> set[str]:
    """Names that stand elsewhere than before the brackets of a call."""
    functions = {id(node.func) for node in _walk(tree) if isinstance(node, _ast.Call)}
    return {n.id for n in _walk(tree) if isinstance(n, _ast.Name) and id(n) not in functions}


def _bindings(program: str) -> dict[str, str | tuple[str, str | None]]:
    """What a program's outermost names are: "function", "class", "other", or a module's part.

    A part of the standard library is (module, attribute or None), so that it can be imported
    anew, and not taken from the program.
    """
    found: dict[str, str | tuple[str, str | None]] = {}
    waiting = list(parse(program).body[::-1])
    while waiting:
        node = waiting.pop()
        if isinstance(node, (_ast.FunctionDef, _ast.AsyncFunctionDef)):
            found[node.name] = "function"
        elif isinstance(node, _ast.ClassDef):
            found[node.name] = "class"
        elif isinstance(node, _ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found[name] = _part(alias.name if alias.asname else name, None)
        elif isinstance(node, _ast.ImportFrom):
            for alias in node.names:
                known = node.level == 0 and node.module is not None
                part = _part(node.module or "", alias.name) if known else "other"
                found[alias.asname or alias.name] = part
        elif isinstance(node, _ast.Assign):
            is_function = isinstance(node.value, _ast.Lambda)
            for target in node.targets:
                if isinstance(target, _ast.Name):
                    found[target.id] = "function" if is_function else "other"
        elif isinstance(node, (_ast.If, _ast.Try, _ast.With)):
            blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
            waiting += [statement for block in blocks for statement in block][::-1]
    return found


def _part(module: str, attribute: str | None) -> str | tuple[str, str | None]:
    is_known = module.partition(".")[0] in sys.stdlib_module_names
    return (module, attribute) if is_known else "other"


def _needs_more(tree: _ast.Module, modules: set[str]) -> bool:
    """Whether tests use attributes that no plain value has, of anything but modules, or threads."""
    imported = set(modules)
    for node in _walk(tree):
        if isinstance(node, (_ast.Import, _ast.ImportFrom)):
            imported |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if imported & {"threading", "concurrent"}:  # the judge's process can't start any
        return True
    # What a test makes with a module, such as a generator of random numbers, is its own as well.
    for node in _walk(tree):
        if isinstance(node, _ast.Assign) and _root(node.value) in imported:
            imported |= {target.id for target in node.targets if isinstance(target, _ast.Name)}
    return any(
        isinstance(node, _ast.Attribute)
        and node.attr not in _PLAIN_ATTRIBUTES
        and _root(node) not in imported
        for node in _walk(tree)
    )


def _root(node: Any) -> str | None:
    """The name with which an expression such as `a.b(c)[d].e` begins."""
    while isinstance(node, (_ast.Attribute, _ast.Call, _ast.Subscript)):
        node = node.func if isinstance(node, _ast.Call) else node.value
    return node.id if isinstance(node, _ast.Name) else None
