"""What people said of a photo, and what one more word would mean: who is overruled, which file would stand against it.

The word itself is checked and written by `review.deciding`.
"""

from __future__ import annotations

from dataclasses import dataclass

from meter_pipeline.dataset.class_folders import folder_of
from meter_pipeline.dataset.promoted_files import own_files
from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action, class_key
from meter_pipeline.review.agreement import Said, sift
from meter_pipeline.review.deciding import known_classes
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import querying
from meter_pipeline.storage.tables import PROMOTED_IMAGES

JUNK = Action.JUNK.value
"""Stands for the word junk where otherwise the name of a class stands; no class can be called so."""


@dataclass(frozen=True)
class SaidBefore:
    """The word on a photo that counts.

    Attributes:
        sentence: what it says, as the end of a sentence that begins with the photo.
        at: when it was said, ISO 8601.
    """

    sentence: str
    at: str


@dataclass(frozen=True)
class Proposal:
    """A word that a person is about to say of a photo, and what it would mean.

    Attributes:
        image_id: the photo.
        action: name or junk.
        label: the class as its folder is called; None: junk.
        by: who says it; may be empty.
        is_new: whether there is no such class yet.
        nearly_equal: classes that are there and are called nearly the same; empty unless it is new.
        already: whether this was said of the photo before.
        contested: what somebody else said of it, as the end of a sentence that begins with the photo; None: nothing.
        contrary_files: files of this photo below `data/raw` that a person put where this word does not, and that win.
    """

    image_id: str
    action: Action
    label: str | None
    by: str
    is_new: bool
    nearly_equal: tuple[str, ...]
    already: bool
    contested: str | None
    contrary_files: tuple[str, ...]

    @property
    def words(self) -> str:
        """What is said: the class, or junk."""
        return self.label or JUNK

    @property
    def needs_a_yes(self) -> bool:
        """Whether a person has to say yes first: somebody else is overruled, or the class may be mistyped."""
        return self.contested is not None or bool(self.nearly_equal)


def decided_photos(layout: Layout) -> dict[str, str]:
    """Return what people said of the photos that are decided now, by image_id: the class, or `JUNK`."""
    words = current_state(layout).words
    return {image_id: word.label or JUNK for image_id, word in words.items() if word.decided}


def said_before(state: State, image_id: str) -> SaidBefore | None:
    """Return what people said a photo is; None if nobody did."""
    word = state.words.get(image_id)
    if word is None or not word.decided:
        return None
    said = Said(word.decision.action, word.label, word.decision.by, word.disputed_labels, (image_id,))
    return SaidBefore(said.sentence, word.decision.at.isoformat())


def class_choices(layout: Layout, state: State) -> list[str]:
    """Return the classes that a photo can be named: those that have a folder, and those that people named photos."""
    return known_classes(layout, state).known


def propose(layout: Layout, image_id: str, said: str | None, *, by: str) -> Proposal:
    """Return what it would mean to say a word of a photo, as things are now; nothing is written.

    Args:
        layout: the data directory.
        image_id: the photo.
        said: the class, in any spelling, or `JUNK`.
        by: who says it; may be empty.

    Raises:
        MeterError: nothing was said, or it cannot be a class.
    """
    if not said or not said.strip():
        raise MeterError("Nothing was chosen.", fix="Choose a class, type a new one, or choose junk.")
    state, by = current_state(layout), by.strip()
    action = Action.JUNK if class_key(said) == JUNK else Action.NAME
    label, nearly_equal, is_new = None, [], False
    if action == Action.NAME:
        classes = known_classes(layout, state)
        known, nearly_equal, label = set(classes.known), classes.nearly_equal(said), classes.resolve(said)
        is_new = label not in known
    found = sift(state, [image_id], action, label, by)
    return Proposal(
        image_id=image_id,
        action=action,
        label=label,
        by=by,
        is_new=is_new,
        nearly_equal=tuple(nearly_equal) if is_new else (),
        already=bool(found.already),
        contested=found.contested[0].sentence if found.contested else None,
        contrary_files=tuple(_contrary_files(layout, image_id, label)),
    )


def _contrary_files(layout: Layout, image_id: str, label: str | None) -> list[str]:
    """Return the files of a photo that a person put into another class than this; where junk is said, into any.

    Promotion takes its own files out of a class by itself, and leaves all others (`review.promotion_plan`).
    """
    with querying(layout.lake, "image_inventory") as lake:
        rows = lake.rows("SELECT path FROM image_inventory WHERE image_id = ? ORDER BY path", [image_id])
    own = own_files(layout.lake.frame(PROMOTED_IMAGES)).get(image_id)
    paths = [row["path"] for row in rows if row["path"] != own and (layout.raw / row["path"]).is_file()]
    return [path for path in paths if label is None or class_key(folder_of(path) or "") != class_key(label)]
