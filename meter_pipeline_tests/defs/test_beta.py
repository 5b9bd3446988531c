"""Beta and preview features of Dagster: no warning for those in use, and none hidden that somebody else asked for."""

from __future__ import annotations

import subprocess
import sys
import warnings

import dagster as dg
import pytest

from meter_pipeline.defs.beta import beta_features

LOAD_WITH_WARNINGS_AS_ERRORS = """
import warnings
import dagster as dg
warnings.simplefilter("error", dg.BetaWarning)
warnings.simplefilter("error", dg.PreviewWarning)
import meter_pipeline.definitions
"""


def test_only_warnings_of_beta_and_preview_features_inside_the_block_are_hidden() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with beta_features():
            warnings.warn("inside", dg.BetaWarning, stacklevel=1)
            warnings.warn("inside", dg.PreviewWarning, stacklevel=1)
            warnings.warn("a setting is deprecated", UserWarning, stacklevel=1)
        warnings.warn("after", dg.BetaWarning, stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["a setting is deprecated", "after"]


@pytest.mark.slow
def test_the_graph_loads_without_a_warning() -> None:
    command = [sys.executable, "-c", LOAD_WITH_WARNINGS_AS_ERRORS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
