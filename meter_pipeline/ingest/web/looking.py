"""A look at what is behind a few URLs, to tell a column of photos from one of maps, files or pages."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from meter_pipeline.ingest.web.fetching import Fetcher, FetchLimits
from meter_pipeline.ingest.web.urls import UrlRefusedError, clean_url
from meter_pipeline.settings import DownloadSettings

MAX_LOOKED_AT = 12
"""URLs; more are not asked for."""
LOOK_S = 8.0
"""Seconds that a look may take, all redirects included."""


def photos_behind(urls: Sequence[str], settings: DownloadSettings) -> dict[str, bool]:
    """Ask for the first bytes of a few URLs, under the guard and the limits of the downloads.

    Args:
        urls: cleaned URLs; the first 12 are asked for, each once, all at a time.
        settings: what may be reached, and through which proxy.

    Returns:
        Whether each URL leads to a photo. One that could not be reached is left out, and so is one whose answer tells
        nothing: an error, a page that asks to sign in.

    Raises:
        MeterError: an entry of `METER_ALLOW_NETWORKS` is not a network.
    """
    wanted = {url: cleaned for url in dict.fromkeys(urls) if (cleaned := _cleaned(url))}
    few = dict(list(wanted.items())[:MAX_LOOKED_AT])
    if not few:
        return {}
    limits = FetchLimits.from_settings(settings)
    seconds = min(LOOK_S, settings.download_timeout)
    limits = replace(limits, connect_s=min(limits.connect_s, seconds), read_s=seconds, total_s=seconds, attempts=1)
    with Fetcher(limits, connections=len(few)) as fetcher, ThreadPoolExecutor(len(few), "look") as threads:
        answers = threads.map(fetcher.look, few.values())
        return {url: is_photo for url, is_photo in zip(few, answers, strict=True) if is_photo is not None}


def _cleaned(url: str) -> str | None:
    try:
        return clean_url(url)
    except UrlRefusedError:
        return None
