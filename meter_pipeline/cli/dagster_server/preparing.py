"""What is put right before the servers start: Dagster's history says what the data folder holds, and no dead runs.

A process of its own, so that what it loads is gone when `meter dev` only watches its servers.
"""

from __future__ import annotations

import logging

from meter_pipeline.settings import load_settings
from meter_pipeline.storage.layout import Layout

_logger = logging.getLogger(__name__)


def prepare() -> None:
    """Prepare the history in `DAGSTER_HOME`, and say what waits.

    Raises:
        MeterError: the data directory or its history cannot be used.
    """
    import dagster as dg

    from meter_pipeline.defs.folder_and_history import note_what_is_there, what_waits
    from meter_pipeline.defs.history_access import keep_access
    from meter_pipeline.defs.instance import fail_abandoned_runs, set_pool_limits

    layout = Layout(load_settings().data_dir)
    keep_access()
    with dg.DagsterInstance.get() as instance:
        set_pool_limits(instance)
        fail_abandoned_runs(instance, launched_too=True)
        note_what_is_there(instance, layout)
    if waits := what_waits(layout):
        _logger.warning("%s", waits)


if __name__ == "__main__":
    from meter_pipeline.cli.main import run

    run(prepare)
