"""Topics of pure reasoning: logic, sets, order and deduction."""

from phinery.data.synthesis.procedural.puzzles import (
    connectives,
    deduction,
    logic,
    ordering,
    sets,
)

TOPICS = (
    *connectives.TOPICS,
    *deduction.TOPICS,
    *logic.TOPICS,
    *ordering.TOPICS,
    *sets.TOPICS,
)
