"""Model: the final Hugging Face directory, with a card that tells scores and lineage."""

from __future__ import annotations

import shutil

import phinery
from phinery.files import MANIFEST, atomic_directory
from phinery.recipe.load import show_recipe
from phinery.recipe.report_text import bytes_text, score_sentence, shard_rows
from phinery.recipe.schema import Recipe, format_count
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.pretrain import MODEL

_CARD = "README.md"


def make(place: Workplace, recipe: Recipe, *, last: str) -> Outcome:
    """Copy the model of the last phase and write its card."""
    source = place.of(last) / MODEL
    with atomic_directory(place.directory, kind="model") as temporary:
        for path in sorted(source.iterdir()):
            if path.name == _CARD:
                card = path.read_text(encoding="utf-8") + _sections(place, recipe, last)
                (temporary / _CARD).write_text(card, encoding="utf-8")
            elif path.name != MANIFEST:
                shutil.copyfile(path, temporary / path.name)
    parameters = place.records[last]["counts"]["parameters"]
    return Outcome(f"{format_count(parameters)} parameters, in {place.directory}", {})


def _sections(place: Workplace, recipe: Recipe, last: str) -> str:
    """What the run knows of the model, as Markdown: score, lineage, recipe."""
    records = place.records
    corpus, trained = records["corpus"]["counts"], records[last]["counts"]
    parts: list[str] = []
    if "evaluate" in records:
        parts.append(f"## Score\n\n{score_sentence(records['evaluate']['counts'])}\n")
    sources = ", ".join(
        f"{name} ({source['documents']:,} documents, {bytes_text(source['bytes'])})"
        for name, source in list(corpus["sources"].items())[:20]
    )
    splits = [
        f"- {title}: {documents} documents, {tokens} tokens, {size}"
        for title, documents, tokens, size, _ in shard_rows(records["shards"]["counts"])
    ]
    stages = [f"- {name}: `{record['key'][:16]}`" for name, record in records.items()]
    parts += [
        f"## Lineage\n\nMade by Phinery {phinery.__version__} from the recipe below.\n\n"
        f"Text: {sources}. Exact duplicates were dropped, and held-out documents never trained "
        "on.\n",
        "\n".join(splits) + "\n",
        f"Training: {trained['steps']:,} steps, {trained['epochs']:.2f} epochs, "
        f"{trained['flops']:.3g} floating-point operations.\n",
        "Each stage's key is a hash of its settings, its inputs and its code:\n",
        "\n".join(stages) + "\n",
        f"## Recipe\n\n```toml\n{show_recipe(recipe)}```\n",
    ]
    return "\n" + "\n".join(parts)
