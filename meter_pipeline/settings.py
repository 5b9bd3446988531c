"""Where things are and every threshold, in one typed place.

A value comes from, first to last: an override in code or in a run's config, an environment variable `METER_*`, the file
`meter.env` in the data directory, the default below. Nothing is read on import.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from meter_pipeline.errors import MeterError

PROJECT_DIR = Path(__file__).resolve().parents[1]
SETTINGS_FILE = "meter.env"


class Settings(BaseSettings):
    """Every setting; the environment variable is the upper-case name behind `METER_`."""

    model_config = SettingsConfigDict(env_prefix="METER_", extra="ignore", frozen=True, env_file_encoding="utf-8")

    data_dir: Path = Field(default=PROJECT_DIR / "data", description="Everything the pipeline reads and writes.")

    backbone: str = Field(default="resnet18", description="resnet18, efficientnet_lite0 or any timm name.")
    weights: str = Field(default="imagenet", description="imagenet, none, or the path of a weights file.")
    epochs_head: int = Field(default=6, ge=1, description="Epochs of phase 1, head on the frozen backbone.")
    epochs_tune: int = Field(default=8, ge=0, description="Epochs of phase 2, last block and head.")
    patience: int = Field(default=4, ge=1, description="Epochs of phase 2 without a better val score before it stops.")
    train_views: int = Field(
        default=12, ge=1, description="Samples of a training photo kept: 3 views, the rest augmented."
    )
    batch_size: int = Field(default=32, ge=2, description="Photos a training step.")
    seed: int = Field(default=0, ge=0, description="Seeds every random choice.")

    split_test_from: int = Field(default=10, ge=2, description="Groups a class needs before some are held out as test.")
    split_val_from: int = Field(default=20, ge=3, description="Groups a class needs before some are held out as val.")
    champion_tolerance: float = Field(
        default=0.01, ge=0, le=1, description="Macro recall a new model may lose against the champion and still win."
    )

    allow_dropped_classes: bool = Field(
        default=False, description="Let a new model win although it no longer knows a class of the champion."
    )

    unknown_threshold: float = Field(default=0.50, ge=0, le=1, description="Top-1 softmax below this is UNKNOWN.")
    guard: Literal["on", "off"] = Field(default="on", description="Also send photos unlike the known ones to UNKNOWN.")
    guard_folds: int = Field(
        default=3,
        ge=0,
        le=10,
        description="Trainings that hide some classes, to choose and measure the guard; 0: none.",
    )
    guard_known_flagged: float = Field(
        default=0.05, gt=0, lt=1, description="Share of known photos the guard may send to UNKNOWN."
    )
    read_plates: bool = Field(
        default=False,
        description="Train models whose guard reads what plates say; needs the extra `plates`, 0.75 s a photo.",
    )
    dark_brightness: float = Field(default=30.0, ge=0, le=255, description="Mean luma (0 to 255) below this is DARK.")

    url_column: str | None = Field(default=None, description="Header of the URL column where a person knows better.")
    sheet: str | None = Field(default=None, description="Sheet to read where a person knows better.")
    max_rows: int = Field(default=1_000_000, ge=1, description="Rows of one spreadsheet; further ones are refused.")
    download_threads: int = Field(default=16, ge=1, le=64, description="Downloads at a time, of all hosts together.")
    download_per_host: int = Field(default=8, ge=1, le=64, description="Downloads at a time of one host.")
    download_timeout: float = Field(default=20.0, gt=0, description="Seconds to connect, and between two reads.")
    download_attempts: int = Field(default=3, ge=1, le=10, description="Tries a URL, the first included.")
    download_max_bytes: int = Field(default=20_000_000, ge=1_000, description="A larger photo is refused.")
    allow_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Hosts that may resolve to private addresses (comma-separated)."
    )
    allow_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Private networks that may be reached (comma-separated CIDR)."
    )

    min_cluster_size: int | None = Field(default=None, ge=2, description="Smallest cluster; unset: chosen by set size.")
    dashboard_password: SecretStr | None = Field(default=None, description="Asked for by the dashboard where set.")
    engine: Literal["local", "ray"] = Field(default="local", description="Where batches are computed.")

    @field_validator("allow_hosts", "allow_networks", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    def digest(self, *names: str) -> str:
        """Return 8 hex digits that change when one of the named settings does."""
        values = {name: getattr(self, name) for name in sorted(names)}
        return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:8]


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` that are None are left out.

    Raises:
        MeterError: a value is not allowed; the message names the setting and what it takes.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    data_dir = given.get("data_dir") or os.environ.get("METER_DATA_DIR") or PROJECT_DIR / "data"
    try:
        return Settings(_env_file=Path(data_dir).expanduser() / SETTINGS_FILE, **given)
    except ValidationError as error:
        problems = "; ".join(f"METER_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise MeterError(
            f"A setting is not valid: {problems}",
            where=f"environment or {Path(data_dir) / SETTINGS_FILE}",
            fix="Correct the value, or unset it to take the default.",
        ) from error
