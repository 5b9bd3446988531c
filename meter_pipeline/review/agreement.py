"""Whether what a person is about to say agrees with what was said before, photo by photo.

A person may take back his own word by a new one. Somebody else's is not overruled unless it was looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from meter_pipeline.labels import Action
from meter_pipeline.review.state import State, Word


@dataclass(frozen=True)
class Said:
    """What photos are by a live word.

    Attributes:
        action: name or junk.
        label: the class, if they were named; None: junk.
        by: who said so; empty where it was not said.
        other_labels: what others named them, if they are disputed.
        image_ids: the photos.
    """

    action: Action
    label: str | None
    by: str
    other_labels: tuple[str, ...]
    image_ids: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was said, as the end of a sentence that begins with the photos."""
        said = f"named {self.label}" if self.label is not None else "called junk"
        who = f" by {self.by}" if self.by else ""
        disputed = f", and {' and '.join(self.other_labels)} by others" if self.other_labels else ""
        return f"{said}{who}{disputed}"


@dataclass(frozen=True)
class Agreement:
    """Photos, sorted by whether a word may be said of them.

    Attributes:
        free: nobody has decided on them, or only the same person.
        already: they are what is to be said of them.
        taken_back: those of `free` that the same person has decided on otherwise.
        contested: somebody else has decided otherwise, or they are disputed.
    """

    free: tuple[str, ...]
    already: tuple[str, ...]
    taken_back: tuple[Said, ...]
    contested: tuple[Said, ...]

    @property
    def contested_ids(self) -> tuple[str, ...]:
        """The photos that are contested."""
        return tuple(image_id for said in self.contested for image_id in said.image_ids)


def sift(state: State, image_ids: Iterable[str], action: Action, label: str | None, by: str) -> Agreement:
    """Sort photos by whether a person may say a word of them without overruling somebody else.

    Args:
        state: what people decided.
        image_ids: the photos.
        action: what is to be said.
        label: the folder name of the class, if they are to be named.
        by: who says it.
    """
    free, already, own, others = [], [], [], []
    for image_id in image_ids:
        word = state.words.get(image_id)
        if word is None or not word.decided:
            free.append(image_id)
        elif word.disputed:
            others.append((image_id, word))
        elif word.decision.action == action and word.label == label:
            already.append(image_id)
        elif word.decision.by == by:
            free.append(image_id)
            own.append((image_id, word))
        else:
            others.append((image_id, word))
    return Agreement(tuple(free), tuple(already), _by_word(own), _by_word(others))


def _by_word(words: Iterable[tuple[str, Word]]) -> tuple[Said, ...]:
    groups: dict[tuple[Action, str | None, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for image_id, word in words:
        groups[word.decision.action, word.label, word.decision.by, tuple(word.disputed_labels)].append(image_id)
    return tuple(Said(*key, tuple(image_ids)) for key, image_ids in groups.items())
