"""The parts of Dagster in use that it calls beta or preview, without a warning for each at every start."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def beta_features() -> Iterator[None]:
    """Use beta and preview features on purpose: Dagster is pinned to a minor version, and tests cover their use."""
    with warnings.catch_warnings():
        for category in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", category)
        yield
