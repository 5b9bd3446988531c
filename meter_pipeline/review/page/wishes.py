"""Decisions as a review page sends them: read from JSON, and sifted by what was said meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from meter_pipeline.errors import MeterError
from meter_pipeline.labels import Action, class_key, counted
from meter_pipeline.review.class_names import ClassNames, safe_spelling
from meter_pipeline.review.decisions import Decision
from meter_pipeline.review.state import State, Word


@dataclass(frozen=True)
class Wish:
    """A decision that a page wants to make.

    Attributes:
        decision_id: its id, made by the page; the same id twice is one decision.
        action: name, junk, exclude, group or later.
        image_ids: the photos.
        target: class of a name, the rest of the group of an exclude.
        cluster_id: the group that was looked at.
        last: by photo the decision that the page showed as its last; None: none.
    """

    decision_id: str
    action: str
    image_ids: tuple[str, ...]
    target: str | tuple[str, ...] | None = None
    cluster_id: int | None = None
    last: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parsed(cls, content: Any) -> Wish:
        """Read it from JSON.

        Raises:
            MeterError: it is not a decision.
        """
        try:
            target = content.get("target")
            cluster_id = content.get("cluster_id")
            return cls(
                decision_id=str(content["decision_id"]),
                action=str(content["action"]),
                image_ids=tuple(str(each) for each in content["image_ids"]),
                target=tuple(str(each) for each in target) if isinstance(target, list) else target,
                cluster_id=None if cluster_id is None else int(cluster_id),
                last=dict(content.get("last") or {}),
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise MeterError("This is not a decision.", where="review page", fix="Reload the page.") from error


@dataclass(frozen=True)
class Refusal:
    """Why a decision, or one photo of it, was not taken.

    Attributes:
        decision_id: the decision.
        reason: a sentence for people.
        image_id: the photo; None: the whole decision.
        by: who said otherwise; None if that is not the reason.
    """

    decision_id: str
    reason: str
    image_id: str | None = None
    by: str | None = None


def sift(wish: Wish, state: State, names: ClassNames, *, replace: bool) -> tuple[list[str], list[Refusal]]:
    """Return the photos that may be decided so, and a refusal for each that somebody decided on meanwhile.

    Args:
        wish: the decision.
        state: what is decided.
        names: the classes that there are.
        replace: whether what others said is overruled.

    Raises:
        MeterError: a name that cannot be a class.
    """
    label = None
    if wish.action == Action.NAME and isinstance(wish.target, str):
        label = names.resolve(wish.target)
    free, contested = [], defaultdict(list)
    for image_id in wish.image_ids:
        word = state.words.get(image_id)
        if word is None or not word.decided or replace or word.decision.decision_id == wish.last.get(image_id):
            free.append(image_id)
        elif word.decision.action != wish.action or word.label != label:
            contested[word.decision.decision_id].append((image_id, word))
    refusals = []
    for photos in contested.values():
        reason = _said_meanwhile(photos[0][1], len(photos))
        refusals += [Refusal(wish.decision_id, reason, image_id, word.decision.by) for image_id, word in photos]
    return free, refusals


def said_before(wish: Wish, earlier: Decision) -> dict[str, Any]:
    """Return what was taken when this decision came the first time.

    Raises:
        MeterError: something else was decided under its id.
    """
    is_same = earlier.action == wish.action and {*earlier.image_ids} <= {*wish.image_ids}
    if is_same and isinstance(earlier.target, str) and isinstance(wish.target, str):
        # LT/2 was written as LT_2.
        is_same = class_key(earlier.target) in (class_key(wish.target), class_key(safe_spelling(wish.target)))
    if not is_same:
        raise MeterError("Something else was decided under this id.", where=wish.decision_id, fix="Decide again.")
    target = earlier.target if isinstance(earlier.target, str) else None
    return {"decision_id": wish.decision_id, "target": target, "image_ids": list(earlier.image_ids)}


def said(decision: Decision) -> str:
    """Return what a decision says, in words."""
    target = f" {decision.target}" if decision.action == Action.NAME else ""
    photos = f" of {counted(len(decision.image_ids), 'photo')}" if decision.image_ids else ""
    return f"{decision.action.value}{target}{photos}"


def _said_meanwhile(word: Word, photos: int) -> str:
    who = word.decision.by or "Somebody"
    what = f"named {counted(photos, 'photo')} of these {word.label}" if word.label else f"called {photos} of these junk"
    minutes = int((datetime.now(UTC) - word.decision.at).total_seconds() // 60)
    ago = "a moment ago" if minutes < 1 else f"{counted(minutes, 'minute')} ago"
    return f"{who} {what} {ago}. That was kept."
