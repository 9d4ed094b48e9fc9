"""Synthetic documents by a teacher model behind any OpenAI-compatible endpoint."""

from __future__ import annotations

from phinery.data.synthesis.teacher.client import Teacher, Usage
from phinery.data.synthesis.teacher.errors import TeacherError
from phinery.data.synthesis.teacher.gather import Progress
from phinery.data.synthesis.teacher.ledger import Estimate, Ledger, estimate, requests_for
from phinery.data.synthesis.teacher.plan import DEFAULT_KINDS, KINDS, Plan, Request
from phinery.data.synthesis.teacher.run import Summary, synthesize

__all__ = [
    "DEFAULT_KINDS",
    "KINDS",
    "Estimate",
    "Ledger",
    "Plan",
    "Progress",
    "Request",
    "Summary",
    "Teacher",
    "TeacherError",
    "Usage",
    "estimate",
    "requests_for",
    "synthesize",
]
