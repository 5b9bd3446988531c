"""UMAP: the wait for its compilation is announced once per process, not for every reduction."""

from __future__ import annotations

import logging

import pytest

from meter_pipeline.discovery.reduction import reduce_umap
from meter_pipeline_tests.support.drawn_embeddings import drawn_embeddings

pytestmark = pytest.mark.slow


def test_it_says_once_that_it_compiles_and_each_time_what_it_reduces(caplog: pytest.LogCaptureFixture) -> None:
    embeddings = drawn_embeddings()[0]
    with caplog.at_level(logging.INFO):
        for dimensions in (2, 10):
            assert reduce_umap(embeddings, dimensions=dimensions, neighbors=5, seed=0).shape == (132, dimensions)
    messages = [record.getMessage() for record in caplog.records]
    assert [message for message in messages if message.startswith("Reducing")] == [
        "Reducing 132 embeddings to 2 dimensions",
        "Reducing 132 embeddings to 10 dimensions",
    ]
    assert sum("compiles itself" in message for message in messages) <= 1
