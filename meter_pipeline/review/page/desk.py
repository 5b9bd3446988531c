"""The desk that people review at: groups and their photos as they are this second, and decisions as they come in.

What a page asks for, as plain values. Decision files and tables are read again only when they changed, so that many
questions a second cost little; several threads may ask at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from meter_pipeline.dataset.labelled_folder import list_files
from meter_pipeline.errors import MeterError, StorageError
from meter_pipeline.labels import NOISE, Action
from meter_pipeline.recognition.model_card import champion_version, load_card
from meter_pipeline.review.deciding import decide, known_classes, undo
from meter_pipeline.review.decisions import Decision
from meter_pipeline.review.overview import decided_ids
from meter_pipeline.review.page.clustered import CLUSTERED, Clusters, read_clusters
from meter_pipeline.review.page.look_alikes import Looks, Prototypes, Suggestion, similar_groups
from meter_pipeline.review.page.wishes import Refusal, Wish, said, said_before, sift
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.queries import fingerprint
from meter_pipeline.storage.tables import (
    IMAGE_INVENTORY,
    KNOWN_EMBEDDINGS,
)

CARDS = 300
"""Groups that the overview shows; the surest and largest come first, the others follow as these are decided."""
EXAMPLES = 12
LOOKED_AT = ("unknown_embeddings", "unknown_looks", "known_embeddings", "image_features")


class ReviewDesk:
    """Everything that a review page asks and says.

    Args:
        layout: the data directory.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.RLock()
        self._kept: dict[str, Decision] = {}
        self._state: tuple[dict[str, tuple[int, int]], State] | None = None
        self._done: tuple[State, frozenset[str]] | None = None
        self._clusters: tuple[object, Clusters] | None = None
        self._looks: tuple[object, Looks] | None = None
        self._centres: tuple[Clusters, Looks, dict[int, np.ndarray]] | None = None
        self._prototypes: tuple[State, Looks, Prototypes] | None = None

    # What is there

    def fingerprint(self) -> str:
        """Return a text that changes when somebody decides or the clusters are made anew."""
        files = "\n".join(f"{path} {stamp}" for path, stamp in sorted(self._files_now().items()))
        tables = fingerprint(self._layout.lake, *CLUSTERED)
        return hashlib.sha256(f"{files}\n{tables}".encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def overview(self) -> dict[str, Any]:
        """Return the groups that wait, the surest and largest first, the names in use, and how far people have come."""
        with self._lock:
            now, state, clusters = self.fingerprint(), self._state_now(), self._clusters_now()
            done = self._done_now(state)
            waiting = {
                cluster_id: [image_id for image_id in members if image_id not in done]
                for cluster_id, members in clusters.members.items()
            }
            waiting = {cluster_id: photos for cluster_id, photos in waiting.items() if photos}
            order = sorted(waiting, key=lambda cluster_id: self._urgency(cluster_id, waiting, clusters))
            looks = self._looks_now()
            prototypes = self._prototypes_now(state)
            near = {
                cluster_id: looks.suggestions(
                    waiting[cluster_id], prototypes, not_labels=_not_labels(state, waiting[cluster_id])
                )
                for cluster_id in order[:CARDS]
                if cluster_id != NOISE
            }
            groups = [
                _card(cluster_id, waiting[cluster_id], clusters, near.get(cluster_id, []))
                for cluster_id in order[:CARDS]
            ]
            actions = Counter(word.decision.action for word in state.words.values())
            return {
                "revision": clusters.revision,
                "has_model": champion_version(self._layout) is not None,
                "groups": groups,
                "names": self._names(state),
                "left": {
                    "photos": sum(map(len, waiting.values())),
                    "groups": sum(cluster_id != NOISE for cluster_id in waiting),
                },
                "decided": {"named": actions[Action.NAME], "junk": actions[Action.JUNK]},
                "disputed": sum(word.disputed for word in state.words.values()),
                "problems": list(state.problems)[:5],
                "fingerprint": now,
            }

    def group(self, cluster_id: int) -> dict[str, Any]:
        """Return a group's undecided photos, the odd ones first, photos of one meter together.

        Raises:
            MeterError: there is no such group any more.
        """
        with self._lock:
            now, state, clusters = self.fingerprint(), self._state_now(), self._clusters_now()
            done = self._done_now(state)
            photos = [image_id for image_id in clusters.members.get(cluster_id, []) if image_id not in done]
            if cluster_id not in clusters.members:
                raise MeterError(
                    "This group is not there any more.", where=f"group {cluster_id}", fix="Go back to all groups."
                )
            looks = self._looks_now()
            near = looks.suggestions(photos, self._prototypes_now(state), not_labels=_not_labels(state, photos))
            return {
                "cluster_id": cluster_id,
                "revision": clusters.revision,
                "sureness": clusters.sureness.get(cluster_id),
                "hardly_meters": clusters.hardly_meters(cluster_id),
                "photos": self._photos(photos, state, clusters, looks),
                "suggestions": [asdict(each) for each in near],
                "similar": [
                    {
                        "cluster_id": other,
                        "similarity": similarity,
                        "photos": len(waiting),
                        "examples": waiting[:EXAMPLES],
                    }
                    for other, similarity in similar_groups(cluster_id, self._centres_now(clusters, looks))
                    if other != NOISE and (waiting := [i for i in clusters.members[other] if i not in done])
                ],
                "fingerprint": now,
            }

    def look_alikes(self, image_ids: Sequence[str], start: int, count: int) -> dict[str, Any]:
        """Return the undecided photos that are nearest to some photos, from place `start` on."""
        with self._lock:
            state, clusters = self._state_now(), self._clusters_now()
            looks = self._looks_now()
            among = clusters.meter.keys() - self._done_now(state)
            found = looks.look_alikes(image_ids, among, start, count + 1)
            photos = self._photos(found[:count], state, clusters, looks, odd_first=False)
            return {"photos": photos, "more": len(found) > count}

    def nearest(self, image_id: str) -> list[dict[str, Any]]:
        """Return the labelled photos nearest to a photo."""
        with self._lock:
            return [asdict(each) for each in self._looks_now().nearest_known(image_id)]

    def parts(self, image_ids: Sequence[str]) -> list[list[str]]:
        """Return photos clustered again by themselves."""
        with self._lock:
            looks = self._looks_now()
            looks.of(image_ids)  # What has to be read is read here; the rest takes long, and others need not wait.
        return looks.parts(image_ids)

    def near_names(self, name: str) -> dict[str, Any]:
        """Return how a class would be called, and the classes whose names are nearly the same."""
        with self._lock:
            names = known_classes(self._layout, self._state_now())
        try:
            spelling = names.resolve(name)
            return {"near": names.nearly_equal(spelling), "spelling": spelling, "problem": None}
        except MeterError as error:
            return {"near": [], "spelling": name, "problem": f"{error.what} {error.fix}".strip()}

    def history(self, limit: int) -> list[dict[str, Any]]:
        """Return the decisions, the newest first."""
        with self._lock:
            state = self._state_now()
        return [
            {
                "decision_id": each.decision_id,
                "at": each.at.isoformat(),
                "by": each.by,
                "action": each.action.value,
                "photos": len(each.image_ids),
                "target": each.target if isinstance(each.target, str) else None,
                "is_live": each.decision_id in state.live and each.decision_id not in state.taken_back,
                "undoes": each.undoes,
                "cluster_id": each.seen.cluster_id if each.seen else None,
            }
            for each in reversed(state.order[-limit:])
        ]

    # What is said

    def take(
        self, wishes: Sequence[Wish], *, by: str, replace: bool = False
    ) -> tuple[list[dict[str, Any]], list[Refusal]]:
        """Write decisions, photo by photo: what somebody else said meanwhile is refused, the rest is taken.

        Args:
            wishes: the decisions, in their order.
            by: who decides; may be empty.
            replace: whether what others said is overruled.

        Returns:
            What was taken, and what was refused.

        Raises:
            StorageError: the disk is full or not ours to write; what is in neither list was not written.
        """
        taken: list[dict[str, Any]] = []
        refused: list[Refusal] = []
        with self._lock:
            for wish in wishes:
                state = self._state_now()
                earlier = next((each for each in state.order if each.decision_id == wish.decision_id), None)
                names = known_classes(self._layout, state)
                try:
                    if earlier is not None:
                        taken.append(said_before(wish, earlier))
                        others = tuple(each for each in wish.image_ids if each not in earlier.image_ids)
                        refused += sift(dataclasses.replace(wish, image_ids=others), state, names, replace=replace)[1]
                        continue
                    free, contested = sift(wish, state, names, replace=replace)
                    refused += contested
                    done = {"decision_id": wish.decision_id, "target": None, "image_ids": free}
                    if free or not wish.image_ids:
                        decision = decide(
                            self._layout,
                            wish.action,
                            free,
                            by=by,
                            target=wish.target,
                            source="review page",
                            cluster_id=wish.cluster_id,
                            decision_id=wish.decision_id,
                            state=state,
                        )
                        done["target"] = decision.target if isinstance(decision.target, str) else None
                    taken.append(done)
                except StorageError:
                    raise
                except MeterError as error:
                    refused.append(Refusal(wish.decision_id, f"{error.what} {error.fix}".strip()))
        return taken, refused

    def take_back(self, decision_id: str, *, by: str) -> dict[str, Any]:
        """Undo a decision, also an undo.

        Raises:
            MeterError: there is no such decision, or it does not count any more.
            StorageError: the disk is full or not ours to write.
        """
        with self._lock:
            state = self._state_now()
            made = undo(self._layout, decision_id, by=by, source="review page", state=state)
            undone = next(each for each in state.order if each.decision_id == decision_id)
        return {
            "undone": decision_id,
            "by_decision": made.decision_id,
            "restored": undone.undoes,
            "sentence": f"Undone: {said(undone)}.",
        }

    # How it is found out

    def _files_now(self) -> dict[str, tuple[int, int]]:
        """Return the decision files that are there, with size and time: one that was copied in half is read again."""
        folder = self._layout.decisions
        try:
            return {f"{folder}{os.sep}{file.path}": (file.modified_ns, file.bytes) for file in list_files(folder)}
        except OSError:  # reading the decisions says what it is
            return {}

    def _state_now(self) -> State:
        files = self._files_now()
        if self._state is None or self._state[0] != files:
            before = self._state[0] if self._state else {}
            for path in [path for path in self._kept if path in before and before[path] != files.get(path)]:
                del self._kept[path]
            self._state = (files, current_state(self._layout, self._kept))
        return self._state[1]

    def _done_now(self, state: State) -> frozenset[str]:
        if self._done is None or self._done[0] is not state:
            self._done = (state, decided_ids(state))
        return self._done[1]

    def _prototypes_now(self, state: State) -> Prototypes:
        looks = self._looks_now()
        if self._prototypes is None or self._prototypes[0] is not state or self._prototypes[1] is not looks:
            self._prototypes = (state, looks, looks.prototypes(_named(state)))
        return self._prototypes[2]

    def _clusters_now(self) -> Clusters:
        key = fingerprint(self._layout.lake, *CLUSTERED)
        if self._clusters is None or self._clusters[0] != key:
            self._clusters = (key, read_clusters(self._layout))
        return self._clusters[1]

    def _looks_now(self) -> Looks:
        key = fingerprint(self._layout.lake, *LOOKED_AT)
        if self._looks is None or self._looks[0] != key:
            self._looks = (key, Looks(self._layout.lake))
        return self._looks[1]

    def _centres_now(self, clusters: Clusters, looks: Looks) -> dict[int, np.ndarray]:
        if self._centres is None or self._centres[0] is not clusters or self._centres[1] is not looks:
            self._centres = (clusters, looks, looks.centres(clusters.members))
        return self._centres[2]

    def _urgency(
        self, cluster_id: int, waiting: Mapping[int, Sequence[str]], clusters: Clusters
    ) -> tuple[bool, bool, int, int, int]:
        sure = clusters.sureness.get(cluster_id)
        return (
            cluster_id == NOISE,
            clusters.hardly_meters(cluster_id),
            -round(10 * (sure or 0.0)),
            -len(waiting[cluster_id]),
            cluster_id,
        )

    def _photos(
        self,
        image_ids: Sequence[str],
        state: State,
        clusters: Clusters,
        looks: Looks,
        *,
        odd_first: bool = True,
    ) -> list[dict[str, Any]]:
        distances = dict(zip(image_ids, looks.distances(image_ids), strict=True))
        meters = defaultdict(list)
        for image_id in image_ids:
            meters[clusters.meter.get(image_id, image_id)].append(image_id)
        groups = list(meters.items())
        if odd_first:
            groups.sort(key=lambda group: -max(distances[image_id] for image_id in group[1]))
        return [
            {
                "id": image_id,
                "meter": meter,
                "distance": round(distances[image_id], 4),
                "top3": clusters.top3(image_id),
                "last": state.words[image_id].decision.decision_id if image_id in state.words else None,
                "word": state.words[image_id].decision.action.value if image_id in state.words else None,
            }
            for meter, photos in groups
            for image_id in photos
        ]

    def _names(self, state: State) -> list[dict[str, Any]]:
        labelled = self._layout.lake.frame(IMAGE_INVENTORY, ["label", "reason"])
        counts = Counter(labelled.loc[labelled["reason"].isna(), "label"])
        for word in state.words.values():
            if word.label is not None:
                counts.setdefault(word.label, 0)
        known = self._layout.lake.frame(KNOWN_EMBEDDINGS, ["image_id", "label"]).drop_duplicates("label")
        example = dict(zip(known["label"], known["image_id"], strict=True))
        for image_id, word in state.words.items():
            if word.label is not None:
                example.setdefault(word.label, image_id)
        version = champion_version(self._layout)
        classes = set(load_card(self._layout, version).classes) if version else set()
        named = Counter(word.label for word in state.words.values() if word.label is not None)
        return [
            {
                "label": label,
                "photos": max(counts[label], named[label]),
                "is_known": label in classes,
                "image_id": example.get(label),
            }
            for label in known_classes(self._layout, state).known
        ]


def _card(cluster_id: int, photos: list[str], clusters: Clusters, near: Sequence[Suggestion]) -> dict[str, Any]:
    first: dict[str, str] = {}
    for image_id in photos:
        first.setdefault(clusters.meter[image_id], image_id)
    guesses = Counter(top3[0][0] for image_id in photos if (top3 := clusters.top3(image_id)))
    return {
        "cluster_id": cluster_id,
        "photos": len(photos),
        "meters": len(first),
        "sureness": clusters.sureness.get(cluster_id),
        "hardly_meters": clusters.hardly_meters(cluster_id),
        "examples": list(first.values())[:EXAMPLES],
        "guess": guesses.most_common(1)[0][0] if guesses else None,
        "suggestions": [asdict(each) for each in near],
    }


def _named(state: State) -> dict[str, list[str]]:
    named = defaultdict(list)
    for image_id, word in state.words.items():
        if word.label is not None:
            named[word.label].append(image_id)
    return named


def _not_labels(state: State, photos: Sequence[str]) -> set[str]:
    """Return the classes that a person said none of these photos is."""
    said = [set(state.words[image_id].not_labels) if image_id in state.words else set() for image_id in photos]
    return set.intersection(*said) if said else set()
