"""From what each asset was made, kept beside the data: a history that was lost, or stayed behind, is told by it.

Dagster writes on each materialization from which data versions and by which code it was made. The tables do not hold
that, so it is noted in the data folder, and believed as long as the folder holds the very data version that it speaks
of. A note that is missing or older only means that the asset shows as made from older inputs, and is made again.
"""

from __future__ import annotations

from collections.abc import Mapping

from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.notes import read_note, write_note

FILE = "made_from.json"
UNKNOWN_CODE = "unknown"
"""Code version of what was found in the folder without a note: it differs from every code version there is."""
DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"
INPUT_VERSION = "dagster/input_data_version/"
_INPUT_POINTER = "dagster/input_event_pointer/"
_GIVEN_BY_US = "dagster/data_version_is_user_provided"

Tags = Mapping[str, str]
"""Of a materialization: its data version, its code version, and the data version of each input."""


def noted(layout: Layout) -> dict[str, Tags]:
    """Return what is noted of each asset."""
    content = read_note(layout.root / FILE, what_follows="What automation keeps up to date is looked at again.")
    return {asset: tags for asset, tags in content.items() if isinstance(tags, dict) and DATA_VERSION in tags}


def note(layout: Layout, recorded: Mapping[str, Tags]) -> None:
    """Note from what assets were made, as the history has it; nothing is written where that is noted already."""
    before = noted(layout)
    after = {**before, **{asset: _kept(tags) for asset, tags in recorded.items() if is_known(tags)}}
    if after != before:
        write_note(layout.root / FILE, after)


def is_known(tags: Tags) -> bool:
    """Return whether a materialization says from what it was made."""
    return tags.get(CODE_VERSION) not in (None, UNKNOWN_CODE)


def as_tags(version: str, known: Tags | None) -> dict[str, str]:
    """Return the tags of a materialization that no run made.

    Args:
        version: the data version of what the folder holds.
        known: what is noted of exactly this version; None: from what it was made is not known.
    """
    tags = dict(known) if known is not None else {CODE_VERSION: UNKNOWN_CODE}
    # The UI asks for both: the version of an input, and the event that it came by, which this history does not have.
    pointers = {name.replace(INPUT_VERSION, _INPUT_POINTER): "NULL" for name in tags if name.startswith(INPUT_VERSION)}
    return {**tags, **pointers, DATA_VERSION: version, _GIVEN_BY_US: "true"}


def _kept(tags: Tags) -> dict[str, str]:
    return {
        name: text
        for name, text in tags.items()
        if name in (DATA_VERSION, CODE_VERSION) or name.startswith(INPUT_VERSION)
    }
