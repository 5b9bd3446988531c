"""One prediction for every drop row, from the outcome of its URL and the decision on its photo."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from meter_pipeline.ingest.salvaged_rows import REFUSED
from meter_pipeline.ingest.web.outcomes import Outcome
from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.photos.photo_files import passes
from meter_pipeline.recognition.decision import Decision, decide, decision_table
from meter_pipeline.recognition.image_features import downloaded_photos, features_of
from meter_pipeline.recognition.model_store import load_model
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, IMAGE_FEATURES, URL_IMAGES

_logger = logging.getLogger(__name__)

SHOWN_PROBLEMS = 5
"""Rows that are named per kind of problem."""
_OF_THE_ROW = frozenset(
    {"drop", "position", "sheet", "row_number", "image_url", "image_id"}
    | {"brightness", "contrast", "green_ratio", "photo_notes"}
)
"""Columns of `batch_predictions` that say nothing of what a model answered."""
_OF_THE_URL = ["image_url", "outcome", "image_id", "brightness", "contrast", "green_ratio", "notes", "reason"]


def name_rows(layout: Layout, rules: DecisionSettings) -> pd.DataFrame:
    """Decide on every photo from its stored features, and write one prediction for every drop row.

    Args:
        layout: the data directory.
        rules: what makes a photo UNKNOWN or DARK.

    Returns:
        Table `batch_predictions`, as `predict_rows` gives it.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: the model's files do not fit together.
    """
    lake, model = layout.lake, load_model(layout)
    url_images = lake.frame(URL_IMAGES)
    features = features_of(lake, IMAGE_FEATURES, model.version, downloaded_photos(layout))
    brightness = dict(zip(url_images["image_id"], url_images["brightness"], strict=True))
    decisions = decide(model, features, rules, brightness)
    predictions = predict_rows(
        lake.frame(DROP_ROWS), url_images, decisions, model_version=model.version, failures=features.failures
    )
    lost = {image_id for image_id, reason in features.failures.items() if passes(reason)}
    if lost:
        predictions = with_former_answers(predictions, lake.frame(BATCH_PREDICTIONS), lost, model.version)
    lake.replace(BATCH_PREDICTIONS, predictions)
    return predictions


def with_former_answers(
    predictions: pd.DataFrame, former: pd.DataFrame, lost: set[str], model_version: str
) -> pd.DataFrame:
    """Return the predictions in which lost photos have the answer that this model gave when it last saw them.

    Args:
        predictions: as `predict_rows` gives them.
        former: what they replace.
        lost: photos whose file is lost, damaged or cannot be read now, and that have no features (any more).
        model_version: the model in use.
    """
    seen = former[former["image_id"].isin(lost) & (former["model_version"] == model_version)]
    seen = seen.drop_duplicates("image_id").set_index("image_id")
    rows = predictions.index[predictions["image_id"].isin(seen.index)]
    if len(rows):
        answers = [name for name in seen.columns if name not in _OF_THE_ROW]
        kept = seen.loc[predictions.loc[rows, "image_id"], answers]
        predictions = predictions.astype(dict.fromkeys(answers, object))
        predictions.loc[rows, answers] = kept.astype(object).to_numpy()
        _logger.warning("%d rows keep the answer that they had: their photos are lost or cannot be read.", len(rows))
    return predictions


def predict_rows(
    drop_rows: pd.DataFrame,
    url_images: pd.DataFrame,
    decisions: Sequence[Decision],
    *,
    model_version: str | None = None,
    failures: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return exactly one prediction for every drop row, ordered by drop and position.

    Args:
        drop_rows: table `drop_rows`.
        url_images: table `url_images`.
        decisions: what is decided on each photo.
        model_version: the model that decided.
        failures: why a photo did not go through the network, by image_id.

    Returns:
        The columns of `batch_predictions`. Where there is no decision, `final_prediction` is ERROR and `reason` says
        why.
    """
    rows = drop_rows.sort_values(["drop", "position"], kind="stable").rename(columns={"reason": "refused"})
    urls = url_images[_OF_THE_URL].rename(columns={"reason": "not_fetched", "notes": "photo_notes"})
    photos = decision_table(decisions)
    # A refused row may repeat, word for word, what is a good URL elsewhere; it has no photo all the same.
    rows = rows.assign(joined_url=rows["image_url"].where(rows["refused"].isna()))
    merged = rows.merge(urls.rename(columns={"image_url": "joined_url"}), on="joined_url", how="left").merge(
        photos, on="image_id", how="left"
    )
    failed = merged["final_prediction"].isna()
    reasons = _reasons(merged[failed], failures or {})
    merged["model_version"] = pd.Series(model_version, index=merged.index, dtype=object).where(~failed, None)
    merged["final_prediction"] = merged["final_prediction"].where(~failed, FinalLabel.ERROR)
    merged["rule"] = merged["rule"].where(~failed, Rule.ERROR)
    merged["reason"] = merged["reason"].where(~failed, pd.Series(reasons, index=merged.index[failed]))
    return merged[list(BATCH_PREDICTIONS.columns)].reset_index(drop=True)


def _reasons(rows: pd.DataFrame, failures: Mapping[str, str]) -> list[str]:
    """Return why each row has no prediction, one sentence per row."""
    reasons = []
    columns = (rows[name] for name in ("refused", "outcome", "image_id", "not_fetched"))
    for refused, outcome, image_id, not_fetched in zip(*columns, strict=True):
        if isinstance(refused, str):
            reasons.append(f"{REFUSED}{refused}")
        elif not isinstance(outcome, str):
            reasons.append("The URL was not fetched yet.")
        elif outcome != Outcome.OK:
            reasons.append(f"{outcome}: {not_fetched}" if isinstance(not_fetched, str) else outcome)
        else:
            reasons.append(failures.get(image_id, "The photo has not been through the network."))
    return reasons


def prediction_problems(drop_rows: pd.DataFrame, predictions: pd.DataFrame) -> list[str]:
    """Return what is wrong with the predictions, one sentence per problem.

    Args:
        drop_rows: table `drop_rows`.
        predictions: table `batch_predictions`.

    Returns:
        Problems of up to `SHOWN_PROBLEMS` rows of each kind; none where every row has exactly one prediction.
    """
    rows = pd.MultiIndex.from_frame(drop_rows[["drop", "position"]])
    named = pd.MultiIndex.from_frame(predictions[["drop", "position"]])
    without_reason = predictions["final_prediction"].eq(FinalLabel.ERROR) & predictions["reason"].isna()
    kinds = {
        "has no prediction": rows.difference(named),
        "has a prediction, but is not in the drop": named.difference(rows),
        "has more than one prediction": named[named.duplicated()].unique(),
        "has no final label": named[predictions["final_prediction"].isna()],
        "is ERROR without a reason": named[without_reason],
    }
    problems = []
    for what, found in kinds.items():
        problems += [f"{drop}, row {position + 1} of the drop: {what}." for drop, position in found[:SHOWN_PROBLEMS]]
        if len(found) > SHOWN_PROBLEMS:
            problems.append(f"... and {len(found) - SHOWN_PROBLEMS:,} more rows: {what}.")
    return problems
