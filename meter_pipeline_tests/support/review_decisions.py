"""Decisions for tests: made in a line, and written as files that any program could have written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from meter_pipeline.labels import Action
from meter_pipeline.review.decisions import Decision, Seen
from meter_pipeline.storage.layout import Layout

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def photo(name: str) -> str:
    """Return the id of a photo of this short name."""
    return name.encode().hex().ljust(64, "0")


def decision(
    decision_id: str,
    action: Action,
    photos: Sequence[str] = (),
    target: str | Sequence[str] | None = None,
    *,
    minute: float = 0,
    by: str = "anna",
    undoes: str | None = None,
    saw: Mapping[str, str | None] | None = None,
) -> Decision:
    """Make a decision; photos are short names, `minute` counts from noon, `saw` is photo to last decision."""
    group = tuple(map(photo, target)) if target is not None and not isinstance(target, str) else target
    return Decision(
        decision_id=decision_id,
        at=NOON + timedelta(minutes=minute),
        by=by,
        action=action,
        image_ids=tuple(map(photo, photos)),
        target=group,
        undoes=undoes,
        seen=Seen(last_decisions={photo(name): last for name, last in (saw or {}).items()}),
    )


def file_content(decision_id: str = "d1", **changes: Any) -> dict[str, Any]:
    """Return the content of a good decision file with these fields changed."""
    good = {
        "decision_id": decision_id,
        "at": "2026-11-28T12:00:00Z",
        "by": "anna",
        "action": "name",
        "image_ids": [photo("p1")],
        "target": "NEW",
        "undoes": None,
    }
    return good | changes


def put_file(layout: Layout, content: object, name: str = "") -> Path:
    """Write a decision file as some other program would."""
    name = name or f"2026-11/{content['decision_id']}.json"  # type: ignore[index]
    path = layout.decisions / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


PHOTOS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    """Draw what three people said of six photos, with clocks, undos and things seen in any order."""
    decisions: list[Decision] = []
    for number in range(draw(st.integers(1, 14))):
        ids = [each.decision_id for each in decisions]
        action = draw(st.sampled_from(list(Action) if ids else [each for each in Action if each != Action.UNDO]))
        photos = draw(PHOTOS) if action != Action.UNDO else []
        decisions.append(
            decision(
                f"d{number}",
                action,
                photos,
                draw(st.sampled_from("AB"))
                if action == Action.NAME
                else draw(PHOTOS)
                if action == Action.EXCLUDE
                else None,
                minute=draw(st.integers(0, 5)),
                by=draw(st.sampled_from(["", "anna", "bob"])),
                undoes=draw(st.sampled_from(ids)) if action == Action.UNDO else None,
                saw={name: draw(st.sampled_from([None, *ids])) for name in photos},
            )
        )
    return decisions
