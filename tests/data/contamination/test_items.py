import gzip
import json

import pytest

from phinery.data.contamination import LAYOUTS, Item, as_item, read_items


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "\n".join(json.dumps(row) for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_a_folder_is_read_by_benchmark_configuration_and_split(tmp_path):
    write(tmp_path / "piqa" / "test.jsonl.gz", [{"goal": "g", "sol1": "a", "sol2": "b"}] * 2)
    write(tmp_path / "gsm8k" / "main" / "test.jsonl.gz", [{"question": "q", "answer": "a"}])
    write(tmp_path / "mmlu" / "law" / "dev.jsonl.gz", [{"question": "q", "choices": ["a", "b"]}])
    write(tmp_path / "mmlu" / "art" / "dev.jsonl.gz", [{"question": "r", "choices": ["c", "d"]}])
    write(tmp_path / "ours.jsonl", [{"text": "t"}])
    (tmp_path / "README.md").write_text("not an item")
    found = [(item.benchmark, item.id) for item in read_items(tmp_path)]
    assert found == [
        ("gsm8k", "test:0"),
        ("mmlu", "art/dev:0"),
        ("mmlu", "law/dev:0"),
        ("ours", "ours:0"),
        ("piqa", "test:0"),
        ("piqa", "test:1"),
    ]


def test_a_single_file_is_a_benchmark_of_its_name(tmp_path):
    write(tmp_path / "exam.jsonl", [{"text": "one"}, {"text": "two"}])
    assert [(i.benchmark, i.id) for i in read_items(tmp_path / "exam.jsonl")] == [
        ("exam", "exam:0"),
        ("exam", "exam:1"),
    ]


def test_items_keep_ids_of_their_own():
    row = {"id": "M_1", "question": "Why?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}}
    assert as_item(row, "arc_easy", "test:7") == Item("arc_easy", "M_1", ("Why?",), ("a", "b"))
    assert as_item({"task_id": 601, "text": "t", "code": "c"}, "mbpp", "test:0").id == "601"


@pytest.mark.parametrize(
    ("benchmark", "row", "expected"),
    [
        (
            "winogrande",
            {"sentence": "Ann met Bea and _ left.", "option1": "Ann", "option2": "Bea"},
            Item(
                "winogrande",
                "test:0",
                (
                    "Ann met Bea and _ left.",
                    "Ann met Bea and Ann left.",
                    "Ann met Bea and Bea left.",
                ),
            ),
        ),
        (
            "squadv2",
            {"id": "x", "context": "C.", "question": "Q?", "answers": {"text": ["a", "a", "b"]}},
            Item("squadv2", "x", ("Q?",), ("a", "b"), ("C.",)),
        ),
        (
            "boolq",
            {"question": "is it", "passage": "It is."},
            Item("boolq", "test:0", ("is it",), ("yes", "no"), ("It is.",)),
        ),
        (
            "gsm8k",
            {"question": "q", "answer": "It is 2*3=<<2*3=6>>6."},
            Item("gsm8k", "test:0", ("q",), ("It is 2*3=<<2*3=6>>6.", "It is 2*3=6.")),
        ),
        (
            "mmlu",
            {
                "question": "This question refers to the following information.\nS\nT\nQ?",
                "choices": ["a", "b"],
            },
            Item("mmlu", "test:0", ("Q?",), ("a", "b"), ("\nS\nT",)),
        ),
        (
            "humaneval",
            {"task_id": "H/0", "prompt": "def f():\n", "canonical_solution": "    return 1\n"},
            Item("humaneval", "H/0", ("def f():\n",), code=("def f():\n    return 1\n",)),
        ),
        (
            "stereoset",
            {"id": "s", "context": "It is BLANK.", "sentences": {"sentence": ["It is x.", "y"]}},
            Item("stereoset", "s", ("It is x.", "y"), ("It is x.", "y")),
        ),
        (
            "stereoset",
            {"id": "s", "context": "It is.", "sentences": {"sentence": ["Is it?", "y"]}},
            Item("stereoset", "s", ("It is.",), ("Is it?", "y")),
        ),
        (
            "crows_pairs",
            {"id": 4, "sent_more": "m", "sent_less": "l"},
            Item("crows_pairs", "4", ("m", "l")),
        ),
        (
            "bbq",
            {"context": "C.", "question": "Q?", "ans0": "a", "ans1": "b", "ans2": "a"},
            Item("bbq", "test:0", ("C. Q?",), ("a", "b")),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fields_become_questions_answers_passages_and_code(benchmark, row, expected):
    assert as_item(row, benchmark, "test:0") == expected


def test_an_unknown_benchmark_has_every_string_as_a_question():
    row = {"prompt": "p", "score": 3, "inner": {"list": ["x", 1, None, "y"]}}
    assert as_item(row, "mine", "dev:3") == Item("mine", "dev:3", ("p", "x", "y", "p x y"))
    # And so has a row whose known fields are absent.
    assert as_item({"other": "o"}, "piqa", "dev:0").questions == ("o", "o")


@pytest.mark.parametrize("benchmark", LAYOUTS)
@pytest.mark.parametrize("row", [{}, {"question": None}, {"text": 3}, {"choices": {"text": {}}}])
def test_rows_with_missing_and_odd_fields_are_items(benchmark, row):
    assert as_item(row, benchmark, "test:0").benchmark == benchmark


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff{}", b'"text"'])
def test_lines_that_are_no_objects_are_refused(tmp_path, line):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"{}\n" + line)
    with pytest.raises(ValueError, match=r"bad\.jsonl is not JSON, an object a line"):
        list(read_items(path))


def test_damaged_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 1000)[:-10])
    with pytest.raises(ValueError, match=r"cut\.jsonl\.gz"):
        list(read_items(path))
    with pytest.raises(ValueError, match=r"has no \.jsonl"):
        list(read_items(tmp_path / "nowhere"))
