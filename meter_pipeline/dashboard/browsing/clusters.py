"""The clusters of UNKNOWN photos: a card for each with what it mostly looks like, all photos of one, and the map.

A photo that a person named or called junk does not count any more; a cluster of such photos alone is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from meter_pipeline.discovery.reports import cluster_name
from meter_pipeline.labels import HARDLY_METERS, NOISE
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import LakeQueries, querying

TABLES = ("unknown_clusters", "cluster_summary", "unknown_metadata", "unknown_map")
"""What the functions here read; for caches."""
EXAMPLES = 12
"""Photos that a card shows."""
LIKENESSES = 3
"""Classes that a card names."""
METER = "coalesce(c.same_meter, c.image_id)"
"""What the photos of one physical meter share, in SQL; a photo of no known meter stands alone."""
SHOWN = f"""decided AS (SELECT unnest(?::VARCHAR[]) AS image_id),
     members AS (SELECT c.*, {METER} AS meter, d.image_id IS NOT NULL AS is_decided,
                        bool_and(d.image_id IS NOT NULL) OVER (PARTITION BY cluster_id) AS all_decided
                 FROM unknown_clusters AS c LEFT JOIN decided AS d USING (image_id)),
     shown AS (SELECT * FROM members WHERE all_decided OR NOT is_decided)"""
"""The photos that cards are about, in SQL, from the ids of the decided ones: those that are left, or all if none is."""


@dataclass(frozen=True)
class Likeness:
    """A class that a cluster's photos look like.

    Attributes:
        label: the class.
        first: share of the photos with it as top 1.
        among_three: share of the photos with it in the top 3.
    """

    label: str
    first: float
    among_three: float


@dataclass(frozen=True)
class ClusterCard:
    """A cluster in short.

    Attributes:
        cluster_id: `NOISE` for the photos in no cluster.
        photos: how many there are that nobody has decided on; if all are decided, all.
        meters: how many physical meters they show.
        examples: image_ids to show, the representative first, then the surest; each meter once.
        likenesses: what it mostly looks like, the most frequent first.
        meter_share: how much it looks like meters rather than junk, 0 to 1; None if that is not known.
        sureness: chance that nine in ten of its photos show one design, 0 to 1; None for noise.
        decided: photos of it that people decided on, by what they said: a class, or junk; the most frequent first.
        is_decided: whether no photo is left to decide on.
    """

    cluster_id: int
    photos: int
    meters: int
    examples: list[str]
    likenesses: list[Likeness]
    meter_share: float | None
    sureness: float | None
    decided: dict[str, int] = field(default_factory=dict)
    is_decided: bool = False

    @property
    def name(self) -> str:
        """What it is called within a sentence."""
        return cluster_name(self.cluster_id).lower()

    @property
    def is_noise(self) -> bool:
        """Whether its photos are in no cluster."""
        return self.cluster_id == NOISE

    @property
    def hardly_meters(self) -> bool:
        """Whether its photos probably show something other than meters."""
        return self.meter_share is not None and self.meter_share < HARDLY_METERS


@dataclass(frozen=True)
class ClusterMember:
    """A photo of a cluster, or a meter on several photos.

    Attributes:
        image_id: the photo, the surest one of the meter.
        top3: class and raw softmax.
        others: further photos of the same meter, folded under this one.
    """

    image_id: str
    top3: list[tuple[str, float]]
    others: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MapPoint:
    """A photo on the 2-D map of the UNKNOWN photos."""

    image_id: str
    cluster_id: int
    x: float
    y: float
    top1_class: str | None

    @property
    def cluster(self) -> str:
        """What its cluster is called within a sentence."""
        return cluster_name(self.cluster_id).lower()


@dataclass(frozen=True)
class UnknownMap:
    """The 2-D map, which is made after the clusters and may be missing or older than they are.

    Attributes:
        points: the photos in the clusters that have a place.
        without_place: how many photos in the clusters have none.
        is_older: whether it was made of other photos than there are now, or by another model.
    """

    points: list[MapPoint]
    without_place: int
    is_older: bool


def list_clusters(
    layout: Layout, *, decided: Mapping[str, str] | None = None, examples: int = EXAMPLES
) -> list[ClusterCard]:
    """Return the clusters, the surest to be one design of meters first, noise at the end.

    Args:
        layout: the data directory.
        decided: what people said of photos, by image_id: a class, or junk.
        examples: how many photos a card shows.
    """
    decided = decided or {}
    ids = list(decided)
    with querying(layout.lake, *TABLES) as lake:
        rows = lake.rows(
            f"""WITH {SHOWN},
                     first_of_meter AS (SELECT cluster_id, meter, image_id, membership,
                              row_number() OVER (PARTITION BY cluster_id, meter ORDER BY membership DESC, image_id) AS n
                          FROM shown),
                     sizes AS (SELECT cluster_id, count(*) AS photos, count(DISTINCT meter) AS meters,
                                      bool_and(is_decided) AS is_decided, list(image_id) AS image_ids
                               FROM shown GROUP BY cluster_id)
                SELECT s.cluster_id, s.representative, s.meter_share, s.sureness, z.photos, z.meters, z.is_decided,
                       list_contains(z.image_ids, s.representative) AS shows_representative,
                       (SELECT list(image_id ORDER BY membership DESC, image_id) FROM first_of_meter AS f
                        WHERE f.cluster_id = s.cluster_id AND n = 1)[1:{int(examples) + 1}] AS surest
                FROM cluster_summary AS s JOIN sizes AS z USING (cluster_id)""",
            [ids],
        )
        looks = _likenesses(lake, ids)
        said = _said(lake, decided)
    cards = [
        ClusterCard(
            cluster_id=row["cluster_id"],
            photos=row["photos"],
            meters=row["meters"],
            examples=_first_is(row["representative"] if row["shows_representative"] else None, row["surest"], examples),
            likenesses=looks.get(row["cluster_id"], []),
            meter_share=row["meter_share"],
            sureness=row["sureness"],
            decided=said.get(row["cluster_id"], {}),
            is_decided=row["is_decided"],
        )
        for row in rows
    ]
    return sorted(cards, key=_surest_first)


def _surest_first(card: ClusterCard) -> tuple[bool, bool, float, int, int]:
    # Equally sure to a tenth, the larger one first: it names more photos.
    return card.is_noise, card.hardly_meters, -round(card.sureness or 0.0, 1), -card.photos, card.cluster_id


def open_cluster(layout: Layout, cluster_id: int, *, decided: Mapping[str, str] | None = None) -> list[ClusterMember]:
    """Return the photos of a cluster, the surest first; those of one physical meter are one member.

    Args:
        layout: the data directory.
        cluster_id: the cluster.
        decided: what people said of photos, by image_id; these photos are left out, unless all are decided.
    """
    with querying(layout.lake, *TABLES) as lake:
        rows = lake.rows(
            f"""WITH {SHOWN}
                SELECT c.image_id, c.membership, c.meter, u.*
                FROM shown AS c LEFT JOIN unknown_metadata AS u USING (image_id)
                WHERE c.cluster_id = ? ORDER BY c.membership DESC, c.image_id""",
            [list(decided or ()), cluster_id],
        )
    members: dict[str, ClusterMember] = {}
    for row in rows:
        if row["meter"] in members:
            members[row["meter"]].others.append(row["image_id"])
            continue
        top3 = [
            (row[f"top{k}_class"], row[f"top{k}_confidence"]) for k in (1, 2, 3) if row[f"top{k}_class"] is not None
        ]
        members[row["meter"]] = ClusterMember(row["image_id"], top3)
    return list(members.values())


def read_map(layout: Layout) -> UnknownMap:
    """Return the photos on the 2-D map, and how far it is behind the clusters."""
    with querying(layout.lake, *TABLES) as lake:
        rows = lake.rows(
            """SELECT c.image_id, c.cluster_id, m.x, m.y, u.top1_class,
                      m.model_version IS DISTINCT FROM u.model_version AS of_another_model
               FROM unknown_clusters AS c LEFT JOIN unknown_map AS m USING (image_id)
               LEFT JOIN unknown_metadata AS u USING (image_id) ORDER BY c.image_id"""
        )
        on_map = lake.value("SELECT count(*) FROM unknown_map")
    of_another_model = [row.pop("of_another_model") for row in rows if row["x"] is not None]
    points = [MapPoint(**row) for row in rows if row["x"] is not None]
    without_place = len(rows) - len(points)
    older = bool(points) and (without_place > 0 or on_map > len(points) or any(of_another_model))
    return UnknownMap(points, without_place, is_older=older)


def _said(lake: LakeQueries, decided: Mapping[str, str]) -> dict[int, dict[str, int]]:
    """Count what people said of the photos of each cluster."""
    rows = lake.rows(
        "SELECT image_id, cluster_id FROM unknown_clusters WHERE image_id IN (SELECT unnest(?::VARCHAR[]))",
        [list(decided)],
    )
    counts: dict[int, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["cluster_id"], Counter())[decided[row["image_id"]]] += 1
    return {cluster_id: dict(count.most_common()) for cluster_id, count in counts.items()}


def _likenesses(lake: LakeQueries, decided: list[str]) -> dict[int, list[Likeness]]:
    rows = lake.rows(
        f"""WITH {SHOWN},
                m AS (SELECT cluster_id, unnest([top1_class, top2_class, top3_class]) AS label,
                             unnest([1, 2, 3]) AS place
                      FROM shown JOIN unknown_metadata USING (image_id)),
                sizes AS (SELECT cluster_id, count(*) AS photos FROM shown GROUP BY cluster_id)
           SELECT cluster_id, label, count(*) FILTER (place = 1) / any_value(photos) AS first,
                  count(*) / any_value(photos) AS among_three
           FROM m JOIN sizes USING (cluster_id) WHERE label IS NOT NULL GROUP BY cluster_id, label
           ORDER BY cluster_id, first DESC, among_three DESC, label""",
        [decided],
    )
    found: dict[int, list[Likeness]] = {}
    for row in rows:
        of_cluster = found.setdefault(row["cluster_id"], [])
        if len(of_cluster) < LIKENESSES:
            of_cluster.append(Likeness(row["label"], row["first"], row["among_three"]))
    return found


def _first_is(representative: str | None, surest: list[str], examples: int) -> list[str]:
    others = [image_id for image_id in surest if image_id != representative]
    return [*([representative] if representative else []), *others][:examples]
