"""The evaluation of a model as a folder for people: one HTML page that stands alone, pictures, and tables as CSV."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from meter_pipeline.evaluation import plots
from meter_pipeline.evaluation.figures import Evaluation, split_counts
from meter_pipeline.evaluation.plot_style import DARK, LIGHT, Theme
from meter_pipeline.evaluation.unknown_curves import UnknownCurve
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.thumbnails import small_jpeg
from meter_pipeline.recognition.guard import MOST_WHEN_NOT_SURE
from meter_pipeline.storage.csv_cells import csv_bytes
from meter_pipeline.storage.files import replacing
from meter_pipeline.storage.html_pages import render
from meter_pipeline.storage.layout import EVALUATION_METRICS, EVALUATION_PAGE
from meter_pipeline.storage.sealed_json import write_sealed

_logger = logging.getLogger(__name__)

THUMBNAILS = 60
"""Photos on the page, the wrong ones first; all of them are in audit.csv."""
DOUBTFUL_SHOWN = 12
"""Of these, places for right ones of which the model was least sure, where the wrong ones leave room."""
THUMBNAIL_PIXELS = 200
THUMBNAIL_QUALITY = 78
PAIRS_SHOWN = 15
FEW_TEST_PHOTOS = 100
"""With fewer, the page says that the figures are rough."""
CARD_LIST_SHOWN = 12
"""Entries of a list of the model card that the page spells out."""
CSV_DECIMALS = 6
PICTURE_FILES = ("confusion_matrix", "reliability", "coverage")
"""Pictures that are written as files too, light ones."""
COVERAGE_LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Shares answered that the page's table shows; coverage.csv has every threshold."""


@dataclass(frozen=True)
class Picture:
    """A picture as the page shows it, by the reader's colour scheme; `light` is also written as a file."""

    light: bytes
    dark: bytes

    @classmethod
    def drawn(cls, draw: Callable[[Theme], bytes]) -> Picture:
        """Draw it in both themes."""
        return cls(draw(LIGHT), draw(DARK))


@dataclass(frozen=True)
class AuditedPhoto:
    """A test photo as the page shows it."""

    path: str
    true_class: str
    predicted_class: str
    final_prediction: str
    correct: bool
    top: tuple[tuple[str, float], ...]
    thumbnail: bytes | None


def write_evaluation(
    folder: Path,
    evaluation: Evaluation,
    audit: pd.DataFrame,
    history: pd.DataFrame | Sequence[Mapping[str, Any]],
    card: Mapping[str, Any],
    *,
    photo_paths: Mapping[str, Path] | None = None,
    split: pd.DataFrame | None = None,
    unknown_curves: Mapping[str, UnknownCurve] | None = None,
) -> Path:
    """Write `reports/evaluation/<version>/` whole and return the path of its page, `index.html`.

    Beside it: confusion_matrix, reliability and coverage as PNG and CSV, classification_report (CSV and text),
    confused_pairs.csv, audit.csv and metrics.json. A table or picture that needs test photos is written without them
    too, empty or left out. Two calls with the same input write the same bytes.

    Args:
        folder: `layout.evaluation(version)`; what was there is replaced.
        evaluation: from `evaluate`.
        audit: from `audit_frame`.
        history: one row per epoch: `phase`, `epoch`, `train_loss`, `train_accuracy`, `val_loss`, `val_accuracy`; empty
            if unknown.
        card: the model card; shown as it is.
        photo_paths: the photos' files by image id, for thumbnails; a photo that cannot be read is shown without.
        split: rows of `dataset_split`, for the number of photos by class and split.
        unknown_curves: by the name of the photos (hidden classes, junk), where there are such.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    curves = dict(sorted((unknown_curves or {}).items()))
    pictures = _draw(evaluation, history, split, curves)
    photos = _audited_photos(audit, photo_paths or {})
    files = {
        EVALUATION_PAGE: _page(card.get("version", folder.name), evaluation, pictures, photos, card, curves),
        "classification_report.txt": evaluation.report_text.encode(),
        **{f"{name}.png": pictures[name].light for name in PICTURE_FILES if name in pictures},
        **{f"{name}.csv": _csv(table) for name, table in _tables(evaluation, audit).items()},
    }
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        write_sealed(temporary / EVALUATION_METRICS, _metrics(evaluation, card, curves))
    _logger.info("Wrote the evaluation of %d test photos to %s", evaluation.photos, folder)
    return folder / EVALUATION_PAGE


def _page(
    version: str,
    evaluation: Evaluation,
    pictures: Mapping[str, Picture],
    photos: Sequence[AuditedPhoto],
    card: Mapping[str, Any],
    curves: Mapping[str, UnknownCurve],
) -> bytes:
    page = render(
        "meter_pipeline.evaluation",
        "evaluation.html",
        version=version,
        evaluation=evaluation,
        few=0 < evaluation.photos < FEW_TEST_PHOTOS,
        wrong=int(evaluation.confused_pairs["count"].sum()),
        per_class=_weakest_first(evaluation.per_class).to_dict("records"),
        pairs=evaluation.confused_pairs.head(PAIRS_SHOWN).to_dict("records"),
        pairs_left_out=max(0, len(evaluation.confused_pairs) - PAIRS_SHOWN),
        coverage=_coverage_levels(evaluation.coverage),
        pictures=pictures,
        photos=photos,
        curves=curves,
        summary=card.get("guard", {}).get("summary", ""),
        card=_card_rows(card),
        most_when_not_sure=MOST_WHEN_NOT_SURE,
        metrics_file=EVALUATION_METRICS,
    )
    return page.encode()


def _tables(evaluation: Evaluation, audit: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV, by their files' names."""
    return {
        "confusion_matrix": evaluation.confusion.reset_index(names="true_class"),
        "classification_report": evaluation.per_class,
        "confused_pairs": evaluation.confused_pairs,
        "reliability": evaluation.reliability,
        "coverage": evaluation.coverage,
        "audit": _audit_table(audit),
    }


def _draw(
    evaluation: Evaluation,
    history: pd.DataFrame | Sequence[Mapping[str, Any]],
    split: pd.DataFrame | None,
    curves: Mapping[str, UnknownCurve],
) -> dict[str, Picture]:
    pictures = {}
    if evaluation.photos:
        pictures["confusion_matrix"] = Picture.drawn(lambda theme: plots.confusion_matrix_png(evaluation, theme))
        pictures["reliability"] = Picture.drawn(lambda theme: plots.reliability_png(evaluation, theme))
        pictures["coverage"] = Picture.drawn(lambda theme: plots.coverage_png(evaluation, theme))
        pictures["known_flagged"] = Picture.drawn(lambda theme: plots.known_flagged_png(evaluation, theme))
    if curves:
        pictures["unknown_curves"] = Picture.drawn(lambda theme: plots.unknown_curves_png(curves, theme))
    if len(history):
        pictures["history"] = Picture.drawn(lambda theme: plots.history_png(history, theme))
    if split is not None and len(split):
        counts = split_counts(split)
        pictures["split"] = Picture.drawn(lambda theme: plots.split_counts_png(counts, theme))
    return pictures


def _audited_photos(audit: pd.DataFrame, photo_paths: Mapping[str, Path]) -> list[AuditedPhoto]:
    """Return the wrong ones, the surest first, then the right ones, the least sure first."""
    correct = audit["correct"].astype(bool)
    wrong = audit[~correct].sort_values(["confidence", "path"], ascending=[False, True]).head(THUMBNAILS)
    doubtful = audit[correct].sort_values(["confidence", "path"]).head(min(DOUBTFUL_SHOWN, THUMBNAILS - len(wrong)))
    photos = []
    for row in [*wrong.to_dict("records"), *doubtful.to_dict("records")]:
        top = [(row[f"top{place}_class"], row[f"top{place}_confidence"]) for place in (1, 2, 3)]
        photos.append(
            AuditedPhoto(
                path=str(row["path"]),
                true_class=str(row["true_class"]),
                predicted_class=str(row["predicted_class"]),
                final_prediction=str(row["final_prediction"]),
                correct=bool(row["correct"]),
                top=tuple((str(name), float(share)) for name, share in top if not pd.isna(name)),
                thumbnail=_thumbnail(photo_paths.get(str(row["image_id"]))),
            )
        )
    return photos


def _thumbnail(path: Path | None) -> bytes | None:
    """Return a small JPEG without metadata; None if there is no photo to show (the page says so)."""
    if path is None:
        return None
    try:
        return small_jpeg(
            path, side=THUMBNAIL_PIXELS, quality=THUMBNAIL_QUALITY, resampling=Image.Resampling.BICUBIC, optimize=False
        )
    except PhotoError as error:
        _logger.warning("No thumbnail on the evaluation page: %s", error)
        return None


def _weakest_first(per_class: pd.DataFrame) -> pd.DataFrame:
    return per_class.sort_values(["recall", "support", "class"], ascending=[True, False, True], na_position="last")


def _coverage_levels(coverage: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the strictest threshold that still answers each share."""
    rows: list[dict[str, Any]] = []
    for level in COVERAGE_LEVELS:
        enough = coverage[coverage["coverage"] >= level]
        if len(enough) and (not rows or rows[-1]["threshold"] != enough["threshold"].iloc[0]):
            rows.append({str(name): value for name, value in enough.iloc[0].items()})
    return rows


def _audit_table(audit: pd.DataFrame) -> pd.DataFrame:
    first = ["path", "true_class", "predicted_class", "confidence", "correct", "final_prediction"]
    top = [f"top{place}_{what}" for place in (1, 2, 3) for what in ("class", "confidence")]
    return audit[[*first, *top, "image_id"]].rename(columns={"path": "image"})


def _metrics(evaluation: Evaluation, card: Mapping[str, Any], curves: Mapping[str, UnknownCurve]) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "version": card.get("version"),
        **evaluation.metrics(),
        "untested_class_names": list(evaluation.untested_classes),
        "foreign_class_names": list(evaluation.foreign_classes),
    }
    if curves:
        metrics["unknown_curves"] = {
            name: {
                "auroc": curve.auroc,
                "oscr": curve.oscr,
                "photos": curve.n_other,
                "caught": curve.caught.to_dict("records"),
            }
            for name, curve in curves.items()
        }
    return metrics


def _card_rows(card: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the card as rows of name and text; what is nested gets a dotted name, a long list is cut."""
    rows: list[tuple[str, str]] = []
    for name, value in card.items():
        if isinstance(value, Mapping):
            rows += _card_rows(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple | set | frozenset):
            items = [str(item) for item in value]
            text = ", ".join(items[:CARD_LIST_SHOWN]) or "none"
            more = len(items) - CARD_LIST_SHOWN
            rows.append((prefix + name, f"{text} and {more} more" if more > 0 else text))
        elif isinstance(value, float):
            rows.append((prefix + name, f"{value:.4g}"))
        else:
            rows.append((prefix + name, str(value)))
    return rows


def _csv(table: pd.DataFrame) -> bytes:
    """Return a CSV that Excel opens; texts cannot run as formulas, and what is not defined is empty."""
    columns = [str(name) for name in table.columns]
    decimals = {str(name): CSV_DECIMALS for name, kind in table.dtypes.items() if pd.api.types.is_float_dtype(kind)}
    rows = [[None if pd.isna(cell) else cell for cell in row] for row in table.itertuples(index=False, name=None)]
    return csv_bytes(columns, rows, decimals=decimals)
