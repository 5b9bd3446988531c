"""What one more word on a photo would mean: whom it overrules, which class is mistyped, which file says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_pipeline.dashboard.browsing.corrections import (
    JUNK,
    Proposal,
    class_choices,
    decided_photos,
    propose,
    said_before,
)
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action
from meter_pipeline.review.deciding import decide, undo
from meter_pipeline.review.decisions import Decision
from meter_pipeline.review.promotion_plan import plan
from meter_pipeline.review.reviewed_images import current_state, review_photos
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import IMAGE_INVENTORY, PROMOTED_IMAGES, REVIEWED_IMAGES
from meter_pipeline_tests.support.reviewed_photos import store_photo
from meter_pipeline_tests.support.two_drops import frame


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    for name in ("HPL_BLUE", "HPL_GREY"):
        (tmp_path / "raw" / name).mkdir(parents=True)
    return Layout(tmp_path)


@pytest.fixture
def photo(layout: Layout) -> str:
    return store_photo(layout, 1)


def put_labelled(layout: Layout, image_id: str, path: str) -> None:
    """Lay a photo into data/raw as a person does, and take it into the inventory."""
    (layout.raw / path).write_bytes(layout.image(image_id).read_bytes())
    row = {"image_id": image_id, "path": path, "label": path.split("/", maxsplit=1)[0], "sha256": image_id}
    layout.lake.replace(IMAGE_INVENTORY, frame(IMAGE_INVENTORY, [row]))


def say(layout: Layout, proposal: Proposal, *, source: str) -> Decision:
    """Write a proposal as the page does."""
    photos = [proposal.image_id]
    return decide(layout, proposal.action, photos, by=proposal.by, target=proposal.label, source=source)


def test_a_word_is_written_with_who_says_it_and_where(layout: Layout, photo: str) -> None:
    proposal = propose(layout, photo, " hpl_blue ", by=" anna ")
    assert (proposal.action, proposal.label, proposal.is_new) == (Action.NAME, "HPL_BLUE", False)
    assert not proposal.needs_a_yes
    made = say(layout, proposal, source="batches")
    assert (made.by, made.source, made.target, made.image_ids) == ("anna", "batches", "HPL_BLUE", (photo,))
    assert decided_photos(layout) == {photo: "HPL_BLUE"}
    before = said_before(current_state(layout), photo)
    assert before is not None
    assert before.sentence == "named HPL_BLUE by anna"
    undo(layout, made.decision_id, by="anna")
    assert decided_photos(layout) == {}
    assert said_before(current_state(layout), photo) is None


def test_junk_is_a_word_like_a_class(layout: Layout, photo: str) -> None:
    proposal = propose(layout, photo, "Junk", by="")
    assert (proposal.action, proposal.label, proposal.words) == (Action.JUNK, None, JUNK)
    say(layout, proposal, source="classes")
    assert decided_photos(layout) == {photo: JUNK}


def test_somebody_elses_word_is_said_and_ones_own_is_replaced(layout: Layout, photo: str) -> None:
    say(layout, propose(layout, photo, "HPL_BLUE", by="anna"), source="batches")
    assert propose(layout, photo, "HPL_BLUE", by="bob").already
    others = propose(layout, photo, "HPL_GREY", by="bob")
    assert (others.contested, others.needs_a_yes) == ("named HPL_BLUE by anna", True)
    own = propose(layout, photo, "HPL_GREY", by="anna")
    assert (own.contested, own.needs_a_yes) == (None, False)
    say(layout, others, source="batches")
    assert decided_photos(layout) == {photo: "HPL_GREY"}
    assert not current_state(layout).words[photo].disputed, "bob saw what anna said"


def test_a_new_class_that_may_be_mistyped_is_asked_about(layout: Layout, photo: str) -> None:
    assert propose(layout, photo, "HPL_BLUEE", by="").nearly_equal == ("HPL_BLUE",)
    assert propose(layout, photo, "KAIFA", by="").nearly_equal == ()
    assert propose(layout, photo, "KAIFA", by="").is_new
    say(layout, propose(layout, photo, "KAIFA", by=""), source="batches")
    assert class_choices(layout, current_state(layout)) == ["HPL_BLUE", "HPL_GREY", "KAIFA"]
    assert not propose(layout, photo, "kaifa", by="").is_new


@pytest.mark.parametrize(("said", "words"), [("", "Nothing was chosen"), (None, "Nothing"), ("UNKNOWN", "an answer")])
def test_what_cannot_be_said_is_refused_with_a_sentence(
    layout: Layout, photo: str, said: str | None, words: str
) -> None:
    with pytest.raises(MeterError, match=words):
        propose(layout, photo, said, by="anna")


def test_a_file_that_a_person_put_into_another_class_wins_and_is_named(layout: Layout, photo: str) -> None:
    """As promotion decides it: the file stays where it is, and the named photo is 'labelled otherwise'."""
    put_labelled(layout, photo, "HPL_GREY/by_hand.jpg")
    assert propose(layout, photo, "HPL_GREY", by="").contrary_files == ()
    proposal = propose(layout, photo, "HPL_BLUE", by="")
    assert proposal.contrary_files == ("HPL_GREY/by_hand.jpg",)
    assert propose(layout, photo, JUNK, by="").contrary_files == ("HPL_GREY/by_hand.jpg",)
    say(layout, proposal, source="classes")
    review_photos(layout)
    ((settled,), _) = plan(layout, layout.lake.frame(REVIEWED_IMAGES), {})
    assert settled.status == "labelled otherwise"
    (layout.raw / "HPL_GREY" / "by_hand.jpg").rename(layout.raw / "HPL_BLUE" / "by_hand.jpg")
    assert propose(layout, photo, "HPL_BLUE", by="").contrary_files == (), "it was moved, as it was said"


def test_a_file_that_promotion_put_there_is_no_obstacle(layout: Layout, photo: str) -> None:
    path = f"HPL_GREY/reviewed-{photo[:16]}.jpg"
    put_labelled(layout, photo, path)
    promoted = {"image_id": photo, "label": "HPL_GREY", "status": "promoted", "path": path}
    layout.lake.replace(PROMOTED_IMAGES, frame(PROMOTED_IMAGES, [promoted]))
    assert propose(layout, photo, "HPL_BLUE", by="").contrary_files == ()
    assert propose(layout, photo, JUNK, by="").contrary_files == ()
