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

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_pipeline.errors import MeterError
from meter_pipeline.ingest.web.download_pool import DownloadPool, Row
from meter_pipeline.ingest.web.fetching import Fetched, Fetcher, FetchLimits, Validators
from meter_pipeline.ingest.web.outcomes import Outcome
from meter_pipeline.ingest.web.urls import UrlRefusedError, clean_url, host_of
from meter_pipeline.photos.decoding import PhotoError
from meter_pipeline.photos.progress import Progress
from meter_pipeline.photos.store import PhotosMet, stored_sizes
from meter_pipeline.settings import DownloadSettings
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import DROP_ROWS, URL_IMAGES

WITH_A_PHOTO = frozenset({Outcome.OK, Outcome.NOT_MODIFIED})

NOTE_SEPARATOR = "; "
ALIKE_NOTE = " gave the same picture: perhaps it stands for 'no image'"
ALIKE_URLS = 5
"""URLs of one host that give one picture, at the least, before that is noted."""
ALIKE_SHARE = 0.2
"""Share of the host's photos that it has to be as well ..."""
MANY_ALIKE_URLS = 50
"""... unless it is so many."""

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
    wanted = urls.drop_null().unique().to_pylist()
    return download_urls(
        wanted,
        layout,
        limits,
        retry_failed=retry_failed,
        refresh=refresh,
        on_photos=on_photos,
        cancelled=cancelled,
    )


def download_urls(
    urls: Sequence[str],
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
    wanted = list(dict.fromkeys(urls))
    to_do, lost = _to_do(wanted, layout, retry_failed)
    known = _known_photos(layout, set(wanted) - set(to_do) - lost) if refresh else {}
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
            layout.lake.append(URL_IMAGES, pd.DataFrame(new, columns=list(URL_IMAGES.columns)))
            changed += _not_given_back(layout, [row for row in rows if row["image_url"] in lost])
            layout.lake.upsert(URL_IMAGES, pd.DataFrame(changed, columns=list(URL_IMAGES.columns)))
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
        if left.rows:  # the last ones, or what came before the run was stopped in the middle of a write
            written = set(layout.lake.read(URL_IMAGES, ["image_url"])["image_url"].to_pylist()) - set(known)
            write([row for row in left.rows if row["image_url"] not in written])
        if left.problem is not None:
            raise left.problem
        # In one order, whatever the order of arrival was.
        table, alike = _with_notes_of_alike(layout.lake.read(URL_IMAGES).sort_by("image_url"))
        layout.lake.replace(URL_IMAGES, table)
        if alike:
            _logger.warning("%d URLs gave a picture that many others gave too: perhaps one for 'no image'", alike)
    failed = sum(count for outcome, count in outcomes.items() if outcome not in WITH_A_PHOTO)
    return DownloadSummary(len(to_do), failed, dict(sorted(outcomes.items())), alike)


def _with_notes_of_alike(table: pa.Table) -> tuple[pa.Table, int]:
    """Return `url_images` with a note where many URLs of a host gave the same picture, and the number of such URLs.

    Stores answer with one picture for all that they do not have. It is classified like every other, since it may as
    well be one photo under many URLs: the note lets people see it.
    """
    urls, ids, notes = (table[name].to_pylist() for name in ("image_url", "image_id", "notes"))
    hosts = [host_of(url) if image_id else "" for url, image_id in zip(urls, ids, strict=True)]
    of_host = Counter(hosts)
    of_picture = Counter(zip(hosts, ids, strict=True))
    noted, alike = [], 0
    for host, image_id, note in zip(hosts, ids, notes, strict=True):
        others = [part for part in (note or "").split(NOTE_SEPARATOR) if part and not part.endswith(ALIKE_NOTE)]
        times = of_picture[host, image_id] if image_id else 0
        if times >= ALIKE_URLS and (times >= MANY_ALIKE_URLS or times >= ALIKE_SHARE * of_host[host]):
            others.append(f"{times - 1:,} other URLs{ALIKE_NOTE}")
            alike += 1
        noted.append(NOTE_SEPARATOR.join(others) or None)
    place = table.schema.get_field_index("notes")
    return table.set_column(place, table.schema.field(place), pa.array(noted, table.schema.field(place).type)), alike


def _to_do(wanted: list[str], layout: Layout, retry_failed: bool) -> tuple[list[str], set[str]]:
    """Return the URLs to fetch, and those whose photo is lost from the store or cut there.

    Rows without a photo that are to be fetched again are taken out of the table, not overwritten later: after a killed
    run they are missing, so that the next run fetches them in any case.
    """
    known = layout.lake.read(URL_IMAGES, ["image_url", "outcome", "image_id", "bytes", "reason"])
    sizes = stored_sizes(layout, sweep=True)
    back: set[str] = set()
    asked = set(wanted)
    done: set[str] = set()
    again: set[str] = set()
    lost: set[str] = set()
    for url, outcome, image_id, size, reason in zip(*(known[n].to_pylist() for n in known.column_names), strict=True):
        if outcome != Outcome.OK:
            (again if retry_failed and url in asked else done).add(url)
            continue
        done.add(url)
        if reason is not None and sizes.get(image_id) == size:
            back.add(url)
        if url in asked and sizes.get(image_id) != size and (retry_failed or reason is None):
            lost.add(url)
    if again or back:
        table = layout.lake.read(URL_IMAGES)
        layout.lake.replace(
            URL_IMAGES, _not_lost(table, back).filter(~pc.field("image_url").isin(pa.array(sorted(again), pa.string())))
        )
    return [url for url in wanted if url not in done], lost


def _not_lost(table: pa.Table, urls: set[str]) -> pa.Table:
    """Return `url_images` without the reasons of photos that are there again: restored, or fetched for another URL."""
    place = table.schema.get_field_index("reason")
    is_back = pc.is_in(table["image_url"], pa.array(sorted(urls), pa.string()))
    reasons = pc.if_else(is_back, pa.scalar(None, pa.string()), table["reason"])
    return table.set_column(place, table.schema.field(place), reasons)


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
