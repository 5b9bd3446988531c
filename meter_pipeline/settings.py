"""Every path, threshold and other setting, typed and in one place.

A value is taken from the first of these that has it: an override in code or in a run's config, an environment variable
`METER_*`, the file `meter.env` in the data directory, the default below. Nothing is read on import.

Settings are in groups, one for each part of the system that reads them. A group says which assets' results depend on it
(`reaches`), or why no result does (`changes_no_result`). The run config of an asset, its code version and the settings
that its code gets are all derived from its groups, so that a setting's reach is written once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from meter_pipeline.errors import MeterError

PROJECT_DIR = Path(__file__).resolve().parents[1]
SETTINGS_FILE = "meter.env"
_WEB_ADDRESS = re.compile(
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d+)?(/[a-z0-9_~-][a-z0-9._~-]*)*/?", re.IGNORECASE | re.ASCII
)
_PROXY_ADDRESS = re.compile(
    r"(?:https?://)?(?:[^\s/@?#\\]*@)?(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?/?", re.IGNORECASE | re.ASCII
)


class SettingsGroup(BaseModel):
    """Settings that one part of the system reads together.

    Attributes:
        reaches: the assets whose results depend on these settings; they run again if one changes.
        changes_no_result: why no asset's result depends on them; exactly one of the two is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reaches: ClassVar[tuple[str, ...]] = ()
    changes_no_result: ClassVar[str] = ""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the settings of this group alone."""
        return cls(**{name: getattr(settings, name) for name in cls.model_fields})


class PathSettings(SettingsGroup):
    """Where the files are."""

    changes_no_result: ClassVar[str] = "Another data directory is another pipeline with its own history."

    data_dir: Path = Field(default=PROJECT_DIR / "data", description="Everything the pipeline reads and writes.")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()


class SeedSettings(SettingsGroup):
    """The seed of every random choice; part of the groups whose assets make such choices."""

    seed: int = Field(default=0, ge=0, description="Seeds every random choice.")


class ClassSizeSettings(SettingsGroup):
    """How large a class that people named has to be before it is learned."""

    reaches: ClassVar[tuple[str, ...]] = ("promoted_images",)

    class_from_meters: int = Field(
        default=3, ge=1, description="Meters that a class needs to be learned if all its photos came by promotion."
    )


class SplitSettings(SeedSettings, ClassSizeSettings):
    """Which classes are learned, which have photos held out for val and test, and which photos."""

    reaches: ClassVar[tuple[str, ...]] = ("dataset_split",)

    split_test_from: int = Field(default=10, ge=2, description="Groups a class needs before some are held out as test.")
    split_val_from: int = Field(default=20, ge=3, description="Groups a class needs before some are held out as val.")


class TrainingSettings(SeedSettings):
    """What a trained model depends on, besides the photos."""

    reaches: ClassVar[tuple[str, ...]] = ("trained_model",)

    backbone: str = Field(default="resnet18", description="resnet18, efficientnet_lite0 or any timm name.")
    weights: str = Field(default="imagenet", description="imagenet, none, or the path of a weights file.")
    epochs_head: int = Field(default=6, ge=1, description="Epochs of phase 1, head on the frozen backbone.")
    epochs_tune: int = Field(default=8, ge=0, description="Epochs of phase 2, last block and head.")
    patience: int = Field(default=4, ge=1, description="Epochs of phase 2 without a better val score before it stops.")
    train_views: int = Field(
        default=12, ge=1, description="Samples of each training photo: 3 views, the rest augmented."
    )
    batch_size: int = Field(default=32, ge=2, description="Photos per training step.")
    guard_folds: int = Field(
        default=3,
        ge=0,
        le=10,
        description="Trainings that hide some classes, to choose and measure the guard; 0: no such trainings.",
    )
    guard_known_flagged: float = Field(
        default=0.05, gt=0, lt=1, description="Share of known photos the guard may send to UNKNOWN."
    )
    read_plates: bool = Field(
        default=False,
        description="Train models whose guard reads what plates say; needs the extra `plates`, 0.75 s per photo.",
    )


class CacheSettings(SettingsGroup):
    """How much of what can be computed again is kept."""

    changes_no_result: ClassVar[str] = "What was removed is computed again, and comes out the same."

    trunk_cache_gb: float = Field(
        default=20.0,
        ge=0,
        description="GB of what the frozen trunk makes of training photos (data/cache/trunk) that stay after a"
        " training: with 12 samples 0.23 MB per photo of efficientnet_lite0, 1.2 MB of resnet18. What the last training"
        " used always stays; of the rest what was used longest ago is removed first.",
    )


class UnknownSettings(SettingsGroup):
    """When a photo is UNKNOWN."""

    reaches: ClassVar[tuple[str, ...]] = ("evaluation_report", "batch_predictions")

    unknown_threshold: float = Field(default=0.50, ge=0, le=1, description="Top-1 softmax below this is UNKNOWN.")
    guard: Literal["on", "off"] = Field(default="on", description="Also send photos unlike the known ones to UNKNOWN.")

    @property
    def uses_guard(self) -> bool:
        """Whether photos unlike the known ones of their class are UNKNOWN too."""
        return self.guard == "on"


class DecisionSettings(UnknownSettings):
    """When a photo is UNKNOWN or DARK."""

    reaches: ClassVar[tuple[str, ...]] = ("batch_predictions",)

    dark_brightness: float = Field(default=30.0, ge=0, le=255, description="Mean luma (0 to 255) below this is DARK.")


EngineName = Literal["auto", "onnx", "openvino", "torch"]


class EngineSettings(SettingsGroup):
    """What puts photos through the network."""

    changes_no_result: ClassVar[str] = "All engines give the same numbers, but for their last digits."

    serving_engine: EngineName = Field(
        default="auto",
        description="onnx: ONNX Runtime; openvino: OpenVINO, an extra; torch: on a CUDA card, or the processor. auto:"
        " torch where there is a CUDA card, else the faster of the other two, measured once.",
    )


class ViewSettings(SettingsGroup):
    """How closely a photo is looked at."""

    reaches: ClassVar[tuple[str, ...]] = ("image_features", "evaluation_report")

    adaptive_views: bool = Field(
        default=True,
        description="A photo that is plainly known on the view of the whole gets no closer views, by limits on the"
        " model's card; false: every photo gets all views.",
    )


class ServingSettings(EngineSettings, ViewSettings):
    """How a model answers."""

    changes_no_result: ClassVar[str] = ""
    reaches: ClassVar[tuple[str, ...]] = ("image_features", "evaluation_report")


class GateSettings(SettingsGroup):
    """What a new model needs to be taken into use."""

    reaches: ClassVar[tuple[str, ...]] = ("champion_model",)

    champion_tolerance: float = Field(
        default=0.01, ge=0, le=1, description="Macro recall a new model may lose against the champion and still win."
    )
    allow_dropped_classes: bool = Field(
        default=False, description="Let a new model win although it no longer knows a class of the champion."
    )


class SheetSettings(SettingsGroup):
    """Which sheet and column of a spreadsheet are read, if a person chooses them, and what reading may cost."""

    reaches: ClassVar[tuple[str, ...]] = ("drop_rows",)

    url_column: str | None = Field(
        default=None, description="Header or letter of the URL column; if unset, it is found by its content."
    )
    sheet: str | None = Field(
        default=None,
        description="The only sheet to read, even if it is hidden; if unset, all visible sheets with URLs.",
    )
    max_rows: int = Field(
        default=1_000_000, ge=1, description="Most rows of one spreadsheet; further rows are refused."
    )
    sheet_memory_mb: int = Field(
        default=2000,
        ge=200,
        description="MB of memory that reading one spreadsheet may take; one that takes more is refused.",
    )
    sheet_seconds: float = Field(
        default=40.0,
        gt=0,
        description="Seconds of processor time that reading one spreadsheet may take; one of more than 10 MB may take"
        " more, in proportion.",
    )


class DownloadSettings(SettingsGroup):
    """How photos are fetched."""

    changes_no_result: ClassVar[str] = "What was fetched stays; `retry_failed` and `refresh` ask the servers again."

    download_threads: int = Field(default=16, ge=1, le=64, description="Downloads at a time, from all hosts together.")
    download_per_host: int = Field(default=8, ge=1, le=64, description="Downloads at a time from one host.")
    download_timeout: float = Field(default=20.0, gt=0, description="Seconds to connect, and between two reads.")
    download_attempts: int = Field(default=3, ge=1, le=10, description="Tries per URL, the first included.")
    download_max_bytes: int = Field(default=20_000_000, ge=1_000, description="A larger photo is refused.")
    allow_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Hosts that may resolve to private addresses (comma-separated)."
    )
    allow_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Private networks that may be reached (comma-separated CIDR)."
    )
    download_proxy: SecretStr | None = Field(
        default=None,
        description="HTTP proxy that photos are fetched through: http://host:port or https://host:port, with"
        " user:password@ before the host where it asks for them. If unset, there is none; HTTPS_PROXY is not read.",
    )

    @field_validator("download_proxy")
    @classmethod
    def _an_http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        if not text:
            return None
        if text.lower().startswith("socks"):
            raise ValueError("SOCKS proxies are not supported; give an HTTP proxy: http://host:port")
        address = _PROXY_ADDRESS.fullmatch(text)
        if address is None or not 0 < int(address[1] or 80) < 65_536:
            raise ValueError(  # without the text itself: it may hold a password
                "not the address of a proxy; write http://host:port, or http://user:password@host:port with special"
                " characters of the password percent-encoded (%40 for @)"
            )
        return SecretStr(text)

    @field_validator("allow_hosts", "allow_networks", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class UnknownPrintSettings(SettingsGroup):
    """What UNKNOWN photos are compared by beside their look."""

    reaches: ClassVar[tuple[str, ...]] = ("unknown_embeddings",)

    cluster_print: Literal["auto", "off"] = Field(
        default="auto",
        description="Read what is printed on UNKNOWN photos, for the clusters: 0.75 s of one core per photo, once."
        " auto: where the extra `plates` is installed; off: only what the model's guard reads anyway.",
    )


class ClusterSettings(SettingsGroup):
    """How UNKNOWN photos are clustered."""

    reaches: ClassVar[tuple[str, ...]] = ("unknown_clusters",)

    min_cluster_size: int | None = Field(
        default=None, ge=2, description="Photos of the smallest cluster, fewer are noise; if unset, two."
    )


class MapSettings(SeedSettings):
    """Where UNKNOWN photos lie on the map."""

    reaches: ClassVar[tuple[str, ...]] = ("unknown_map",)


class RetrainingSettings(SettingsGroup):
    """When a training starts by itself."""

    changes_no_result: ClassVar[str] = "It says when a training starts, not what comes out of it."

    retrain_from_photos: int | None = Field(
        default=None,
        ge=1,
        description="Train by itself once so many named photos were not trained on, or a named class has become large"
        " enough; at most once a day. If unset, a person starts each training.",
    )


class ServerSettings(SettingsGroup):
    """Who may see the dashboard, and under which addresses it and the Dagster UI answer."""

    changes_no_result: ClassVar[str] = "It says who may look and decide, not what comes out of it."

    dashboard_password: SecretStr | None = Field(default=None, description="If set, the dashboard asks for it.")
    dashboard_url: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses under which people open the dashboard through a proxy, such as https://meters.example"
        " or https://intranet.example/meters (comma-separated).",
    )
    dagster_url: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses under which people open the Dagster UI through a proxy, such as"
        " https://intranet.example/dagster (comma-separated).",
    )

    @field_validator("dashboard_url", "dagster_url", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("dashboard_url", "dagster_url")
    @classmethod
    def _web_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if _WEB_ADDRESS.fullmatch(url) is None or urlsplit(url).port == 0:  # `port` raises if it is too large
                raise ValueError(
                    f"'{url}' is not an address such as https://meters.example or https://intranet.example/path"
                )
        return value


GROUPS: tuple[type[SettingsGroup], ...] = (
    PathSettings,
    ClassSizeSettings,
    SplitSettings,
    TrainingSettings,
    CacheSettings,
    UnknownSettings,
    DecisionSettings,
    EngineSettings,
    ViewSettings,
    GateSettings,
    SheetSettings,
    DownloadSettings,
    UnknownPrintSettings,
    ClusterSettings,
    MapSettings,
    RetrainingSettings,
    ServerSettings,
)


class Settings(
    PathSettings,
    SplitSettings,
    TrainingSettings,
    CacheSettings,
    DecisionSettings,
    EngineSettings,
    ViewSettings,
    GateSettings,
    SheetSettings,
    DownloadSettings,
    UnknownPrintSettings,
    ClusterSettings,
    MapSettings,
    RetrainingSettings,
    ServerSettings,
    BaseSettings,
):
    """Every setting; the environment variable is the upper-case name after `METER_`."""

    model_config = SettingsConfigDict(
        env_prefix="METER_", extra="ignore", frozen=True, env_file_encoding="utf-8-sig", hide_input_in_errors=True
    )

    def digest(self, *names: str) -> str:
        """Return 8 hex digits that change when one of the named settings does."""
        values = {name: getattr(self, name) for name in sorted(names)}
        return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:8]


def settings_behind(asset: str) -> tuple[str, ...]:
    """Return the names of the settings that an asset's result depends on, sorted; empty if it depends on no setting."""
    return tuple(sorted({name for group in _groups_of(asset) for name in group.model_fields}))


def _groups_of(asset: str) -> Iterator[type[SettingsGroup]]:
    return (group for group in GROUPS if asset in group.reaches)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` that are None are ignored.

    Raises:
        MeterError: a value is not allowed; the message names the setting and what it takes.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    data_dir = given.get("data_dir") or os.environ.get("METER_DATA_DIR") or PROJECT_DIR / "data"
    file = Path(data_dir).expanduser() / SETTINGS_FILE
    _check_readable(file)
    try:
        return Settings(_env_file=file, **given)
    except ValidationError as error:
        problems = "; ".join(f"METER_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise MeterError(
            f"A setting is not valid: {problems}",
            where=f"environment or {Path(data_dir) / SETTINGS_FILE}",
            fix="Correct the value, or unset it to take the default.",
        ) from error


def _check_readable(file: Path) -> None:
    """Raise a `MeterError` if the settings file is there and is not text: no setting in it would be followed."""
    try:
        broken = "\0" in file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):  # what stands in the way of the data directory is said elsewhere
        return
    except UnicodeDecodeError:
        broken = True
    except OSError as error:
        raise MeterError(
            f"The settings file cannot be read: {error.strerror}.",
            where=file.absolute(),
            fix="It should be a file of lines NAME=value that this user may read; move what is there away.",
        ) from error
    if broken:
        raise MeterError(
            "The settings file is not text.",
            where=file.absolute(),
            fix="Restore it from a backup, or write it again, as text in UTF-8 with lines NAME=value, or delete it:"
            " defaults then hold.",
        )
