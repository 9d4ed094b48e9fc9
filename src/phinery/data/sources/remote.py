"""Files that are elsewhere: listed and opened like those on disk."""

from __future__ import annotations

import gzip
import http.client
import io
import os
import urllib.parse
import urllib.request
import zlib
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from phinery.data.document import ReadReport
from phinery.data.sources.inputs import Input, find_files
from phinery.data.sources.plaintext import CANNOT_READ, UnreadableError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, S3FileSystem

DAMAGED = "damaged or cut short"

_TIMEOUT = 60  # seconds without a byte
_CHUNK = 2**20


def find_inputs(path: str, report: ReadReport) -> list[Input]:
    """Every file at or below a path or address, sorted by name, whatever its ending.

    Raises ValueError when nothing is there or the place does not answer.
    """
    scheme = _scheme(path)
    if scheme == "s3":
        return _find_s3(path, report)
    if scheme == "hf":
        return _find_hub(path, report)
    if scheme in ("http", "https"):
        name = PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(path).path)).name
        if not name:
            raise ValueError(f"{path} names no file: give the address of one file of documents")
        return [Input(path, name, name)]
    return find_files(path, report)


@contextmanager
def opened(source: Input, *, seekable: bool = False) -> Generator[BinaryIO]:
    """The bytes of a file; `seekable` copies what comes over HTTP to a temporary file.

    Whatever fails while it is open becomes an UnreadableError, a reason for a ReadReport.
    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(_open(source.location))
            if seekable and _scheme(source.location) in ("http", "https"):
                copy = stack.enter_context(TemporaryFile())
                while chunk := file.read(_CHUNK):
                    copy.write(chunk)
                copy.seek(0)
                file = cast("BinaryIO", copy)
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableError(DAMAGED) from error
    except (OSError, http.client.HTTPException) as error:
        raise UnreadableError(CANNOT_READ) from error


def _scheme(location: str) -> str:
    scheme, mark, _ = location.partition("://")
    return scheme.lower() if mark else ""


def _open(location: str) -> BinaryIO:
    match _scheme(location):
        case "s3":
            file = _s3().open_input_file(location.removeprefix("s3://"))
            # Arrow's own file has no lines.
            return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", file), _CHUNK))
        case "http" | "https":
            return _open_http(location)
        case "hf":
            return _open_hub(location)
        case _:
            return Path(location).open("rb")


# --- HTTP


class _Body(io.RawIOBase):
    """A response's body; a connection that breaks is an error instead of an early end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        count = self._response.readinto(buffer)
        # The response keeps what is still to come of the length that it announced.
        if count == 0 and len(buffer) and self._response.length:
            raise EOFError("the connection ended before the file did")
        return count

    def close(self) -> None:
        self._response.close()
        super().close()


def _open_http(location: str) -> BinaryIO:
    request = urllib.request.Request(
        location, headers={"User-Agent": "phinery", "Accept-Encoding": "gzip"}
    )
    response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    body = io.BufferedReader(_Body(response), _CHUNK)
    encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    path = urllib.parse.urlsplit(location).path.lower()
    # Servers announce a .gz file itself as content that is encoded with gzip: then it stays so.
    if encoding in ("gzip", "x-gzip") and not path.endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=body))
    if encoding not in ("identity", "gzip", "x-gzip"):
        body.close()
        raise OSError(f"{location} came in an encoding that was not asked for: {encoding}")
    return cast("BinaryIO", body)


# --- S3


def _s3() -> S3FileSystem:
    """With credentials and region from the AWS variables and files, at AWS_ENDPOINT_URL if set."""
    from pyarrow.fs import S3FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return S3FileSystem(request_timeout=_TIMEOUT, connect_timeout=_TIMEOUT)
    scheme, mark, address = endpoint.partition("://")
    return S3FileSystem(
        endpoint_override=address if mark else endpoint,
        scheme=scheme if mark else "https",
        # Servers other than Amazon's have no region to look up.
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        request_timeout=_TIMEOUT,
        connect_timeout=_TIMEOUT,
    )


def _find_s3(path: str, report: ReadReport) -> list[Input]:
    from pyarrow.fs import FileSelector, FileType

    place = path.removeprefix("s3://").rstrip("/")
    if not place:
        raise ValueError(f"{path} names no bucket: write s3://BUCKET or s3://BUCKET/PREFIX")
    filesystem = _s3()
    try:
        info = filesystem.get_file_info(place)
        if info.type == FileType.File:
            return [Input(path, info.base_name, info.base_name)]
        # Like S3's own listing, a prefix may end within a name.
        folder = place if info.type == FileType.Directory else place.rpartition("/")[0]
        found = cast(
            "list[FileInfo]",
            filesystem.get_file_info(FileSelector(folder, recursive=True)) if folder else [],
        )
    except OSError as error:
        raise ValueError(f"{path} cannot be listed: {_first_line(error)}") from error
    names = [
        info.path.removeprefix(f"{folder}/")
        for info in found
        if info.type == FileType.File and (folder == place or info.path.startswith(place))
    ]
    if not names:
        raise ValueError(f"{path} does not exist: give a bucket, a prefix or a file in it")
    return _below(f"s3://{folder}", names, folder.rpartition("/")[2], report)


# --- the hub


def _find_hub(path: str, report: ReadReport) -> list[Input]:
    from huggingface_hub import HfApi, errors

    repository, revision, below = _hub_address(path)
    try:
        names = HfApi().list_repo_files(repository, revision=revision, repo_type="dataset")
    # HTTPError is the HTTP client's own; which client that is differs by huggingface_hub's version.
    except (
        errors.HFValidationError,
        errors.OfflineModeIsEnabled,
        OSError,
        errors.HTTPError,  # pyright: ignore[reportPrivateImportUsage]
    ) as error:
        raise ValueError(f"{path} cannot be listed: {_first_line(error)}") from error
    root = f"hf://datasets/{repository}" + (f"@{revision}" if revision else "")
    if below in names:
        name = PurePosixPath(below).name
        return [Input(f"{root}/{below}", name, repository.rpartition("/")[2])]
    prefix = f"{below}/" if below else ""
    names = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    if not names:
        raise ValueError(f"{path} has no files: look at the data set's list of files")
    found = _below(f"{root}/{below}".rstrip("/"), names, "", report)
    return [Input(i.location, i.name, repository.rpartition("/")[2]) for i in found]


def _open_hub(location: str) -> BinaryIO:
    from huggingface_hub import errors, hf_hub_download

    repository, revision, name = _hub_address(location)
    try:
        return Path(hf_hub_download(repository, name, revision=revision, repo_type="dataset")).open(
            "rb"
        )
    except (errors.LocalEntryNotFoundError, errors.HTTPError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise OSError(f"{location} cannot be fetched") from error


def _hub_address(path: str) -> tuple[str, str | None, str]:
    """Repository, revision and path in it, of hf://datasets/ORG/NAME[@REVISION][/PATH]."""
    kind, _, rest = path.removeprefix("hf://").partition("/")
    parts = rest.strip("/").split("/", 2)
    if kind != "datasets" or len(parts) < 2 or not all(parts[:2]):
        raise ValueError(f"{path} is no data set: write hf://datasets/ORGANISATION/NAME[/PATH]")
    name, _, revision = parts[1].partition("@")
    return f"{parts[0]}/{name}", revision or None, parts[2] if len(parts) == 3 else ""


def is_hub(source: Input) -> bool:
    """Whether a file belongs to a data set of the hub, which is one collection."""
    return _scheme(source.location) == "hf"


def _below(root: str, names: list[str], loose: str, report: ReadReport) -> list[Input]:
    """Files by their names below a root; `loose` is the source of those in no folder."""
    found: list[Input] = []
    for name in sorted(names):
        if any(part.startswith(".") for part in name.split("/")):
            report.skip("hidden", name)
        else:
            folder = name.partition("/")[0] if "/" in name else loose
            found.append(Input(f"{root}/{name}", name, folder))
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
