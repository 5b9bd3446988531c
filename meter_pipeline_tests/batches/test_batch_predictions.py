"""Every row of a drop has exactly one prediction, whatever came of its URL and its photo."""

from __future__ import annotations

import pandas as pd

from meter_pipeline.batches.batch_predictions import predict_rows, prediction_problems, with_former_answers
from meter_pipeline.recognition.decision import decision_table
from meter_pipeline.storage.table_rows import conform
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, URL_IMAGES
from meter_pipeline_tests.support.decisions import decided


def drop_rows(*rows: tuple[str, int, str, str | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["drop", "position", "image_url", "reason"])
    table = table.assign(sheet="S", row_number=table["position"] + 2).reindex(columns=list(DROP_ROWS.columns))
    return conform(DROP_ROWS, table).to_pandas()


def url_images(**outcomes: tuple[str, str | None]) -> pd.DataFrame:
    rows = [
        dict.fromkeys(URL_IMAGES.columns)
        | {"image_url": url, "outcome": outcome, "image_id": image_id, "brightness": 99.0}
        for url, (outcome, image_id) in outcomes.items()
    ]
    return conform(URL_IMAGES, pd.DataFrame(rows, columns=list(URL_IMAGES.columns))).to_pandas()


def decisions(**labels: str) -> pd.DataFrame:
    return decision_table([decided(image_id, {label: 0.9}) for image_id, label in labels.items()])


ROWS = drop_rows(
    ("b", 0, "u1", None),
    ("a", 1, "u2", None),
    ("a", 0, "u1", None),
    ("a", 2, "u1", "no URL"),
    ("a", 3, "u3", None),
    ("a", 4, "u4", None),
    ("a", 5, "u5", None),
)
URLS = url_images(u1=("ok", "p1"), u2=("not_found", None), u4=("ok", "p4"), u5=("ok", "p5"), u9=("ok", "p1"))


def test_every_row_has_one_prediction_in_order_and_errors_say_why() -> None:
    found = predict_rows(ROWS, URLS, decisions(p1="LT2", p9="LT1"), model_version="v1", failures={"p4": "unreadable"})
    assert found[["drop", "position"]].values.tolist() == [["a", i] for i in range(6)] + [["b", 0]]
    assert found["final_prediction"].tolist() == ["LT2", *["ERROR"] * 5, "LT2"]
    assert found["rule"].tolist() == ["accepted", *["error"] * 5, "accepted"]
    assert found["reason"].tolist() == [
        "LT2 with 90.0%.",
        "not_found",
        "Row refused: no URL",
        "The URL was not fetched yet.",
        "unreadable",
        "The photo has not been through the network.",
        "LT2 with 90.0%.",
    ]
    assert found["model_version"].dropna().tolist() == ["v1", "v1"]
    table = conform(BATCH_PREDICTIONS, found)
    assert table["top1_confidence"].to_pylist()[1] is None
    assert prediction_problems(ROWS, table.to_pandas()) == []


def test_without_any_decision_or_row_the_tables_still_fit() -> None:
    nothing = predict_rows(ROWS, url_images(), decisions())
    assert conform(BATCH_PREDICTIONS, nothing)["final_prediction"].to_pylist() == ["ERROR"] * 7
    assert prediction_problems(ROWS, nothing) == []
    assert conform(BATCH_PREDICTIONS, predict_rows(ROWS[:0], URLS, decisions(p1="A"))).num_rows == 0


def test_a_lost_photo_without_features_keeps_the_answer_of_the_same_model() -> None:
    before = predict_rows(ROWS, URLS, decisions(p1="LT2", p4="LT1"), model_version="v1")
    now = predict_rows(ROWS, URLS, decisions(p1="LT2"), model_version="v1", failures={"p4": "lost"})
    assert now["final_prediction"].tolist()[4] == "ERROR"
    kept = with_former_answers(now, before, {"p4"}, "v1")
    assert conform(BATCH_PREDICTIONS, kept).equals(conform(BATCH_PREDICTIONS, before))
    assert with_former_answers(now, before, {"p4"}, "v2")["reason"].tolist()[4] == "lost"


def test_what_is_missing_extra_or_double_is_named() -> None:
    good = predict_rows(ROWS, URLS, decisions(p1="LT2"))
    bad = pd.concat(
        [good.iloc[1:], good.iloc[[2]], good.iloc[[3]].assign(drop="c"), good.iloc[[4]].assign(position=9, reason=None)]
    )
    problems = prediction_problems(ROWS, bad)
    assert "a, row 1 of the drop: has no prediction." in problems
    assert "a, row 3 of the drop: has more than one prediction." in problems
    assert "c, row 4 of the drop: has a prediction, but is not in the drop." in problems
    assert "a, row 10 of the drop: is ERROR without a reason." in problems
    assert len(prediction_problems(ROWS, good[:0])) == 6
