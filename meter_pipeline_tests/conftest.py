"""What holds for all tests: a property is about what comes out, not about how busy the machine was meanwhile."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
