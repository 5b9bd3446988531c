"""The command `meter update`: one pass over the drops, unless there is nothing new."""

from __future__ import annotations

from collections.abc import Callable

from meter_pipeline.cli.nothing_new import forget_update, last_update, look, note_update
from meter_pipeline.cli.terminal import say
from meter_pipeline.settings import Settings
from meter_pipeline.storage.layout import Layout


def run_update(settings: Settings, run: Callable[[], bool], *, asked: bool = False) -> bool:
    """Run an update if anything changed since the last one that ended well.

    Args:
        settings: the settings in force.
        run: runs it, and returns whether there was no problem.
        asked: whether photos are asked for again: then it runs in any case.

    Returns:
        Whether it ran.

    Raises:
        StorageError: the disk is full or not ours to write.
    """
    layout = Layout(settings.data_dir)
    last = last_update(layout)
    before = look(layout, settings)
    if last is not None and before == last.seen and not asked:
        say(
            f"Nothing is new since the update that ended at {last.ended}. With --retry-failed or --refresh it runs all"
            " the same, and photos are asked for again."
        )
        return False
    forget_update(layout)
    if run():
        note_update(layout, before, look(layout, settings))
    return True
