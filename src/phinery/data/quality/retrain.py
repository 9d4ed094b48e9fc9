"""Rating documents by a teacher, and a scorer that has learnt from them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from phinery.data.document import Document
from phinery.data.quality.annotate import Annotation, Ask, annotate, choose
from phinery.data.quality.model import Scorer
from phinery.data.quality.training import Rating, extend
from phinery.files import write_atomic

SCORER = "scores.safetensors"
RATINGS = "ratings.jsonl"
_AT_ONCE = 16
_POOL = 50
"""Documents that are looked at for each that is chosen, at most."""


@dataclass(frozen=True)
class Retrained:
    """What came of a rating."""

    path: Path
    """The new scorer."""
    annotation: Annotation
    pool: int
    """Documents that were chosen from."""
    ratings: int
    """All ratings that the new scorer adds to the old one's, those of earlier calls included."""


def retrain(
    documents: Iterable[Document],
    count: int,
    ask: Ask,
    directory: str | Path,
    *,
    scorer: Scorer,
    seed: int = 0,
) -> Retrained:
    """Let a teacher rate `count` documents and write the scorer that learnt from them.

    Those about which `scorer` is least sure are chosen, and some at random, among the first
    documents (50 for each to choose). `directory` gets `scores.safetensors` and `ratings.jsonl`;
    ratings that are there already count too, and their documents are not asked about again. The
    ratings are kept as they come, 16 at a time. Raises ValueError for a count below 1, and when no
    answer could be read.
    """
    if count < 1:
        raise ValueError(f"{count} documents to rate: ask for one at least")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    kept = read_ratings(directory / RATINGS)
    known = {rating.document for rating in kept}
    pool = [
        document
        for document in itertools.islice(documents, _POOL * count + len(known))
        if document.id not in known
    ]
    chosen = choose(scorer, [d.text for d in pool], [d.source for d in pool], count, seed=seed)
    picked = [pool[number] for number in chosen]
    found = Annotation([], 0, 0)
    for start in range(0, len(picked), _AT_ONCE):
        part = picked[start : start + _AT_ONCE]
        more = annotate([d.text for d in part], ask, [d.id for d in part])
        found = Annotation(
            [*found.ratings, *more.ratings],
            found.unanswered + more.unanswered,
            found.unreadable + more.unreadable,
        )
        # Each answer may have cost money: it is on the disk before the next are asked for.
        _write_ratings(directory / RATINGS, [*kept, *found.ratings])
    if not found.ratings:
        raise ValueError(
            f"no answer could be used: {found.unanswered} questions without an answer, "
            f"{found.unreadable} answers that were not two whole numbers from 0 to 5"
        )
    kept += found.ratings
    card = {"rated by": "the shipped ratings and a teacher's", "added ratings": len(kept)}
    extend(scorer, kept).save(directory / SCORER, card)
    return Retrained(directory / SCORER, found, len(pool), len(kept))


def _write_ratings(path: Path, ratings: list[Rating]) -> None:
    write_atomic(path, "".join(json.dumps(asdict(rating)) + "\n" for rating in ratings))


def read_ratings(path: Path) -> list[Rating]:
    """The ratings of an earlier call; none when there was none. ValueError for a damaged file."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8") as lines:
            return [Rating(**json.loads(line)) for line in lines]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} does not hold ratings: move it away ({error})") from error
