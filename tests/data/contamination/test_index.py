import json
import random

import numpy as np
import pytest

from phinery.data.contamination import (
    COMMON,
    BenchmarkIndex,
    Hit,
    Item,
    excerpt,
    tainted_items,
)
from phinery.files import ManifestError

WORDS = [f"{a}{b}{c}" for a in ("ba", "de", "ki") for b in ("lo", "mu", "ra") for c in "nstvz"]
SOLUTION = """
def count_pairs(values, total):
    seen = set()
    pairs = 0
    for value in values:
        if total - value in seen:
            pairs += 1
        seen.add(value)
    return pairs
"""


def sentence(count, seed):
    """That many words in an order of their own, which no other seed has."""
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(count))


def page(*pieces, seed=1000):
    """Prose with the pieces between its sentences."""
    return f"{sentence(50, seed)}. " + ". ".join(
        f"{piece}. {sentence(40, seed + at)}" for at, piece in enumerate(pieces, 1)
    )


def hits(index, *texts):
    return [[(h.item, h.kind, round(h.share, 3)) for h in found] for found in index.check(texts)]


def test_any_run_of_13_words_of_a_question_tells():
    question = sentence(26, 1)
    words = question.split()
    index = BenchmarkIndex.of([Item("b", "i", (question,))])
    run, short = " ".join(words[4:17]), " ".join(words[4:16])
    apart = " ".join([*words[:13], "between", *words[13:]])
    assert hits(index, page(question), page(run), page(short), page(apart), "", page()) == [
        [("i", "13-gram", 1.0)],
        [("i", "13-gram", 0.5)],
        [],
        [("i", "13-gram", 1.0)],
        [],
        [],
    ]


def test_the_share_counts_every_word_once():
    words = sentence(40, 19).split()
    index = BenchmarkIndex.of([Item("b", "i", (" ".join(words),))])
    text = page(" ".join(words[:15]), " ".join(words[25:]), " ".join(words[:14]))
    assert hits(index, text) == [[("i", "13-gram", 0.75)]]


def test_case_punctuation_and_line_breaks_do_not_count():
    question = sentence(20, 2)
    index = BenchmarkIndex.of([Item("b", "i", (question,))])
    written = "\n".join(f"{word.upper()}, " for word in question.split())
    assert hits(index, page(written)) == [[("i", "13-gram", 1.0)]]


def test_runs_do_not_go_on_into_the_next_text():
    words = sentence(20, 3).split()
    index = BenchmarkIndex.of([Item("b", "long", (" ".join(words),))])
    assert hits(index, " ".join(words[:12]), " ".join(words[12:])) == [[], []]
    short = sentence(10, 4).split()
    index = BenchmarkIndex.of([Item("b", "short", (" ".join(short),))])
    assert hits(index, " ".join(short[:9]), " ".join(short[9:])) == [[], []]
    assert hits(index, " ".join(short)) == [[("short", "short item", 1.0)]]


@pytest.mark.parametrize("count", [8, 9, 11, 12])
def test_questions_of_8_to_12_words_are_found_whole(count):
    question = sentence(count, count)
    words = question.split()
    index = BenchmarkIndex.of([Item("b", "i", (question,))])
    found = hits(index, page(question), page(" ".join(words[1:])), page(" ".join(words[:-1])))
    assert found == [[("i", "short item", 1.0)], [], []]


def test_questions_below_8_words_are_found_with_an_answer_alone():
    question, answers = sentence(5, 5), (sentence(3, 6), sentence(2, 7), "no")
    index = BenchmarkIndex.of([Item("b", "i", (question,), answers)])
    forms = [f"{question}? {answers[0]}"]
    forms += [f"{question}? Answer: {answers[1]}", f"{question}\nA: {answers[0]}"]
    forms += [f"{question}\n(A) {answers[0]}\n(B) {answers[1]}\n(C) no"]
    forms += [f"{question}\n1. {answers[0]}\n2. {answers[1]}\n3. no"]
    forms += [" ".join([question, *answers]), f"{question} (b) {answers[1]}"]
    assert all(hits(index, page(form))[0] for form in forms)
    assert hits(index, page(question), page(*answers), page(f"{question} no")) == [[], [], []]
    assert index.unfindable == {}


def test_items_too_short_for_anything_are_counted():
    items = [Item("b", "i", ("what is it",), ("cat",)), Item("b", "j", (sentence(9, 8),))]
    index = BenchmarkIndex.of(items)
    assert index.unfindable == {"b": 1}
    assert index.items == {"b": 2}
    assert len(index) == 2


def test_questions_below_8_words_are_found_with_their_code():
    question = "write a function that counts pairs"
    index = BenchmarkIndex.of([Item("b", "i", (question,), code=("def f(a, b):\n  return a + b",))])
    assert (
        hits(index, page(f"{question}\ndef f(a, b):\n  return a + b")) == [[("i", "13-gram", 1.0)]]
        or hits(index, page(f"{question}\ndef f(a, b):\n  return a + b"))[0]
    )
    assert hits(index, page("def f(a, b):\n  return a + b")) == [[]]


def test_passages_are_told_apart_and_do_not_taint():
    passage, first, second = sentence(60, 9), sentence(9, 10), sentence(15, 11)
    items = [
        Item("b", "i", (first,), passages=(passage,)),
        Item("b", "j", (second,), (), (passage,)),
    ]
    index = BenchmarkIndex.of(items)
    half = " ".join(passage.split()[:30])
    [found] = index.check([page(half)])
    assert [(hit.item, hit.kind, hit.share) for hit in found] == [
        ("i", "passage", 0.5),
        ("j", "passage", 0.5),
    ]
    assert not any(hit.taints for hit in found)
    [found] = index.check([page(passage, second)])
    assert [(hit.item, hit.kind) for hit in found if hit.taints] == [("j", "13-gram")]


def test_runs_of_many_items_tell_nothing_but_whole_items_are_found():
    task = sentence(30, 12)
    items = [Item("b", f"{n:02}", (f"{task} {sentence(3, 100 + n)}",)) for n in range(COMMON + 1)]
    assert len(hits(BenchmarkIndex.of(items[:-1]), page(task))[0]) == COMMON
    index = BenchmarkIndex.of(items)
    assert hits(index, page(task)) == [[]]
    # The runs that reach into an item's last words are its own.
    assert [found[0] for found in hits(index, page(items[4].questions[0]))[0]] == ["04"]
    # A question of whose runs none is its own is found whole.
    tails = [Item("b", f"{n:02}", (f"{n} {task} {n}",)) for n in range(COMMON + 1)]
    same = [Item("b", f"same {n}", (task + " 0",)) for n in range(COMMON + 1)]
    index = BenchmarkIndex.of([*tails, *same])
    assert len(hits(index, page(f"0 {task} 0"))[0]) >= 1


def test_rows_of_numbers_and_formulas_tell_nothing_but_whole_items_are_found():
    primes = "2 3 5 7 11 13 17 19 23 29 31 37 41 43 47"
    question = f"{primes} 53"
    index = BenchmarkIndex.of([Item("b", "i", (question,), ("59",))])
    assert hits(index, page(primes), page(question)) == [[], [("i", "13-gram", 1.0)]]


def test_hits_tell_where():
    question = sentence(16, 13)
    index = BenchmarkIndex.of([Item("b", "i", (question,))])
    text = page(question.capitalize())
    [[hit]] = index.check([text])
    assert hit == Hit("b", "i", "13-gram", 1.0, 50)
    assert excerpt(text, hit.word, 16).lstrip(". ") == question.capitalize()
    assert excerpt("one two", 1) == "two"
    assert excerpt("", 0) == ""


def test_an_item_is_one_hit_of_the_greatest_share():
    question = sentence(20, 14)
    index = BenchmarkIndex.of([Item("b", "i", (question, question + " " + sentence(20, 15)))])
    assert hits(index, page(question)) == [[("i", "13-gram", 1.0)]]


def test_code_is_compared_where_it_stands():
    items = [Item("b", "i", (sentence(20, 16),), code=(SOLUTION,))]
    index = BenchmarkIndex.of(items)
    renamed = SOLUTION.replace("value", "number").replace("pairs", "n")
    texts = [renamed, renamed, f"See:\n```\n{renamed}```\n"]
    found = index.check(texts, kinds=["code", None, None])
    assert [[(hit.kind, hit.share, hit.word) for hit in one] for one in found] == [
        [("code", 1.0, 2)],
        [],
        [("code", 1.0, 4)],
    ]
    with pytest.raises(ValueError, match="3 texts and 1 kinds"):
        index.check(texts, kinds=["code"])


def test_many_texts_at_once_are_as_each_alone():
    questions = [sentence(count, 200 + count) for count in range(8, 40)]
    items = [Item("b", f"{n:02}", (q,), (sentence(3, n),)) for n, q in enumerate(questions)]
    index = BenchmarkIndex.of(items)
    rng = random.Random(17)
    texts = [page(*rng.sample(questions, rng.randrange(4)), seed=n * 10) for n in range(300)]
    texts.insert(5, sentence(400_000, 18))  # longer than what is looked at together
    together = index.check(texts)
    assert together == [index.check([text])[0] for text in texts]
    assert sum(map(len, together)) > 300


def test_a_saved_index_finds_the_same(tmp_path):
    questions = [sentence(count, 300 + count) for count in range(4, 30)]
    items = [
        Item("b", f"{n:02}", (q,), (sentence(4, n),), (sentence(30, 400 + n),), (SOLUTION,))
        for n, q in enumerate(questions)
    ]
    index = BenchmarkIndex.of(items)
    index.save(tmp_path / "index")
    loaded = BenchmarkIndex.load(tmp_path / "index")
    texts = [page(*questions), page(*(sentence(30, 400 + n) for n in range(9))), SOLUTION]
    kinds = [None, None, "code"]
    assert loaded.check(texts, kinds=kinds) == index.check(texts, kinds=kinds)
    assert len(loaded.check(texts, kinds=kinds)[2]) == len(items)
    assert (loaded.items, loaded.unfindable) == (index.items, index.unfindable)
    index.save(tmp_path / "again")
    for name in ("index.safetensors", "items.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "index" / name).read_bytes()


def test_damaged_indexes_are_refused(tmp_path):
    with pytest.raises(ManifestError):
        BenchmarkIndex.load(tmp_path / "none")
    BenchmarkIndex.of([Item("b", "i", (sentence(20, 1),))]).save(tmp_path / "index")
    (tmp_path / "index" / "items.json").write_text("{}")
    with pytest.raises(ManifestError):
        BenchmarkIndex.load(tmp_path / "index")


def test_no_items_and_no_texts():
    index = BenchmarkIndex.of([])
    assert index.check([sentence(30, 1), "", "def f(): 1"]) == [[], [], []]
    assert index.check([]) == []
    assert index.items == {}


def test_several_folders_and_files_make_one_index(tmp_path):
    row = {"goal": sentence(20, 1), "sol1": "a", "sol2": "b"}
    (tmp_path / "all" / "piqa").mkdir(parents=True)
    (tmp_path / "all" / "piqa" / "test.jsonl").write_text(json.dumps(row))
    (tmp_path / "mine.jsonl").write_text(json.dumps({"exam": sentence(20, 2)}))
    index = BenchmarkIndex.from_directory(tmp_path / "all", tmp_path / "mine.jsonl")
    [found] = index.check([page(sentence(20, 2), sentence(20, 1))])
    assert [(hit.benchmark, hit.item) for hit in found] == [("mine", "mine:0"), ("piqa", "test:0")]


def test_tainted_items_name_their_documents():
    def hit(item, kind="13-gram", benchmark="b"):
        return Hit(benchmark, item, kind, 1.0, 0)

    found = [
        ("d2", [hit("2"), hit("1")]),
        ("d1", [hit("2"), hit("2", "code"), hit("3", "passage"), hit("9", "short item", "a")]),
        ("d3", []),
    ]
    assert tainted_items(found) == {"a": {"9": ["d1"]}, "b": {"1": ["d2"], "2": ["d1", "d2"]}}
    assert list(tainted_items(found)) == ["a", "b"]


def test_random_text_of_the_same_words_is_not_taken_for_items():
    items = [Item("b", str(n), (sentence(n % 30 + 8, 500 + n),)) for n in range(2000)]
    index = BenchmarkIndex.of(items)
    texts = [sentence(300, 10_000 + n) for n in range(500)]
    assert np.sum([len(found) for found in index.check(texts)]) == 0
