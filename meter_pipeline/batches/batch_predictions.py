"""One prediction for every drop row, from the outcome of its URL and the decision on its photo."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_pandas_object

from meter_pipeline.ingest.salvaged_rows import REFUSED
from meter_pipeline.ingest.web.outcomes import Outcome
from meter_pipeline.labels import FinalLabel, Rule
from meter_pipeline.photos.photo_files import passes
from meter_pipeline.recognition.decision import decide, decision_table
from meter_pipeline.recognition.features import Features
from meter_pipeline.recognition.image_features import features_of
from meter_pipeline.recognition.model_store import MeterModel, load_model
from meter_pipeline.settings import DecisionSettings
from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.manifests import Part
from meter_pipeline.storage.tables import BATCH_PREDICTIONS, DROP_ROWS, IMAGE_FEATURES, URL_IMAGES

_logger = logging.getLogger(__name__)

ROWS_VERSION = "1"
"""Raised by hand when the same rows, photos and decisions give other predictions: the next run makes all anew."""
ROWS_AT_A_TIME, PHOTOS_AT_A_TIME = 10_000, 4_096
"""Rows that are made, and photos that are decided on, in memory together."""
SHOWN_PROBLEMS = 5
"""Rows that are named per kind of problem."""
_OF_THE_ROW = frozenset(
    {"drop", "position", "sheet", "row_number", "image_url", "image_id"}
    | {"brightness", "contrast", "green_ratio", "photo_notes"}
)
"""Columns of `batch_predictions` that say nothing of what a model answered."""
_OF_THE_URL = ["image_url", "outcome", "image_id", "brightness", "contrast", "green_ratio", "notes", "reason"]


@dataclass(frozen=True)
class NamedRows:
    """What a pass over the rows did.

    Attributes:
        rows: rows that have a prediction.
        made: those among them whose prediction was made now; of the others nothing had changed.
    """

    rows: int
    made: int


def name_rows(layout: Layout, rules: DecisionSettings) -> NamedRows:
    """Decide on every photo from its stored features, and write one prediction for every drop row.

    Predictions of a drop stay as they are where its rows, its photos and what is decided on them are the same.

    Args:
        layout: the data directory.
        rules: what makes a photo UNKNOWN or DARK.

    Raises:
        NoChampionError: no model is in use yet.
        WeightsError: the model's files do not fit together.
    """
    lake, model = layout.lake, load_model(layout)
    urls = lake.frame(URL_IMAGES, _OF_THE_URL)
    photos, failures = _decided(layout, model, rules, urls)
    answers = _Answers(urls, photos, failures, model.version)
    lost = {image_id for image_id, reason in failures.items() if passes(reason)}
    former = lake.frame(BATCH_PREDICTIONS, where=pc.field("image_id").isin(sorted(lost))) if lost else None
    lake.divide(DROP_ROWS)
    drops, before = lake.parts(DROP_ROWS), lake.parts(BATCH_PREDICTIONS)
    made_from: dict[str, str] = {}
    for names in _together(drops.values()):
        made_from |= answers.digests(drops, lake.read_parts(DROP_ROWS, names, ["drop", "image_url", "reason"]), lost)
    kept = {
        drop for drop, digest in made_from.items() if digest and drop in before and before[drop].made_from == digest
    }
    new = [part for drop, part in drops.items() if drop not in kept]

    def predictions() -> Iterator[tuple[pd.DataFrame, Mapping[str, str]]]:
        for names in _together(new):
            made = answers.of(lake.read_parts(DROP_ROWS, names).to_pandas())
            if former is not None:
                made = with_former_answers(made, former, lost, model.version)
            yield made, made_from

    if new or before.keys() != kept or not lake.exists(BATCH_PREDICTIONS):
        lake.replace_parts(BATCH_PREDICTIONS, predictions(), kept=kept)
    return NamedRows(lake.count(BATCH_PREDICTIONS), sum(part.rows for part in new))


def _decided(
    layout: Layout, model: MeterModel, rules: DecisionSettings, urls: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return what is decided on the photos of URLs, as `decision_table` has it, and why others have no decision."""
    image_ids = sorted(urls["image_id"].dropna().unique().tolist())
    brightness = dict(zip(urls["image_id"], urls["brightness"], strict=True))
    features = features_of(layout.lake, IMAGE_FEATURES, model.version, image_ids)
    tables = [decision_table([])]
    for first in range(0, len(features.image_ids), PHOTOS_AT_A_TIME):
        some = np.arange(first, min(first + PHOTOS_AT_A_TIME, len(features.image_ids)))
        part = Features(
            image_ids=features.image_ids[first : first + PHOTOS_AT_A_TIME],
            logits=features.logits[some],
            embeddings=features.embeddings.take(some),
            views=features.views[some],
            failures={},
        )
        tables.append(decision_table(decide(model, part, rules, brightness)))
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0], features.failures


def _together(parts: Iterable[Part]) -> Iterator[list[str]]:
    """Yield the names of drops in groups of so many rows as are in memory at a time, a larger drop alone."""
    names: list[str] = []
    rows = 0
    for part in parts:
        if names and rows + part.rows > ROWS_AT_A_TIME:
            yield names
            names, rows = [], 0
        names.append(part.name)
        rows += part.rows
    if names:
        yield names


class _Answers:
    """What is known of each URL and of its photo, found by the URL.

    Args:
        urls: columns `_OF_THE_URL` of `url_images`.
        photos: what is decided on each photo.
        failures: why a photo did not go through the network, by image_id.
        model_version: the model that decided.
    """

    def __init__(
        self, urls: pd.DataFrame, photos: pd.DataFrame, failures: Mapping[str, str], model_version: str
    ) -> None:
        self._urls, self._photos, self._failures, self._model_version = urls, photos, failures, model_version
        self._of_url = pd.Index(urls["image_url"].to_numpy(object))
        self._photo_of_url = pd.Index(photos["image_id"].to_numpy(object)).get_indexer(
            urls["image_id"].to_numpy(object)
        )
        failed = pd.Series([failures.get(image_id) for image_id in urls["image_id"]], urls.index, dtype=object)
        of_url = _row_hashes(urls.drop(columns="image_url").assign(failure=failed))
        of_photo = np.append(_row_hashes(photos), np.uint64(0))  # the last one is of those without a decision
        self._hashes = np.append(np.stack([of_url, of_photo[self._photo_of_url]], axis=1), [[0, 0]], axis=0)
        self._hashes = self._hashes.astype(np.uint64)

    def digests(self, drops: Mapping[str, Part], rows: pa.Table, lost: Collection[str]) -> dict[str, str]:
        """Return from what the predictions of each drop are made; empty where a photo is lost: then also from former.

        Args:
            drops: the parts of `drop_rows`.
            rows: rows of some of the drops, whole ones, each together: drop, image_url and reason.
            lost: photos whose file is lost, damaged or cannot be read now.
        """
        found = self._places(rows["image_url"].to_pandas(), rows["reason"].to_pandas())
        is_lost = np.append(self._urls["image_id"].isin([*lost]).to_numpy(bool), False)[found]
        result, start = {}, 0
        for each in pc.value_counts(rows["drop"]).to_pylist():
            own = slice(start, start + each["counts"])
            start += each["counts"]
            head = json.dumps([ROWS_VERSION, self._model_version, drops[each["values"]].digest])
            digest = hashlib.sha256(head.encode() + self._hashes[found[own]].tobytes()).hexdigest()[:32]
            result[each["values"]] = "" if is_lost[own].any() else digest
        return result

    def of(self, drop_rows: pd.DataFrame) -> pd.DataFrame:
        """Return the predictions of rows, as `predict_rows` gives them."""
        found = np.unique(self._places(drop_rows["image_url"], drop_rows["reason"]))
        found = found[found >= 0]
        photos = np.unique(self._photo_of_url[found])
        return predict_rows(
            drop_rows,
            self._urls.iloc[found],
            self._photos.iloc[photos[photos >= 0]],
            model_version=self._model_version,
            failures=self._failures,
        )

    def _places(self, urls: pd.Series, refused: pd.Series) -> np.ndarray:
        """Return the row of each URL in `url_images`; -1 where there is none, or the row was refused."""
        return np.where(refused.notna(), -1, self._of_url.get_indexer(urls.to_numpy(object)))


def _row_hashes(frame: pd.DataFrame) -> np.ndarray:
    return hash_pandas_object(frame, index=False).to_numpy(np.uint64)


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
    photos: pd.DataFrame,
    *,
    model_version: str | None = None,
    failures: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return exactly one prediction for every drop row, ordered by drop and position.

    Args:
        drop_rows: table `drop_rows`.
        url_images: table `url_images`.
        photos: what is decided on each photo, as `decision_table` has it.
        model_version: the model that decided.
        failures: why a photo did not go through the network, by image_id.

    Returns:
        The columns of `batch_predictions`. Where there is no decision, `final_prediction` is ERROR and `reason` says
        why.
    """
    rows = drop_rows.sort_values(["drop", "position"], kind="stable").rename(columns={"reason": "refused"})
    urls = url_images[_OF_THE_URL].rename(columns={"reason": "not_fetched", "notes": "photo_notes"})
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


def named_wrongly(lake: Lake) -> list[str]:
    """Return what is wrong with the predictions that there are, drop by drop; see `prediction_problems`."""
    problems: list[str] = []
    parts, named = lake.parts(DROP_ROWS), lake.parts(BATCH_PREDICTIONS)
    if not parts or not named:
        return prediction_problems(lake.frame(DROP_ROWS), lake.frame(BATCH_PREDICTIONS))
    gone = [part for name, part in named.items() if name not in parts]
    for names in _together([*parts.values(), *gone]):
        rows = lake.read_parts(DROP_ROWS, names, ["drop", "position"]).to_pandas()
        columns = ["drop", "position", "final_prediction", "reason"]
        problems += prediction_problems(rows, lake.read_parts(BATCH_PREDICTIONS, names, columns).to_pandas())
    return problems


def prediction_problems(drop_rows: pd.DataFrame, predictions: pd.DataFrame) -> list[str]:
    """Return what is wrong with the predictions, one sentence per problem.

    Args:
        drop_rows: table `drop_rows`.
        predictions: table `batch_predictions`.

    Returns:
        Problems of up to `SHOWN_PROBLEMS` rows of each kind; none where every row has exactly one prediction.
    """
    places = ["drop", "position"]
    without_reason = predictions["final_prediction"].eq(FinalLabel.ERROR) & predictions["reason"].isna()
    one_each = drop_rows[places].reset_index(drop=True).equals(predictions[places].reset_index(drop=True))
    has_labels = predictions["final_prediction"].notna().all() and not without_reason.any()
    if one_each and has_labels and not drop_rows.duplicated(places).any():
        return []
    rows, named = pd.MultiIndex.from_frame(drop_rows[places]), pd.MultiIndex.from_frame(predictions[places])
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
