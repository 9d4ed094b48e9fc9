from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.data import Document, TokenShards, is_held_out, shards, write_shards
from phinery.files import ManifestError, write_manifest
from phinery.text import Tokenizer
from text_help import EOS, codegen_backend


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_backend(codegen_backend())


@pytest.fixture(scope="module")
def large_tokenizer() -> Tokenizer:
    """More tokens than uint16 has numbers; the last is used."""
    backend = codegen_backend()
    missing = 2**16 + 1 - backend.get_vocab_size()
    backend.add_tokens([f"\u4e00{number}\u4e01" for number in range(missing)])
    return Tokenizer.from_backend(backend)


def documents_of(texts: Iterable[str], sources: str = "ab") -> list[Document]:
    return [
        Document(f"d{number}", text, sources[number % len(sources)])
        for number, text in enumerate(texts)
    ]


def texts_in(opened: TokenShards, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.decode(ids.tolist()) for ids in opened.documents()]


some_texts = st.lists(
    st.one_of(st.text(max_size=30), st.sampled_from([EOS, f"a {EOS} b", "the " * 20, ""])),
    max_size=25,
)


@settings(max_examples=25)
@given(texts=some_texts, shard_tokens=st.integers(8, 80), share=st.sampled_from([0, 0.3, 1]))
def test_documents_come_back_in_order(
    tokenizer: Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    shard_tokens: int,
    share: float,
):
    folder = tmp_path_factory.mktemp("shards") / "s"
    summary = write_shards(
        documents_of(texts), tokenizer, folder, shard_tokens=shard_tokens, heldout_share=share
    )
    for split, counts in (("train", summary.train), ("heldout", summary.heldout)):
        wanted = [text for text in texts if is_held_out(text, share=share) == (split == "heldout")]
        opened = TokenShards.open(folder, split, tokenizer=tokenizer)
        assert texts_in(opened, tokenizer) == wanted
        ids = [token for text in wanted for token in [*tokenizer.encode(text), opened.eos_token_id]]
        assert opened.read(0, opened.num_tokens).tolist() == ids
        assert opened.num_tokens == counts.tokens == len(ids)
        assert opened.num_documents == counts.documents == len(wanted)
        assert opened.num_bytes == counts.bytes == sum(len(text.encode()) for text in wanted)
        sizes = [file.stat().st_size for file in sorted((folder / split).glob("*.bin"))]
        assert all(size == 2 * shard_tokens for size in sizes[:-1])
        assert sum(sizes) == 2 * len(ids)


@pytest.mark.parametrize("shard_tokens", [1, 7, 30, 1000])
def test_any_range_can_be_read(tokenizer: Tokenizer, tmp_path: Path, shard_tokens: int):
    documents = documents_of(["some text of the first", "more"])
    write_shards(documents, tokenizer, tmp_path / "s", shard_tokens=shard_tokens, heldout_share=0)
    opened = TokenShards.open(tmp_path / "s")
    everything = [
        token for d in documents for token in [*tokenizer.encode(d.text), opened.eos_token_id]
    ]
    for start in range(opened.num_tokens + 1):
        for stop in range(start, opened.num_tokens + 1):
            part = opened.read(start, stop)
            assert part.dtype == np.int64
            assert part.tolist() == everything[start:stop]


def test_ranges_outside_are_refused(tokenizer: Tokenizer, tmp_path: Path):
    write_shards(documents_of(["text"]), tokenizer, tmp_path / "s", heldout_share=0)
    opened = TokenShards.open(tmp_path / "s")
    for start, stop in ((-1, 1), (2, 1), (0, opened.num_tokens + 1)):
        with pytest.raises(ValueError, match="are not in a split that holds"):
            opened.read(start, stop)


def test_large_vocabularies_take_four_bytes(
    tokenizer: Tokenizer, large_tokenizer: Tokenizer, tmp_path: Path
):
    last = large_tokenizer.vocab_size - 1
    assert last == 2**16
    text = f"a {large_tokenizer.token_bytes(last).decode()} b"
    assert last in large_tokenizer.encode(text)
    for used, dtype, size in ((tokenizer, "uint16", 2), (large_tokenizer, "uint32", 4)):
        summary = write_shards(documents_of([text]), used, tmp_path / "s", heldout_share=0)
        assert summary.dtype == dtype
        opened = TokenShards.open(tmp_path / "s", tokenizer=used)
        assert texts_in(opened, used) == [text]
        assert opened.vocab_size == used.vocab_size
        file = tmp_path / "s" / "train" / "tokens-00000.bin"
        assert file.stat().st_size == size * opened.num_tokens


def test_the_file_format_is_flat_little_endian(tokenizer: Tokenizer, tmp_path: Path):
    write_shards(documents_of(["the weather"]), tokenizer, tmp_path / "s", heldout_share=0)
    content = (tmp_path / "s" / "train" / "tokens-00000.bin").read_bytes()
    ids = [*tokenizer.encode("the weather"), tokenizer.eos_token_id]
    assert content == b"".join(token.to_bytes(2, "little") for token in ids)


def test_the_manifest_says_what_is_there(tokenizer: Tokenizer, tmp_path: Path):
    texts = [f"document number {number}" for number in range(40)]
    write_shards(
        documents_of(texts), tokenizer, tmp_path / "s", heldout_share=0.25, stage={"seed": 3}
    )
    manifest = json.loads((tmp_path / "s" / "manifest.json").read_text())
    assert manifest["stage"] == {"seed": 3}
    assert manifest["tokenizer_sha256"] == tokenizer.sha256
    assert manifest["eos_token_id"] == tokenizer.eos_token_id
    assert (manifest["kind"], manifest["dtype"]) == ("token-shards", "uint16")
    for counts in manifest["splits"].values():
        for name in ("documents", "tokens", "bytes"):
            assert counts[name] == sum(source[name] for source in counts["sources"].values())
            assert counts[name] > 0
        assert set(counts["sources"]) == {"a", "b"}
    assert sum(counts["documents"] for counts in manifest["splits"].values()) == 40
    assert set(manifest["files"]) == {"train/tokens-00000.bin", "heldout/tokens-00000.bin"}


def test_too_many_sources_are_counted_together(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shards, "_MOST_SOURCES", 2)
    documents = documents_of("abcdefgh", sources="stuv")
    summary = write_shards(documents, tokenizer, tmp_path / "s", heldout_share=0)
    counts = {name: count.documents for name, count in summary.train.sources.items()}
    assert counts == {"s": 2, "t": 2, "(other sources)": 4}


def test_fields_of_the_manifest_cannot_be_taken(tokenizer: Tokenizer, tmp_path: Path):
    with pytest.raises(ValueError, match="fields of its own called dtype, files"):
        write_shards([], tokenizer, tmp_path / "s", dtype="int4", files=3, mine=1)
    with pytest.raises(ValueError, match="one token at least"):
        write_shards([], tokenizer, tmp_path / "s", shard_tokens=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_documents_are_taken_in_batches_and_progress_told(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
):
    monkeypatch.setattr(shards, "_BATCH_CHARACTERS", 1000)
    taken: list[int] = []
    told: list[tuple[int, int]] = []

    def documents() -> Iterable[Document]:
        for number in range(50):
            taken.append(number)
            # What was taken and not yet told of is what is held in memory.
            ahead = 1 if workers == 1 else workers + 1
            assert len(taken) - (told[-1][0] if told else 0) <= 4 * ahead + 1
            yield Document(str(number), "x" * 200, "s")

    write_shards(
        documents(),
        tokenizer,
        tmp_path / "s",
        workers=workers,
        on_progress=lambda *n: told.append(n),
    )
    assert told[-1] == (50, 50 * 200)
    assert told == sorted(told)
    assert len(told) >= 10


def test_the_files_are_the_same_with_any_number_of_workers(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shards, "_BATCH_CHARACTERS", 500)
    texts = [f"{'    ' * (n % 7)}document {n} of {EOS}\x00\n\n{'é' * n}" for n in range(120)]
    files: list[dict[str, bytes]] = []
    for workers in (1, 2, 5, None):
        folder = tmp_path / str(workers)
        write_shards(
            documents_of(texts),
            tokenizer,
            folder,
            shard_tokens=700,
            heldout_share=0.2,
            workers=workers,
        )
        assert texts_in(TokenShards.open(folder, "heldout"), tokenizer)
        files.append(
            {
                str(path.relative_to(folder)): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file()
            }
        )
    assert len(files[0]) > 8
    assert all(other == files[0] for other in files)
    with pytest.raises(ValueError, match="workers is 0"):
        write_shards([], tokenizer, tmp_path / "s", workers=0)


def test_what_is_held_out_can_be_decided_otherwise(tokenizer: Tokenizer, tmp_path: Path):
    texts = [f"document {number}" for number in range(20)]
    write_shards(
        documents_of(texts),
        tokenizer,
        tmp_path / "s",
        held_out=lambda document: int(document.id[1:]) % 5 == 0,
    )
    assert texts_in(TokenShards.open(tmp_path / "s", "heldout"), tokenizer) == texts[::5]
    train = texts_in(TokenShards.open(tmp_path / "s"), tokenizer)
    assert train == [text for number, text in enumerate(texts) if number % 5]


def test_a_failing_reader_leaves_the_old_shards(tokenizer: Tokenizer, tmp_path: Path):
    write_shards(documents_of(["old"]), tokenizer, tmp_path / "s", heldout_share=0)

    def documents() -> Iterable[Document]:
        yield Document("1", "new", "s")
        raise ValueError("the disk is gone")

    with pytest.raises(ValueError, match="the disk is gone"):
        write_shards(documents(), tokenizer, tmp_path / "s", heldout_share=0)
    with pytest.raises(ValueError, match="lone surrogate"):
        write_shards(documents_of(["new", "\ud800"]), tokenizer, tmp_path / "s", heldout_share=0)
    with pytest.raises(ValueError, match="held-out share"):
        write_shards(documents_of(["new"]), tokenizer, tmp_path / "s", heldout_share=2)
    assert texts_in(TokenShards.open(tmp_path / "s"), tokenizer) == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["s"], "nothing is left behind"
    write_shards(documents_of(["new"]), tokenizer, tmp_path / "s", heldout_share=0)
    assert texts_in(TokenShards.open(tmp_path / "s"), tokenizer) == ["new"]


def test_other_peoples_folders_are_not_replaced(tokenizer: Tokenizer, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for _ in range(2):
        with pytest.raises(ValueError, match="something else than token shards"):
            write_shards(documents_of(["new"]), tokenizer, tmp_path)
        write_manifest(tmp_path, kind="model")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    write_shards(documents_of(["new"]), tokenizer, tmp_path / "empty", heldout_share=0)
    assert TokenShards.open(tmp_path / "empty").num_documents == 1


@pytest.fixture
def written(tokenizer: Tokenizer, tmp_path: Path) -> Path:
    texts = [f"document number {number}" for number in range(40)]
    write_shards(
        documents_of(texts), tokenizer, tmp_path / "s", shard_tokens=64, heldout_share=0.25
    )
    return tmp_path / "s"


def refused(folder: Path, split: str = "train", **options: Any) -> str:
    with pytest.raises(ManifestError) as caught:
        TokenShards.open(folder, split, **options)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_every_damage_to_a_file_is_refused(written: Path):
    file = written / "train" / "tokens-00001.bin"
    content = file.read_bytes()
    for broken in (content[:-1], content[:-2], content + b"\0\0", b"", content[:-1] + b"\xff"):
        file.write_bytes(broken)
        assert "tokens-00001.bin" in refused(written)
        assert "tokens-00001.bin" in refused(written, "heldout"), "a set of shards is whole or not"
    file.unlink()
    assert "tokens-00001.bin is missing" in refused(written)


def test_without_verifying_sizes_are_still_checked(written: Path):
    file = written / "train" / "tokens-00000.bin"
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)
    assert "corrupt" in refused(written)
    assert TokenShards.open(written, verify=False).num_tokens > 0
    file.write_bytes(content[:-2])
    refused(written, verify=False)


def test_an_unfinished_or_foreign_folder_is_refused(written: Path, tmp_path: Path):
    (written / "manifest.json").unlink()
    assert "no manifest.json" in refused(written)
    assert "no manifest.json" in refused(tmp_path / "nowhere")
    write_manifest(written, kind="model")
    assert "does not hold token shards" in refused(written)
    with pytest.raises(ValueError, match="train and heldout exist"):
        TokenShards.open(written, "test")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dtype", "int4"),
        ("dtype", "uint32"),
        ("dtype", ["uint16"]),
        ("shard_tokens", 63),
        ("shard_tokens", 0),
        ("shard_tokens", None),
        ("splits", {}),
        ("splits", None),
        ("splits", {"train": {"documents": 1, "tokens": 1, "bytes": 1}}),
        ("vocab_size", "many"),
        ("eos_token_id", None),
    ],
)
def test_a_manifest_that_contradicts_its_files_is_refused(written: Path, field: str, value: Any):
    manifest = json.loads((written / "manifest.json").read_text())
    (written / "manifest.json").write_text(json.dumps({**manifest, field: value}))
    assert "manifest.json is damaged" in refused(written)


def test_missing_and_extra_files_in_the_manifest_are_refused(written: Path):
    manifest = json.loads((written / "manifest.json").read_text())
    listed = manifest.pop("files")
    first = listed.pop("train/tokens-00000.bin")
    (written / "manifest.json").write_text(json.dumps({**manifest, "files": listed}))
    assert "do not hold" in refused(written)
    listed["train/tokens-00000.bin"] = first
    shutil.copy(written / "train" / "tokens-00000.bin", written / "train" / "tokens-00099.bin")
    listed["train/tokens-00099.bin"] = first
    (written / "manifest.json").write_text(json.dumps({**manifest, "files": listed}))
    assert "do not hold" in refused(written)


def test_another_tokenizer_is_refused(written: Path, tokenizer: Tokenizer):
    backend = tokenizers.Tokenizer.from_str(tokenizer._backend.to_str())
    backend.add_tokens(["another"])
    other = Tokenizer.from_backend(backend)
    assert "encoded with another tokenizer" in refused(written, tokenizer=other)
    assert TokenShards.open(written, tokenizer=tokenizer).num_tokens > 0


def test_more_shards_than_files_may_be_open(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shards, "_MOST_OPEN", 3)
    text = "every token in a file of its own"
    write_shards(documents_of([text]), tokenizer, tmp_path / "s", shard_tokens=1, heldout_share=0)
    opened = TokenShards.open(tmp_path / "s")
    everything = opened.read(0, opened.num_tokens).tolist()
    assert opened.num_tokens > 6
    for place in (0, 5, 1, 4, 2, 3, 0, 5):
        assert opened.read(place, place + 1).tolist() == [everything[place]]
        assert len(opened._opened) <= 3


def test_documents_longer_than_a_reading_come_whole(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    texts = ["short", "the longest of all documents " * 20, "", "last"]
    write_shards(documents_of(texts), tokenizer, tmp_path / "s", heldout_share=0)
    opened = TokenShards.open(tmp_path / "s")
    for chunk in (1, 2, 7, 1000):
        monkeypatch.setattr(shards, "_CHUNK", chunk)
        assert texts_in(opened, tokenizer) == texts
