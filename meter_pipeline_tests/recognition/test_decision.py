"""From logits to a final label: the 50 % rule, the guard, dark photos, and what is called sure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from meter_pipeline.recognition.decision import best_first, class_probabilities, decide, decision_table
from meter_pipeline.recognition.embeddings import Embeddings
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.guard import Guard, Term
from meter_pipeline.recognition.model_card import ModelCard
from meter_pipeline.recognition.model_store import MeterModel, Reference
from meter_pipeline.recognition.network.preprocess import Preprocess
from meter_pipeline.recognition.plate_reading import nothing_read
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.tables import DECISION_COLUMNS
from meter_pipeline_tests.support.decisions import decided
from meter_pipeline_tests.support.embedded_photos import KNOWN_CENTRES, known_photos, photos


@pytest.fixture
def model() -> MeterModel:
    """A model of three classes with its reference photos and no network: decisions need none."""
    tuned, labels = photos(KNOWN_CENTRES[:3], 10, seed=4)
    known = known_photos(labels, tuned=tuned)
    nothing = dict[str, Any]()
    card = ModelCard(
        version="0001-drawn",
        created_at="2026-01-01T00:00:00+00:00",
        classes=["BLUE_A", "GREY_A", "WHITE_A"],
        backbone="none",
        weights_source="none",
        dimensions=tuned.shape[1],
        preprocess=nothing,
        preprocess_id="none",
        data_version="none",
        config=nothing,
        counts={},
        waiting={},
        trained_on=[],
        history=[],
        metrics={},
        guard=Guard((Term("pretrained similarity", 0.0, 1.0),), threshold=-9.0).as_card(),
        temperature=1.0,
        libraries={},
    )
    return MeterModel(
        card=card,
        preprocess=Preprocess((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        reference=Reference([f"known-{row}" for row in range(len(labels))], known),
        early_exit=None,
        load_engine=pytest.fail,
        load_network=pytest.fail,
    )


def features_with(logits: list[list[float]], model: MeterModel, similar_to: int | None = 0) -> Features:
    """Return features of photos that all look like one of the model's own (None: like none), printed on nothing."""
    known = model.reference.known.embeddings
    like = known.pretrained[similar_to] if similar_to is not None else -known.pretrained.mean(axis=0)
    rows = np.repeat(like[None], len(logits), axis=0)
    colours = np.repeat(known.colours[similar_to or 0][None], len(logits), axis=0)
    return Features(
        image_ids=[f"p{i}" for i in range(len(logits))],
        logits=np.array(logits, np.float32),
        embeddings=Embeddings(tuned=rows, pretrained=rows, colours=colours, printed=nothing_read(len(logits))),
        views=np.full(len(logits), 3),
        failures={},
    )


def guarded(model: MeterModel, threshold: float | None, **limits: Any) -> MeterModel:
    """Return the model with a guard that looks at similarity alone, between -1 and 1."""
    guard = Guard((Term("pretrained similarity", 0.0, 1.0),), threshold, **limits)
    return replace(model, card=replace(model.card, guard=guard.as_card()))


def test_unknown_below_half_always_and_the_top_3_are_kept(model: MeterModel) -> None:
    just_below, just_above = np.log([0.499, 0.3, 0.201]), np.log([0.501, 0.3, 0.199])
    features = features_with([just_below.tolist(), just_above.tolist()], model)
    below, above = decide(model, features, DecisionSettings(guard="off"))
    assert (below.final_label, above.final_label) == ("UNKNOWN", model.classes[0])
    assert (below.rule, above.rule) == ("threshold", "accepted")
    assert [guess.class_name for guess in below.top3] == model.classes
    assert below.best.confidence == pytest.approx(0.499, abs=1e-6)
    assert "below 50%" in below.reason


def test_a_rule_compares_the_confidence_that_tables_show(model: MeterModel) -> None:
    """A row that shows 0.5 must not say that this is below 50 %."""
    logits = np.log([0.4999998, 0.3, 0.2000002]).tolist()
    (decision,) = decide(model, features_with([logits], model), DecisionSettings(guard="off"))
    assert decision.best.probability < 0.5
    assert decision_table([decision])["top1_confidence"].tolist() == [0.5]
    assert decision.rule == "accepted"


def test_the_guard_speaks_where_a_confident_photo_looks_like_none_of_its_class(model: MeterModel) -> None:
    strict = guarded(model, 0.6)
    features = features_with([[9.0, 0.0, 0.0]], model, similar_to=None)
    (decision,) = decide(strict, features, DecisionSettings())
    assert (decision.final_label, decision.rule, decision.best.class_name) == ("UNKNOWN", "guard", model.classes[0])
    assert decision.limit == 0.6
    assert f"likeness {decision.guard_score:.2f}, at least 0.60 expected; furthest in its looks as a whole" in (
        decision.reason
    )
    assert decide(strict, features, DecisionSettings(guard="off"))[0].final_label == model.classes[0]


def test_a_name_that_is_not_sure_has_90_percent_at_most(model: MeterModel) -> None:
    features = features_with([[9.0, 0.0, 0.0], [0.9, 0.0, 0.0]], model)
    with_guard = DecisionSettings(unknown_threshold=0.4)
    without_guard = DecisionSettings(unknown_threshold=0.4, guard="off")
    sure = decide(model, features, without_guard)
    careful = guarded(model, -9.0, sure_from=9.0)
    capped = decide(careful, features, with_guard)
    assert [decision.rule for decision in capped] == ["accepted", "accepted"]
    assert [decision.final_label for decision in [*capped, *sure]] == [model.classes[0]] * 4
    assert [decision.calibrated_confidence for decision in capped] == [0.9, sure[1].calibrated_confidence]
    assert sure[0].calibrated_confidence > 0.9 > sure[1].calibrated_confidence
    assert [decision.top3 for decision in capped] == [decision.top3 for decision in sure]
    assert all("so 90% sure at most" in decision.reason for decision in capped)
    by_class = guarded(model, -9.0, sure_from=-9.0, class_sure_from={model.classes[0]: 9.0})
    assert decide(by_class, features, with_guard) == capped
    dark = decide(careful, features, with_guard, {"p0": 12.0})
    assert dark[0].rule == "dark"
    assert dark[0].calibrated_confidence == sure[0].calibrated_confidence
    without = decision_table(decide(careful, features, without_guard))
    pd.testing.assert_frame_equal(without.drop(columns="guard_score"), decision_table(sure).drop(columns="guard_score"))
    unknown = decide(guarded(model, 9.0, sure_from=10.0), features, with_guard)
    assert [decision.rule for decision in unknown] == ["guard", "guard"]
    # Of what is not named, the chance is that among known types.
    assert [d.calibrated_confidence for d in unknown] == [d.calibrated_confidence for d in sure]


def test_dark_is_a_flag_that_blinds_nothing(model: MeterModel) -> None:
    features = features_with([[9.0, 0.0, 0.0]], model)
    (decision,) = decide(model, features, DecisionSettings(dark_brightness=30), {"p0": 12.4})
    assert (decision.final_label, decision.rule, decision.best.class_name) == ("DARK", "dark", model.classes[0])
    assert len(decision.top3) == 3
    assert "mean brightness 12 of 255" in decision.reason


def test_the_nearest_known_photo_is_named_with_its_class(model: MeterModel) -> None:
    (decision,) = decide(model, features_with([[9.0, 0.0, 0.0]], model, similar_to=7), DecisionSettings())
    known = model.reference.known
    assert decision.nearest_known == model.reference.image_ids[7]
    assert decision.nearest_known_class == model.classes[known.labels[7]]


def test_photos_alike_in_probability_are_named_in_the_order_of_the_classes() -> None:
    assert best_first(np.array([[0.25, 0.25, 0.5], [0.4, 0.2, 0.4]])).tolist() == [[2, 0, 1], [0, 2, 1]]
    assert class_probabilities(np.zeros((0, 0), np.float32)).size == 0


def test_the_table_has_the_same_columns_for_any_number_of_classes_and_photos() -> None:
    one_class, many = decided("a", {"LT1": 1.0}), decided("b", {"LT1": 0.1, "LT2": 0.5, "LT3": 0.25, "LT4": 0.15})
    table = decision_table([one_class, many])
    assert tuple(table.columns) == DECISION_COLUMNS
    assert table[["top1_class", "top2_class", "top3_class"]].values.tolist() == [
        ["LT1", None, None],
        ["LT2", "LT3", "LT4"],
    ]
    assert table["top3_confidence"].isna().tolist() == [True, False]
    pd.testing.assert_series_equal(decision_table([]).dtypes, table.dtypes)


def test_the_table_rounds_confidences_unless_metrics_need_them_exact() -> None:
    decision = decided("a", {"LT1": 2 / 3, "LT2": 1 / 3})
    assert decision_table([decision])["top1_confidence"].tolist() == [0.666667]
    assert decision_table([decision], exact=True)["top1_confidence"].tolist() == [2 / 3]
