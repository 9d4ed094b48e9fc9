from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery import files


def make_directory(directory: Path, content: str = "content") -> None:
    with files.atomic_directory(directory, kind="test") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file.txt").write_text(content)
        (temporary / "other.bin").write_bytes(b"\0\1")


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if ".partial-" in path.name]


def test_directory_appears_whole_with_a_manifest(tmp_path: Path) -> None:
    make_directory(tmp_path / "out")
    manifest = files.read_manifest(tmp_path / "out")
    assert manifest["kind"] == "test"
    assert sorted(manifest["files"]) == ["inner/file.txt", "other.bin"]
    assert manifest["files"]["other.bin"]["bytes"] == 2
    assert not leftovers(tmp_path)


def test_a_failing_writer_leaves_the_old_directory(tmp_path: Path) -> None:
    make_directory(tmp_path / "out", "old")
    with pytest.raises(KeyError), files.atomic_directory(tmp_path / "out") as temporary:
        (temporary / "half").write_text("new")
        raise KeyError
    assert (tmp_path / "out" / "inner" / "file.txt").read_text() == "old"
    files.read_manifest(tmp_path / "out")
    assert not leftovers(tmp_path)


def test_replacing_a_directory(tmp_path: Path) -> None:
    make_directory(tmp_path / "out", "old")
    make_directory(tmp_path / "out", "new")
    assert (tmp_path / "out" / "inner" / "file.txt").read_text() == "new"
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "inner/file.txt").unlink(), "is missing"),
        (lambda d: (d / "inner/file.txt").write_text("content!"), "has 8 bytes"),
        (lambda d: (d / "inner/file.txt").write_text("CONTENT"), "altered or corrupt"),
        (lambda d: (d / "manifest.json").unlink(), "has no manifest.json"),
        (lambda d: (d / "manifest.json").write_text("{"), "not valid JSON"),
        (lambda d: (d / "manifest.json").write_text("[]"), "lists no files"),
        (lambda d: (d / "manifest.json").write_text('{"files": {"a": 3}}'), "lists no files"),
    ],
)
def test_damage_is_found_and_named_in_one_line(tmp_path: Path, damage, message: str) -> None:
    make_directory(tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(files.ManifestError, match=message) as caught:
        files.read_manifest(tmp_path / "out")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def killed_replacement(directory: Path, call: int) -> None:
    """Replace `directory` and die at the given call of fsync or rename."""
    calls = iter(range(10**6))

    def deadly(function):
        def wrapper(*args, **kwargs):
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapper

    with (
        mock.patch.object(os, "fsync", deadly(os.fsync)),
        mock.patch.object(Path, "rename", deadly(Path.rename)),
        mock.patch.object(Path, "replace", deadly(Path.replace)),
        mock.patch("shutil.rmtree", deadly(files.shutil.rmtree)),
    ):
        make_directory(directory, "new")


def test_killed_at_any_call_a_replacement_is_old_or_new(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    outcomes = set()
    for call in range(30):
        directory = tmp_path / str(call) / "out"
        make_directory(directory, "old")
        process = context.Process(target=killed_replacement, args=(directory, call))
        process.start()
        process.join()
        files.remove_leftovers(directory)
        files.read_manifest(directory)
        outcomes.add(((directory / "inner" / "file.txt").read_text(), process.exitcode))
        assert not leftovers(directory.parent)
    assert outcomes == {("old", -signal.SIGKILL), ("new", -signal.SIGKILL), ("new", 0)}


@given(st.binary(max_size=200))
def test_atomic_write_round_trip(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("write") / "file"
    files.write_atomic(path, b"before")
    files.write_atomic(path, data)
    assert path.read_bytes() == data
    assert not leftovers(path.parent)


def test_failing_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    with mock.patch.object(os, "fsync", side_effect=OSError("disk full")), pytest.raises(OSError):
        files.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert not leftovers(tmp_path)


def test_unreadable_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match="file.json is not valid JSON"):
        files.read_json(path)
