"""The texts that tokenizer and training draw on, and which of them are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from phinery.data import Document, is_held_out, refined_documents
from phinery.data.sources.corpus import corpus_documents
from phinery.data.sources.primer import PRIMER, primer_documents
from phinery.recipe.stage import Workplace


def source_documents(place: Workplace, name: str) -> Iterator[Document]:
    """The documents of a source, those held out among them."""
    if name == PRIMER:
        yield from primer_documents()
        yield from primer_documents(held_out=True)
    elif name == "corpus":
        yield from corpus_documents(place.of(name))
    else:
        yield from refined_documents(place.of(name))


def held_out_rule(place: Workplace, name: str) -> Callable[[Document], bool]:
    """Whether a document of a source is kept for scoring.

    The Primer's sections say so themselves. Of the others the near-duplicate cluster decides, so
    that no near-duplicate of a held-out text is trained on; where clusters are unknown, the text.
    """
    if name == PRIMER:
        held_out = {document.id for document in primer_documents(held_out=True)}
        return lambda document: document.id in held_out
    share = held_out_share(place, name)
    return lambda document: is_held_out(held_out_key(document), share=share)


def held_out_share(place: Workplace, name: str) -> float:
    """The share of a source that is held out, as its stage counted it."""
    return float(place.records[name]["counts"]["held_out_share"])


def held_out_key(document: Document) -> str:
    """What decides whether a document is held out."""
    return document.text if document.cluster is None else document.cluster


def share_that_splits(documents: Callable[[], Iterable[Document]], share: float) -> float:
    """The first of a share's doubles that leaves documents on both sides: held out and trained on.

    Raises ValueError when there is none.
    """
    keys = {held_out_key(document) for document in documents()}
    while True:
        if len({is_held_out(key, share=share) for key in keys}) == 2:
            return share
        if share >= 1:
            raise ValueError(
                "there are too few documents to hold one out for scoring: split them into more "
                "files, or name a larger folder with --set corpus.path=FOLDER"
            )
        share = min(2 * share, 1.0)
