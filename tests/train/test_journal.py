from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from phinery.train.journal import Journal


def write_steps(path: Path, last: int) -> list[bytes]:
    journal = Journal(path, after=0)
    for step in range(1, last + 1):
        journal.write({"step": step, "loss": 1 / step})
    journal.close()
    return path.read_bytes().splitlines(keepends=True)


@given(last=st.integers(0, 12), torn=st.integers(0, 400), after=st.integers(0, 15))
def test_opening_drops_later_steps_and_a_torn_line(last: int, torn: int, after: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "metrics.jsonl"
        lines = write_steps(path, last)
        whole = b"".join(lines)
        cut = whole[: max(0, len(whole) - torn)]
        path.write_bytes(cut)
        kept = cut.count(b"\n")
        Journal(path, after=after).close()
        assert path.read_bytes() == b"".join(lines[: min(kept, after)])


def test_lines_of_one_step_stay_together(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    journal = Journal(path, after=0)
    for row in ({"step": 1}, {"step": 2}, {"step": 2, "held_out_loss": 3.0}, {"step": 3}):
        journal.write(row)
    journal.close()
    Journal(path, after=2).close()
    assert [json.loads(line) for line in path.open()] == [
        {"step": 1},
        {"step": 2},
        {"step": 2, "held_out_loss": 3.0},
    ]


def test_what_is_no_line_of_ours_ends_the_journal(tmp_path: Path) -> None:
    for garbage in (b"\0\0\0\0\n", b"[1]\n", b'{"loss": 1}\n', b'{"step": "2"}\n'):
        path = tmp_path / "metrics.jsonl"
        path.write_bytes(b'{"step": 1}\n' + garbage + b'{"step": 3}\n')
        Journal(path, after=9).close()
        assert path.read_bytes() == b'{"step": 1}\n'


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl", after=0)
    journal.write({"step": 1, "loss": math.nan, "grad_norm": math.inf, "skipped": True})
    journal.close()
    (line,) = (tmp_path / "metrics.jsonl").open()
    assert json.loads(line) == {"step": 1, "loss": None, "grad_norm": None, "skipped": True}
