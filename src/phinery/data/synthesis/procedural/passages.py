"""Reading passages whose questions are answered from the events that they were written from."""

from __future__ import annotations

from phinery.data.synthesis.procedural.item import Topic
from phinery.data.synthesis.procedural.reading import errands, notices, reports, tracking

TOPICS: tuple[Topic, ...] = (
    Topic("reading/stories", "language understanding", (1, 2, 3, 4), errands.story),
    Topic("reading/diaries and letters", "language understanding", (1, 2, 3, 4), errands.diary),
    Topic("reading/notices", "language understanding", (2, 3, 4), notices.notice),
    Topic("reading/making plans", "language understanding", (1, 2, 3, 4), notices.planning),
    Topic("reading/descriptions", "language understanding", (2, 3, 4), reports.report),
    Topic("reading/who has what", "reasoning", (1, 2, 3, 4, 5), tracking.carried),
    Topic("reading/who knows what", "reasoning", (2, 3, 4), tracking.believed),
)
