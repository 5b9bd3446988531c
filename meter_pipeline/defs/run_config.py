"""The run config of assets: the settings of a group, each optional, which a person can override for one run."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import dagster as dg
from pydantic import Field, SecretStr, create_model

from meter_pipeline.settings import SettingsGroup


def overrides_of(group: type[SettingsGroup]) -> type[dg.Config]:
    """Return a run config with every setting of a group; one that is left out is taken from the settings.

    A secret is in no run config: Dagster would keep it, and show it to everybody.
    """
    fields: dict[str, Any] = {
        name: (_accepted(field.annotation) | None, Field(default=None, description=field.description))
        for name, field in group.model_fields.items()
        if SecretStr not in (field.annotation, *get_args(field.annotation))
    }
    return create_model(f"{group.__name__}Overrides", __base__=dg.Config, __doc__=group.__doc__, **fields)


def _accepted(kind: Any) -> Any:
    """Return a setting's type as Dagster's config knows it: text for a choice of words, a list for a tuple."""
    if get_origin(kind) is Literal:
        return str
    if get_origin(kind) is tuple:
        return list[get_args(kind)[0]]  # type: ignore[misc]
    return kind
