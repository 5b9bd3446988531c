"""Chromium for the tests that look at pages: where it is, and how it is started without asking for anything outside."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = os.environ.get("METER_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; set METER_CHROMIUM or install it"),
]
"""Marks of a test that needs the browser."""
