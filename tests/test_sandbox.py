from __future__ import annotations

import collections
import contextlib
import decimal
import fractions
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.sandbox import SandboxUnavailable, Verdict, probe, run_sandboxed, wire
from phinery.sandbox.arguments import containers, restore, states
from phinery.sandbox.plan import Plan

LAYERS = probe()
needs_sandbox = pytest.mark.skipif(not LAYERS.complete, reason=f"no sandbox here:\n{LAYERS}")


def run(program: str, tests: str = "", entry_point: str | None = None, timeout: float = 20.0):
    return run_sandboxed(
        program, tests, entry_point=entry_point, timeout=timeout, memory_bytes=2**28
    )


PASSED = Verdict(True, "", False)


# Values.

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.binary().map(bytearray)
    | st.decimals()
    | st.fractions()
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.builds(range, st.integers(), st.integers(), st.integers(1, 9)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.lists(inner).map(collections.deque)
        | st.dictionaries(st.integers() | st.text() | st.tuples(st.text(), st.integers()), inner)
        | st.dictionaries(st.text(), inner).map(collections.OrderedDict)
        | st.sets(st.integers() | st.text() | st.frozensets(st.integers()))
    ),
    max_leaves=20,
)


def told_apart(value: object) -> str:
    """A text that tells types, nan and negative zero apart, as == does not."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}{sorted(map(told_apart, value))}"
    if isinstance(value, dict):
        return f"{type(value).__name__}{[(told_apart(k), told_apart(v)) for k, v in value.items()]}"
    if isinstance(value, (list, tuple, collections.deque)):
        return f"{type(value).__name__}{[told_apart(item) for item in value]}"
    if type(value) is int:
        return f"int {value:x}"  # of any length
    return f"{type(value).__name__} {value!r}"


@given(plain)
def test_plain_values_cross_with_their_types(value: object):
    assert told_apart(wire.decode(wire.encode(value))) == told_apart(value)


def test_special_values_cross():
    for value in (-(10**5000), 2**63, -0.0, math.inf, -math.inf, "\ud800", "", True, 1j, ()):
        assert told_apart(wire.decode(wire.encode(value))) == told_apart(value)
    assert math.isnan(wire.decode(wire.encode(math.nan)))
    counter, default = collections.Counter("aab"), collections.defaultdict(int, {"a": 1})
    assert told_apart(wire.decode(wire.encode(counter))) == told_apart(counter)
    assert wire.decode(wire.encode(default)) == default
    views = {"a": 1}
    assert wire.decode(wire.encode(views.keys())) == views.keys()
    assert wire.decode(wire.encode(views.items())) == views.items()
    assert list(wire.decode(wire.encode(views.values()))) == [1]


class Sly(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__

    def __int__(self) -> int:
        return 42

    __index__ = __int__


class SlyList(list[int]):
    def __iter__(self):
        return iter([42])

    def __len__(self) -> int:
        return 42


def test_a_subclass_crosses_as_what_its_base_holds():
    for value, expected in ((Sly(7), 7), (SlyList([7]), [7]), ({Sly(7): Sly(8)}, {7: 8})):
        assert told_apart(wire.decode(wire.encode(value))) == told_apart(expected)
    point = collections.namedtuple("point", "x y")(1, 2)
    assert told_apart(wire.decode(wire.encode(point))) == told_apart((1, 2))


@pytest.mark.parametrize("value", [object(), int, len, lambda: 1, iter([1]), math, NotImplemented])
def test_objects_do_not_cross(value: object):
    with pytest.raises(wire.CannotCrossError):
        wire.encode([value])


def test_what_is_too_deep_or_too_large_does_not_cross():
    deep: list[object] = []
    for _ in range(1000):
        deep = [deep]
    endless: list[object] = []
    endless.append(endless)
    for value in (deep, endless, "x" * 2**25, [b"x" * 2**23] * 4):
        with pytest.raises(wire.TooLargeError):
            wire.encode(value)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused(content: bytes):
    # Any other exception, or memory without end, is the failure that this looks for.
    with contextlib.suppress(wire.GarbledError):
        wire.decode(content)


@given(plain, st.data())
def test_damaged_messages_are_read_or_refused(value: object, data: st.DataObject):
    content = bytearray(wire.encode(value))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.GarbledError):
        wire.decode(bytes(content[: data.draw(st.integers(0, len(content)))]))


def test_what_a_function_does_to_its_arguments_is_done_to_the_originals():
    inner, other = [3], [1]
    ours = {"rows": [inner, other], "seen": {1}, "raw": bytearray(b"a")}
    theirs = wire.decode(wire.encode(ours))
    before = containers(theirs)
    theirs["rows"].sort()
    theirs["rows"][1].append(4)
    theirs["seen"].add(2)
    theirs["raw"] += b"b"
    theirs["new"] = [5]
    known = containers(ours)
    told = wire.encode(states(before), lambda value: wire.kept_object(wire.REFERENCE, value.number))
    restore(known, wire.decode(told, lambda _, number: known[number]))
    assert ours == {
        "rows": [[1], [3, 4]],
        "seen": {1, 2},
        "raw": bytearray(b"ab"),
        "new": [5],
    }
    assert ours["rows"][0] is other
    assert ours["rows"][1] is inner


# What tests need.


@pytest.mark.parametrize(
    ("program", "tests", "entry_point", "functions", "needs_objects"),
    [
        ("def f(x): ...", "assert f(1) == 2", None, {"f"}, False),
        ("class f: ...", "assert f(1) == 2", None, {"f"}, False),
        ("class f: ...", "assert f(g(1)) == 2", "f", {"f", "g"}, False),
        ("class g: ...", "assert f(g(1)) == 2", "f", {"f", "g"}, False),
        ("class Pair: ...", "assert f(Pair(1)) == 2", None, {"f", "Pair"}, True),
        ("def f(x): ...", "assert f(1).area() == 2", None, {"f"}, True),
        ("def f(x): ...", "assert f('A').lower() == 'a'", None, {"f"}, False),
        ("def f(x): ...", "import threading\nassert f(1)", None, {"f"}, True),
        ("def sum(x): ...", "assert sum(1) == 2", None, {"sum"}, False),
        ("def abs(x): ...", "assert abs(f(1)) == 2", None, {"f"}, False),
        ("def all(x): ...", "assert all(f(x) for x in [1])", "f", {"f"}, False),
        ("import math", "assert math.isclose(f(1), 2)", None, set(), False),
        ("import math", "assert math.isclose(f(1), 2)", "f", {"f"}, False),
        ("", "import random\nr = random.Random(1)\nassert f(r.gauss(0, 1))", "f", {"f"}, False),
    ],
)
def test_the_plan_tells_what_tests_need(
    program: str, tests: str, entry_point: str | None, functions: set[str], needs_objects: bool
):
    plan = Plan(program, tests, entry_point)
    assert plan.functions >= functions
    assert plan.needs_objects == needs_objects


# Runs.


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "tests"),
    [
        ("def f(x): return x + 1", "assert f(1) == 2"),
        ("def f(x): return x", "assert f((1, {2: [3]})) == (1, {2: [3]})"),
        ("def f(*a, **k): return a, k", "assert f(1, b={2}) == ((1,), {'b': {2}})"),
        ("def f(x):\n yield from x", "assert list(f([1, 2])) == [1, 2]"),
        (
            "def f():\n n = 0\n while True:\n  yield n\n  n += 1",
            "g = f(); next(g)\nassert next(g) == 1",
        ),
        ("def f(x): return lambda y: x + y", "assert f(1)(2) == 3"),
        ("def f(x): return x.sort()", "a = [2, 1]\nassert f(a) is None and a == [1, 2]"),
        ("def f(x): x[0].append(x)", "a = [[1]]\nf(a)\nassert len(a[0]) == 2"),
        ("n = 0\ndef f():\n global n\n n += 1\n return n", "f()\nassert f() == 2"),
        (
            "def f(x): raise KeyError(x)",
            "try: f('k')\nexcept KeyError as e: assert e.args == ('k',)",
        ),
        (
            "class Odd(ValueError): pass\ndef f(): raise Odd('m', 1)",
            "try: f()\nexcept ValueError as e:\n"
            " assert type(e).__name__ == 'Odd' and e.args == ('m', 1)",
        ),
        ("from math import *", "assert gcd(4, 6) == 2"),
        ("import math\ndef f(x): return x", "assert math.isclose(f(0.1) * 3, 0.3)"),
        ("LIMIT = 7\ndef f(): return LIMIT", "assert f() == LIMIT == 7"),
        ("def f(x): return 2 * x", "def check(candidate):\n    assert candidate(2) == 4"),
        ("def f(x): return 2 * x", "def check(candidate):\n    assert candidate(2) == 4\ncheck(f)"),
        (
            "from collections import Counter\ndef f(x): return Counter(x)",
            "assert f('aa') == {'a': 2}",
        ),
        ("def f(x): return f'{x:>3}'\nif __name__ == '__main__': 1 / 0", "assert f(1) == '  1'"),
        (
            "import dataclasses, asyncio\n@dataclasses.dataclass\nclass P:\n x: int\n"
            "async def g(): return P(3).x\ndef f(): return asyncio.run(g())",
            "assert f() == 3",
        ),
        (
            "import threading\ndef f():\n t = threading.Thread(target=len)\n t.start(), t.join()",
            "assert f() is None",
        ),
        (
            "import tempfile\ndef f():\n with tempfile.TemporaryFile() as t: return t.write(b'a')",
            "assert f() == 1",
        ),
    ],
)
def test_what_passes(program: str, tests: str):
    name = "f" if "def check" in tests else None
    assert run(program, tests, name) == PASSED


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "tests", "reason"),
    [
        ("def f(x): return x", "assert f(1) == 2", "AssertionError"),
        ("def f(x): return x", "assert f((1,)) == [1]", "AssertionError"),
        ("def f(x): return float(x)", "assert type(f(1)) is int", "AssertionError"),
        ("def f(x): return [x]", "assert f((1,)) == [[1]]", "AssertionError"),
        (
            "def f(x): return 3",
            "def check(candidate):\n    assert candidate(2) == 4",
            "AssertionError",
        ),
        ("def g(x): return x", "assert f(1) == 1", "NameError"),
        ("def f(): raise KeyError", "f()", "KeyError"),
        ("class Odd(Exception): pass\ndef f(): raise Odd", "f()", "Odd"),
        ("def f(x: return", "assert True", "SyntaxError"),
        ("def f(): return 1", "assert f( ==", "SyntaxError"),
        ("def f(): return object()", "assert f()", "_NoPlainFormError"),
        ("def f(): f()", "f()", "RecursionError"),
        ("raise ValueError", "assert True", "ValueError"),
        ("def f(): return 'x' * 2**30", "f()", "memory"),
        ("def f(): return 1", "'x' * 2**30", "memory"),
        ("def f():\n while True: pass", "f()", "timeout"),
        ("def f(): return 1", "while True: pass", "timeout"),
        ("import ctypes\ndef f(): ctypes.string_at(0)", "f()", "killed"),
    ],
)
def test_what_fails(program: str, tests: str, reason: str):
    name = "f" if "def check" in tests else None
    timeout = 1.0 if reason == "timeout" else 20.0
    assert run(program, tests, name, timeout) == Verdict(False, reason, False)


@needs_sandbox
def test_tests_that_need_objects_run_beside_and_say_so():
    pair = "class Pair:\n def __init__(self, a): self.a = a\ndef f(p): return p.a"
    weak = Verdict(True, "", True)
    assert run(pair, "assert f(Pair(1)) == 1") == weak
    assert run(pair, "assert f(Pair(1)) == 2") == Verdict(False, "AssertionError", True)
    sort = "def f(x, key): return sorted(x, key=key)"
    assert run(sort, "assert f([2, -3], key=lambda n: abs(n)) == [2, -3]") == weak
    assert run(sort, "assert f([1], None) == [1]\nassert f([2, 1], key=lambda n: n) == [2, 1]") == (
        Verdict(False, "AssertionError", True)
    )
    check = "def check(candidate):\n    assert candidate(Pair(1)) == 1"
    assert run(pair, check, "f") == weak


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import math, re, collections, dataclasses\nassert math.gcd(4, 6) == 2\nprint('hi')", ""),
        ("assert __name__ == '__main__'", ""),
        ("", ""),
        ("assert 1 == 2", "AssertionError"),
        ("raise SystemExit(0)", "ended early"),
        ("import sys\nsys.exit(0)\nassert False", "ended early"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("x = bytearray(2**31)", "memory"),
        ("while True: print('x' * 10_000)", "output flood"),
        ("x = '\ud800'", "UnicodeEncodeError"),
        ("import sys\nassert sys.stdin.read() == ''\nraise LookupError", "LookupError"),
        ("import os\nassert os.listdir() == [] and os.getcwd() == '/tmp'", ""),
        ("import os\nassert not os.environ", ""),
        ("import zoneinfo, datetime\nzoneinfo.ZoneInfo('Europe/Paris')", ""),
    ],
)
def test_a_program_without_tests_comes_to_its_end_or_not(program: str, reason: str):
    assert run(program) == Verdict(not reason, reason, True)


@needs_sandbox
def test_the_same_order_of_sets_in_every_run():
    program = "print = 0\ndef f(): return list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})"
    first = run(program, "raise ValueError", "f")
    assert first.reason == "ValueError"
    results = {run(program, f"assert f()[0] == {letter!r}").passed for letter in "abcdefg"}
    assert results == {True, False}  # exactly one letter comes first, and always the same
    winners = [x for x in "abcdefg" if run(program, f"assert f()[0] == {x!r}").passed]
    assert len(winners) == 1


@needs_sandbox
def test_a_small_limit_of_memory_is_enough_for_a_small_program():
    assert run_sandboxed(
        "def f(x): return x", "assert f(1) == 1", timeout=20, memory_bytes=2**26
    ).passed


@needs_sandbox
def test_large_values_cross():
    program = "def f(x): return x"
    assert run(program, "v = list(range(100_000))\nassert f(v) == v", timeout=60) == PASSED
    assert run(program, "assert f('x' * 2**22) == 'x' * 2**22") == PASSED


@pytest.mark.parametrize(
    "wrong",
    [{"timeout": 0}, {"timeout": math.nan}, {"timeout": math.inf}, {"memory_bytes": 1000}],
)
def test_limits_that_make_no_sense(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        run_sandboxed("", **{"timeout": 1.0, "memory_bytes": 2**28, **wrong})
    with pytest.raises(ValueError, match="entry_point"):
        run_sandboxed("", "", entry_point="a b", timeout=1.0, memory_bytes=2**28)


# Machines.


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_refused_in_one_line(platform: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", platform)
    with pytest.raises(SandboxUnavailable, match="Linux only") as caught:
        run("x = 1")
    assert "\n" not in str(caught.value)
    assert not probe().complete
    assert not probe().active


def without_namespaces(program: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program where no further namespaces may be made."""
    source = str(Path(__file__).resolve().parent.parent / "src")
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    drop = ["setpriv", "--bounding-set", "-sys_admin"]
    command = ["unshare", "-U", "--map-root-user", "sh", "-c", script, "sh", *drop]
    command += [sys.executable, "-c", f"import sys; sys.path.insert(0, {source!r})\n{program}"]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
    )


@needs_sandbox
@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("setpriv")), reason="no unshare")
def test_without_isolation_it_runs_only_when_told_by_name():
    start = "from phinery.sandbox import *\nlimits = dict(timeout=20, memory_bytes=2**28)\n"
    refused = without_namespaces(start + "run_sandboxed('x = 1', **limits)")
    assert refused.returncode == 1
    last = refused.stderr.splitlines()[-1]
    assert "SandboxUnavailable" in last
    assert "user_namespace" in last
    assert "PHINERY_ALLOW_UNISOLATED_CODE" in last
    told = (
        "v = run_sandboxed('def f(): return 1', 'assert f() == 1', allow_unisolated=True, **limits)"
    )
    allowed = without_namespaces(start + told + "\nprint(v.passed, *sorted(probe().active))")
    assert allowed.stdout.split() == ["True", "no_new_privileges", "resource_limits", "seccomp"]
    by_environment = "import os\nos.environ['PHINERY_ALLOW_UNISOLATED_CODE'] = '1'\n"
    ran = without_namespaces(start + by_environment + "print(run_sandboxed('', **limits).passed)")
    assert ran.stdout == "True\n"


@needs_sandbox
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, setpriv")
@pytest.mark.parametrize("drop", ["user", "right"])
def test_a_user_without_rights_gets_all_layers(drop: str):
    system_python = "/usr/bin/python3"
    version = subprocess.run(
        [system_python, "-c", "import sys; print(sys.version_info >= (3, 11))"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    if version != "True\n":
        pytest.skip("needs /usr/bin/python3 from 3.11 on, which every user may read")
    package = Path(__file__).resolve().parent.parent / "src" / "phinery"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(package / "sandbox", Path(folder, "phinery", "sandbox"))
        Path(folder, "phinery", "__init__.py").touch()
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
        program = (
            f"import sys; sys.path.insert(0, {folder!r})\nfrom phinery.sandbox import *\n"
            "print(probe().complete, run_sandboxed('def f(): return 1', 'assert f() == 1',"
            " timeout=20, memory_bytes=2**28).passed)"
        )
        how = {
            "user": ["--reuid", "65534", "--regid", "65534", "--clear-groups"],
            "right": ["--bounding-set", "-sys_admin"],
        }
        ran = subprocess.run(
            ["setpriv", *how[drop], system_python, "-c", program],
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.stdout == "True True\n", ran.stderr


# Clean-up.


@needs_sandbox
def test_the_clock_stops_it_soon():
    start = time.monotonic()
    assert run("import time\ntime.sleep(600)", timeout=0.2).reason == "timeout"
    assert time.monotonic() - start < 60


@needs_sandbox
def test_nothing_stays_open():
    before = set(os.listdir("/proc/self/fd"))
    for program in ("x = 1", "1 / 0", "import os\nos._exit(3)", "def f(:"):
        run(program)
    assert set(os.listdir("/proc/self/fd")) == before


def running_with(word: str) -> list[int]:
    """Processes whose command line holds a word."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if word.encode() in text:
                found.append(int(folder.name))
    return found


@needs_sandbox
def test_a_caller_that_is_killed_leaves_nothing_running():
    word = "phinery-sandbox-victim"
    program = (
        f"from phinery.sandbox import run_sandboxed  # {word}\n"
        "print('begun', flush=True)\n"
        "run_sandboxed('while True: pass', timeout=300, memory_bytes=2**28)"
    )
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert caller.stdout is not None
    caller.stdout.readline()
    deadline = time.monotonic() + 60
    while len(descendants(caller.pid)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    family = descendants(caller.pid)
    assert len(family) == 4, "launcher, judge, warden, program"
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    caller.stdout.close()
    while any(is_alive(process) for process in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [process for process in family if is_alive(process)]


def descendants(process: int) -> list[int]:
    found: list[int] = []
    waiting = [process]
    while waiting:
        try:
            text = Path(f"/proc/{waiting[-1]}/task/{waiting.pop()}/children").read_text()
        except OSError:
            continue
        found += map(int, text.split())
        waiting += map(int, text.split())
    return found


def is_alive(process: int) -> bool:
    """Whether a process runs; one that only waits for its new parent's call does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_named_types_are_those_of_the_library():
    assert wire.decode(wire.encode(decimal.Decimal("1.50"))).as_tuple().digits == (1, 5, 0)
    assert wire.decode(wire.encode(fractions.Fraction(2, 4))) == fractions.Fraction(1, 2)
    assert wire.decode(wire.encode(collections.deque([1], 3))).maxlen == 3
