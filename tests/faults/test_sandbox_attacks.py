"""Programs that mean harm: each is contained, and each gets through when its walls are left out.

Leaving out walls is safe here, because these programs only do to files and processes of this test
what others could do to the machine's.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from phinery.sandbox import Verdict, probe
from phinery.sandbox.run import LAYERS, _Task

pytestmark = pytest.mark.skipif(not probe().complete, reason=f"no sandbox here:\n{probe()}")

REPOSITORY = Path(__file__).resolve().parents[2]


def attack(
    program: str,
    tests: str = "",
    *,
    entry_point: str | None = None,
    without: Iterable[str] = (),
    timeout: float = 20.0,
) -> Verdict:
    """What comes of a program, with the layers named in `without` left out."""
    assert set(without) <= set(LAYERS)
    task = _Task(program, tests, entry_point, timeout, 2**28)
    task.without = without
    outcome, strength, reason = task.run()
    assert outcome in ("passed", "failed")
    return Verdict(outcome == "passed", reason, strength == "weak")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of the machine that every user may read and write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture(autouse=True)
def clean_machine() -> Iterator[None]:
    """Afterwards there are the same children, open files, mounts and temporary files as before."""
    before = state()
    yield
    deadline = time.monotonic() + 30  # other runs on this machine come and go meanwhile
    while state() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state() == before


def state() -> tuple[object, ...]:
    descriptors = sorted(os.listdir("/proc/self/fd"))
    return children(), descriptors, Path("/proc/self/mountinfo").read_text(), strangers()


def children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += (task / "children").read_text().split()
    return sorted(found)


def strangers() -> list[str]:
    """Processes and temporary files of users that the sandbox invents."""
    found: list[str] = []
    for path in (*Path("/proc").iterdir(), *Path(tempfile.gettempdir()).iterdir()):
        with contextlib.suppress(OSError):
            if path.lstat().st_uid >= 2_000_000_000:
                found.append(str(path))
    return found


# Files.


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/hostname", "/proc/1/environ", "/home", str(REPOSITORY)]
)
def test_the_machine_is_not_there_to_read(path: str):
    program = f"import os\nassert not os.path.lexists({path!r})"
    assert attack(program).passed
    if os.access(path, os.R_OK) and path == "/etc/passwd":
        assert not attack(program, without=["read_only_root"]).passed


def test_no_path_leads_out(open_folder: Path):
    secret = open_folder / "secret"
    secret.write_text("secret")
    secret.chmod(0o666)
    program = f"""
import os
ways = [{str(secret)!r}, "/tmp/link", "/tmp/../../../..{secret}", "/proc/1/root{secret}",
        "/proc/self/root{secret}", "/dev/fd/../../..{secret}"]
os.symlink({str(secret)!r}, "/tmp/link")
for way in ways:
    try:
        with open(way) as file:
            assert file.read() != "secret"
    except OSError:
        pass
for folder, _, files in os.walk("/", followlinks=True):
    assert "secret" not in files, folder
    if folder.count("/") > 3: break
"""
    assert attack(program).passed
    assert attack(f"open({str(secret)!r})", without=["read_only_root"]).passed


def test_nothing_outside_is_written(open_folder: Path):
    target = open_folder / "target"
    target.write_text("kept")
    target.chmod(0o666)
    program = f"""
import os, shutil
target = {str(target)!r}
for attempt in (
    lambda: open(target, "w").write("lost"),
    lambda: os.remove(target),
    lambda: os.truncate(target, 0),
    lambda: os.rename(target, target + "2"),
    lambda: shutil.rmtree(os.path.dirname(target)),
    lambda: open(os.__file__, "a").write("x"),
    lambda: os.chmod(os.__file__, 0o777),
    lambda: os.mkdir("/new"),
    lambda: os.chmod("/dev/null", 0o600),
    lambda: os.remove("/dev/null"),
    lambda: os.chmod("/", 0o777),
    lambda: os.link(os.__file__, "/tmp/linked"),
):
    try:
        attempt()
    except OSError:
        continue
    raise ValueError(attempt)
"""
    before = stat.S_IMODE(os.stat("/dev/null").st_mode)
    assert attack(program) == Verdict(True, "", True)
    assert [path.name for path in open_folder.iterdir()] == ["target"]
    assert target.read_text() == "kept"
    assert stat.S_IMODE(os.stat("/dev/null").st_mode) == before
    write = f"open({str(target)!r}, 'w').write('lost')"
    assert attack(write).reason == "FileNotFoundError"
    assert attack(write, without=["read_only_root"]).passed
    assert target.read_text() == "lost"


def test_the_disk_does_not_fill(open_folder: Path):
    program = """
import os
written = 0
try:
    for number in range(64):
        with open(f"%s/{number}", "wb", buffering=0) as file:
            for _ in range(16):
                written += file.write(bytes(2**20))
except OSError:
    pass
assert written <= 2**24, written
"""
    assert attack(program % "/tmp").passed
    assert not attack(program.replace("64", "2") % open_folder, without=["read_only_root"]).passed
    many = "for n in range(5000): open(f'/tmp/{n}', 'w').close()"
    assert attack(many).reason == "OSError"


def test_one_file_is_no_larger_than_the_limit():
    program = "with open('/tmp/a', 'wb') as f: f.truncate(2**30)"
    assert not attack(program).passed
    assert attack(program, without=["resource_limits"]).passed


# The network.


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_there_is_no_network(listener: int):
    connect = f"import socket\nsocket.create_connection(('127.0.0.1', {listener}), 2)"
    assert attack(connect).reason == "PermissionError"
    # One wall less: a network that has nothing in it.
    assert not attack(connect, without=["seccomp"]).passed
    assert attack(connect, without=["seccomp", "network_namespace"]).passed
    for program in (
        "import socket\nsocket.create_server(('127.0.0.1', 0))",
        "import socket\nsocket.getaddrinfo('example.org', 80)",
        "import socket\nsocket.socket(socket.AF_UNIX)",
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')",
    ):
        assert not attack(program).passed, program


# Other processes.


def test_no_signal_leaves():
    for program in (
        "import os\nos.kill(-1, 9)",
        "import os\nos.kill(os.getppid(), 9)",
        "import os\nos.kill(1, 9)",
        "import os\nos.killpg(0, 9)",
        "import os, signal\nfor n in range(2, 4000):\n os.kill(n + os.getpid(), 9)",
    ):
        assert attack(program).reason == "PermissionError", program
    hit_all = "import os\ntry: os.kill(-1, 9)\nexcept ProcessLookupError: pass"
    assert attack(hit_all, without=["seccomp"]).passed, "it is alone in its namespace"


def test_a_namespace_of_processes_hides_the_others():
    witness = threading.get_native_id()
    program = f"""
import os
for number in ({os.getpid()}, {os.getppid()}, {witness}):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        continue
    raise ValueError(number)
"""
    assert attack(program, without=["seccomp"]).passed
    seen = attack(program, without=["seccomp", "pid_namespace"])
    assert seen.reason in ("ValueError", "PermissionError"), "it is there"


def test_no_process_is_made():
    for program in (
        "import os\nos.fork()",
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.posix_spawn('/bin/true', ['true'], {})",
        "import os\nos.execv('/bin/true', ['true'])",
        "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
    ):
        assert attack(program).reason == "PermissionError", program
    assert attack("import os\nassert os.system('true') != 0").passed
    assert attack("import os\nif os.fork() == 0: os._exit(0)", without=["seccomp"]).passed


FORKS = """
import os, time
made = 0
try:
    while made < 150:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        made += 1
except OSError:
    pass
assert made < 100, made
"""


def test_a_fork_bomb_meets_the_limit_even_without_the_filter():
    assert attack(FORKS, without=["seccomp"]).passed
    assert not attack(FORKS, without=["seccomp", "resource_limits"]).passed


SURVIVOR = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(40):
            time.sleep(0.1)
            with open(%r, "a") as file:
                file.write(".")
    os._exit(0)
time.sleep(0.5)
"""


def test_no_daemon_survives(open_folder: Path):
    diary = open_folder / "diary"
    program = SURVIVOR % str(diary)
    assert attack(program).reason == "PermissionError"
    assert attack(program, without=["seccomp", "read_only_root"]).passed
    length = diary.stat().st_size
    time.sleep(0.5)
    assert diary.stat().st_size == length, "it died with its namespace"
    diary.unlink()
    attack(program, without=["seccomp", "read_only_root", "pid_namespace"])
    length = diary.stat().st_size
    time.sleep(1.0)
    assert diary.stat().st_size > length, "it lives on"


def test_zombies_and_threads_that_never_end_are_gone():
    zombies = "import os\nfor _ in range(20):\n if os.fork() == 0: os._exit(0)"
    assert attack(zombies, without=["seccomp"]).passed
    threads = """
import threading
def spin():
    while True: pass
for _ in range(8):
    threading.Thread(target=spin).start()
def f(): return 1
"""
    assert attack(threads, "assert f() == 1").passed
    many = "from threading import *\nfor _ in range(500): Thread(target=Event().wait).start()"
    assert attack(many).reason == "RuntimeError"


# Memory and time.


def test_memory_is_limited():
    program = "x = bytearray(2**29)\nx[::4096] = b'1' * len(x[::4096])"
    assert attack(program).reason == "memory"
    assert attack(program, without=["resource_limits"]).passed
    grown = "kept = []\nwhile True: kept.append('x' * 10**6)"
    assert attack(grown).reason == "memory"


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos.memfd_create('a')",
        "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\n"
        "if c.shmget(0, 2**20, 0o1600) == -1: raise OSError(ctypes.get_errno(), '')",
    ],
)
def test_memory_that_is_not_counted_is_not_given(program: str):
    assert attack(program).reason == "PermissionError"
    assert attack(program, without=["seccomp"]).passed


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "while True:\n try:\n  while True: pass\n except BaseException: pass",
        "import signal, time\nfor n in range(1, 65):\n try: signal.signal(n, signal.SIG_IGN)\n"
        " except (OSError, ValueError): pass\ntime.sleep(600)",
        "import threading\nthreading.Event().wait()",
        "9 ** 9 ** 9",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "import sys\nsys.stdin = open('/dev/zero')\nwhile True: sys.stdin.read(9)",
    ],
)
def test_time_is_limited(program: str):
    assert attack(program, timeout=1.0).reason in ("timeout", "memory")


@pytest.mark.parametrize(
    ("program", "tests", "reasons"),
    [
        ("while True: print('x' * 10_000)", "", {"output flood"}),
        ("import os\nwhile True: os.write(2, b'x' * 10_000)", "", {"output flood"}),
        ("def f(): return 'x' * 2**25", "f()", {"_NoPlainFormError"}),
        ("def f(): return [0] * 2**24", "f()", {"_NoPlainFormError", "memory"}),
        (
            "def f():\n x = []\n for _ in range(10**5): x = [x]\n return x",
            "f()",
            {"_NoPlainFormError"},
        ),
        ("def f(): f()", "f()", {"RecursionError"}),
        ("def f(): raise ValueError('x' * 2**25)", "f()", {"ValueError"}),
        ("class X(Exception):\n def __str__(s): raise s\ndef f(): raise X(X())", "f()", {"X"}),
    ],
)
def test_too_much_of_anything_is_contained(program: str, tests: str, reasons: set[str]):
    verdict = attack(program, tests)
    assert not verdict.passed
    assert verdict.reason in reasons


def test_recursion_without_a_limit_is_contained():
    program = "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()"
    assert not attack(program, timeout=2.0).passed  # what gives way first depends on the machine


# The kernel.


SYSTEM_CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
number = %s[__import__("os").uname().machine]
if libc.syscall(number, *%s) == -1 and ctypes.get_errno() == 1:
    raise PermissionError
"""
REFUSED = {
    "ptrace": ({"x86_64": 101, "aarch64": 117}, (0, 0, 0, 0)),  # PTRACE_TRACEME
    "unshare": ({"x86_64": 272, "aarch64": 97}, (0,)),  # nothing, which is allowed
    "personality": ({"x86_64": 135, "aarch64": 92}, (0xFFFF_FFFF,)),  # asks only
    "process_vm_readv": ({"x86_64": 310, "aarch64": 270}, (1, 0, 0, 0, 0, 0)),
    "pidfd_open": ({"x86_64": 434, "aarch64": 434}, (1, 0)),
    "io_uring_setup": ({"x86_64": 425, "aarch64": 425}, (0, 0)),
    "keyctl": ({"x86_64": 250, "aarch64": 219}, (99,)),
    "execve": ({"x86_64": 59, "aarch64": 221}, (0, 0, 0)),
    "socket": ({"x86_64": 41, "aarch64": 198}, (1, 1, 0)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_system_calls_by_number_are_refused(name: str):
    program = SYSTEM_CALL % REFUSED[name]
    assert attack(program).reason == "PermissionError"
    assert attack(program, without=["seccomp"]).passed


@pytest.mark.parametrize(
    "call", ["mount(b'x', b'/tmp', b'tmpfs', 0, None)", "chroot(b'/tmp')", "sethostname(b'x', 1)"]
)
def test_rights_inside_are_none(call: str):
    """The filter refuses these; without it, the missing capability does."""
    program = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.{call} == -1"
    assert attack(program).passed
    assert attack(program, without=["seccomp"]).passed


def test_code_in_another_machines_convention_ends_the_program():
    if os.uname().machine != "x86_64":
        pytest.skip("x86-64 only")
    program = """
import ctypes, mmap
code = bytes.fromhex("b814000000cd80c3")  # mov eax, 20 (getpid of 32-bit code); int 0x80; ret
memory = mmap.mmap(-1, 4096, prot=7)
memory.write(code)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""
    assert attack(program) == Verdict(False, "killed", True)
    x32 = "import ctypes\nassert ctypes.CDLL(None).syscall(0x40000000 + 39) == -1"
    assert attack(x32).passed


def test_no_rights_are_gained():
    program = """
import ctypes, os
assert ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) == 1
for attempt in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.nice(-5),
                lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0))):
    try:
        attempt()
    except OSError:
        continue
    raise ValueError
"""
    assert attack(program).passed


# The verdict.

TESTS = "assert f(2) == 4\nassert f(3) == 9\nassert isinstance(f(4), int)"
LIES = {
    "exit": "import os\nos._exit(0)",
    "exit when asked": "import os\ndef f(x): os._exit(0)",
    "exit later": "import os, threading\nthreading.Timer(0.0, os._exit, [0]).start()\n"
    "import time\ndef f(x): time.sleep(1)",
    "system exit": "def f(x): raise SystemExit(0)",
    "always equal": "class A:\n def __eq__(s, o): return True\ndef f(x): return A()",
    "always equal int": "class A(int):\n def __eq__(s, o): return True\ndef f(x): return A(1)",
    "always equal class": "class f(int):\n def __eq__(s, o): return True",
    "odd metaclass": "class M(type):\n def __instancecheck__(c, o): return True\n"
    " mro = lambda c: [int]\n"
    "class A(metaclass=M):\n __class__ = int\n def __eq__(s, o): return True\ndef f(x): return A()",
    "other built-ins": "import builtins\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.AssertionError = SystemExit\ndef f(x): return None",
    "own isinstance": "def isinstance(*a): return True\ndef f(x): return None",
    "other wire": "import sys\nw = sys.modules['phinery.sandbox.wire']\n"
    "w.encode = lambda *a: b'T'\ndef f(x): return None",
    "early answers": "import sys\nw = sys.modules['phinery.sandbox.wire']\n"
    "for _ in range(9): w.send(4, w.encode(('done', 'x')))",
    "finished at once": "import sys\nw = sys.modules['phinery.sandbox.wire']\n"
    "w.send(4, w.encode(('ready',)))\nw.send(4, w.encode(('finished',)))\ndef f(x): return None",
    "every descriptor": "import os\nfor d in range(256):\n"
    " for text in (b'passed\\n', b'ready\\n', b'0' * 32 + b' passed strong \\n'):\n"
    "  try: os.write(d, text)\n  except OSError: pass\ndef f(x): return None",
    "closed descriptors": "import os\nos.closerange(0, 256)",
    "remove the channel": "import os\nfor d in range(256):\n try: os.ftruncate(d, 0)\n"
    " except OSError: pass\ndef f(x): return None",
    "assertion is caught": "def f(x): raise StopIteration",
    "look into memory": "import gc, os\n"
    "for number in range(1, 9):\n try: open(f'/proc/{number}/mem')\n except OSError: pass\n"
    "found = [o for o in gc.get_objects() if isinstance(o, dict) and 'nonce' in o]\n"
    "def f(x): return found and found[0]['nonce']",
    "frames": "import sys\nframe, texts = sys._getframe(), []\nwhile frame:\n"
    " texts += [repr(v) for v in frame.f_locals.values() if isinstance(v, str)]\n"
    " frame = frame.f_back\nfor t in texts:\n print(t, 'passed strong')\ndef f(x): return None",
    "trace": "import sys\nsys.settrace(lambda *a: None)\ndef f(x): return 0",
}


@pytest.mark.parametrize("name", LIES)
def test_no_lie_becomes_a_verdict(name: str):
    verdict = attack(LIES[name], TESTS, entry_point="f")
    assert not verdict.passed, verdict
    assert not verdict.weak_verdict, "the tests stayed outside"


def test_an_honest_program_passes_the_same_tests():
    assert attack("def f(x): return x * x", TESTS, entry_point="f") == Verdict(True, "", False)


def test_beside_its_tests_a_program_can_lie_and_the_verdict_says_so():
    """Why there is a judge: the same lie wins where tests and program share a process."""
    program = "class Same:\n def __eq__(s, o): return True\ndef f(x): return Same()"
    assert not attack(program, "assert f(2) == 4").passed
    task = _Task(program, "assert f(2) == 4", None, 20.0, 2**28)
    task.beside = True
    assert task.run() == ["passed", "weak", ""]


def test_a_program_can_not_bring_its_tests_beside_it():
    tests = "assert f(f(2)) == 16"
    for program in (
        "def f(x): return 'x' * 2**23 if x == 2 else 0",
        "def f(x):\n y = []\n for _ in range(198): y = [y]\n return [y] if x == 2 else 0",
        "class f(list): pass",
        "class F:\n def __eq__(s, o): return True\nf = F",
        "f = 4",
    ):
        verdict = attack(program, tests)
        assert verdict.passed is verdict.weak_verdict is False, program
    task = _Task("class f(int): pass", tests, "f", 20.0, 2**28)
    assert task.run()[0] == "failed", "not 'beside'"


def test_the_tests_are_not_in_the_programs_memory():
    """The program's process was forked before the tests were read."""
    program = """
import gc
def f(x):
    word = "".join(["ze", "bra-", "secret"])
    texts = [o for o in gc.get_objects() if isinstance(o, (str, bytes, tuple, list, dict))]
    return any(word in repr(o) for o in texts if o is not word and len(repr(o)) < 10**6)
"""
    assert attack(program, "assert f(2) is False, 'zebra-secret'", entry_point="f").passed


def test_the_order_of_the_tests_own_errors_stays_theirs():
    """A program that makes the judge's process fail wins nothing either."""
    for answer in (
        "b'l' + b'\\xff' * 4",
        "b'd\\x02\\x00\\x00\\x00' + b'N' * 9",
        "b'l\\x01\\x00\\x00\\x00' * 999",
    ):
        program = (
            "import sys, os\nw = sys.modules['phinery.sandbox.wire']\n"
            f"w.encode = lambda *a: {answer}\ndef f(x): return 4"
        )
        verdict = attack(program, TESTS, entry_point="f")
        assert verdict == Verdict(False, "garbled answer", False)


def test_signals_to_oneself_are_ones_own_affair():
    program = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    assert attack(program) == Verdict(False, "killed", True)
