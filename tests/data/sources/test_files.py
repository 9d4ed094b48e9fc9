from __future__ import annotations

import gzip
import json
import os
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data import (
    ENDINGS,
    Document,
    ReadReport,
    read_documents,
    unique_documents,
)
from phinery.data.sources import rows
from phinery.data.sources.plaintext import LONGEST, split_text

CORPORA = Path(__file__).parents[4] / "shared" / "corpora"
UNPRIVILEGED = hasattr(os, "geteuid") and os.geteuid() != 0


def read(path: Path) -> tuple[list[Document], ReadReport]:
    report = ReadReport()
    return list(read_documents(path, report)), report


def write_lines(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_loose_files_are_documents_in_the_order_of_their_names(tmp_path: Path):
    for name in ("b.txt", "a/z.md", "a.py", "a/deep/x.rst", "C.TXT", "notes.docx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    documents, report = read(tmp_path)
    assert [d.id for d in documents] == ["C.TXT", "a.py", "a/deep/x.rst", "a/z.md", "b.txt"]
    assert [d.text for d in documents] == [f"text of {d.id}" for d in documents]
    assert [d.source for d in documents] == [tmp_path.name] * 2 + ["a"] * 2 + [tmp_path.name]
    assert [d.kind for d in documents] == [None, "code", None, None, None]
    assert report.documents == 5
    assert report.skipped == {"other file ending": 1}
    assert "notes.docx" in report.summary()


def test_a_single_file_is_read(tmp_path: Path):
    (tmp_path / "one.md").write_text("# One")
    assert read(tmp_path / "one.md")[0] == [Document("one.md", "# One", "one.md")]


def test_rows_bring_their_fields(tmp_path: Path):
    full = {
        "text": "first",
        "id": "x1",
        "source": "books",
        "url": "https://a.example",
        "lang": "de",
        "kind": "book",
    }
    address = {"text": "second", "id": 7, "source": "github.com/a/b@c:d.md"}
    write_lines(tmp_path / "rows.jsonl", full, address, {"text": "third"}, full)
    documents, report = read(tmp_path)
    assert documents[0] == Document(
        "rows.jsonl:1:x1", "first", "books", "https://a.example", "de", "book"
    )
    assert documents[1] == Document(
        "rows.jsonl:2:7", "second", "rows.jsonl", url="github.com/a/b@c:d.md"
    )
    assert documents[2] == Document("rows.jsonl:3", "third", "rows.jsonl")
    assert documents[3].id == "rows.jsonl:4:x1", "unique, though the row's own id is not"
    assert not report.skipped


def test_every_kind_of_row_file_gives_the_same_documents(tmp_path: Path):
    rows = [{"id": f"r{i}", "text": f"text {i} é\r\nnext", "source": "s"} for i in range(600)]
    write_lines(tmp_path / "rows.jsonl", *rows)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress((tmp_path / "rows.jsonl").read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet", row_group_size=250)
    expected = [(f"{i + 1}:r{i}", f"text {i} é\nnext", "s") for i in range(600)]
    for name in ("rows.jsonl", "rows.jsonl.gz", "rows.parquet"):
        documents, _ = read(tmp_path / name)
        found = [(d.id.removeprefix(f"{name}:"), d.text, d.source) for d in documents]
        assert found == expected


def test_ids_are_unique_and_the_same_again(tmp_path: Path):
    write_lines(tmp_path / "a.jsonl", *[{"text": "t", "id": "same"}] * 3)
    (tmp_path / "b.txt").write_text("word " * (LONGEST // 2))
    first = [d.id for d in read(tmp_path)[0]]
    assert len(set(first)) == len(first) == 6
    assert first == [d.id for d in read(tmp_path)[0]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.txt", "Grüße\n".encode()),
        ("windows.txt", b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe\r\n"),
        ("utf16.txt", "Grüße\r\n".encode("utf-16")),
        ("utf16be.md", b"\xfe\xff" + "Grüße\n".encode("utf-16-be")),
        ("utf32.txt", "Grüße\n".encode("utf-32")),
        ("mac.txt", "Grüße\r".encode()),
    ],
)
def test_encodings_that_say_what_they_are_and_line_ends(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    assert [d.text for d in read(tmp_path)[0]] == ["Grüße\n"]


def test_python_files_name_their_encoding(tmp_path: Path):
    source = "# -*- coding: latin-1 -*-\nname = 'Zoë'\n"
    (tmp_path / "old.py").write_bytes(source.encode("latin-1"))
    assert read(tmp_path)[0][0].text == source


GOOD = b"a good line of text"
LEFT_OUT: dict[str, tuple[str, bytes, str]] = {
    "latin-1": ("x.txt", "Zoë".encode("latin-1"), "not in UTF-8"),
    "no such codec": ("x.py", b"# coding: klingon\n", "not in UTF-8"),
    "codec not for text": ("x.py", b"# coding: rot13\nuryyb\n", "not in UTF-8"),
    "wrong codec": ("x.py", b"# coding: ascii\n'\xff'\n", "not in UTF-8"),
    "no bytes": ("x.txt", b"", "empty"),
    "blank": ("x.md", b" \n\t\n", "empty"),
    "binary": ("x.txt", b"MZ\0\0", "binary"),
    "UTF-16 without a mark": ("x.txt", "hello".encode("utf-16-le"), "binary"),
    "half UTF-16": ("x.txt", b"\xff\xfea", "not in UTF-8"),
    "no JSON": ("x.jsonl", b"{text: 1}\n", "not JSON"),
    "deep JSON": ("x.jsonl", b"[" * 100_000, "not JSON"),
    "long number": ("x.jsonl", b'{"text": "a", "id": ' + b"1" * 5000 + b"}", "not JSON"),
    "latin-1 JSON": ("x.jsonl", '{"text": "Zoë"}'.encode("latin-1"), "not in UTF-8"),
    "no object": ("x.jsonl", b"[1, 2]", "no string field `text`"),
    "no text": ("x.jsonl", b'{"content": "a"}', "no string field `text`"),
    "text is no string": ("x.jsonl", b'{"text": 5}', "no string field `text`"),
    "lone surrogate": ("x.jsonl", b'{"text": "a\\ud800"}', "lone surrogates"),
    "empty text": ("x.jsonl", b'{"text": ""}', "empty"),
    "no gzip": ("x.jsonl.gz", b'{"text": "a"}', "damaged"),
    "no parquet": ("x.parquet", b"PAR1 and more PAR1", "damaged"),
    "hidden": (".x.txt", GOOD, "hidden"),
    "hidden folder": (".git/x.txt", GOOD, "hidden"),
}


@pytest.mark.parametrize(("name", "content", "reason"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_is_left_out_is_counted(tmp_path: Path, name: str, content: bytes, reason: str):
    (tmp_path / "good.txt").write_bytes(GOOD)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    documents, report = read(tmp_path)
    assert [d.text for d in documents] == [GOOD.decode()]
    assert list(report.skipped.values()) == [1]
    assert reason in next(iter(report.skipped))
    assert reason in report.summary()
    with pytest.warns(UserWarning, match=name.split("/")[0].replace(".", r"\.")):
        list(read_documents(tmp_path))


def test_good_lines_beside_bad_ones_are_read(tmp_path: Path):
    lines = [b'{"text": "one"}', b"oops", b"", b"\xff", b'{"text": "two"}', b'{"text": "thr']
    (tmp_path / "x.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
    documents, report = read(tmp_path)
    assert [(d.id, d.text) for d in documents] == [("x.jsonl:1", "one"), ("x.jsonl:5", "two")]
    assert sorted(report.skipped.values()) == [1, 2]


def test_what_comes_before_the_damage_is_kept(tmp_path: Path):
    rows = "".join(json.dumps({"text": f"{i} {os.urandom(40).hex()}"}) + "\n" for i in range(2000))
    packed = gzip.compress(rows.encode())
    (tmp_path / "x.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    documents, report = read(tmp_path)
    assert 100 < len(documents) < 2000
    assert report.skipped["damaged or cut short"] == 1


def test_a_line_too_long_to_hold_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rows, "_LONGEST_LINE", 100)
    lines = [json.dumps({"text": "a" * size}) for size in (10, 88, 89, 500, 20)]
    assert [len(line) for line in lines[1:3]] == [100, 101]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    documents, report = read(tmp_path)
    assert [len(d.text) for d in documents] == [10, 20]
    assert list(report.skipped.values()) == [3]
    assert documents[1].id == "x.jsonl:5"


def test_ids_and_names_are_valid_unicode(tmp_path: Path):
    write_lines(tmp_path / "x.jsonl", {"text": "a", "id": "\ud800", "kind": "\udfff"})
    odd_name = os.fsdecode(b"od\xffd.txt")
    try:
        (tmp_path / odd_name).write_text("b")
    except OSError:
        odd_name = ""  # this file system takes no such name
    documents, _ = read(tmp_path)
    assert len(documents) == (2 if odd_name else 1)
    for document in documents:
        assert f"{document.id} {document.kind}".encode()


def test_pipes_links_and_closed_folders_do_not_stop_the_reading(tmp_path: Path):
    (tmp_path / "good.txt").write_bytes(GOOD)
    (tmp_path / "linked.txt").symlink_to(tmp_path / "good.txt")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    documents, report = read(tmp_path)
    assert [d.id for d in documents] == ["good.txt", "linked.txt"]
    assert report.skipped == {"not a regular file": 2, "link to a folder": 1}


@pytest.mark.skipif(not UNPRIVILEGED, reason="the superuser may read everything")
def test_files_that_may_not_be_read_are_counted(tmp_path: Path):
    (tmp_path / "good.txt").write_bytes(GOOD)
    (tmp_path / "closed.txt").write_bytes(GOOD)
    (tmp_path / "closed.txt").chmod(0)
    (tmp_path / "folder").mkdir(mode=0)
    _, report = read(tmp_path)
    (tmp_path / "folder").chmod(0o700)
    assert report.skipped == {"cannot be opened or read": 2}


def test_long_texts_become_several_documents(tmp_path: Path):
    paragraph = "A sentence of a long book, and another one.\n" * 50 + "\n"
    text = paragraph * (2 * LONGEST // len(paragraph) + 3)
    (tmp_path / "book.txt").write_text(text)
    write_lines(tmp_path / "row.jsonl", {"text": text, "id": "b"})
    documents, _ = read(tmp_path)
    assert [d.id for d in documents] == [
        *("book.txt", "book.txt#2", "book.txt#3"),
        *("row.jsonl:1:b", "row.jsonl:1:b#2", "row.jsonl:1:b#3"),
    ]
    for part in (documents[:3], documents[3:]):
        assert "".join(d.text for d in part) == text
        assert all(d.text.endswith("\n\n") for d in part)
        assert all(LONGEST // 2 < len(d.text) <= LONGEST for d in part[:-1])


@given(
    chunks=st.lists(st.text(alphabet="ab \n", max_size=30), max_size=8), longest=st.integers(2, 20)
)
def test_pieces_are_the_text(chunks: list[str], longest: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phinery.data.sources.plaintext.LONGEST", longest)
        pieces = list(split_text(chunks))
    assert "".join(pieces) == "".join(chunks)
    assert all(0 < len(piece) <= longest for piece in pieces)
    assert (len(pieces) == 1) == (0 < len("".join(chunks)) <= longest)


@given(ending=st.sampled_from(ENDINGS), content=st.binary(max_size=200), data=st.data())
def test_no_bytes_crash_a_reader(
    tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes, data: st.DataObject
):
    folder = tmp_path_factory.mktemp("bytes")
    wrap = data.draw(st.sampled_from([bytes, gzip.compress, lambda b: b"# coding: " + b, odd_row]))
    (folder / f"random{ending}").write_bytes(wrap(content))
    (folder / "good.txt").write_bytes(GOOD)
    documents, report = read(folder)
    assert GOOD.decode() in [d.text for d in documents]
    assert report.documents == len(documents)
    for document in documents:
        assert document.text.strip()
        assert document.text.encode()


def odd_row(content: bytes) -> bytes:
    return b'{"text": "' + content + b'", "id": ' + content + b"}\n"


@given(data=st.data())
def test_no_damage_crashes_the_parquet_reader(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    folder = tmp_path_factory.mktemp("parquet")
    file = folder / "x.parquet"
    rows: list[dict[str, Any]] = [
        {"text": f"é{i}" * 9, "id": i, "kind": None, "more": [i]} for i in range(40)
    ]
    pq.write_table(pa.Table.from_pylist(rows), file, compression="zstd")
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, 2 * len(content)))])
    (folder / "good.txt").write_bytes(GOOD)
    documents, _ = read(folder)
    assert documents[0].text == GOOD.decode()


def test_parquet_with_odd_columns(tmp_path: Path):
    table = pa.table(
        {
            "text": pa.array(["a", "b", None]).dictionary_encode(),
            "id": pa.array([1, 2, 3], pa.timestamp("ns")),
            "source": pa.array([b"x", b"\xff", None]),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    documents, report = read(tmp_path)
    assert [(d.id, d.text, d.source) for d in documents] == [
        ("x.parquet:1", "a", "x.parquet"),
        ("x.parquet:2", "b", "x.parquet"),
    ]
    assert report.skipped == {"no string field `text`": 1}
    pq.write_table(pa.table({"content": ["a"]}), tmp_path / "x.parquet")
    (tmp_path / "good.txt").write_bytes(GOOD)
    assert read(tmp_path)[1].skipped == {"no string field `text`": 1}


def test_mistakes_are_told_before_anything_is_read(tmp_path: Path):
    with pytest.raises(ValueError, match="does not exist"):
        read_documents(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no file to read: \.txt, .*\.md.*\.parquet"):
        read_documents(tmp_path)
    (tmp_path / "x.docx").write_bytes(GOOD)
    with pytest.raises(ValueError, match=r"no file to read: \.txt"):
        read_documents(tmp_path / "x.docx")


def test_a_folder_without_a_readable_document_is_an_error(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.jsonl").write_bytes(b"{}\n{}\n")
    with pytest.raises(ValueError, match="no readable document") as caught:
        read(tmp_path)
    for part in (*ENDINGS, "2 no string field", "b.jsonl:1", "1 empty", "a.txt"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_warned_of_when_nothing_is_left_out(tmp_path: Path):
    (tmp_path / "good.txt").write_bytes(GOOD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_documents(tmp_path))) == 1


def test_exact_duplicates_are_dropped_and_counted():
    documents = [Document(str(i), text, "s") for i, text in enumerate("abaca")]
    report = ReadReport()
    assert [d.id for d in unique_documents(documents, report)] == ["0", "1", "3"]
    assert report.skipped == {"exact duplicate": 2}
    assert report.examples == {"exact duplicate": "2"}


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the shared corpora are not on this machine")
def test_real_files_are_read_whole():
    report = ReadReport()
    documents = read_documents(CORPORA / "textbooks", report)
    sizes = [(d.id, len(d.text)) for d in documents]
    assert len(sizes) == 2929
    assert len({name for name, _ in sizes}) == len(sizes)
    assert not report.skipped
    assert sum(size for _, size in sizes) > 50_000_000
