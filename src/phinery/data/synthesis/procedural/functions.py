"""Small Python functions, explained, run, and asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from phinery.data.synthesis.procedural.grammar import pick
from phinery.data.synthesis.procedural.item import Item, Topic
from phinery.data.synthesis.procedural.programs.classes import class_item
from phinery.data.synthesis.procedural.programs.frame import Sketch, function_item
from phinery.data.synthesis.procedural.programs.makers import ALGORITHM_MAKERS, NUMBER_MAKERS
from phinery.data.synthesis.procedural.programs.more_makers import STRUCTURE_MAKERS, TEXT_MAKERS
from phinery.data.synthesis.procedural.programs.pipelines import number_pipeline, word_pipeline
from phinery.data.synthesis.procedural.programs.recursion import fold, spelled
from phinery.data.synthesis.procedural.programs.snippets import output_item, trace_item


def _topic(
    name: str, difficulties: tuple[int, ...], makers: Sequence[Callable[[Random, int], Sketch]]
) -> Topic:
    """Functions of some families; the exercise after one is another of the same family."""

    def write(random: Random, difficulty: int) -> Item:
        maker = pick(random, makers)
        return function_item(random, maker(random, difficulty), maker(random, difficulty))

    return Topic(name, "programming", difficulties, write)


TOPICS: tuple[Topic, ...] = (
    _topic("python/lists of numbers", (1, 2, 3, 4), (number_pipeline,)),
    _topic("python/lists of words", (1, 2, 3, 4), (word_pipeline,)),
    _topic("python/numbers and loops", (1, 2, 3), NUMBER_MAKERS),
    _topic("python/recursion", (3, 4, 5), (fold, spelled)),
    _topic("python/sequences and search", (3, 4, 5), ALGORITHM_MAKERS),
    _topic("python/strings", (1, 2, 3), TEXT_MAKERS),
    _topic("python/dictionaries, tables and dates", (2, 3, 4), STRUCTURE_MAKERS),
    Topic("python/small classes", "programming", (3, 4, 5), class_item),
    Topic("python/what is printed", "programming", (1, 2, 3, 4), output_item),
    Topic("python/tracing a loop", "programming", (2, 3, 4, 5), trace_item),
)
