"""The nano suite: held-out questions of the procedural teacher, for models of a few minutes.

Five categories, as Phi-2's benchmarks. The easiest tasks ask a model only to see what is asked for,
the hardest need more than a model of some million parameters has.
"""

from __future__ import annotations

from phinery.evaluate.nano import code, common_sense, language, mathematics, reasoning
from phinery.evaluate.nano.measures import matched, written
from phinery.evaluate.setting import Measures

TASKS = (
    reasoning.mixed_reasoning,
    reasoning.sequences,
    reasoning.comparisons,
    reasoning.whereabouts,
    common_sense.mixed_common_sense,
    common_sense.effects,
    common_sense.reasons,
    common_sense.materials,
    language.grammar,
    language.mixed_language,
    language.notices,
    language.word_kinds,
    mathematics.mixed_mathematics,
    mathematics.addition,
    mathematics.subtraction,
    mathematics.story_sums,
    code.variables,
    code.bodies,
    code.brackets,
    code.outputs,
)
"""What gives a task's items; the task has its name."""

MEASURES: Measures = {
    **{task.__name__: matched(task) for task in TASKS},
    "written_sums": written,
}
