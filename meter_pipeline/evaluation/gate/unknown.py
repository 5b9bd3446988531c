"""The gate on UNKNOWN: few known photos are sent there, and no fewer photos of other types and of junk than before.

A model that gains by naming everything must not pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from meter_pipeline.evaluation.gate.contender import Contender, GuardFigures, compared_photos
from meter_pipeline.evaluation.gate.drop_photos import DropPhotos, is_name
from meter_pipeline.evaluation.gate.findings import (
    FEWEST_THAT_COUNT,
    ROUNDING,
    Criterion,
    Finding,
    is_clearly_lower,
    is_clearly_over,
    is_clearly_worse,
)
from meter_pipeline.labels import FinalLabel, Outcome

KNOWN_FLAGGED_MARGIN = 0.02
"""Share of known photos that may be sent to UNKNOWN beyond what the guard was asked for (LOOP section 5)."""
CAUGHT_MAY_FALL = 0.05
"""Share of hidden classes, and of junk, that may be caught less than by the champion (LOOP section 5)."""
FEWEST_CLASSES = 5
"""Hidden classes below which nothing tells a fall from chance. Their photos do not count one by one: those of a class
look alike, and one sister that becomes known can turn seventy of them."""
CAUGHT_FELL_FAR = 0.20
"""A fall by more than this, if it is not chance, is refused: that model names what it does not know."""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What both models send to UNKNOWN; shares are 0 to 1.

    Attributes:
        known_photos: test photos of the challenger's classes that it was not trained on.
        known_flagged: those that it sends to UNKNOWN.
        known_flagged_limit: share that its guard was asked to send there at most; None: not said.
        compared_photos: test photos that both can be compared on.
        compared_flagged: those that the challenger sends to UNKNOWN.
        compared_flagged_champion: those that the champion does.
        guard: the challenger's guard.
        guard_champion: the champion's; None without one.
        junk_photos: photos that people marked as junk.
        junk_caught: those that the challenger does not name.
        junk_caught_champion: those that the champion does not name.
        junk_lost: those that only the champion does not name.
        junk_gained: those that only the challenger does not name.
    """

    known_photos: int = 0
    known_flagged: int = 0
    known_flagged_limit: float | None = None
    compared_photos: int = 0
    compared_flagged: int = 0
    compared_flagged_champion: int = 0
    guard: GuardFigures = field(default_factory=GuardFigures)
    guard_champion: GuardFigures | None = None
    junk_photos: int = 0
    junk_caught: int = 0
    junk_caught_champion: int = 0
    junk_lost: int = 0
    junk_gained: int = 0


def measure_unknown(challenger: Contender, champion: Contender | None, drops: DropPhotos) -> Unknown:
    """Return what both models send to UNKNOWN.

    Args:
        challenger: the model that wants to come into use.
        champion: the model in use; None: nothing to compare with.
        drops: photos of drops, with what people marked as junk.
    """
    own = challenger.own_audit
    known = own[own["true_class"].isin(challenger.classes)]
    flagged, limit = _flagged(known["final_prediction"]), challenger.guard.known_flagged_limit
    if champion is None or champion.version == challenger.version:
        return Unknown(
            known_photos=len(known), known_flagged=flagged, known_flagged_limit=limit, guard=challenger.guard
        )
    compared, _ = compared_photos(challenger, champion)
    junk = [image_id for image_id, word in drops.words.items() if word.is_junk and drops.has_both(image_id)]
    caught = [(not is_name(drops.challenger[photo]), not is_name(drops.champion[photo])) for photo in junk]
    return Unknown(
        known_photos=len(known),
        known_flagged=flagged,
        known_flagged_limit=limit,
        compared_photos=len(compared),
        compared_flagged=_flagged(compared["final_prediction"]),
        compared_flagged_champion=_flagged(compared["final_prediction_champion"]),
        guard=challenger.guard,
        guard_champion=champion.guard,
        junk_photos=len(junk),
        junk_caught=sum(now for now, _ in caught),
        junk_caught_champion=sum(before for _, before in caught),
        junk_lost=sum(before and not now for now, before in caught),
        junk_gained=sum(now and not before for now, before in caught),
    )


def on_unknown(found: Unknown) -> list[Finding]:
    """Return what speaks against what the challenger sends to UNKNOWN, and against what it does not."""
    return [*_on_known(found), *_on_hidden(found.guard, found.guard_champion), *_on_junk(found)]


def _on_known(found: Unknown) -> list[Finding]:
    if found.known_flagged_limit is None:
        return []
    limit = found.known_flagged_limit + KNOWN_FLAGGED_MARGIN
    if not is_clearly_over(found.known_flagged, found.known_photos, limit):
        return []
    # Where the model in use sends as many there, keeping it in use would help nobody.
    is_worse = found.compared_flagged > found.compared_flagged_champion or not found.compared_photos
    return [
        Finding(
            criterion=Criterion.KNOWN_FLAGGED,
            outcome=Outcome.HELD if is_worse else Outcome.ACCEPTED,
            value=found.known_flagged / found.known_photos,
            before=found.compared_flagged_champion / found.compared_photos if found.compared_photos else None,
            limit=limit,
            count=found.known_flagged,
            photos=found.known_photos,
        )
    ]


def _on_hidden(guard: GuardFigures, champion: GuardFigures | None) -> list[Finding]:
    if champion is None:
        return []
    if champion.is_on and not guard.is_on:
        return [Finding(criterion=Criterion.GUARD_OFF, outcome=Outcome.HELD)]
    if champion.hidden_caught is None:
        return []
    if guard.hidden_caught is None:
        return [Finding(criterion=Criterion.HIDDEN_UNMEASURED, outcome=Outcome.HELD, before=champion.hidden_caught)]
    hidden_by_both = sorted(guard.hidden_by_class.keys() & champion.hidden_by_class.keys())
    if not hidden_by_both:
        return _on_fall(guard.hidden_caught, champion.hidden_caught, is_clear=None)
    now, before = ([figures.hidden_by_class[name] for name in hidden_by_both] for figures in (guard, champion))
    is_clear = None if len(hidden_by_both) < FEWEST_CLASSES else is_clearly_lower(now, before)
    return _on_fall(fmean(now), fmean(before), is_clear=is_clear)


def _on_fall(now: float, before: float, *, is_clear: bool | None) -> list[Finding]:
    """Return what a fall of the share of hidden classes that is caught leads to.

    Args:
        now: the challenger's share.
        before: the champion's.
        is_clear: whether it is more than chance; None: not known.
    """
    if now >= before - CAUGHT_MAY_FALL - ROUNDING:
        return []
    if is_clear is False:
        outcome = Outcome.ACCEPTED
    else:
        outcome = Outcome.REFUSED if is_clear and now < before - CAUGHT_FELL_FAR - ROUNDING else Outcome.HELD
    return [
        Finding(criterion=Criterion.HIDDEN_CAUGHT, outcome=outcome, value=now, before=before, limit=CAUGHT_MAY_FALL)
    ]


def _on_junk(found: Unknown) -> list[Finding]:
    lost = found.junk_lost - found.junk_gained
    if lost < FEWEST_THAT_COUNT or lost <= CAUGHT_MAY_FALL * found.junk_photos + ROUNDING:
        return []
    fell_far = lost > CAUGHT_FELL_FAR * found.junk_photos + ROUNDING
    is_refused = fell_far and is_clearly_worse(found.junk_lost, found.junk_gained)
    return [
        Finding(
            criterion=Criterion.JUNK_CAUGHT,
            outcome=Outcome.REFUSED if is_refused else Outcome.HELD,
            value=found.junk_caught / found.junk_photos,
            before=found.junk_caught_champion / found.junk_photos,
            limit=CAUGHT_MAY_FALL,
            count=lost,
            photos=found.junk_photos,
        )
    ]


def _flagged(final_labels: object) -> int:
    return int((final_labels == FinalLabel.UNKNOWN).sum())  # type: ignore[attr-defined]
