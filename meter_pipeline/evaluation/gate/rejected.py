"""The gate on what people rejected: a photo of junk, or one that is "not this class", is not named so again."""

from __future__ import annotations

from dataclasses import dataclass

from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, Word, is_name
from meter_pipeline.evaluation.gate.findings import Criterion, Finding
from meter_pipeline.labels import Outcome


@dataclass(frozen=True)
class NamedAgain:
    """A photo that the challenger names as a person said it is not.

    Attributes:
        image_id: the photo.
        name: what the challenger names it.
        is_junk: whether the person marked it as junk.
        is_new: whether the champion names it nothing that was rejected.
    """

    image_id: str
    name: str
    is_junk: bool
    is_new: bool


@dataclass(frozen=True)
class Rejected:
    """Photos that people rejected something of.

    Attributes:
        photos: how many were looked at.
        named_again: those that the challenger names so; by image_id.
    """

    photos: int = 0
    named_again: tuple[NamedAgain, ...] = ()

    @property
    def came_back(self) -> tuple[NamedAgain, ...]:
        """Those that the champion did not name so."""
        return tuple(photo for photo in self.named_again if photo.is_new)


def measure_rejected(drops: DropPhotos) -> Rejected:
    """Return which photos the challenger names as a person said that they are not."""
    rejecting = {
        image_id: word
        for image_id, word in sorted(drops.words.items())
        if (word.is_junk or word.not_labels) and drops.has_both(image_id)
    }
    named_again = [
        NamedAgain(
            image_id=image_id,
            name=drops.challenger[image_id],
            is_junk=word.is_junk,
            is_new=not _is_rejected(drops.champion[image_id], word),
        )
        for image_id, word in rejecting.items()
        if _is_rejected(drops.challenger[image_id], word)
    ]
    return Rejected(len(rejecting), tuple(named_again))


def on_rejected(found: Rejected) -> list[Finding]:
    """Return what speaks against a challenger that names again what people rejected."""
    if not found.named_again:
        return []
    back = found.came_back
    return [
        Finding(
            criterion=Criterion.REJECTED,
            outcome=Outcome.HELD if back else Outcome.ACCEPTED,
            value=len(found.named_again),
            before=len(found.named_again) - len(back),
            limit=0,
            count=len(back),
            photos=found.photos,
            names=tuple(sorted({photo.name for photo in back or found.named_again})),
        )
    ]


def _is_rejected(final_label: str, word: Word) -> bool:
    return is_name(final_label) and word.rejects(final_label)
