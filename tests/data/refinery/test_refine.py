from __future__ import annotations

import fcntl
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from phinery.data import RefineSettings, RefineSummary, quality_scores, refine, refined_documents
from phinery.data.refinery import refine as refine_module
from phinery.data.refinery.ledger import Ledger
from phinery.evaluate.contamination import tainted_items_of
from phinery.files import read_manifest
from refine_help import contents, texts, write_corpus, write_rows


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refine") / "corpus"
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def refined(corpus: Path) -> RefineSummary:
    return refine(corpus, corpus.parent / "out", settings=RefineSettings(keep=1.0), workers=1)


def test_every_document_is_kept_or_dropped_for_the_right_reason(refined: RefineSummary):
    ledger = refined.ledger
    assert ledger.totals("read").came_in.documents == 355
    dropped = {stage: ledger.totals(stage).dropped for stage in ledger.stages}
    assert dropped["language"]["language de"].documents == 5
    assert sum(c.documents for c in dropped["exact duplicates"].values()) == 20
    assert sum(c.documents for c in dropped["near-duplicates"].values()) == 25
    names = {document.id.split(":")[-1] for document in refined_documents(refined.directory)}
    assert {name for name in names if name.startswith(("german", "junk"))} == set()
    assert len(names) == refined.documents
    # 25 clusters of two near-duplicates: the better of each is there, and one of each copied text.
    pairs = [(f"good-{100 + n}", f"near-{n:02d}") for n in range(20)]
    pairs += [(f"good-{200 + n}", f"secret-{n}") for n in range(5)]
    pairs += [(f"good-{n:03d}", f"copy-{n:02d}") for n in range(20)]
    assert all(len(names & set(pair)) == 1 for pair in pairs)


def test_counts_of_every_source_add_up(refined: RefineSummary):
    shown = json.loads((refined.directory / "ledger.json").read_text())
    Ledger.from_json(shown).check()
    came_in = {name: s["read"]["in"]["documents"] for name, s in shown["sources"].items()}
    assert came_in == {"book0": 150, "book1": 150, "copies": 40, "web": 15}
    kept = [list(stages.values())[-1]["out"] for stages in shown["sources"].values()]
    assert sum(count["documents"] for count in kept) == refined.documents
    documents = list(refined_documents(refined.directory))
    assert sum(count["bytes"] for count in kept) == sum(len(d.text.encode()) for d in documents)
    assert read_manifest(refined.directory)["kind"] == "refined"


def test_private_information_is_masked(refined: RefineSummary):
    assert refined.ledger.masked["email"] == 5
    assert refined.ledger.masked["phone"] == 5
    for document in refined_documents(refined.directory):
        assert "ada.byron" not in document.text
        assert "7946" not in document.text


def test_rows_have_scores_and_are_sorted(refined: RefineSummary):
    table = pq.read_table(refined.directory / "documents-00000.parquet")
    expected = {"id", "text", "source", "url", "language", "educational_value", "teachability"}
    assert expected <= set(table.column_names)
    assert table["id"].to_pylist() == sorted(table["id"].to_pylist())
    scores = quality_scores(table["text"].to_pylist())
    np.testing.assert_array_equal(table["educational_value"].to_numpy(), scores[:, 0])
    np.testing.assert_array_equal(table["teachability"].to_numpy(), scores[:, 1])
    difficulty = table["difficulty"].to_numpy()
    assert 2 < difficulty.mean() < 12
    assert difficulty.std() > 0.5


def test_difficulty_grows_with_words_and_sentences(tmp_path: Path):
    easy = "The cat sat. It was hot. The dog ran to it. We saw the fun. They had a nap. " * 6
    hard = (
        "Notwithstanding considerable methodological heterogeneity, contemporary investigations "
        "of thermodynamic equilibrium characteristically presuppose that macroscopic systems "
        "possess well-defined extensive properties with the consequence of additive entropy. "
    ) * 4
    write_rows(tmp_path / "a.jsonl", [{"id": "easy", "text": easy}, {"id": "hard", "text": hard}])
    settings = RefineSettings(repetition=False, heuristics=False, keep=1.0)
    refine(tmp_path / "a.jsonl", tmp_path / "out", settings=settings, workers=1)
    found = {d.id.split(":")[-1]: d.difficulty for d in refined_documents(tmp_path / "out")}
    assert found["easy"] is not None
    assert found["hard"] is not None
    assert found["easy"] < 3 < 15 < found["hard"]


def test_duplicates_can_be_opened(refined: RefineSummary):
    rows = pq.read_table(refined.directory / "duplicates.parquet").to_pylist()
    near = [row for row in rows if row["kind"] == "near"]
    assert len([row for row in rows if row["kind"] == "exact"]) == 20
    assert len(near) == 25
    assert all(0.6 <= row["agreement"] <= 1 for row in near)
    kept = {document.id for document in refined_documents(refined.directory)}
    assert {row["survivor"] for row in rows} <= kept


def test_samples_show_every_reason(refined: RefineSummary):
    samples = json.loads((refined.directory / "samples.json").read_text())
    ledger = refined.ledger
    reasons = {(s, r) for s in ledger.stages for r in ledger.totals(s).dropped}
    assert {(row["stage"], row["reason"]) for row in samples} == reasons | {("", "")}
    assert all(row["excerpt"] for row in samples)


@pytest.mark.parametrize("workers", [1, 2])
def test_output_is_the_same_however_it_is_made(
    corpus: Path, refined: RefineSummary, tmp_path: Path, workers: int
):
    again = refine(corpus, tmp_path / "out", settings=RefineSettings(keep=1.0), workers=workers)
    assert contents(again.directory) == contents(refined.directory)


def test_an_interrupted_refining_goes_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = RefineSettings(keep=1.0, shard_bytes=100_000)
    whole = refine(corpus, tmp_path / "whole", settings=settings, workers=1)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(refine_module, "gather", stop)
    with pytest.raises(KeyboardInterrupt):
        refine(corpus, tmp_path / "out", settings=settings, workers=1)
    monkeypatch.undo()
    pieces = sorted((tmp_path / "out.work").glob("piece-*"))
    assert len(pieces) > 4
    made = {path: path.stat().st_ino for path in pieces[:-1]}
    shutil.rmtree(pieces[-1])
    with monkeypatch.context() as patch:
        patch.setattr(refine_module, "gather", stop)
        with pytest.raises(KeyboardInterrupt):
            refine(corpus, tmp_path / "out", settings=settings, workers=1)
    assert {path: path.stat().st_ino for path in pieces[:-1]} == made
    assert pieces[-1].is_dir()
    again = refine(corpus, tmp_path / "out", settings=settings, workers=1)
    assert contents(again.directory) == contents(whole.directory)
    assert not (tmp_path / "out.work").exists()


def test_pieces_of_other_settings_are_not_used(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(refine_module, "gather", stop)
        with pytest.raises(KeyboardInterrupt):
            refine(corpus, tmp_path / "out", settings=RefineSettings(privacy=False), workers=1)
    made = refine(corpus, tmp_path / "out", settings=RefineSettings(keep=1.0), workers=1)
    assert made.ledger.masked["email"] == 5


def test_keep_takes_the_best_of_every_source(corpus: Path, refined: RefineSummary, tmp_path: Path):
    half = refine(corpus, tmp_path / "out", settings=RefineSettings(keep=0.5), workers=1)
    before = refined.ledger.account("quality", "book0").went_out.documents
    assert half.ledger.account("quality", "book0").went_out.documents == -(-before // 2)
    kept = {d.id for d in refined_documents(half.directory)}
    rows = pq.read_table(refined.directory / "documents-00000.parquet").to_pylist()
    for source in ("book0", "book1"):
        of_source = [row for row in rows if row["source"] == source]
        mean = {r["id"]: r["educational_value"] + r["teachability"] for r in of_source}
        worst_kept = min(mean[name] for name in mean if name in kept)
        best_dropped = max(mean[name] for name in mean if name not in kept)
        assert worst_kept >= best_dropped


def test_benchmark_items_are_dropped_and_named(tmp_path: Path):
    question = (
        "A farmer has seventeen sheep and all but nine of them run away during the storm, "
        "so how many sheep does the farmer still have in the field afterwards?"
    )
    items = tmp_path / "benchmarks" / "riddles"
    items.mkdir(parents=True)
    unseen = tmp_path / "benchmarks" / "puzzles"
    unseen.mkdir()
    puzzle = question.replace("sheep", "goats").replace("farmer", "shepherd")[40:] + " Count them."
    write_rows(unseen / "test.jsonl", [{"id": "p1", "question": puzzle, "answer": "six"}])
    write_rows(items / "test.jsonl", [{"id": "r1", "question": question, "answer": "nine"}])
    sections = texts()
    rows = [{"id": f"g{n}", "text": sections[n]} for n in range(10)]
    rows.append({"id": "bad", "text": f"{sections[11]}\n\n{question} The answer is nine."})
    write_rows(tmp_path / "in.jsonl", rows)
    settings = RefineSettings(keep=1.0, benchmarks=str(tmp_path / "benchmarks"))
    found = refine(tmp_path / "in.jsonl", tmp_path / "out", settings=settings, workers=1)
    assert found.documents == 10
    tainted = json.loads((found.directory / "tainted.json").read_text())
    ((benchmark, of_benchmark),) = tainted.items()
    assert benchmark == "riddles"
    ((_, documents),) = of_benchmark.items()
    assert [name.split(":")[-1] for name in documents] == ["bad"]
    ledger = json.loads((found.directory / "ledger.json").read_text())
    assert ledger["benchmarks"] == ["puzzles", "riddles"]
    assert ledger["tainted_items"] == {"riddles": 1}
    assert {name: len(ids) for name, ids in (tainted_items_of(found.directory) or {}).items()} == {
        "puzzles": 0,
        "riddles": 1,
    }


def test_reader_faults_are_counted(tmp_path: Path):
    (tmp_path / "in").mkdir()
    write_rows(tmp_path / "in" / "a.jsonl", [{"id": "g", "text": texts()[0]}])
    (tmp_path / "in" / "b.jsonl").write_bytes(b'{"text": 3}\nnot json\n{"text": ""}\n')
    (tmp_path / "in" / "c.xyz").write_bytes(b"?")
    (tmp_path / "in" / "d.jsonl.gz").write_bytes(b"\x1f\x8b damaged")
    found = refine(tmp_path / "in", tmp_path / "out", settings=RefineSettings(), workers=1)
    dropped = found.ledger.totals("read").dropped
    assert sum(count.documents for count in dropped.values()) == 5
    examples = json.loads((found.directory / "ledger.json").read_text())["examples"]
    assert set(examples) == set(dropped)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"keep": 0.0}, "keep is 0"),
        ({"keep": 1.5}, "keep is 1.5"),
        ({"floor": 6.0}, "scores go from 0 to 5"),
        ({"agreement": 0.0}, "agreement"),
        ({"languages": ("english",)}, "ISO 639-1"),
        ({"benchmarks": "/nowhere"}, "no benchmarks at /nowhere"),
        ({"scorer": "/nowhere"}, "no scorer at /nowhere"),
        ({"extractor": "magic"}, "fast and precise"),
        ({"shard_bytes": 0}, "shard_bytes"),
    ],
)
def test_wrong_settings_are_refused(values: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        RefineSettings(**values)  # pyright: ignore[reportArgumentType]


def test_what_no_refining_made_is_not_replaced(corpus: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="holds other things"):
        refine(corpus, tmp_path / "mine", workers=1)
    with pytest.raises(ValueError, match="is a file"):
        refine(corpus, tmp_path / "mine" / "thesis.txt", workers=1)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_output_inside_the_input_is_refused(corpus: Path):
    with pytest.raises(ValueError, match="lies inside"):
        refine(corpus, corpus / "out", workers=1)
    with pytest.raises(ValueError, match="lies inside"):
        refine(corpus.parent, corpus.parent / "another", workers=1)


def test_a_working_directory_of_somebody_else_stays(corpus: Path, tmp_path: Path):
    (tmp_path / "out.work").mkdir()
    (tmp_path / "out.work" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="is in the way"):
        refine(corpus, tmp_path / "out", workers=1)
    assert (tmp_path / "out.work" / "thesis.txt").is_file()


def test_two_refinings_cannot_share_a_directory(corpus: Path, tmp_path: Path):
    lock = (tmp_path / ".out.work.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(ValueError, match="another refining works"):
        refine(corpus, tmp_path / "out", workers=1)
    lock.close()


def test_excerpts_of_dropped_documents_are_masked(tmp_path: Path):
    text = "Kontakt: ada.byron@analytical-engines.com, gern auch abends. " * 10
    rows = [{"id": "de", "text": f"{text}Die Kinder gehen heute mit den Eltern an den See."}]
    rows.append({"id": "g", "text": texts()[0]})
    write_rows(tmp_path / "a.jsonl", rows)
    found = refine(tmp_path / "a.jsonl", tmp_path / "out", workers=1)
    assert "ada.byron" not in (found.directory / "samples.json").read_text()
    assert "Kontakt" in (found.directory / "samples.json").read_text()


def test_an_error_in_a_worker_is_one_line(corpus: Path, tmp_path: Path):
    (tmp_path / "bad.safetensors").write_bytes(b"not a scorer")
    settings = RefineSettings(scorer=str(tmp_path / "bad.safetensors"), shard_bytes=100_000)
    for workers in (1, 2):
        with pytest.raises(ValueError, match=r"bad\.safetensors"):
            refine(corpus, tmp_path / "out", settings=settings, workers=workers)


def test_nothing_to_read_is_said(tmp_path: Path):
    with pytest.raises(ValueError, match="does not exist"):
        refine(tmp_path / "absent", tmp_path / "out", workers=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no file to read"):
        refine(tmp_path / "empty", tmp_path / "out", workers=1)
    with pytest.raises(ValueError, match="nothing to refine"):
        refine([], tmp_path / "out", workers=1)


def test_all_dropped_leaves_an_empty_table(tmp_path: Path):
    write_rows(tmp_path / "in.jsonl", [{"id": "x", "text": "too short"}])
    found = refine(tmp_path / "in.jsonl", tmp_path / "out", workers=1)
    assert found.documents == 0
    assert pq.read_table(tmp_path / "out" / "documents-00000.parquet").num_rows == 0
    assert list(refined_documents(tmp_path / "out")) == []
