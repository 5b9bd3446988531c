"""A reviewer who knows what each photo shows and decides by cluster, in decision files as DESIGN 6 has them.

Cluster by cluster: strangers are taken out, the rest is named, or is junk. What is in no cluster is not looked at. One
who errs takes some photos for something else: a stranger that he takes for one of the rest is named with it, and one of
the rest that he takes for another design is named so by a decision of its own.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from meter_pipeline.labels import NOISE

JUNK = "junk"


@dataclass(frozen=True)
class Saying:
    """What the reviewer says about photos of one cluster.

    Attributes:
        action: name, junk or exclude.
        image_ids: the photos.
        target: the class of a name, the rest of the cluster of an exclude, nothing of junk.
        cluster_id: the cluster that he looks at.
    """

    action: str
    image_ids: tuple[str, ...]
    target: str | tuple[str, ...] | None
    cluster_id: int


def say(clusters: pd.DataFrame, taken_for: Mapping[str, str] | None = None) -> list[Saying]:
    """Return what he says about all clusters, in their order.

    Args:
        clusters: one row per UNKNOWN photo, columns image_id, cluster_id and shows (its design, or `JUNK`).
        taken_for: what he takes photos for that he errs on, by image_id.
    """
    errors, sayings = taken_for or {}, []
    for _, members in clusters[clusters["cluster_id"] != NOISE].groupby("cluster_id", sort=True):
        number, shows = (
            int(members["cluster_id"].iloc[0]),
            dict(zip(members["image_id"], members["shows"], strict=True)),
        )
        design = most_frequent(shows.values())
        seen = {image_id: errors.get(image_id, truth) for image_id, truth in sorted(shows.items())}
        rest = tuple(image_id for image_id, what in seen.items() if what == design)
        misnamed = [image_id for image_id, what in seen.items() if shows[image_id] == design != what]
        strangers = tuple(i for i, what in seen.items() if what != design and i not in misnamed)
        if strangers and rest:
            sayings.append(Saying("exclude", strangers, rest, number))
        if rest:
            sayings.append(_called(rest, design, number))
        sayings += [_called((image_id,), seen[image_id], number) for image_id in misnamed]
    return sayings


def errors_on(clusters: pd.DataFrame, share: float, classes: Sequence[str], seed: int) -> dict[str, str]:
    """Return what an erring reviewer takes photos for: a share of those in clusters, at least one, drawn by the seed.

    Args:
        clusters: as for `say`.
        share: of the photos in clusters that he errs on.
        classes: what one of a cluster's own photos can be taken for; a stranger is taken for one of the cluster's own.
        seed: of the draw.
    """
    random, grouped = np.random.default_rng(seed), clusters[clusters["cluster_id"] != NOISE].sort_values("image_id")
    if grouped.empty:
        return {}
    design_of = grouped.groupby("cluster_id")["shows"].agg(most_frequent)
    chosen = random.choice(len(grouped), max(1, round(share * len(grouped))), replace=False)
    errors = {}
    for image_id, shows, cluster_id in grouped.iloc[sorted(chosen)][["image_id", "shows", "cluster_id"]].to_numpy():
        design = design_of[cluster_id]
        others = sorted(set(classes) - {shows})
        errors[str(image_id)] = design if shows != design else others[int(random.integers(len(others)))]
    return errors


def most_frequent(names: Any) -> str:
    """Return the name that is there most often; of several the first by the alphabet."""
    counts = Counter(names)
    return min(counts, key=lambda name: (-counts[name], name))


def write_decisions(
    folder: Path, sayings: Sequence[Saying], *, by: str, revision: int | None, model_version: str | None
) -> list[str]:
    """Write one decision file for each thing said, a second apart and all in the past; return their ids.

    Args:
        folder: `data/review/decisions`.
        sayings: in order.
        by: who says so.
        revision: of the clusters that were looked at.
        model_version: the model in use.
    """
    last, now, written = last_decisions(folder), datetime.now(UTC), []
    for number, saying in enumerate(sayings):
        at = now - timedelta(seconds=len(sayings) - number)
        decision_id = _uuid7(at)
        decision = {
            "decision_id": decision_id,
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "by": by,
            "action": saying.action,
            "image_ids": list(saying.image_ids),
            "target": list(saying.target) if isinstance(saying.target, tuple) else saying.target,
            "undoes": None,
            "source": "cluster",
            "seen": {
                "cluster_id": saying.cluster_id,
                "revision": revision,
                "model_version": model_version,
                "last_decisions": {image_id: last.get(image_id) for image_id in saying.image_ids},
            },
        }
        path = folder / f"{at:%Y-%m}" / f"{decision_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".tmp").write_text(json.dumps(decision), encoding="utf-8")
        path.with_suffix(".tmp").replace(path)
        last |= dict.fromkeys(saying.image_ids, decision_id)
        written.append(decision_id)
    return written


def last_decisions(folder: Path) -> dict[str, str]:
    """Return the id of the last decision on each photo, by image_id."""
    decisions = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/*.json")]
    ordered = sorted(decisions, key=lambda decision: (decision["at"], decision["decision_id"]))
    return {image_id: decision["decision_id"] for decision in ordered for image_id in decision["image_ids"]}


def _called(image_ids: tuple[str, ...], what: str, cluster_id: int) -> Saying:
    if what == JUNK:
        return Saying("junk", image_ids, None, cluster_id)
    return Saying("name", image_ids, what, cluster_id)


def _uuid7(at: datetime) -> str:
    """Return a UUID of version 7: 48 bits of Unix time in milliseconds, then random bits."""
    bits = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
