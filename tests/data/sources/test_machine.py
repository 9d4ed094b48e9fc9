from __future__ import annotations

import importlib.metadata
import sysconfig
from pathlib import Path

import pytest

from phinery.data import Document, ReadReport, machine_documents


@pytest.fixture(scope="module")
def corpus() -> tuple[list[Document], ReadReport]:
    report = ReadReport()
    return list(machine_documents(report)), report


def test_it_is_pythons_library_and_readmes(corpus: tuple[list[Document], ReadReport]):
    documents, report = corpus
    by_id = {document.id: document for document in documents}
    assert len(by_id) == len(documents) == report.documents
    assert [d.source for d in documents] == sorted((d.source for d in documents), reverse=True)
    assert {d.source for d in documents} == {"python-stdlib", "package-readmes"}
    assert "class JSONDecoder" in by_id["python-stdlib/json/decoder.py"].text
    assert by_id["python-stdlib/json/decoder.py"].kind == "code"
    readme = by_id["package-readmes/numpy"].text
    assert "NumPy" in readme
    assert "Metadata-Version" not in readme, "only the body, not the header fields"
    assert sum(len(d.text.encode()) for d in documents) > 5_000_000


def test_it_has_no_tests_no_packages_and_not_ourselves(corpus: tuple[list[Document], ReadReport]):
    for document in corpus[0]:
        parts = document.id.split("/")[1:-1]
        assert not {"test", "tests", "idle_test", "site-packages", "__pycache__"} & {*parts}
        assert document.id != "package-readmes/phinery"
    assert any(d.id == "python-stdlib/unittest/case.py" for d in corpus[0])


def test_it_is_the_same_again(corpus: tuple[list[Document], ReadReport]):
    assert list(machine_documents()) == corpus[0]


def test_odd_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_bytes(b"'\xff'\n")
    (tmp_path / "empty.py").touch()
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_x.py").write_text("y = 1\n")
    for name, body in (("A_b", "# Read me\r\n\r\nof this"), ("none", "")):
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\r\nX: y\r\n\r\n{body}", newline="")
    (tmp_path / "nothing-1.dist-info").mkdir()
    (tmp_path / "bytes-1.dist-info").mkdir()
    (tmp_path / "bytes-1.dist-info" / "METADATA").write_bytes(b"Name: bytes\n\n\xff")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    found = list(importlib.metadata.distributions(path=[str(tmp_path)]))
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    report = ReadReport()
    assert list(machine_documents(report)) == [
        Document("python-stdlib/good.py", "x = 1\n", "python-stdlib", kind="code"),
        Document("package-readmes/a-b", "# Read me\n\nof this", "package-readmes", kind="readme"),
    ]
    assert report.skipped == {"not in UTF-8 or the encoding it names": 2, "empty": 2}


def test_a_python_without_sources_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ValueError, match="no source files"):
        list(machine_documents())
