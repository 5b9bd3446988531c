"""A model's report: its figures are those of the audit in the lake, and the same when it is assessed again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meter_pipeline.evaluation.evaluation_report import assess
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DATASET_SPLIT, EVALUATION_AUDIT
from meter_pipeline_tests.support.small_models import Trained


@pytest.mark.slow
def test_figures_page_and_audit_say_the_same(drawn_model: Trained, tmp_path: Path) -> None:
    layout, version = Layout(tmp_path / "data"), drawn_model.card.version
    shutil.copytree(drawn_model.layout.root, layout.root)
    layout.lake.replace(DATASET_SPLIT, drawn_model.split)
    found = assess(layout, version, DecisionSettings())
    audit = layout.lake.frame(EVALUATION_AUDIT)
    test = drawn_model.split.query("split == 'test'")
    assert sorted(audit["image_id"]) == sorted(test["image_id"])
    assert found.evaluation.accuracy == pytest.approx(audit["correct"].mean())
    assert version in found.page.read_text(encoding="utf-8")
    assert found.unknown_curves == {}, "three classes are too few to hide any"
    assert assess(layout, version, DecisionSettings()).evaluation.metrics() == found.evaluation.metrics()
    assert len(layout.lake.frame(EVALUATION_AUDIT)) == len(test), "a second assessment adds no rows"
