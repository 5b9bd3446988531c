"""Downloads from the fault server: their limits, and a process of its own for tests that kill it or run two at once.

python -m meter_pipeline_tests.support.downloads drops DATA_DIR      # take in the drops, then fetch their URLs
python -m meter_pipeline_tests.support.downloads urls DATA_DIR BASE  # fetch `many_urls(BASE)`
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.ingest.drop_rows import take_in_drops
from meter_pipeline.ingest.url_images import DownloadLimits, download_drops, download_urls
from meter_pipeline.ingest.web.addresses import AddressRules
from meter_pipeline.ingest.web.fetching import FetchLimits
from meter_pipeline.storage.layout import Layout

LIMITS = DownloadLimits(
    8, FetchLimits(attempts=2, read_s=2, total_s=4, backoff_s=0.01, addresses=AddressRules.of(["127.0.0.1"], []))
)


def many_urls(base: str) -> list[str]:
    """400 URLs of the fault server, every twentieth without a photo."""
    return [f"{base}/photo/{n}.jpg" if n % 20 else f"{base}/status/404?{n}" for n in range(400)]


def start_download(*arguments: str) -> subprocess.Popen[bytes]:
    """Start this module in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", __name__, *arguments], env=environment)


def main(what: str, data_dir: str, *base: str) -> None:
    if what == "urls":
        download_urls(many_urls(*base), Layout(Path(data_dir)), LIMITS)
        return
    # As two assets of a run do: the turn at the tables is given back in between.
    pipeline = Pipeline(overrides={"data_dir": data_dir})
    with pipeline.working("batches") as layout:
        take_in_drops(layout)
    with pipeline.working("batches") as layout:
        download_drops(layout, LIMITS)


if __name__ == "__main__":
    main(*sys.argv[1:])
