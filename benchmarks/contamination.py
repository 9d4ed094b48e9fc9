"""How many benchmark items are found in web pages that hold them, and how many where none is.

Items of every benchmark are planted into real web pages: the question with its choices or with an
answer, as they are and with about one word in twelve changed. Then the textbooks are searched,
which hold no benchmark: what is found there is printed, quotations that were looked at apart.

    python benchmarks/contamination.py --shared ../shared
    python benchmarks/contamination.py --items 0        # all items instead of 500 a benchmark
    python benchmarks/contamination.py --library        # and code of Python's library
"""

from __future__ import annotations

import argparse
import ast
import builtins
import gzip
import json
import random
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phinery.data.contamination import (
    NGRAM,
    SHORTEST,
    BenchmarkIndex,
    Hit,
    Item,
    excerpt,
    read_items,
)
from phinery.data.words import hash_words

PAGES = ("web/digitalgov", "web/18f", "web/stackexchange")
TEXTBOOKS = ("textbooks/openstax", "textbooks/d2l", "textbooks/gutenberg_math")
OTHERS = ("docs/peps", *PAGES, "web/speeches", "web/wikitext2", "web/unverified-licence/newsgroups")
QUOTATIONS = {
    ("mmlu", "high_school_government_and_politics/test:92"): "the Declaration of Independence",
    ("mmlu", "professional_law/test:41"): "the Constitution of the United States, article I",
    ("mmlu", "astronomy/test:19"): "Kepler's first law",
}
"""Items that quote a public text which a page may quote as well, and the text."""
SYNONYMS = {
    "the": "this", "a": "one", "is": "was", "are": "were", "of": "from", "in": "within",
    "to": "towards", "and": "or", "which": "what", "what": "which", "how": "why", "many": "several",
    "best": "most", "following": "next", "person": "someone", "because": "since", "most": "mostly",
    "for": "to", "with": "by", "he": "she", "his": "her", "can": "could", "will": "would",
}  # fmt: skip
CHANGED = 1 / 12


@dataclass
class Tally:
    """What became of the planted texts of a benchmark."""

    planted: int = 0
    whole: int = 0
    reworded: int = 0


def texts_of(corpora: Path, name: str) -> list[tuple[str, str]]:
    """Ids and texts of a corpus."""
    with gzip.open(corpora / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["id"], row["text"]) for row in rows]


def written_out(item: Item, rng: random.Random) -> Iterator[str]:
    """An item as pages write it, in several forms."""
    question = rng.choice(item.questions)
    if item.answers:
        labels = rng.choice(["ABCDEFGHIJKLMNOP", "abcdefghijklmnop", "123456789"])
        style = rng.choice(["{}. {}", "({}) {}", "{}) {}"])
        choices = [
            style.format(label, answer) for label, answer in zip(labels, item.answers, strict=False)
        ]
        yield "\n".join([question, *choices])
        yield "\n".join([question, *item.answers])
        yield f"{question}\nAnswer: {rng.choice(item.answers)}"
        yield f"{question} {rng.choice(item.answers)}"
    elif item.code:
        yield f"{question}\n\n{item.code[0]}"
    else:
        yield question


def reworded(text: str, rng: random.Random) -> str:
    """`text` with one word in twelve, and one at least, left out, replaced or moved by one."""
    words = text.split(" ")
    changes = [at for at in range(len(words)) if rng.random() < CHANGED]
    for at in changes or [rng.randrange(len(words))]:
        way = rng.randrange(3)
        if way == 0:
            words[at] = ""
        elif way == 1:
            words[at] = SYNONYMS.get(words[at].lower(), "something")
        else:
            other = min(at + 1, len(words) - 1)
            words[at], words[other] = words[other], words[at]
    return " ".join(word for word in words if word)


def planted(page: str, text: str, rng: random.Random) -> str:
    """`page` with `text` as a paragraph somewhere."""
    paragraphs = page.split("\n\n")
    paragraphs.insert(rng.randrange(len(paragraphs) + 1), text)
    return "\n\n".join(paragraphs)


def planting(index: BenchmarkIndex, items: list[Item], pages: list[str]) -> dict[str, Tally]:
    """Plant the items, each form of each on a page of its own, and look for them."""
    rng = random.Random(21)
    tallies: dict[str, Tally] = {}
    for start in range(0, len(items), 1000):
        batch = [
            (item, text) for item in items[start : start + 1000] for text in written_out(item, rng)
        ]
        lengths = hash_words([text for _, text in batch]).offsets
        long_enough = (lengths[1:] - lengths[:-1] >= SHORTEST).tolist()
        batch = [pair for pair, is_long in zip(batch, long_enough, strict=True) if is_long]
        whole = index.check([planted(rng.choice(pages), text, rng) for _, text in batch])
        changed = [reworded(text, rng) for _, text in batch]
        again = index.check([planted(rng.choice(pages), text, rng) for text in changed])
        for (item, text), first, second in zip(batch, whole, again, strict=True):
            tally = tallies.setdefault(item.benchmark, Tally())
            tally.planted += 1
            tally.whole += holds(first, item)
            tally.reworded += holds(second, item)
            if not holds(first, item):
                print("missed:", item.benchmark, item.id, repr(text), file=sys.stderr)
    return tallies


def holds(hits: list[Hit], item: Item) -> bool:
    """Whether the item is among what taints."""
    return any(
        hit.taints and (hit.benchmark, hit.item) == (item.benchmark, item.id) for hit in hits
    )


class Renaming(ast.NodeTransformer):
    """Gives every variable, argument and function of a source another name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def _renamed(self, name: str) -> str:
        if hasattr(builtins, name):
            return name
        return self._names.setdefault(name, f"name_{len(self._names)}")

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """A variable."""
        return ast.Name(self._renamed(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An argument, without its annotation."""
        return ast.arg(self._renamed(node.arg))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function, without its docstring and annotations and with a line more."""
        self.generic_visit(node)
        if ast.get_docstring(node) is not None and len(node.body) > 1:
            del node.body[0]
        node.name, node.returns = self._renamed(node.name), None
        node.body.insert(0, ast.parse("count = 0").body[0])
        return node


def plant_code(items: list[Item], pages: list[str]) -> None:
    """Plant solutions alone: as they are, and with other names and a line more."""
    rng = random.Random(23)
    for name in ("humaneval", "mbpp"):
        group = [item for item in items if item.benchmark == name]
        found = {"as it is": 0, "renamed": 0}
        index = BenchmarkIndex.of(
            Item(item.benchmark, item.id, (), code=item.code) for item in group
        )
        for item in group:
            renamed = ast.unparse(Renaming().visit(ast.parse(item.code[0])))
            for way, source in (("as it is", item.code[0]), ("renamed", renamed)):
                text = planted(rng.choice(pages), f"```python\n{source}\n```", rng)
                found[way] += holds(index.check([text])[0], item)
        findable = len(group) - sum(index.unfindable.values())
        print(f"\n{name}: {len(group)} solutions, {findable} long enough; found {found}")


def search(index: BenchmarkIndex, documents: list[tuple[str, str]]) -> tuple[int, int, int]:
    """Documents with passages, with quotations alone, and with more. Prints what taints."""
    passages = quotations = others = 0
    checked = index.check([text for _, text in documents])
    for (name, text), hits in zip(documents, checked, strict=True):
        passages += any(not hit.taints for hit in hits)
        tainting = [hit for hit in hits if hit.taints]
        quoted = [hit for hit in tainting if (hit.benchmark, hit.item) in QUOTATIONS]
        quotations += 0 < len(quoted) == len(tainting)
        others += len(quoted) < len(tainting)
        for hit in tainting:
            source = QUOTATIONS.get((hit.benchmark, hit.item), "not a quotation")
            found = "" if hit.kind == "code" else excerpt(text, hit.word, NGRAM)
            print(
                f"    {name}: {hit.benchmark} {hit.item}, {hit.kind}, {hit.share:.0%} of it "
                f"({source}): {found!r}"
            )
    return passages, quotations, others


def search_library(index: BenchmarkIndex) -> None:
    """Compare the functions of Python's library with reference solutions."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [file for file in sorted(root.rglob("*.py")) if "site-packages" not in file.parts]
    texts = [file.read_text(encoding="utf-8", errors="surrogateescape") for file in files]
    started = time.process_time()
    checked = index.check(texts, kinds=["code"] * len(texts))
    seconds = time.process_time() - started
    megabytes = sum(map(len, texts)) / 1e6
    print(f"\nPython's library: {len(files)} files, {megabytes:.1f} MB, {seconds:.1f} s")
    for file, hits in zip(files, checked, strict=True):
        for hit in hits:
            if hit.taints:
                print(
                    f"    {file.relative_to(root)}:{hit.word} {hit.benchmark} {hit.item} "
                    f"{hit.kind} {hit.share:.2f}"
                )


def main() -> None:
    """Print a table of planted items, then what is found in the corpora."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--shared", type=Path, default=default)
    parser.add_argument("--items", type=int, default=500, help="items a benchmark; 0: all of them")
    parser.add_argument("--library", action="store_true", help="search Python's library as well")
    arguments = parser.parse_args()
    corpora: Path = arguments.shared / "corpora"
    started = time.process_time()
    items = list(read_items(arguments.shared / "benchmarks"))
    index = BenchmarkIndex.of(items)
    print(f"index of {len(index):,} items made in {time.process_time() - started:.1f} s")
    by_benchmark: dict[str, list[Item]] = {}
    for item in items:
        by_benchmark.setdefault(item.benchmark, []).append(item)
    rng = random.Random(22)
    chosen = [
        item
        for group in by_benchmark.values()
        for item in rng.sample(group, min(arguments.items or len(group), len(group)))
    ]
    pages = [text[:6000] for name in PAGES for _, text in texts_of(corpora, name)]
    print("\n| benchmark | planted | found whole | found reworded |\n| --- | --- | --- | --- |")
    tallies = planting(index, chosen, pages)
    for name, tally in [*sorted(tallies.items()), ("all", summed(tallies))]:
        print(
            f"| {name} | {tally.planted:,} | {tally.whole / tally.planted:.2%} "
            f"| {tally.reworded / tally.planted:.1%} |"
        )
    plant_code(items, pages)
    for name in (*TEXTBOOKS, *OTHERS):
        documents = texts_of(corpora, name)
        started = time.process_time()
        print(f"\n{name}")
        passages, quotations, others = search(index, documents)
        seconds = time.process_time() - started
        megabytes = sum(len(text) for _, text in documents) / 1e6
        print(
            f"{len(documents):,} documents: {others} tainted, {quotations} by quotations alone, "
            f"{passages} with a passage; {megabytes / seconds:.0f} MB/s"
        )
    if arguments.library:
        search_library(index)


def summed(tallies: dict[str, Tally]) -> Tally:
    """All benchmarks as one."""
    every = tallies.values()
    return Tally(
        sum(one.planted for one in every),
        sum(one.whole for one in every),
        sum(one.reworded for one in every),
    )


if __name__ == "__main__":
    main()
