"""What waits for a person, by the decision files as they are this second."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.labels import NOISE, Action, Promotion
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.overview import look_at_review
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import PROMOTED_IMAGES, UNKNOWN_CLUSTERS
from meter_pipeline_tests.support.photos_in_review import put_in_review
from meter_pipeline_tests.support.two_drops import frame

Ids = dict[str, list[str]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def ids(layout: Layout) -> Ids:
    return put_in_review(layout)


def test_clusters_come_surest_first_and_noise_last(layout: Layout, ids: Ids) -> None:
    overview = look_at_review(layout)
    assert [cluster.cluster_id for cluster in overview.clusters] == [1, 0, NOISE]
    red = overview.clusters[1]
    assert (red.photos, red.meters, red.sureness, red.top1_class) == (4, 3, 0.62, "RED1")
    assert (red.folder, overview.clusters[2].folder) == ("clusters/cluster_0000", "clusters/noise")
    assert overview.clusters[2].sureness is None
    assert (overview.undecided, overview.named, overview.junk, overview.not_clustered) == (9, 0, 0, 0)


def test_what_was_decided_a_second_ago_is_not_listed_any_more(layout: Layout, ids: Ids) -> None:
    made = decide(layout, Action.NAME, ids["BLUE"], by="anna", target="LT2")
    decide(layout, Action.JUNK, ids["RED"][:2], by="anna")
    decide(layout, Action.LATER, ids["STRAY"], by="anna")
    overview = look_at_review(layout)
    assert [(c.cluster_id, c.photos, c.meters) for c in overview.clusters] == [(0, 2, 2), (NOISE, 2, 2)]
    assert (overview.undecided, overview.named, overview.junk) == (4, 3, 2)
    undo(layout, made.decision_id, by="anna")
    assert len(look_at_review(layout).clusters) == 3


def test_photos_whose_decision_was_undone_wait_for_the_next_clustering(layout: Layout, ids: Ids) -> None:
    clusters = layout.lake.frame(UNKNOWN_CLUSTERS)
    layout.lake.replace(UNKNOWN_CLUSTERS, clusters[clusters["cluster_id"] != 1])
    assert look_at_review(layout).not_clustered == len(ids["BLUE"])


def test_disputed_photos_classes_that_wait_and_files_that_cannot_be_read_are_said(layout: Layout, ids: Ids) -> None:
    before, photo = current_state(layout), ids["RED"][0]
    for who, label in (("anna", "LT2"), ("ben", "GENUS")):
        decide(layout, Action.NAME, [photo], by=who, target=label, state=before)
    (layout.decisions / "2026-11").mkdir(parents=True, exist_ok=True)
    (layout.decisions / "2026-11" / "broken.json").write_text("{", encoding="utf-8")
    promoted = {"label": "LT2", "status": Promotion.PROMOTED.value, "class_meters": 2, "class_meters_needed": 3}
    rows = [{"image_id": image_id, "path": f"LT2/{image_id}.jpg", **promoted} for image_id in ids["BLUE"]]
    layout.lake.replace(PROMOTED_IMAGES, frame(PROMOTED_IMAGES, rows))
    overview = look_at_review(layout)
    (disputed,) = overview.disputed
    assert (disputed.image_id, disputed.label, disputed.by, disputed.other_labels) == (photo, "GENUS", "ben", ("LT2",))
    (waiting,) = overview.waiting
    assert (waiting.label, waiting.photos, waiting.meters, waiting.needed) == ("LT2", 3, 2, 3)
    assert len(overview.problems) == 1
    assert "broken.json" in overview.problems[0]
