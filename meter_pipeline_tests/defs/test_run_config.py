"""The run config of an asset: every setting of its group, each optional, in types that Dagster's launchpad knows."""

from pathlib import Path

import dagster as dg
import pytest

from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.defs.run_config import overrides_of
from meter_pipeline.settings import GROUPS, DecisionSettings, DownloadSettings, SettingsGroup, UnknownSettings


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_every_setting_of_a_group_can_be_overridden_and_none_has_to_be(group: type[SettingsGroup]) -> None:
    config = overrides_of(group)
    secrets = {"download_proxy", "dashboard_password"}
    assert set(config.model_fields) == set(group.model_fields) - secrets
    assert config().model_dump(exclude_none=True) == {}
    for name, field in config.model_fields.items():
        assert field.description == group.model_fields[name].description


def test_a_choice_of_words_is_text_and_a_tuple_is_a_list() -> None:
    assert overrides_of(UnknownSettings).model_fields["guard"].annotation == str | None
    assert overrides_of(DownloadSettings).model_fields["allow_hosts"].annotation == list[str] | None


def test_an_override_reaches_the_settings_of_a_run_and_wins(tmp_path: Path) -> None:
    pipeline = Pipeline(overrides={"data_dir": str(tmp_path), "unknown_threshold": 0.6, "seed": 3})
    config = overrides_of(DecisionSettings)(unknown_threshold=0.7)
    settings = pipeline.settings(config)
    assert (settings.unknown_threshold, settings.seed) == (0.7, 3)
    assert pipeline.settings().unknown_threshold == 0.6
    hosts = overrides_of(DownloadSettings)(allow_hosts=["photos.intranet"])
    assert pipeline.settings(hosts).allow_hosts == ("photos.intranet",)


@pytest.mark.slow
def test_dagster_takes_it_as_the_config_of_an_asset() -> None:
    config_of_downloads = overrides_of(DownloadSettings)
    given: list[dict[str, object]] = []

    @dg.op
    def downloads(config: config_of_downloads) -> None:  # type: ignore[valid-type]
        given.append(config.model_dump(exclude_none=True))  # type: ignore[attr-defined]

    @dg.job
    def job() -> None:
        downloads()

    values = {"allow_hosts": ["photos.intranet"], "download_attempts": 1}
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        run_config = {"ops": {"downloads": {"config": values}}}
        assert job.execute_in_process(run_config=run_config, instance=instance).success
    assert given == [{}, values]
