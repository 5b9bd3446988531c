"""Which photos a person means: by the number of a cluster, an id or the start of one, a URL, or a file or folder."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from meter_pipeline.dataset.labelled_folder import list_files
from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.web.urls import UrlRefusedError, clean_url, looks_like_schemeless_url, looks_like_url
from meter_pipeline.labels import NOISE
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.review.state import State
from meter_pipeline.storage.files import sha256_of
from meter_pipeline.storage.layout import NOISE_FOLDER, Layout, is_cluster_folder
from meter_pipeline.storage.masking import mask_urls
from meter_pipeline.storage.tables import UNKNOWN_CLUSTERS, URL_IMAGES

SHORTEST_ID = 6
"""Fewest hex digits that are taken for the start of an id; shorter numbers are clusters."""
SHOWN_ID = 12
"""Hex digits of an id that people are shown; the cluster folders have as many in the names of their files."""
SHOWN_NAMES = 3
NOT_PHOTOS = frozenset({"contact_sheet.jpg"})
"""What lies beside the photos of a cluster folder, and of copies of it."""

_CLUSTER = re.compile(r"(?:cluster[ _])?(\d{1,5})", re.IGNORECASE)
_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},64}}")
_ID_IN_NAME = re.compile(r"(?<![0-9a-f])([0-9a-f]{12}|[0-9a-f]{64})(?![0-9a-f])")


@dataclass(frozen=True)
class Selection:
    """Photos that a person means.

    Attributes:
        image_ids: the photos, each once, in the order in which they were named or lie in the cluster.
        cluster_id: the cluster that all of them were chosen by; None if they were chosen otherwise.
    """

    image_ids: tuple[str, ...]
    cluster_id: int | None = None


def select(layout: Layout, what: str) -> Selection:
    """Return the photos that a text means; of a cluster those that nobody has decided on now.

    Raises:
        MeterError: there are none, with what was not found.
    """
    return PhotoFinder(layout).select(what)


class PhotoFinder:
    """Finds photos in the tables as they are when it is first asked.

    Args:
        layout: the data directory.
        state: what people decided; None: read now.
    """

    def __init__(self, layout: Layout, state: State | None = None) -> None:
        self.layout = layout
        self._given_state = state

    def select_all(
        self, whats: Sequence[str], *, without: Sequence[str] = (), whole_clusters: bool = False
    ) -> Selection:
        """Return the photos that several texts mean together.

        Args:
            whats: the texts.
            without: texts that mean photos to be left out again.
            whole_clusters: whether a cluster means all its photos, also those that were decided on.

        Raises:
            MeterError: one of the texts means no photo, those to be left out are not among the others, or none is left.
        """
        found = [self.select(what, whole_clusters=whole_clusters) for what in whats]
        image_ids = list(dict.fromkeys(image_id for selection in found for image_id in selection.image_ids))
        for what in without:
            out = set(self.select(what, whole_clusters=True).image_ids)
            if not out & set(image_ids):
                raise MeterError(f"{what} is not among the photos that it is to be left out of.", where="--without")
            image_ids = [image_id for image_id in image_ids if image_id not in out]
        if not image_ids:
            raise MeterError("No photo is left.", where="--without", fix="Leave out fewer photos.")
        clusters = {selection.cluster_id for selection in found}
        return Selection(tuple(image_ids), clusters.pop() if len(clusters) == 1 else None)

    def select(self, what: str, *, whole_clusters: bool = False) -> Selection:
        """Return the photos that a text means.

        Args:
            what: a cluster (`7`, `noise`), an id or the start of one, a URL, or the path of a file or folder.
            whole_clusters: whether a cluster means all its photos, also those that were decided on.

        Raises:
            MeterError: there are none, with what was not found.
        """
        text = what.strip()
        cluster_id = cluster_number(text)
        if cluster_id is not None:
            return self._cluster(cluster_id, whole=whole_clusters)
        if looks_like_url(text):
            return Selection((self._by_url(text),))
        if _ID.fullmatch(text.lower()) and self._starting_with(text.lower()):
            return Selection((self._by_id(text.lower()),))
        path = Path(text).expanduser()
        if text and path.is_dir():
            return self._folder(path, whole=whole_clusters)
        if text and path.is_file():
            return Selection((self.by_file(path),))
        if looks_like_schemeless_url(text):
            return Selection((self._by_url(text),))
        raise _not_found(text)

    def photo(self, text: str) -> str:
        """Return the photo that an id, the start of one, or a URL means.

        Raises:
            MeterError: there is none, or there are several.
        """
        wanted = text.strip()
        return self._by_id(wanted.lower()) if _ID.fullmatch(wanted.lower()) else self._by_url(wanted)

    def by_file(self, path: Path) -> str:
        """Return the photo that a file is: by its bytes, otherwise by the id in its name.

        The files in `data/clusters` are without metadata, so their bytes are others; their names carry the id.

        Raises:
            MeterError: it is none that came in a drop, or it cannot be read.
        """
        try:
            image_id = sha256_of(path)
        except OSError as error:
            raise MeterError(f"The file cannot be read ({error.strerror or error}).", where=path) from error
        if image_id in self._known:
            return image_id
        named = self.by_name(path.name)
        if named is None:
            raise MeterError("This is no photo of a drop.", where=path, fix="Its name carries no id either.")
        return named

    def by_name(self, name: str) -> str | None:
        """Return the photo whose id, or the first 12 digits of it, is in a file's name; None if there is none."""
        for digits in _ID_IN_NAME.findall(name.lower()):
            found = self._starting_with(digits)
            if len(found) == 1:
                return found[0]
        return None

    def in_cluster(self, cluster_id: int) -> tuple[str, ...]:
        """Return all photos of a cluster, decided or not; empty if there is no such cluster."""
        return tuple(self._clusters.get(cluster_id, ()))

    def cluster_of(self, image_id: str) -> int | None:
        """Return the cluster that a photo is in, -1 for noise; None if it was not clustered."""
        return next((number for number, members in self._clusters.items() if image_id in members), None)

    @cached_property
    def state(self) -> State:
        """What people decided."""
        return current_state(self.layout) if self._given_state is None else self._given_state

    def is_decided(self, image_id: str) -> bool:
        """Return whether a person named the photo or called it junk."""
        word = self.state.words.get(image_id)
        return word is not None and word.decided

    def _cluster(self, cluster_id: int, *, whole: bool) -> Selection:
        members = self.in_cluster(cluster_id)
        name = "noise" if cluster_id == NOISE else f"cluster {cluster_id}"
        if not members:
            raise MeterError(f"No photo is in {name}.", fix="The clusters that there are: meter review list")
        image_ids = members if whole else self._undecided(members)
        if not image_ids:
            raise MeterError(
                f"All photos of {name} are decided already.",
                fix=f"What was decided: meter review show {NOISE_FOLDER if cluster_id == NOISE else cluster_id}",
            )
        return Selection(image_ids, cluster_id)

    def _folder(self, folder: Path, *, whole: bool) -> Selection:
        if folder.resolve() == self.layout.clusters.resolve():
            raise MeterError("This folder holds all clusters.", where=folder, fix="Name one of the folders in it.")
        of_cluster = folder.resolve().parent == self.layout.clusters.resolve() and is_cluster_folder(folder.name)
        found, lost = [], []
        for path in photo_files(folder):
            try:
                found.append(self.by_file(path))
            except MeterError:
                lost.append(path.name)
        if lost or not found:
            raise MeterError(
                f"{len(lost)} of {len(lost) + len(found)} files in this folder are no photos of a drop"
                f"{': ' if lost else '.'}{_some(lost)}",
                where=folder,
                fix="Take them out, or name the photos one by one.",
            )
        image_ids = tuple(dict.fromkeys(found))
        if of_cluster and not whole:
            image_ids = self._undecided(image_ids)
            if not image_ids:
                raise MeterError("All photos in this folder are decided already.", where=folder)
        return Selection(image_ids, cluster_number(folder.name) if of_cluster else None)

    def _undecided(self, image_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(image_id for image_id in image_ids if not self.is_decided(image_id))

    def _by_id(self, start: str) -> str:
        found = self._starting_with(start)
        if not found:
            raise MeterError(f"No photo has an id that starts with {start[:SHOWN_ID]}.")
        if len(found) > 1:
            raise MeterError(
                f"The ids of {len(found)} photos start with {start}: {_some([i[:SHOWN_ID] for i in found])}",
                fix="Give more digits.",
            )
        return found[0]

    def _starting_with(self, start: str) -> list[str]:
        ids, place = self._ids, bisect_left(self._ids, start)
        found = []
        while place < len(ids) and ids[place].startswith(start):
            found.append(ids[place])
            place += 1
        return found

    def _by_url(self, text: str) -> str:
        try:
            url = clean_url(text)
        except UrlRefusedError as error:
            raise MeterError(f"This is neither an id nor a URL: {error}.", where=shown_url(text)) from error
        if url in self._urls:
            image_id = self._urls[url]
            if image_id is None:
                raise MeterError("No photo came from this URL.", where=shown_url(url))
            return image_id
        # What people are shown has no query string, which may hold a key to the photos.
        alike = self._without_query.get(shown_url(url), set()) if url == shown_url(url) else set()
        if len(alike) > 1:
            raise MeterError(
                f"{len(alike)} photos have this URL, with different query strings.",
                where=shown_url(url),
                fix="Give the whole URL, or the id.",
            )
        if not alike:
            raise MeterError("This URL is in no drop.", where=shown_url(url), fix="Drop its spreadsheet: meter update")
        return next(iter(alike))

    @cached_property
    def _urls(self) -> dict[str, str | None]:
        rows = self.layout.lake.read(URL_IMAGES, ["image_url", "image_id"])
        return dict(zip(rows["image_url"].to_pylist(), rows["image_id"].to_pylist(), strict=True))

    @cached_property
    def _without_query(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for url, image_id in self._urls.items():
            if image_id is not None:
                found[shown_url(url)].add(image_id)
        return found

    @cached_property
    def _clusters(self) -> dict[int, list[str]]:
        rows = self.layout.lake.frame(UNKNOWN_CLUSTERS, ["image_id", "cluster_id", "membership"])
        rows = rows.sort_values(["membership", "image_id"], ascending=[False, True], kind="stable")
        found: dict[int, list[str]] = defaultdict(list)
        for image_id, cluster_id in zip(rows["image_id"], rows["cluster_id"], strict=True):
            found[int(cluster_id)].append(image_id)
        return found

    @cached_property
    def _known(self) -> frozenset[str]:
        clustered = (image_id for members in self._clusters.values() for image_id in members)
        return frozenset({*(i for i in self._urls.values() if i is not None), *clustered, *self.state.words})

    @cached_property
    def _ids(self) -> list[str]:
        return sorted(self._known)


def cluster_number(text: str) -> int | None:
    """Return the cluster that a text means (`7`, `cluster_0007`, `noise`); None if it means none."""
    if text.lower() == NOISE_FOLDER or text == str(NOISE):
        return NOISE
    match = _CLUSTER.fullmatch(text)
    if match:
        return int(match.group(1))
    return None


def photo_files(folder: Path) -> list[Path]:
    """Return the files below a folder that may be photos, sorted: nothing hidden, no contact sheets."""
    return [folder / f.path for f in list_files(folder) if f.path.rpartition("/")[2].lower() not in NOT_PHOTOS]


def shown_url(url: str) -> str:
    """Return a URL as it may be printed: without query string, fragment and what else may be a key to the photos."""
    return mask_urls(url).partition("#")[0].partition("?")[0]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return f"{shown}, ..." if len(names) > SHOWN_NAMES else shown


def _not_found(text: str) -> MeterError:
    if _ID.fullmatch(text.lower()):
        return MeterError(f"No photo has an id that starts with {text[:SHOWN_ID]}, and there is no such file.")
    return MeterError(
        f"{shown_url(text) or 'An empty text'} is neither a cluster, nor an id, a URL, a file or a folder.",
        fix=f"Clusters: meter review list. Of an id give {SHORTEST_ID} digits at least.",
    )
