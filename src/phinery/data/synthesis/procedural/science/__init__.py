"""Topics of simple physics."""

from phinery.data.synthesis.procedural.science import (
    energy,
    heat,
    machines,
    matter,
    mechanics,
)

TOPICS = (
    *energy.TOPICS,
    *heat.TOPICS,
    *machines.TOPICS,
    *matter.TOPICS,
    *mechanics.TOPICS,
)
