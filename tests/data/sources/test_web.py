from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data import Document, ReadReport
from phinery.data.sources import list_inputs, read_input
from phinery.data.sources.warc import read_records
from phinery.data.sources.web import LONGEST_RECORD

CORPORA = Path(__file__).resolve().parents[4] / "shared" / "corpora"

SENTENCE = "A page of running text that is long enough to be taken for the content of it, grüße. "
PAGE = f"<html><body><main><p>{SENTENCE * 3}</p></main></body></html>"
HTML = PAGE.encode()


def record(
    number: int,
    block: bytes,
    kind: str = "response",
    content_type: str = "application/http; msgtype=response",
    extra: str = "",
) -> bytes:
    header = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\n"
        f"WARC-Record-ID: <urn:uuid:{number:08d}-0000-0000-0000-000000000000>\r\n"
        "WARC-Date: 2024-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: https://a.example/{number}\r\n"
        f"Content-Type: {content_type}\r\n{extra}Content-Length: {len(block)}\r\n\r\n"
    )
    return header.encode() + block + b"\r\n\r\n"


def http(body: bytes, headers: str = "", content_type: str = "text/html", status: int = 200):
    line = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{headers}\r\n"
    return line.encode() + body


def chunked(body: bytes) -> bytes:
    half = len(body) // 2
    parts = [b"%x;extension=1\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:])]
    return b"".join(parts) + b"0\r\n\r\n"


def read(path: Path) -> tuple[list[Document], ReadReport]:
    report = ReadReport()
    return [d for source in list_inputs(path, report) for d in read_input(source, report)], report


def read_warc(folder: Path, content: bytes, name: str = "x.warc") -> tuple[list[Document], dict]:
    (folder / name).write_bytes(content)
    documents, report = read(folder / name)
    assert report.documents == len(documents)
    return documents, report.skipped


def test_a_page_brings_its_address_and_its_place(tmp_path: Path):
    (tmp_path / "crawl").mkdir()
    content = record(1, b"software: x", "warcinfo", "application/warc-fields")
    content += record(2, http(HTML)) + record(3, http(HTML))
    (tmp_path / "crawl" / "x.warc.gz").write_bytes(gzip.compress(content))
    documents, report = read(tmp_path)
    assert [d.id for d in documents] == ["crawl/x.warc.gz:2", "crawl/x.warc.gz:3"]
    assert [d.url for d in documents] == ["https://a.example/2", "https://a.example/3"]
    assert {d.source for d in documents} == {"crawl"}
    assert documents[0].text == (SENTENCE * 3).strip()
    assert report.skipped == {"warcinfo record": 1}


BODIES = {
    "plain": ("", HTML),
    "chunked": ("Transfer-Encoding: chunked\r\n", chunked(HTML)),
    "chunked, stored without chunks": ("Transfer-Encoding: chunked\r\n", HTML),
    "gzip": ("Content-Encoding: gzip\r\n", gzip.compress(HTML)),
    "gzip, stored plain": ("content-encoding: GZIP\r\n", HTML),
    "chunked gzip": (
        "Transfer-Encoding: chunked\r\nContent-Encoding: x-gzip\r\n",
        chunked(gzip.compress(HTML)),
    ),
    "zlib": ("Content-Encoding: deflate\r\n", zlib.compress(HTML)),
    "deflate": ("Content-Encoding: deflate\r\n", zlib.compress(HTML)[2:-4]),
    "brotli": ("Content-Encoding: br\r\n", brotli.compress(HTML)),
    "twice": ("Content-Encoding: deflate, gzip\r\n", gzip.compress(zlib.compress(HTML))),
    "identity": ("Content-Encoding: identity\r\n", HTML),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies_come_in_many_forms(tmp_path: Path, case: str):
    headers, body = BODIES[case]
    documents, skipped = read_warc(tmp_path, record(1, http(body, headers)))
    assert [d.text for d in documents] == [(SENTENCE * 3).strip()]
    assert not skipped


LEFT_OUT = {
    "request": (record(1, b"GET / HTTP/1.1\r\n\r\n", "request"), "request record"),
    "revisit": (record(1, http(b""), "revisit"), "revisit record"),
    "metadata": (record(1, b"a: b", "metadata", "application/warc-fields"), "metadata record"),
    "truncated": (
        record(1, http(HTML), extra="WARC-Truncated: length\r\n"),
        "truncated by the crawler",
    ),
    "image": (
        record(1, http(b"\x89PNG", content_type="image/png")),
        "neither HTML nor plain text (image)",
    ),
    "odd type": (
        record(1, http(b"x", content_type="my/kind")),
        "neither HTML nor plain text (other)",
    ),
    "resource": (record(1, b"x", "resource", "image/png"), "neither HTML nor plain text (image)"),
    "not found": (record(1, http(HTML, status=404)), "HTTP status 404"),
    "moved": (record(1, http(b"", "Location: /\r\n", status=301)), "HTTP status 301"),
    "part": (record(1, http(HTML, status=206)), "HTTP status 206"),
    "no HTTP": (record(1, b"\0\1\2 dns"), "no HTTP response"),
    "no headers' end": (record(1, b"HTTP/1.1 200 OK\r\nContent-Type: text/html"), "no HTTP"),
    "no block": (record(1, b""), "empty"),
    "no body": (record(1, http(b"")), "empty"),
    "blank page": (record(1, http(b"<html><body> <br> </body></html>")), "page without text"),
    "PNG posing": (record(1, http(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))), "binary"),
    "bytes posing": (record(1, http(bytes(range(256)) * 20)), "binary"),
    "PDF posing as text": (record(1, http(b"%PDF-1.4 x", content_type="text/plain")), "binary"),
    "broken gzip": (
        record(1, http(gzip.compress(HTML)[:-30], "Content-Encoding: gzip\r\n")),
        "body cut short or damaged",
    ),
    "broken brotli": (
        record(1, http(brotli.compress(HTML)[:-30], "Content-Encoding: br\r\n")),
        "body cut short or damaged",
    ),
    "broken chunks": (
        record(1, http(chunked(HTML)[:-40], "Transfer-Encoding: chunked\r\n")),
        "body cut short or damaged",
    ),
    "unknown encoding": (record(1, http(HTML, "Content-Encoding: zz\r\n")), "not known"),
    "a gzip bomb": (
        record(1, http(gzip.compress(bytes(LONGEST_RECORD + 9)), "Content-Encoding: gzip\r\n")),
        "longer than 32 MiB",
    ),
    "a brotli bomb": (
        record(1, http(brotli.compress(bytes(LONGEST_RECORD + 9)), "Content-Encoding: br\r\n")),
        "longer than 32 MiB",
    ),
    "a long page": (record(1, http(b"<p>text</p>" * 400_000)), "longer than 4 MiB"),
    "no length": (record(1, HTML).replace(b"Content-Length", b"Content-Width"), "damaged"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_left_out_is_counted(tmp_path: Path, case: str, compressed: bool):
    bad, reason = LEFT_OUT[case]
    if compressed:
        content = gzip.compress(bad) + gzip.compress(record(2, http(HTML)))
    else:
        content = record(2, http(HTML)) + bad
    documents, skipped = read_warc(tmp_path, content, "x.warc.gz" if compressed else "x.warc")
    assert [d.text for d in documents] == [(SENTENCE * 3).strip()]
    assert sum(skipped.values()) <= 2
    assert any(reason in found for found in skipped), skipped


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("charset=utf-8", "utf-8"),
        ("charset=ISO-8859-1", "utf-8"),
        ("charset=ISO-8859-1", "cp1252"),
        ("charset=utf-8", "cp1252"),
        ("charset=klingon", "cp1252"),
        ("", "utf-16"),
        ('charset="windows-1252"', "cp1252"),
    ],
)
def test_the_encoding_is_found_whatever_is_declared(tmp_path: Path, charset: str, encoding: str):
    body = http(PAGE.encode(encoding), content_type=f"text/html; {charset}")
    documents, skipped = read_warc(tmp_path, record(1, body))
    assert [d.text for d in documents] == [(SENTENCE * 3).strip()]
    assert not skipped


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("euc-kr", "아파치 웹 서버는 요청을 받아서 문서를 돌려준다. "),
        ("shift_jis", "ウェブサーバは要求を受け取り、文書を返します。"),
        ("iso-2022-jp", "ウェブサーバは要求を受け取り、文書を返します。"),
        ("koi8-r", "Сервер принимает запросы и возвращает документы. "),
        ("gb18030", "服务器接受请求并返回文档。"),
    ],
)
def test_declared_encodings_of_other_scripts(tmp_path: Path, encoding: str, text: str):
    page = f"<html><head><meta charset={encoding}></head><body><p>{text * 9}</p></body></html>"
    documents, _ = read_warc(tmp_path, record(1, http(page.encode(encoding))))
    assert [d.text for d in documents] == [(text * 9).strip()]


def test_texts_of_other_records(tmp_path: Path):
    content = record(1, "Grüße\r\nzwei".encode(), "conversion", "text/plain")
    content += record(2, b"# robots", "resource", "text/plain")
    content += record(3, http("Zoë".encode("cp1252"), content_type="text/plain; charset=latin1"))
    content += record(4, HTML, "resource", "text/html; charset=utf-8")
    for name in ("x.warc.wet.gz", "x.wet", "X.WARC"):
        documents, skipped = read_warc(tmp_path, content, name)
        texts = [d.text for d in documents]
        assert texts == ["Grüße\nzwei", "# robots", "Zoë", (SENTENCE * 3).strip()]
        assert not skipped


def test_a_long_text_becomes_several_documents(tmp_path: Path):
    text = ("word " * 20 + "\n\n") * 25_000
    documents, _ = read_warc(tmp_path, record(1, text.encode(), "conversion", "text/plain"))
    assert [d.id for d in documents] == ["x.warc:1", "x.warc:1#2", "x.warc:1#3"]
    assert "".join(d.text for d in documents) == text


MEMBERS = [gzip.compress(record(i, http(HTML))) for i in range(5)]


def ids(documents: list[Document]) -> list[str | None]:
    return [d.url.rpartition("/")[2] for d in documents if d.url]


def test_damage_in_the_middle_costs_what_is_damaged(tmp_path: Path):
    bad = bytearray(MEMBERS[2])
    bad[len(bad) // 2] ^= 0xFF
    bad[len(bad) // 2 + 1] ^= 0xFF
    documents, skipped = read_warc(
        tmp_path, b"".join([*MEMBERS[:2], bad, *MEMBERS[3:]]), "x.warc.gz"
    )
    assert ids(documents) == ["0", "1", "3", "4"]
    assert skipped == {"damaged or cut short": 1}


def test_a_wrong_checksum_is_damage(tmp_path: Path):
    bad = bytearray(MEMBERS[0])
    bad[-6] ^= 1
    documents, skipped = read_warc(tmp_path, bytes(bad) + MEMBERS[1], "x.warc.gz")
    assert ids(documents) == ["1"]
    assert skipped == {"damaged or cut short": 1}


def test_garbage_between_members_is_counted_once(tmp_path: Path):
    content = MEMBERS[0] + b"garbage \x1f\x8b\x08 more garbage" * 50 + MEMBERS[1]
    documents, skipped = read_warc(tmp_path, content, "x.warc.gz")
    assert ids(documents) == ["0", "1"]
    assert skipped == {"damaged or cut short": 1}


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_short_is_told(tmp_path: Path, share: float, compressed: bool):
    last = MEMBERS[1] if compressed else record(1, http(HTML))
    first = MEMBERS[0] if compressed else record(0, http(HTML))
    content = first + last[: max(1, int(share * (len(last) - 4)))]
    documents, skipped = read_warc(tmp_path, content, "x.warc.gz" if compressed else "x.warc")
    assert ids(documents) == ["0"]
    assert skipped == {"damaged or cut short": 1}


def test_files_that_are_none(tmp_path: Path):
    assert read_warc(tmp_path, b"") == ([], {"empty": 1})
    assert read_warc(tmp_path, b"hello world " * 100) == ([], {"damaged or cut short": 1})
    assert read_warc(tmp_path, b"hello world " * 100, "x.warc.gz")[1] == {"damaged or cut short": 1}
    assert read_warc(tmp_path, record(1, http(HTML)), "x.warc.gz")[1] == {}


@given(data=st.data(), compressed=st.booleans())
def test_no_damage_is_fatal_or_silent(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, compressed: bool
):
    content = bytearray(
        b"".join(MEMBERS) if compressed else b"".join(map(gzip.decompress, MEMBERS))
    )
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    folder = tmp_path_factory.mktemp("warc")
    documents, skipped = read_warc(folder, bytes(content[:end]), "x.warc.gz")
    assert len({d.id for d in documents}) == len(documents)
    if not documents:
        assert skipped


def test_a_record_larger_than_memory_may_be_is_counted(tmp_path: Path):
    huge = 200_000_000
    head = record(1, b"", "conversion", "text/plain").replace(
        b"Content-Length: 0", f"Content-Length: {huge}".encode()
    )[:-4]
    path = tmp_path / "x.warc"
    with path.open("wb") as file:
        file.write(head)
        for _ in range(200):
            file.write(b"0123456789" * 100_000)
        file.write(b"\r\n\r\n" + record(2, http(HTML)))
    tracemalloc.start()
    documents, report = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ids(documents) == ["2"]
    assert report.skipped == {"longer than 32 MiB": 1}
    assert peak < 8_000_000


def test_html_files_and_folders(tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.html").write_bytes(HTML)
    (tmp_path / "site" / "b.HTM").write_bytes(PAGE.encode("utf-16"))
    (tmp_path / "site" / "c.html").write_bytes(b"")
    (tmp_path / "site" / "d.html").write_bytes(b"\x89PNG" + bytes(100))
    (tmp_path / "site" / "e.html").write_bytes(b"<p>x</p>" * 600_000)
    (tmp_path / "site" / "f.html").write_bytes(b"<p></p>")
    documents, report = read(tmp_path)
    text = (SENTENCE * 3).strip()
    assert documents == [
        Document("site/a.html", text, "site"),
        Document("site/b.HTM", text, "site"),
    ]
    assert report.skipped == {
        "empty": 1,
        "binary, not text": 1,
        "longer than 4 MiB": 1,
        "page without text": 1,
    }


# File -> documents and all records, as FastWARC's own iterator counts them.
REAL = {
    "boost-website.repacked.warc.gz": (269, 282),
    "cc-licensed-pages.repacked.warc.gz": (22, 22),
    "httpd-manual.repacked.warc.gz": (786, 786),
    "real/BL-20140325121225068-00000-32090_opera_8443.warc.gz": (34, 190),
    "real/flashfrozen-jwat-recompressed.warc.gz": (4, 82),
    "real/iana.warc.gz": (16, 343),
    "real/main-page.warc.gz": (6, 151),
    "real/sopa-wikipedia-homepage.warc.gz": (6, 164),
    "real/whirlwind.warc.gz": (1, 4),
    "real/whirlwind.warc.wet.gz": (1, 2),
}


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the shared corpora are not here")
@pytest.mark.parametrize("name", REAL)
def test_every_record_of_real_files_is_read_or_counted(name: str):
    from fastwarc.warc import ArchiveIterator

    with (CORPORA / "warc" / name).open("rb") as file:
        records = sum(1 for _ in ArchiveIterator(file, parse_http=False))
    documents, report = read(CORPORA / "warc" / name)
    assert report.documents + sum(report.skipped.values()) == records
    assert (report.documents, records) == REAL[name]
    assert len({d.id for d in documents}) == len(documents)
    assert not any("damaged" in reason or "status 2" in reason for reason in report.skipped)


class FailingFile(io.RawIOBase):
    """Gives what it holds, then the connection breaks."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        if not data:
            raise ConnectionResetError("gone")
        return data


@pytest.mark.parametrize("compressed", [False, True])
def test_a_connection_that_breaks_is_an_error_after_the_records_before(compressed: bool):
    content = MEMBERS[0] + MEMBERS[1] if compressed else b"".join(map(gzip.decompress, MEMBERS[:2]))
    records = read_records(
        FailingFile(content[:-20]),  # pyright: ignore[reportArgumentType]
        types=frozenset({"response"}),
        longest=2**20,
    )
    first = next(records)
    assert first.is_complete
    assert first.block == http(HTML)
    with pytest.raises(ConnectionResetError):
        for found in records:
            assert not found.is_complete
