"""Every URL of the drops fetched once; results go into the lake as they come.

A run that is killed loses the results of at most `download_pool.FLUSH_INTERVAL_S`; the next one goes on where it was.
The threads are in `web.download_pool`, one URL is in `web.fetching`, one photo in `photos.store`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.alike_pictures import COLUMNS, notes_of_alike
from meter_pipeline.ingest.web.download_pool import DownloadPool, Row
from meter_pipeline.ingest.web.fetching import Fetched, Fetcher, FetchLimits, Validators
from meter_pipeline.ingest.web.outcomes import Outcome
from meter_pipeline.ingest.web.urls import UrlRefusedError, clean_url
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.progress import Progress
from meter_pipeline.photos.store import PhotosMet, stored_sizes
from meter_pipeline.settings import DownloadSettings
from meter_pipeline.storage.lake import SMALL_SHARD_ROWS
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, URL_IMAGES

WITH_A_PHOTO = frozenset({Outcome.OK, Outcome.NOT_MODIFIED})

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DownloadLimits:
    """How many downloads at a time, and how long and how large each may be.

    Attributes:
        threads: downloads at a time.
        per_host: downloads at a time from one host.
        fetch: limits of one URL.
    """

    threads: int = 16
    fetch: FetchLimits = field(default_factory=FetchLimits)
    per_host: int = 8

    @classmethod
    def from_settings(cls, settings: DownloadSettings) -> DownloadLimits:
        """Take the limits from the settings.

        Raises:
            MeterError: an entry of `METER_ALLOW_NETWORKS` is not a network.
        """
        return cls(settings.download_threads, FetchLimits.from_settings(settings), settings.download_per_host)


@dataclass(frozen=True)
class DownloadSummary:
    """What a download did.

    Attributes:
        fetched: different URLs that were tried now.
        failed: URLs among them that gave no photo; `not_modified` is not a failure.
        outcomes: number of URLs tried now, by outcome.
        alike: URLs, tried now or before, that gave a picture which so many give that it may stand for "no image".
    """

    fetched: int
    failed: int
    outcomes: dict[str, int]
    alike: int = 0


def download_drops(
    layout: Layout,
    limits: DownloadLimits,
    *,
    retry_failed: bool = False,
    refresh: bool = False,
    on_photos: Callable[[list[str]], None] | None = None,
    cancelled: threading.Event | None = None,
) -> DownloadSummary:
    """Fetch the URLs of every drop row that was not refused; see `download_urls`."""
    urls = layout.lake.read(DROP_ROWS, ["image_url"], where=pc.field("reason").is_null())["image_url"]
    return download_urls(
        urls.unique(),
        layout,
        limits,
        retry_failed=retry_failed,
        refresh=refresh,
        on_photos=on_photos,
        cancelled=cancelled,
    )


def download_urls(
    urls: Sequence[str] | pa.Array,
    layout: Layout,
    limits: DownloadLimits,
    *,
    retry_failed: bool = False,
    refresh: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    on_photos: Callable[[list[str]], None] | None = None,
    cancelled: threading.Event | None = None,
) -> DownloadSummary:
    """Fetch the URLs that are not in `url_images` yet, or whose photo is lost from the store or cut there.

    Where the photo of such a URL is not to be had any more, its row stays, and `reason` says so: what was found out
    about the photo is still known.

    Args:
        urls: cleaned URLs; each is fetched once, however often it is named.
        layout: where the store and the tables are.
        limits: how many at a time, how long, how large.
        retry_failed: also fetch again those among `urls` that gave no photo before, or did not give a lost one back.
        refresh: also ask again for those whose photo is here, and take it if the server has another one now; a photo
            that the server does not give any more stays.
        on_progress: called with (done, to do) after each flush.
        on_photos: called after each flush with the image_ids of what came, once their rows are in the table; one may
            be named again.
        cancelled: set by another thread to end it.

    Raises:
        StorageError: the disk is full or not ours to write; what came until then is kept.
        CancelledError: `cancelled` was set; what came until then is kept.
        KeyboardInterrupt: the run was cancelled, or any other error that ends it; what came until then is kept.
    """
    wanted = pc.unique(urls if isinstance(urls, pa.Array) else pa.array(urls, pa.string())).drop_null()
    to_do, lost = _to_do(wanted, layout, retry_failed)
    known = _known_photos(layout, set(wanted.to_pylist()).difference(to_do, lost)) if refresh else {}
    if lost:
        known |= {url: _Known(photo.image_id, Validators()) for url, photo in _known_photos(layout, lost).items()}
    to_do += sorted(known)
    outcomes: Counter[str] = Counter()
    alike = 0
    if to_do:
        _logger.info("Fetching %d of %d URLs, %d at a time", len(to_do), len(wanted), limits.threads)
        progress = Progress(len(to_do), lambda words: _log_progress(words, outcomes), of="URLs", at_end=True)

        def write(rows: list[Row]) -> None:
            new = [row for row in rows if row["image_url"] not in known]
            changed = [row for row in rows if row["image_url"] in known and _is_news(row, known, lost)]
            layout.lake.append(URL_IMAGES, _table(new))
            changed += _not_given_back(layout, [row for row in rows if row["image_url"] in lost])
            layout.lake.upsert(URL_IMAGES, _table(changed))
            outcomes.update(str(row["outcome"]) for row in rows)
            progress.advance(len(rows))
            if on_photos is not None:
                on_photos([str(row["image_id"]) for row in rows if row["outcome"] == Outcome.OK])
            if on_progress is not None:
                on_progress(outcomes.total(), len(to_do))

        validators = {url: photo.validators for url, photo in known.items()}
        with Fetcher(limits.fetch, connections=limits.threads) as fetcher:
            photos = PhotosMet(layout)
            pool = DownloadPool(
                fetcher, lambda url, fetched: _row(url, photos, fetched), limits.threads, limits.per_host
            )
            left = pool.fetch(to_do, validators, write, cancelled=cancelled)
        rows = left.rows if left.problem is None else _not_written(layout, left.rows, known)
        if rows:
            write(rows)
        if left.problem is not None:
            raise left.problem
        alike = _tidied(layout)
        if alike:
            _logger.warning("%d URLs gave a picture that many others gave too: perhaps one for 'no image'", alike)
    failed = sum(count for outcome, count in outcomes.items() if outcome not in WITH_A_PHOTO)
    return DownloadSummary(len(to_do), failed, dict(sorted(outcomes.items())), alike)


def _table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=URL_IMAGES.schema)


def _not_written(layout: Layout, rows: Sequence[Row], known: Mapping[str, _Known]) -> list[Row]:
    """Return those of the rows that are not in the table yet: the run may have been stopped in the middle of a write.

    What there was of a known URL before is no sign that it was written now.
    """
    urls = [str(row["image_url"]) for row in rows if row["image_url"] not in known]
    there = layout.lake.read(URL_IMAGES, ["image_url"], where=pc.field("image_url").isin(urls))
    written = set(there["image_url"].to_pylist())
    return [row for row in rows if row["image_url"] not in written]


def _tidied(layout: Layout) -> int:
    """Bring the notes of `url_images` up to date; return how many URLs gave a picture that many others gave too.

    A table of one small shard is put in one order, whatever the order of arrival was. A larger one is written anew only
    where a note of it changes.
    """
    if layout.lake.count(URL_IMAGES) < SMALL_SHARD_ROWS:
        table = layout.lake.read(URL_IMAGES).sort_by("image_url")
        notes, alike = notes_of_alike(table)
        layout.lake.replace(URL_IMAGES, table if notes is None else _with_column(table, "notes", notes))
        return alike
    notes, alike = notes_of_alike(layout.lake.read(URL_IMAGES, COLUMNS))
    if notes is not None:
        layout.lake.replace(URL_IMAGES, _with_column(layout.lake.read(URL_IMAGES), "notes", notes))
    return alike


def _with_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values)


def _to_do(wanted: pa.Array, layout: Layout, retry_failed: bool) -> tuple[list[str], set[str]]:
    """Return the URLs to fetch, and those whose photo is lost from the store or cut there.

    Rows without a photo that are to be fetched again are taken out of the table, not overwritten later: after a killed
    run they are missing, so that the next run fetches them in any case.
    """
    known = layout.lake.read(URL_IMAGES, ["image_url", "outcome", "image_id", "bytes", "reason"]).combine_chunks()
    sizes = stored_sizes(layout, sweep=True)
    place = pc.index_in(known["image_id"], pa.array(sizes, pa.string()))
    is_here = pc.fill_null(pc.equal(pa.array(sizes.values(), pa.int64()).take(place), known["bytes"]), False)
    is_ok, is_asked = pc.equal(known["outcome"], str(Outcome.OK)), pc.is_in(known["image_url"], wanted)
    without_reason = pc.is_null(known["reason"])
    again = pc.and_(pc.invert(is_ok), pc.and_(is_asked, retry_failed))
    back = pc.and_(is_ok, pc.and_not(is_here, without_reason))
    lost = pc.and_(is_ok, pc.and_(is_asked, pc.and_(pc.invert(is_here), pc.or_(without_reason, retry_failed))))
    again_urls, back_urls = (known["image_url"].filter(mask).combine_chunks() for mask in (again, back))
    if len(again_urls) or len(back_urls):
        table = _not_lost(layout.lake.read(URL_IMAGES), back_urls)
        layout.lake.replace(URL_IMAGES, table.filter(pc.invert(pc.is_in(table["image_url"], again_urls))))
    done = known["image_url"].filter(pc.invert(again)).combine_chunks()
    to_do = wanted.filter(pc.invert(pc.is_in(wanted, done))).to_pylist()
    return to_do, set(known["image_url"].filter(lost).to_pylist())


def _not_lost(table: pa.Table, urls: pa.Array) -> pa.Table:
    """Return `url_images` without the reasons of photos that are there again: restored, or fetched for another URL."""
    is_back = pc.is_in(table["image_url"], urls)
    return _with_column(table, "reason", pc.if_else(is_back, pa.scalar(None, pa.string()), table["reason"]))


def _not_given_back(layout: Layout, rows: list[Row]) -> list[Row]:
    """Return the former rows of lost photos that their URLs do not give any more, with the reason."""
    failures = {row["image_url"]: row for row in rows if row["outcome"] != Outcome.OK}
    if not failures:
        return []
    _logger.warning(
        "%d photos are lost from data/images or damaged there, and their URLs do not give them any more. What was said"
        " of them stays.",
        len(failures),
    )
    former = layout.lake.read(URL_IMAGES, where=pc.field("image_url").isin(sorted(map(str, failures))))
    return [
        row
        | {
            "reason": "The photo's file is lost or damaged, and its URL does not give it any more"
            f" ({failures[row['image_url']]['outcome']}: {failures[row['image_url']]['reason']})"
        }
        for row in former.to_pylist()
    ]


@dataclass(frozen=True)
class _Known:
    """A photo that is here, and by what its server can tell that it is still the same."""

    image_id: str
    validators: Validators


def _known_photos(layout: Layout, urls: set[str]) -> dict[str, _Known]:
    """Return the URLs among `urls` whose photo is here."""
    columns = ["image_url", "image_id", "etag", "last_modified"]
    rows = layout.lake.read(URL_IMAGES, columns, where=pc.field("outcome") == Outcome.OK)
    entries = zip(*(rows[name].to_pylist() for name in columns), strict=True)
    return {url: _Known(image_id, Validators(*validators)) for url, image_id, *validators in entries if url in urls}


def _is_news(row: Row, known: Mapping[str, _Known], lost: set[str]) -> bool:
    """Return whether the server has another photo or other validators now, or gave a lost one back.

    A failure leaves what is here.
    """
    before = known[str(row["image_url"])]
    now = (row["image_id"], Validators(*(row[name] for name in ("etag", "last_modified"))))  # type: ignore[arg-type]
    is_other = row["image_url"] in lost or now != (before.image_id, before.validators)
    return row["outcome"] == Outcome.OK and is_other


def _row(url: str, photos: PhotosMet, fetched: Fetched) -> Row:
    row: Row = dict.fromkeys(URL_IMAGES.columns)
    row |= {
        "image_url": url,
        "outcome": str(fetched.outcome),
        "etag": fetched.validators.etag,
        "last_modified": fetched.validators.last_modified,
        "attempts": fetched.attempts,
        "seconds": round(fetched.seconds, 3),
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": fetched.reason,
    }
    if fetched.outcome == Outcome.OK:
        row |= _stored(photos, fetched)
    return row


def _stored(photos: PhotosMet, fetched: Fetched) -> Row:
    try:
        return photos.store(fetched.content).columns()
    except PhotoError as error:
        return {"outcome": error.outcome, "reason": error.reason, "bytes": len(fetched.content)}


def _log_progress(words: str, outcomes: Counter[str]) -> None:
    without = outcomes.total() - sum(outcomes[name] for name in WITH_A_PHOTO)
    _logger.info("Fetched: %s; %d without a photo", words, without)


def fetch_photo(url: str, settings: DownloadSettings) -> bytes:
    """Fetch a photo by its URL, with the same guard and limits as the drops' downloads.

    Raises:
        MeterError: it is not a URL, may not be reached, or gave no photo; the message says which.
    """
    try:
        cleaned = clean_url(url)
    except UrlRefusedError as error:
        raise MeterError(
            f"This is not the URL of a photo: {error}.", fix="Give a URL that begins with https://"
        ) from error
    with Fetcher(DownloadLimits.from_settings(settings).fetch) as fetcher:
        fetched = fetcher.fetch(cleaned)
    if fetched.outcome == Outcome.BLOCKED:
        raise MeterError(
            fetched.reason or "This address may not be reached.",
            fix="If it is your own image server, allow it: METER_ALLOW_HOSTS or METER_ALLOW_NETWORKS.",
        )
    if fetched.outcome != Outcome.OK:
        raise MeterError(f"The URL gave no photo ({fetched.outcome}): {fetched.reason}")
    return fetched.content
