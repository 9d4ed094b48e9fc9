from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from phinery.data.synthesis.teacher import Result, run_limited


def children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set((task / "children").read_text().split())
    return found


def test_a_program_that_runs_to_its_end_passes():
    program = "import math, re, collections, dataclasses\nassert math.gcd(4, 6) == 2\nprint('hi')"
    assert run_limited(program) == Result(True, "")
    assert run_limited("") == Result(True, "")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("assert 1 == 2", "AssertionError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise SystemExit(0)", "ended early"),
        ("import sys\nsys.exit(0)\nassert False", "ended early"),
        ("import os\nos._exit(0)\nassert False", "ended early"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("x = bytearray(2**31)", "memory"),
        ("kept = []\nwhile True: kept.append('x' * 10**6)", "memory"),
        ("while True: print('x' * 10_000)", "output flood"),
        ("import sys\nwhile True: sys.stderr.write('x' * 10_000)", "output flood"),
        ("while True: pass", "timeout"),
        ("import time\ntime.sleep(60)", "timeout"),
        ("while True:\n try:\n  while True: pass\n except BaseException: pass", "timeout"),
        ("import os\nos.fork()", "PermissionError"),
        ("import os\nwhile True: os.fork()", "PermissionError"),
        ("import subprocess\nsubprocess.run(['true'])", "PermissionError"),
        ("import os\nos.system('true')", "PermissionError"),
        ("import os\nos.execv('/bin/true', ['true'])", "PermissionError"),
        ("import os\nos.kill(os.getppid(), 9)", "PermissionError"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "PermissionError"),
        ("import ctypes\nctypes.string_at(0)", "PermissionError"),
        ("x = '\ud800'", "UnicodeEncodeError"),
        ("import sys\nassert sys.stdin.read() == ''\nraise LookupError", "LookupError"),
    ],
)
def test_what_does_not_pass(program: str, reason: str):
    before = children()
    assert run_limited(program, timeout=0.5) == Result(False, reason)
    assert children() <= before, "nothing is left running"


def test_files_elsewhere_stay_as_they_are(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    folder = tmp_path / "folder"
    folder.mkdir()
    for attempt in (
        f"open({str(precious)!r}, 'w')",
        f"open({str(tmp_path / 'new')!r}, 'x')",
        f"import os\nos.remove({str(precious)!r})",
        f"import os\nos.open({str(precious)!r}, os.O_RDWR)",
        f"import os\nos.rename({str(precious)!r}, 'gone')",
        f"import os\nos.truncate({str(precious)!r}, 0)",
        f"import shutil\nshutil.rmtree({str(folder)!r})",
        f"import os\nos.rmdir({str(folder)!r})",
        f"from pathlib import Path\nPath({str(precious)!r}).write_text('lost')",
        "open('here', 'w')",
    ):
        assert run_limited(attempt) == Result(False, "PermissionError"), attempt
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "precious"]
    assert precious.read_text() == "kept"


def test_a_status_of_zero_or_the_right_words_prove_nothing():
    guess = (
        "import os\nfor d in range(3, 512):\n try: os.write(d, b'passed\\n')\n except OSError: pass"
    )
    assert not run_limited(guess + "\nos._exit(0)").passed
    closing = "import os\nfor d in range(3, 512):\n try: os.close(d)\n except OSError: pass\n"
    assert not run_limited(closing).passed


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(os.listdir("/proc/self/fd"))
    for program in ("x = 1", "1 / 0", "import os\nos._exit(3)", "def f(:"):
        run_limited(program)
    assert list(tmp_path.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) == before


def test_it_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHINERY_TEACHER_KEY", "secret")
    program = "import os\nassert 'secret' not in os.environ.values() and 'HOME' not in os.environ"
    assert run_limited(program).passed


def test_the_clock_stops_it_soon():
    start = time.monotonic()
    run_limited("import time\ntime.sleep(600)", timeout=0.2)
    assert time.monotonic() - start < 60


def test_the_working_folder_is_empty_and_its_own():
    assert run_limited("import os\nassert os.listdir() == [] and os.getcwd() != '/'").passed
