"""What photos look like, by their pretrained embeddings: near classes, near known photos, similar groups, look-alikes.

For suggestions to a person only: nothing is predicted by it. Photos that people named a minute ago are prototypes like
the classes that the model knows, so that the second group of a new type is one key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from meter_pipeline.storage.lake import Lake
from meter_pipeline.storage.table_rows import vectors
from meter_pipeline.storage.tables import IMAGE_FEATURES, KNOWN_EMBEDDINGS, UNKNOWN_EMBEDDINGS, UNKNOWN_LOOKS

SUGGESTIONS = 3
LEAST_NEAR = 0.5
"""Cosine similarity below which a class is not suggested: one key would name a group so."""
SIMILAR_GROUPS = 3
LEAST_ALIKE = 0.35
"""Cosine similarity of two groups' centres below which they do not stand beside each other."""
MOST_PARTS = 6
CLEAR_PARTS = 0.10
"""Silhouette below which photos are one part."""
MOST_COMPARED = 2000
"""Photos that are clustered with each other; of more, evenly picked ones are, and the rest goes to the nearest part."""
MOST_SEEDS = 500
"""Photos that look-alikes are sought for; of more, evenly picked ones."""
_BLOCK = 8192


@dataclass(frozen=True)
class Suggestion:
    """A class that photos are near.

    Attributes:
        label: the class.
        similarity: cosine similarity of their centre to that of the class, -1 to 1.
        image_id: the nearest photo of a class that the model knows, the most typical one of a class named since.
        source: known (the model knows the class) or named (by people, since).
    """

    label: str
    similarity: float
    image_id: str
    source: str


@dataclass(frozen=True)
class Prototypes:
    """Classes as points that photos may be near to: those of the model first, then those that people named.

    Attributes:
        labels: the class of each point.
        typical: its photo nearest the point.
        points: mean direction of its photos, classes x dimensions.
        known: how many of them, from the first, are classes of the model.
    """

    labels: tuple[str, ...]
    typical: tuple[str, ...]
    points: np.ndarray
    known: int


@dataclass(frozen=True)
class NearPhoto:
    """A labelled photo near another photo."""

    image_id: str
    label: str
    similarity: float


class Looks:
    """The pretrained embeddings of the UNKNOWN and of the labelled photos, held in memory.

    Args:
        lake: the tables; read here, once.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        unknown = lake.read(UNKNOWN_EMBEDDINGS, ["image_id", "model_version", "pretrained_embedding"])
        known = lake.read(KNOWN_EMBEDDINGS, ["image_id", "model_version", "label", "pretrained_embedding"])
        self._unknown_ids = np.array(unknown["image_id"].to_pylist(), dtype=object)
        self._row = {image_id: row for row, image_id in enumerate(self._unknown_ids)}
        # Half precision: 100,000 photos take a quarter of a gigabyte, and suggestions need no more.
        self._unknown = _units(vectors(unknown, "pretrained_embedding")).astype(np.float16)
        self._known_ids = known["image_id"].to_pylist()
        self._known_labels = np.array(known["label"].to_pylist(), dtype=object)
        self._known = _units(vectors(known, "pretrained_embedding"))
        if len(self._unknown) and self._known.shape[1] != self._unknown.shape[1]:
            # A new backbone's tables are written one after the other; until both are, these cannot be compared.
            self._known_ids, self._known_labels, self._known = [], self._known_labels[:0], self._known[:0]
        models = (unknown if unknown.num_rows else known)["model_version"].to_pylist()
        self._model = models[0] if models else None
        self._known_rows = {
            label: np.flatnonzero(self._known_labels == label) for label in sorted(set(self._known_labels))
        }
        self._places = _Places(lake, self._row, self._unknown)
        self._others: dict[str, np.ndarray] = {}
        self._without: set[str] = set()

    def of(self, image_ids: Sequence[str]) -> np.ndarray:
        """Return the embeddings of photos, photos x dimensions; those of photos that have none are left out."""
        missing = [i for i in image_ids if not self._has(i) and i not in self._without]
        if missing:
            self._read_features(missing)
        found = [i for i in image_ids if self._has(i)]
        rows = np.array([self._row.get(i, -1) for i in found], dtype=int)
        result = np.empty((len(found), self._dimensions), np.float32)
        result[rows >= 0] = self._unknown[rows[rows >= 0]]
        for place in np.flatnonzero(rows < 0):
            result[place] = self._others[found[place]]
        return result

    def centre(self, image_ids: Sequence[str]) -> np.ndarray | None:
        """Return the mean direction of photos; None if none of them has an embedding."""
        found = self.of(image_ids)
        return _unit(found.mean(axis=0)) if len(found) else None

    def distances(self, image_ids: Sequence[str]) -> list[float]:
        """Return how far each photo is from the centre of all, 0 (in it) to 2; 0 where that is not known."""
        points = self.of(image_ids)
        if not len(points):
            return [0.0] * len(image_ids)
        found = iter((1.0 - points @ _unit(points.mean(axis=0))).tolist())
        return [next(found) if self._has(i) else 0.0 for i in image_ids]

    def prototypes(self, named: Mapping[str, Sequence[str]]) -> Prototypes:
        """Return the classes that photos may be near to.

        Args:
            named: photos that people named, by class.
        """
        labels, typical, points = [], [], []
        for label, rows in self._known_rows.items():
            points.append(_unit(self._known[rows].mean(axis=0)))
            typical.append(self._known_ids[rows[np.argmax(self._known[rows] @ points[-1])]])
            labels.append(label)
        known = len(labels)
        for label, photos in sorted(named.items()):
            own = self.of(photos)
            if len(own):
                points.append(_unit(own.mean(axis=0)))
                typical.append([i for i in photos if self._has(i)][int(np.argmax(own @ points[-1]))])
                labels.append(label)
        matrix = np.stack(points) if points else np.zeros((0, self._dimensions), np.float32)
        return Prototypes(tuple(labels), tuple(typical), matrix, known)

    def suggestions(
        self, image_ids: Sequence[str], prototypes: Prototypes, *, not_labels: Collection[str] = ()
    ) -> list[Suggestion]:
        """Return the classes that photos are nearest to.

        Args:
            image_ids: the photos.
            prototypes: the classes.
            not_labels: classes that a person said they are not.
        """
        centre = self.centre(image_ids)
        if centre is None or not prototypes.labels:
            return []
        similarity = prototypes.points @ centre
        found: dict[str, Suggestion] = {}
        for place in np.argsort(-similarity, kind="stable"):
            label, is_known = prototypes.labels[place], bool(place < prototypes.known)
            if label not in found and label not in not_labels:
                near = self._nearest_of(label, centre) if is_known else prototypes.typical[place]
                source = "known" if is_known else "named"
                found[label] = Suggestion(label, float(similarity[place]), near, source)
            if len(found) == SUGGESTIONS or similarity[place] < LEAST_NEAR:
                break
        return [each for each in found.values() if each.similarity >= LEAST_NEAR]

    def nearest_known(self, image_id: str) -> list[NearPhoto]:
        """Return the labelled photos nearest to a photo, of three classes at most."""
        own = self.of([image_id])
        if not len(own) or not len(self._known):
            return []
        similarity, found = self._known @ own[0], {}
        for row in np.argsort(-similarity, kind="stable"):
            label = str(self._known_labels[row])
            if self._known_ids[row] != image_id and label not in found:
                found[label] = NearPhoto(self._known_ids[row], label, float(similarity[row]))
            if len(found) == SUGGESTIONS:
                break
        return list(found.values())

    def centres(self, groups: Mapping[int, Sequence[str]]) -> dict[int, np.ndarray]:
        """Return the centres of groups of UNKNOWN photos, without those that have no place."""
        found = {}
        for group, photos in groups.items():
            own = self._places.of(photos)
            if len(own):
                found[group] = _unit(own.mean(axis=0))
        return found

    def look_alikes(self, image_ids: Sequence[str], among: Collection[str], start: int, count: int) -> list[str]:
        """Return the photos of `among` that are nearest to any of some photos, from place `start` on."""
        seeds = _evenly(self._places.of(image_ids), MOST_SEEDS)
        # In the order of the table, so that equally near ones come in the same order page by page.
        rows = self._places.rows({*among}.difference(image_ids))
        if not len(seeds) or not len(rows):
            return []
        nearest = np.concatenate(
            [
                (self._places.at(rows[place : place + _BLOCK]) @ seeds.T).max(axis=1)
                for place in range(0, len(rows), _BLOCK)
            ]
        )
        # Rounded, as the same vectors multiplied in different places differ in the last digit.
        order = np.argsort(-nearest.round(5), kind="stable")[start : start + count]
        return [self._places.image_ids[row] for row in rows[order]]

    def parts(self, image_ids: Sequence[str]) -> list[list[str]]:
        """Return photos clustered again by themselves: two parts or more where they tell apart, otherwise one."""
        from sklearn.cluster import AgglomerativeClustering  # not while the dashboard starts
        from sklearn.metrics import silhouette_score

        points = self.of(image_ids)
        with_look = [i for i in image_ids if self._has(i)]
        compared = _evenly(points, MOST_COMPARED)
        best, labels = CLEAR_PARTS, np.zeros(len(compared), int)
        apart = np.clip(1.0 - compared @ compared.T, 0.0, 2.0)
        np.fill_diagonal(apart, 0.0)
        for count in range(2, min(MOST_PARTS, len(compared) - 1) + 1):
            found = AgglomerativeClustering(count, metric="precomputed", linkage="average").fit_predict(apart)
            score = float(silhouette_score(apart, found, metric="precomputed"))
            if score > best:
                best, labels = score, found
        if len(compared) < len(points):
            middles = np.stack([_unit(compared[labels == part].mean(axis=0)) for part in range(labels.max() + 1)])
            labels = np.argmax(points @ middles.T, axis=1)
        parts = [[i for i, own in zip(with_look, labels, strict=True) if own == part] for part in sorted(set(labels))]
        parts = sorted(parts, key=len, reverse=True) or [[]]
        known = set(with_look)
        parts[0] += [i for i in image_ids if i not in known]
        return parts

    @property
    def _dimensions(self) -> int:
        return self._unknown.shape[1] if len(self._unknown) else self._known.shape[1]

    def _has(self, image_id: str) -> bool:
        return image_id in self._row or image_id in self._others

    def _nearest_of(self, label: str, point: np.ndarray) -> str:
        rows = self._known_rows[label]
        return str(self._known_ids[rows[np.argmax(self._known[rows] @ point)]])

    def _read_features(self, image_ids: Sequence[str]) -> None:
        """Read photos that left the UNKNOWN set, as they were named, from what the model made of them."""
        if self._model is not None:
            wanted = pc.field("image_id").isin(image_ids) & (pc.field("model_version") == self._model)
            rows = self._lake.read(IMAGE_FEATURES, ["image_id", "pretrained_embedding"], where=wanted)
            rows = rows.filter(pc.is_valid(rows["pretrained_embedding"]))
            found = _units(vectors(rows, "pretrained_embedding"))
            self._others.update(zip(rows["image_id"].to_pylist(), found, strict=True))
        self._without.update(i for i in image_ids if i not in self._others)


class _Places:
    """What UNKNOWN photos are compared with each other by: as the clusters do, or by look where that is not kept."""

    def __init__(self, lake: Lake, row: Mapping[str, int], pretrained: np.ndarray) -> None:
        kept = lake.read(UNKNOWN_LOOKS)
        image_ids = kept["image_id"].to_pylist()
        if image_ids and set(image_ids) >= row.keys():
            self._row: Mapping[str, int] = {image_id: place for place, image_id in enumerate(image_ids)}
            self._vectors = _units(vectors(kept, "look")).astype(np.float16)
        else:
            self._row, self._vectors = row, pretrained
        self.image_ids = list(self._row)

    def of(self, image_ids: Iterable[str]) -> np.ndarray:
        """Return the vectors of photos, photos x dimensions; those of photos that have none are left out."""
        return self.at(np.array([self._row[i] for i in image_ids if i in self._row], dtype=int))

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors of some rows."""
        return self._vectors[rows].astype(np.float32)

    def rows(self, image_ids: Iterable[str]) -> np.ndarray:
        """Return the rows of photos in the order of the table."""
        return np.array(sorted(self._row[i] for i in image_ids if i in self._row), dtype=int)


def similar_groups(group: int, centres: Mapping[int, np.ndarray]) -> list[tuple[int, float]]:
    """Return the groups whose centres are nearest to one's, with the similarity, the nearest first."""
    if group not in centres:
        return []
    others = [other for other in centres if other != group]
    if not others:
        return []
    similarity = np.stack([centres[other] for other in others]) @ centres[group]
    order = np.argsort(-similarity, kind="stable")[:SIMILAR_GROUPS]
    return [(others[place], float(similarity[place])) for place in order if similarity[place] >= LEAST_ALIKE]


def _units(matrix: np.ndarray) -> np.ndarray:
    """Return rows of length 1, float32."""
    if not len(matrix):
        return matrix.astype(np.float32)
    return (matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """Return so many rows at most, evenly picked."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]
