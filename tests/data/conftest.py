from __future__ import annotations

from hypothesis import settings

# These tests write files, and how long that takes says nothing about what they test.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
