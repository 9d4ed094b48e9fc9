"""Real benchmarks in real pages: a small edition of benchmarks/contamination.py."""

import gzip
import json
import random
from pathlib import Path

import pytest

from phinery.data.contamination import SHORTEST, BenchmarkIndex, read_items
from phinery.data.words import hash_words

SHARED = Path(__file__).resolve().parents[4] / "shared"
ITEMS_OF_A_BENCHMARK = 40

pytestmark = pytest.mark.skipif(
    not (SHARED / "benchmarks").is_dir(), reason=f"{SHARED} has no benchmarks"
)


@pytest.fixture(scope="module")
def items():
    return list(read_items(SHARED / "benchmarks"))


@pytest.fixture(scope="module")
def index(items):
    return BenchmarkIndex.of(items)


def texts_of(name):
    with gzip.open(SHARED / "corpora" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def test_every_item_has_an_id_of_its_own(items):
    names = {(item.benchmark, item.id) for item in items}
    assert len(names) == len(items) > 60_000
    assert len({item.benchmark for item in items}) == 25


def test_items_planted_whole_are_found(items, index):
    rng = random.Random(31)
    pages = [text[:4000] for text in texts_of("web/stackexchange")]
    groups = {}
    for item in items:
        groups.setdefault(item.benchmark, []).append(item)
    planted = []
    for group in groups.values():
        for item in rng.sample(group, ITEMS_OF_A_BENCHMARK):
            question = rng.choice(item.questions)
            labelled = [f"{'ABCDEFGHIJKLMNOP'[n]}. {a}" for n, a in enumerate(item.answers[:16])]
            forms = ["\n".join([question, *labelled])]
            if item.answers:
                forms.append(f"{question}\nAnswer: {rng.choice(item.answers)}")
            elif item.code:
                forms = [f"{question}\n{item.code[0]}"]
            planted += [(item, f"{rng.choice(pages)}\n\n{form}\n\nEnd.", form) for form in forms]
    lengths = hash_words([form for _, _, form in planted])
    long_enough = [n >= SHORTEST for n in (lengths.offsets[1:] - lengths.offsets[:-1]).tolist()]
    checked = index.check([text for _, text, _ in planted])
    missed = [
        (item.benchmark, item.id)
        for (item, _, _), hits, is_long in zip(planted, checked, long_enough, strict=True)
        if is_long
        and not any(h.taints and (h.benchmark, h.item) == (item.benchmark, item.id) for h in hits)
    ]
    assert sum(long_enough) > 1200
    assert missed == []


def test_textbooks_hold_next_to_none(index):
    texts = texts_of("textbooks/d2l") + texts_of("textbooks/openstax")[::3]
    quotations = {"high_school_government_and_politics/test:92", "professional_law/test:41"}
    tainted = [
        [hit for hit in found if hit.taints and hit.item not in quotations]
        for found in index.check(texts)
    ]
    assert sum(map(bool, tainted)) <= 2
