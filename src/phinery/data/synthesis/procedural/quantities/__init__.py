"""Topics of amounts in daily life: stories, money, time and units."""

from phinery.data.synthesis.procedural.quantities import (
    calendars,
    clocks,
    groups,
    interest,
    journeys,
    money,
    sizes,
    stories,
    units,
    working,
)

# Topics are drawn by their place: another order would give the same document numbers other texts.
TOPICS = (
    *calendars.TOPICS,
    *clocks.TOPICS,
    *groups.TOPICS,
    *interest.TOPICS,
    *journeys.TOPICS,
    *money.TOPICS,
    *stories.TOPICS,
    *units.TOPICS,
    *sizes.TOPICS,
    *working.TOPICS,
)
