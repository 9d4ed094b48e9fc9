"""Token shards: documents as flat files of token ids, with a manifest that says what they are."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from phinery.data.document import Document
from phinery.data.heldout import is_held_out
from phinery.files import ManifestError, atomic_directory, read_manifest
from phinery.text import Tokenizer, available_cores

KIND = "token-shards"
SPLITS = ("train", "heldout")
OTHER_SOURCES = "(other sources)"
_DTYPES = {"uint16": np.dtype("<u2"), "uint32": np.dtype("<u4")}
_BATCH_CHARACTERS = 2**20
_MOST_SOURCES = 1000
_MOST_OPEN = 256
_CHUNK = 2**20

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass
class Counts:
    """Documents, their tokens (an end of text for each among them) and their UTF-8 bytes."""

    documents: int = 0
    tokens: int = 0
    bytes: int = 0

    def add(self, *, tokens: int, size: int) -> None:
        """Count a document."""
        self.documents += 1
        self.tokens += tokens
        self.bytes += size


@dataclass
class SplitCounts(Counts):
    """What a split holds, in all and by source."""

    sources: dict[str, Counts] = field(default_factory=dict[str, Counts])

    def of_source(self, source: str) -> Counts:
        """The counts of a source; beyond 1,000 of them the further ones are counted as one."""
        if source not in self.sources and len(self.sources) >= _MOST_SOURCES:
            source = OTHER_SOURCES
        return self.sources.setdefault(source, Counts())


@dataclass(frozen=True)
class ShardsSummary:
    """What `write_shards` wrote."""

    directory: Path
    dtype: str
    train: SplitCounts
    heldout: SplitCounts


class _SplitWriter:
    """Appends token ids to a split's files, `shard_tokens` to each but the last."""

    def __init__(self, directory: Path, dtype: np.dtype[Any], shard_tokens: int) -> None:
        self._directory = directory
        self._dtype = dtype
        self._shard_tokens = shard_tokens
        self._written = 0
        self._file: BinaryIO | None = None

    def write(self, ids: NDArray[np.uint32]) -> None:
        tokens = ids.astype(self._dtype)
        while len(tokens):
            number, offset = divmod(self._written, self._shard_tokens)
            if offset == 0:
                self.close()
                self._directory.mkdir(exist_ok=True)
                self._file = _shard_path(self._directory, number).open("wb")
            assert self._file is not None
            part = tokens[: self._shard_tokens - offset]
            self._file.write(part.tobytes())
            self._written += len(part)
            tokens = tokens[len(part) :]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def write_shards(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    directory: str | Path,
    *,
    shard_tokens: int = 2**24,
    heldout_share: float = 0.01,
    held_out: Callable[[Document], bool] | None = None,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **manifest_fields: Any,
) -> ShardsSummary:
    """Encode documents, each followed by the end-of-text token, into `directory`, or replace it.

    `is_held_out` of its text decides whether a document goes to "train" or "heldout", or `held_out`
    of the document, if given (the manifest then still says `heldout_share`, the share that was
    aimed at); the order stays. `workers` threads encode, by default one for each core that this
    process may use; the files are the same with any number. `on_progress` is told the documents and
    bytes done so far after every batch; `manifest_fields` are written into the manifest. Documents
    are held in memory a batch of a million characters for each worker and one more. Raises
    ValueError for a share outside [0, 1], for text that is not valid Unicode and when `directory`
    holds something else than shards; then what was there stays as it was.
    """
    if workers is None:
        workers = available_cores()
    if workers < 1:
        raise ValueError(f"workers is {workers}, but one at least must do the work")
    if not 0 <= heldout_share <= 1:
        raise ValueError(f"the held-out share is {heldout_share}, but must be between 0 and 1")
    if shard_tokens < 1:
        raise ValueError(f"shard_tokens is {shard_tokens}, but a shard holds one token at least")
    decide = held_out or partial(_is_text_held_out, heldout_share)
    directory = Path(directory)
    _check_replaceable(directory)
    dtype = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    counts = {split: SplitCounts() for split in SPLITS}
    splits: dict[str, Any] = {}  # filled before the manifest is written, when the body has ended
    known = {
        "kind": KIND,
        "dtype": dtype,
        "vocab_size": tokenizer.vocab_size,
        "eos_token_id": tokenizer.eos_token_id,
        "tokenizer_sha256": tokenizer.sha256,
        "shard_tokens": shard_tokens,
        "heldout_share": heldout_share,
        "splits": splits,
    }
    taken = sorted({*known, "files"} & {*manifest_fields})
    if taken:
        raise ValueError(f"the manifest of shards has fields of its own called {', '.join(taken)}")
    with atomic_directory(directory, **known, **manifest_fields) as temporary:
        writers = {
            split: _SplitWriter(temporary / split, _DTYPES[dtype], shard_tokens) for split in SPLITS
        }
        try:
            encode = partial(_encode_batch, tokenizer, decide)
            for batch in _map_in_order(encode, _batches(documents), workers):
                _write_batch(batch, writers, counts)
                if on_progress is not None:
                    totals = counts.values()
                    on_progress(sum(c.documents for c in totals), sum(c.bytes for c in totals))
        finally:
            for writer in writers.values():
                writer.close()
        splits.update({split: asdict(count) for split, count in counts.items()})
    return ShardsSummary(directory, dtype, counts["train"], counts["heldout"])


def _check_replaceable(directory: Path) -> None:
    """What may be replaced is nothing, an empty directory, and shards of our own."""
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    try:
        is_ours = read_manifest(directory, verify=False).get("kind") == KIND
    except ManifestError:
        is_ours = False
    if not is_ours:
        raise ValueError(f"{directory} holds something else than token shards: name another place")


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text) + 100  # many tiny documents are a full batch as well
        if characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _is_text_held_out(share: float, document: Document) -> bool:
    return is_held_out(document.text, share=share)


@dataclass(frozen=True)
class _EncodedDocument:
    split: str
    source: str
    size: int
    """Bytes of the text."""
    ids: NDArray[np.uint32]


def _encode_batch(
    tokenizer: Tokenizer, held_out: Callable[[Document], bool], batch: list[Document]
) -> list[_EncodedDocument]:
    encoded = tokenizer.encode_arrays([document.text for document in batch])
    assert all((ids != tokenizer.eos_token_id).all() for ids in encoded)
    return [
        _EncodedDocument(
            "heldout" if held_out(document) else "train",
            document.source,
            len(document.text) if document.text.isascii() else len(document.text.encode()),
            np.append(ids, np.uint32(tokenizer.eos_token_id)),
        )
        for document, ids in zip(batch, encoded, strict=True)
    ]


def _map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Iterator[_Result]:
    """What `function` makes of each item, in threads, few items ahead of what has been taken."""
    if workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[_Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _write_batch(
    batch: list[_EncodedDocument],
    writers: Mapping[str, _SplitWriter],
    counts: Mapping[str, SplitCounts],
) -> None:
    for document in batch:
        for count in (counts[document.split], counts[document.split].of_source(document.source)):
            count.add(tokens=len(document.ids), size=document.size)
    for split, writer in writers.items():
        arrays = [document.ids for document in batch if document.split == split]
        if arrays:
            writer.write(np.concatenate(arrays))


def _shard_path(directory: Path, number: int) -> Path:
    return directory / f"tokens-{number:05}.bin"


class TokenShards:
    """A split of token shards, read from the disk where it is asked for. Make one with `open`."""

    def __init__(self, directory: Path, split: str, manifest: Mapping[str, Any]) -> None:
        """Read what the manifest says; ManifestError when it contradicts itself or its files."""
        self.directory = directory
        self.split = split
        self.manifest = manifest
        try:
            counts = manifest["splits"][split]
            self._dtype = _DTYPES[manifest["dtype"]]
            self._shard_tokens = int(manifest["shard_tokens"])
            self.num_documents = int(counts["documents"])
            self.num_tokens = int(counts["tokens"])
            self.num_bytes = int(counts["bytes"])
            self.vocab_size = int(manifest["vocab_size"])
            self.eos_token_id = int(manifest["eos_token_id"])
            self._check_files(manifest["files"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ManifestError(
                f"{directory / 'manifest.json'} is damaged ({type(error).__name__}: {error}): "
                "write the shards again"
            ) from error
        self._opened: OrderedDict[int, NDArray[np.integer]] = OrderedDict()

    @classmethod
    def open(
        cls,
        directory: str | Path,
        split: str = "train",
        *,
        tokenizer: Tokenizer | None = None,
        verify: bool = True,
    ) -> TokenShards:
        """Open a split, "train" or "heldout", that `write_shards` wrote.

        All files' checksums are verified (with `verify=False` only their sizes), and that they were
        encoded with `tokenizer`, if given. Raises ManifestError, a ValueError, when something is
        missing, cut short, altered, or encoded with another tokenizer.
        """
        directory = Path(directory)
        if split not in SPLITS:
            raise ValueError(f"there is no split {split!r}: train and heldout exist")
        manifest = read_manifest(directory, verify=verify)
        if manifest.get("kind") != KIND:
            raise ManifestError(f"{directory} does not hold token shards, by its manifest")
        if tokenizer is not None and manifest.get("tokenizer_sha256") != tokenizer.sha256:
            raise ManifestError(
                f"{directory} was encoded with another tokenizer: write the shards again"
            )
        return cls(directory, split, manifest)

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Token ids from `start` to before `stop`; ValueError when they reach out of the split."""
        if not 0 <= start <= stop <= self.num_tokens:
            raise ValueError(
                f"tokens {start} to {stop} are not in a split that holds {self.num_tokens}"
            )
        tokens = np.empty(stop - start, dtype=np.int64)
        place = start
        while place < stop:
            number, offset = divmod(place, self._shard_tokens)
            part = self._shard(number)[offset : offset + stop - place]
            tokens[place - start : place - start + len(part)] = part
            place += len(part)
        return tokens

    def documents(self) -> Iterator[NDArray[np.int64]]:
        """The ids of every document, without its end of text."""
        held: list[NDArray[np.int64]] = []
        for start in range(0, self.num_tokens, _CHUNK):
            chunk = self.read(start, min(start + _CHUNK, self.num_tokens))
            ends = np.flatnonzero(chunk == self.eos_token_id)
            pieces = np.split(chunk, ends + 1)
            for piece in pieces[:-1]:
                yield np.concatenate([*held, piece[:-1]])
                held = []
            held.append(pieces[-1])

    def _shard(self, number: int) -> NDArray[np.integer]:
        if number in self._opened:
            self._opened.move_to_end(number)
        else:
            # A mapping holds a file open, and a process may only have so many.
            if len(self._opened) >= _MOST_OPEN:
                self._opened.popitem(last=False)
            path = _shard_path(self.directory / self.split, number)
            self._opened[number] = np.memmap(path, dtype=self._dtype, mode="r")
        return self._opened[number]

    def _check_files(self, files: Mapping[str, Mapping[str, int]]) -> None:
        """The files that the manifest lists must be those that its counts need."""
        listed = {name: entry["bytes"] for name, entry in files.items()}
        found = {name: size for name, size in listed.items() if name.startswith(f"{self.split}/")}
        needed: dict[str, int] = {}
        for number, start in enumerate(range(0, self.num_tokens, self._shard_tokens)):
            name = _shard_path(Path(self.split), number).as_posix()
            tokens = min(self._shard_tokens, self.num_tokens - start)
            needed[name] = tokens * self._dtype.itemsize
        if found != needed:
            raise ValueError(f"its {self.split} files do not hold {self.num_tokens} tokens")
