"""Everyday cause and effect, and common sense: answers follow from tables of facts by rules."""

from __future__ import annotations

from phinery.data.synthesis.procedural.forms import taught
from phinery.data.synthesis.procedural.item import Topic
from phinery.data.synthesis.procedural.living import (
    cause,
    nature,
    pronouns,
    routines,
    society,
    use,
    world,
)

TOPICS: tuple[Topic, ...] = (
    taught(
        "everyday/what happens", "common sense", (1, 2, 3), cause.effect_problem, cause.law_lesson
    ),
    taught(
        "everyday/why it happens", "common sense", (2, 3, 4), cause.why_problem, cause.law_lesson
    ),
    taught("everyday/what if", "reasoning", (2, 3, 4), cause.otherwise_problem, cause.law_lesson),
    Topic("everyday/cause and effect", "common sense", (1, 2, 3, 4), cause.several_cases),
    taught(
        "everyday/materials", "common sense", (1, 2, 3), use.which_material, use.materials_listed
    ),
    taught(
        "everyday/true of a thing",
        "common sense",
        (1, 2, 3),
        use.material_fact,
        use.materials_listed,
    ),
    taught("everyday/the better way", "common sense", (1, 2, 3), use.better_way, use.need_listed),
    taught(
        "everyday/the right tool", "common sense", (1, 2, 3, 4), use.what_serves, use.need_listed
    ),
    taught(
        "everyday/order of steps",
        "common sense",
        (1, 2, 3),
        routines.order_problem,
        routines.routine_lesson,
    ),
    taught(
        "everyday/a step left out",
        "reasoning",
        (2, 3, 4),
        routines.omission_problem,
        routines.routine_lesson,
    ),
    Topic("everyday/instructions", "common sense", (1, 2, 3), routines.instructions),
    taught(
        "everyday/what a pronoun means",
        "reasoning",
        (2, 3, 4),
        pronouns.pronoun_problem,
        pronouns.pronoun_lesson,
    ),
    taught(
        "everyday/feelings", "common sense", (1, 2, 3), society.feeling_problem, society.manners
    ),
    taught(
        "everyday/living together",
        "common sense",
        (1, 2, 3),
        society.action_problem,
        society.manners,
    ),
    Topic("everyday/stories of people", "common sense", (2, 3, 4), society.social_story),
    taught(
        "everyday/animals",
        "common sense",
        (1, 2, 3),
        nature.animal_problem,
        nature.animal_portrait,
        lessons=0.35,
    ),
    taught(
        "everyday/body, plants and earth",
        "reasoning",
        (1, 2, 3),
        world.fact_problem,
        world.field_notes,
        lessons=0.35,
    ),
    taught("everyday/jobs", "common sense", (1, 2), world.job_problem, world.jobs_described),
    taught("everyday/weather", "common sense", (1, 2), world.weather_problem, world.weather_rules),
)
