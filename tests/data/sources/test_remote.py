"""The same documents from a real S3 server, a real web server and a hub, all on this machine."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phinery.data import Document, ReadReport
from phinery.data.sources import Input, list_inputs, read_documents, read_input

ROWS = [{"id": f"r{i}", "text": f"text {i} of the rows é"} for i in range(500)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
PAGE = b"<html><body><main><p>" + b"A page of running text, long enough. " * 9 + b"</p></main>"
BLOCK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
WARC = gzip.compress(
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://a.example/\r\n"
    b"Content-Type: application/http; msgtype=response\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n"
    % (len(BLOCK), BLOCK)
)


def files(folder: Path) -> dict[str, bytes]:
    table = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), table)
    return {
        "a.txt": "Grüße\r\n".encode(),
        "rows.jsonl": LINES,
        "rows.jsonl.gz": gzip.compress(LINES),
        "rows.parquet": table.read_bytes(),
        "crawl/x.warc.gz": WARC,
        "crawl/page.html": PAGE,
        "notes.docx": b"x",
        ".hidden/b.txt": b"x",
    }


def written(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(path: str | Path) -> tuple[list[Document], ReadReport]:
    report = ReadReport()
    return list(read_documents(path, report)), report


# --- S3


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server in a process of its own: Arrow's client and Python's would share one GIL."""
    code = (
        "from moto.server import ThreadedMotoServer; import time\n"
        "server = ThreadedMotoServer('127.0.0.1', 0, verbose=False); server.start()\n"
        "print(server.get_host_and_port()[1], flush=True); time.sleep(3600)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    server.kill()
    server.communicate()


@pytest.fixture
def bucket(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bucket "corpus" with the files under "in/", and the same files on disk."""
    from pyarrow.fs import S3FileSystem

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    filesystem = S3FileSystem(
        endpoint_override=s3.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    filesystem.create_dir("corpus")
    contents = files(tmp_path)
    for name, content in contents.items():
        with filesystem.open_output_stream(f"corpus/in/{name}", compression=None) as file:
            file.write(content)
    return written(tmp_path / "in", contents)


def test_s3_gives_what_the_disk_gives(bucket: Path):
    here, there = read(bucket), read("s3://corpus/in")
    assert there[1].skipped == here[1].skipped
    assert there[0] == here[0]
    assert len(there[0]) == 3 * len(ROWS) + 3
    assert there[1].skipped["other file ending"] == 1
    assert there[1].skipped["hidden"] == 1
    inputs = list_inputs("s3://corpus/in/")
    assert inputs[0] == Input("s3://corpus/in/a.txt", "a.txt", "in")
    assert inputs[1] == Input("s3://corpus/in/crawl/page.html", "crawl/page.html", "crawl")


def test_s3_files_and_prefixes(bucket: Path):
    assert [i.name for i in list_inputs("s3://corpus/in/rows.jsonl")] == ["rows.jsonl"]
    assert [i.name for i in list_inputs("s3://corpus/in/row")] == [
        "rows.jsonl",
        "rows.jsonl.gz",
        "rows.parquet",
    ]
    with pytest.raises(ValueError, match=r"s3://corpus/in/zzz does not exist"):
        list_inputs("s3://corpus/in/zzz")
    with pytest.raises(ValueError, match="names no bucket"):
        list_inputs("s3://")
    with pytest.raises(ValueError, match="s3://nowhere/x"):
        list_inputs("s3://nowhere/x")


def test_an_s3_file_that_went_away_is_counted(bucket: Path):
    report = ReadReport()
    assert not list(read_input(Input("s3://corpus/in/gone.txt", "gone.txt", "in"), report))
    assert report.skipped == {"cannot be opened or read": 1}


# --- HTTP


class Web(BaseHTTPRequestHandler):
    """/redirect/NAME moves, /gzip/NAME compresses, /cut/NAME breaks off, /NAME answers."""

    contents: dict[str, bytes]

    def do_GET(self) -> None:
        way, _, name = self.path.partition("?")[0].strip("/").partition("/")
        if way == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/plain/{name}")
            self.end_headers()
            return
        if name not in self.contents:
            self.send_error(404)
            return
        body = self.contents[name]
        self.send_response(200)
        if way == "gzip":
            body = gzip.compress(body)
        if way in ("gzip", "labelled"):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if way == "cut" else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    handler = type("Handler", (Web,), {"contents": files(tmp_path)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("way", ["plain", "redirect", "gzip"])
def test_http_gives_what_the_disk_gives(web: str, way: str, tmp_path: Path):
    folder = written(tmp_path / "in", files(tmp_path))
    for name in ("a.txt", "rows.jsonl", "rows.parquet", "crawl/page.html"):
        assert read(f"{web}/{way}/{name}?key=1")[0] == read(folder / name)[0]


def test_compressed_files_over_http(web: str, tmp_path: Path):
    folder = written(tmp_path / "in", files(tmp_path))
    for way in ("plain", "labelled"):  # the file's own compression, called the transfer's
        for name in ("rows.jsonl.gz", "crawl/x.warc.gz"):
            assert read(f"{web}/{way}/{name}")[0] == read(folder / name)[0]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "crawl/x.warc.gz"])
def test_a_connection_that_ends_early_is_told(web: str, name: str):
    report = ReadReport()
    [source] = list_inputs(f"{web}/cut/{name}")
    documents = list(read_input(source, report))
    assert len(documents) < 500
    assert report.skipped["damaged or cut short"] >= 1


def test_http_mistakes(web: str):
    [source] = list_inputs(f"{web}/plain/none.txt")
    report = ReadReport()
    assert not list(read_input(source, report))
    assert report.skipped == {"cannot be opened or read": 1}
    with pytest.raises(ValueError, match="names no file"):
        list_inputs(f"{web}/")
    with pytest.raises(ValueError, match="no file to read"):
        list_inputs(f"{web}/plain/notes.docx")


# --- the hub


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that lists and serves a data set's files."""

    contents: dict[str, bytes]
    commit = "1" * 40

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/datasets/house/words/tree/"):
            body = json.dumps(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": "2" * 40}
                    for name, content in self.contents.items()
                ]
            ).encode()
        else:
            name = path.removeprefix("/datasets/house/words/resolve/").partition("/")[2]
            if name not in self.contents:
                self.send_error(404)
                return
            body = self.contents[name]
        self.send_response(200)
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", '"3"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_hub_data_set_is_one_collection(tmp_path: Path):
    handler = type("Handler", (Hub,), {"contents": {"data/train-00000.jsonl": LINES, "R.md": b"#"}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    code = (
        "from phinery.data.sources import list_inputs, read_documents\n"
        "print(list_inputs('hf://datasets/house/words@main/data'))\n"
        "documents = list(read_documents('hf://datasets/house/words/data'))\n"
        "print(len(documents), documents[1].id, documents[1].source)\n"
        "print([i.name for i in list_inputs('hf://datasets/house/words')])\n"
        "try: list_inputs('hf://datasets/house/words/none')\n"
        "except ValueError as error: print(error)\n"
        "try: list_inputs('hf://datasets/house/absent')\n"
        "except ValueError as error: print(error)"
    )
    environment = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    lines = ended.stdout.splitlines()
    location = "hf://datasets/house/words@main/data/train-00000.jsonl"
    assert lines[0] == str([Input(location, "train-00000.jsonl", "words")])
    assert lines[1] == "500 train-00000.jsonl:2:r1 words"
    assert lines[2] == "['R.md', 'data/train-00000.jsonl']"
    assert "has no files" in lines[3]
    assert "hf://datasets/house/absent cannot be listed" in lines[4]


def test_hub_addresses_are_checked():
    for address in ("hf://models/a/b", "hf://datasets/a", "hf://"):
        with pytest.raises(ValueError, match="write hf://datasets/ORGANISATION/NAME"):
            list_inputs(address)
