"""From logits to a final label: the 50 % rule, the guard, dark photos, and what is called sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.recognition.decision import decide
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.model_store import MeterModel
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.settings import DecisionSettings


def features_with(logits: list[list[float]], model: MeterModel, similar_to: int | None = 0) -> Features:
    count, known = len(logits), model.reference.known
    like = known.pretrained[similar_to] if similar_to is not None else -known.pretrained.mean(axis=0)
    embedding = np.repeat(like[None], count, axis=0)
    colours = np.repeat(known.colours[similar_to or 0][None], count, axis=0)
    return Features(
        [f"p{i}" for i in range(count)],
        np.array(logits, np.float32),
        *[embedding] * 4,
        colours,
        nothing_read(count),
        {},
    )


def test_unknown_below_half_always_and_the_top_3_are_kept(model: MeterModel) -> None:
    just_below, just_above = np.log([0.499, 0.3, 0.201]), np.log([0.501, 0.3, 0.199])
    features = features_with([just_below.tolist(), just_above.tolist()], model)
    rows = decide(model, features, DecisionSettings(guard="off"))
    assert rows["final_prediction"].tolist() == ["UNKNOWN", model.classes[0]]
    assert rows["rule"].tolist() == ["threshold", "accepted"]
    assert rows.loc[0, ["top1_class", "top2_class", "top3_class"]].tolist() == model.classes
    assert rows.loc[0, "top1_confidence"] == pytest.approx(0.499, abs=1e-6)
    assert "below 50%" in rows.loc[0, "reason"]


def test_the_guard_speaks_where_a_confident_photo_looks_like_none_of_its_class(model: MeterModel) -> None:
    guarded = replace(model, card=replace(model.card, guard={"threshold": 0.6}))
    features = features_with([[9.0, 0.0, 0.0]], model, similar_to=None)
    row = decide(guarded, features, DecisionSettings()).iloc[0]
    assert (row["final_prediction"], row["rule"], row["top1_class"]) == ("UNKNOWN", "guard", model.classes[0])
    assert decide(guarded, features, DecisionSettings(guard="off")).iloc[0]["final_prediction"] == model.classes[0]


def test_a_name_that_is_not_sure_has_90_percent_at_most(model: MeterModel) -> None:
    features = features_with([[9.0, 0.0, 0.0], [0.9, 0.0, 0.0]], model)
    sure = decide(model, features, DecisionSettings(unknown_threshold=0.4, guard="off"))
    guard = {"threshold": -9.0, "sure_from": 9.0}
    careful = replace(model, card=replace(model.card, guard=guard))
    rows = decide(careful, features, DecisionSettings(unknown_threshold=0.4))
    assert (rows["rule"] == "accepted").all()
    assert rows["final_prediction"].tolist() == sure["final_prediction"].tolist() == [model.classes[0]] * 2
    assert rows["calibrated_confidence"].tolist() == [0.9, sure.loc[1, "calibrated_confidence"]]
    assert sure.loc[0, "calibrated_confidence"] > 0.9 > sure.loc[1, "calibrated_confidence"]
    assert rows["top1_confidence"].equals(sure["top1_confidence"])
    assert rows["reason"].str.contains("so 90% sure at most").all()
    own = {**guard, "sure_from": -9.0, "class_sure_from": {model.classes[0]: 9.0}}
    by_class = decide(
        replace(model, card=replace(model.card, guard=own)), features, DecisionSettings(unknown_threshold=0.4)
    )
    pd.testing.assert_frame_equal(by_class, rows)
    dark = decide(careful, features, DecisionSettings(unknown_threshold=0.4), {"p0": 12.0})
    assert dark.loc[0, "rule"] == "dark"
    assert dark.loc[0, "calibrated_confidence"] == sure.loc[0, "calibrated_confidence"]
    without = decide(careful, features, DecisionSettings(unknown_threshold=0.4, guard="off"))
    pd.testing.assert_frame_equal(without.drop(columns="guard_score"), sure.drop(columns="guard_score"))
    flagged = replace(model, card=replace(model.card, guard={"threshold": 9.0, "sure_from": 10.0}))
    unknown = decide(flagged, features, DecisionSettings(unknown_threshold=0.4))
    assert unknown["rule"].tolist() == ["guard", "guard"]  # of what is not named, the chance is that among known types
    assert unknown["calibrated_confidence"].equals(sure["calibrated_confidence"])


def test_dark_is_a_flag_that_blinds_nothing(model: MeterModel) -> None:
    features = features_with([[9.0, 0.0, 0.0]], model)
    row = decide(model, features, DecisionSettings(dark_brightness=30), {"p0": 12.0}).iloc[0]
    assert (row["final_prediction"], row["rule"], row["top1_class"]) == ("DARK", "dark", model.classes[0])
    assert row["top3_confidence"] is not None
