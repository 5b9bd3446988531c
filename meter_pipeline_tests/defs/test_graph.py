"""The graph as it is promised in DESIGN section 2: a change of it is a line in this file's diff."""

from __future__ import annotations

import dagster as dg
import pytest

from meter_pipeline.definitions import build_definitions
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.storage.tables import ALL_TABLES

GRAPH = {
    # asset: (group, dependencies)
    "labelled_images": ("dataset", set()),
    "image_inventory": ("dataset", {"labelled_images"}),
    "dataset_split": ("dataset", {"image_inventory", "labelled_images"}),
    "trained_model": ("model", {"dataset_split"}),
    "evaluation_report": ("model", {"dataset_split", "trained_model"}),
    "champion_model": ("model", {"evaluation_report", "trained_model"}),
    "known_embeddings": ("model", {"champion_model", "dataset_split"}),
    "excel_drops": ("batches", set()),
    "drop_rows": ("batches", {"excel_drops"}),
    "url_images": ("batches", {"drop_rows"}),
    "image_features": ("batches", {"champion_model", "url_images"}),
    "batch_predictions": ("batches", {"champion_model", "drop_rows", "image_features", "url_images"}),
    "prediction_exports": ("batches", {"batch_predictions", "drop_rows", "reviewed_images"}),
    "unknown_embeddings": ("discovery", {"batch_predictions", "image_features", "reviewed_images"}),
    "unknown_clusters": ("discovery", {"reviewed_images", "unknown_embeddings"}),
    "cluster_folders": ("discovery", {"unknown_clusters", "unknown_embeddings"}),
    "unknown_map": ("discovery", {"cluster_folders", "unknown_clusters", "unknown_embeddings"}),
    "review_decisions": ("review", set()),
    "reviewed_images": ("review", {"review_decisions"}),
    "promoted_images": ("review", {"reviewed_images"}),
    "warehouse": (
        "review",
        {"champion_model", "cluster_folders", "known_embeddings", "prediction_exports", "promoted_images"},
    ),
}
OBSERVED = {"labelled_images", "excel_drops", "review_decisions"}
DECISIONS = {"reviewed_images", "promoted_images"}
NOT_BY_ITSELF = {"dataset", "model"}
BLOCKING_CHECKS = {
    "split_leaks_nothing": "dataset_split",
    "champion_fits_its_weights": "champion_model",
    "every_row_has_one_prediction": "batch_predictions",
    "every_unknown_is_in_one_cluster_or_noise": "unknown_clusters",
    "folders_match_the_table": "cluster_folders",
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_assets_groups_and_dependencies(specs: dict[str, dg.AssetSpec]) -> None:
    graph = {
        name: (spec.group_name, {dep.asset_key.to_user_string() for dep in spec.deps}) for name, spec in specs.items()
    }
    assert graph == GRAPH


def test_training_is_never_automatic_and_everything_else_is(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        observed = name in OBSERVED
        automatic = not observed and spec.group_name not in NOT_BY_ITSELF
        assert (spec.automation_condition is not None) == automatic, name


def test_everything_has_an_owner_a_description_and_a_code_version(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        assert spec.owners, name
        assert spec.description, name
        assert "<" not in spec.description, f"{name}: the UI reads it as Markdown and drops what looks like a tag"
        assert spec.partitions_def is None, name
        if name not in OBSERVED:
            assert spec.code_version, name
            assert spec.kinds, name


def test_what_must_hold_blocks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {key.name: key for key in graph.asset_check_keys}
    blocking = {
        name: key.asset_key.to_user_string() for name, key in checks.items() if graph.get_check_spec(key).blocking
    }
    assert blocking == BLOCKING_CHECKS


def test_nothing_waits_for_the_map(definitions: dg.Definitions) -> None:
    """Laying out photos takes 15 s to minutes: not downstream of it, nor behind it in a pool, nor after it in a run."""
    graph = definitions.resolve_asset_graph()
    the_map = graph.get(dg.AssetKey("unknown_map"))
    others = [node for node in graph.asset_nodes if node.key != the_map.key and node.is_materializable]
    assert not the_map.child_keys
    assert not the_map.pools & {pool for node in others for pool in node.pools}
    update = definitions.resolve_job_def("update").graph
    priorities = {node.name: int(node.tags.get("dagster/priority", "0")) for node in update.nodes}
    assert priorities.pop("unknown_map") < min(priorities.values())


def test_the_exports_of_a_run_do_not_wait_for_plates_to_be_read(definitions: dg.Definitions) -> None:
    update = definitions.resolve_job_def("update").graph
    priorities = {node.name: int(node.tags.get("dagster/priority", "0")) for node in update.nodes}
    exports = {name for name in priorities if name.startswith(("prediction_exports", "batch_predictions"))}
    assert len(exports) >= 3  # with the check between them
    assert priorities["unknown_embeddings"] < min(priorities[name] for name in exports)


def test_a_training_promotes_before_it_takes_the_inventory(definitions: dg.Definitions) -> None:
    train = definitions.resolve_job_def("train").graph
    priorities = {node.name: int(node.tags.get("dagster/priority", "0")) for node in train.nodes}
    first = {priorities.pop(name) for name in DECISIONS}
    assert min(first) > max(priorities.values())
    pools = {pool for node in definitions.resolve_asset_graph().asset_nodes for pool in node.pools}
    of_decisions = {definitions.resolve_asset_graph().get(dg.AssetKey(name)).pools == set() for name in DECISIONS}
    assert pools == {"batches", "map", "training"}
    assert of_decisions == {True}, "a run holds its pools to its end, and decisions are taken in while a model trains"


def test_a_persons_menu_and_what_watches(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {"train", "update", "accept_model", "roll_back_model"} <= {job.name for job in repository.get_all_jobs()}
    train = {key.to_user_string() for key in repository.get_job("train").asset_layer.executable_asset_keys}
    update = {key.to_user_string() for key in repository.get_job("update").asset_layer.executable_asset_keys}
    assert {name for name, (group, deps) in GRAPH.items() if group in NOT_BY_ITSELF and deps} | DECISIONS == train
    assert {name for name, (group, deps) in GRAPH.items() if group not in NOT_BY_ITSELF and deps} == update
    for watcher in [*repository.sensor_defs, *repository.schedule_defs]:
        assert watcher.default_status.value == "RUNNING", watcher.name
        assert watcher.description, watcher.name
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "automation",
        "drop_sensor",
        "decision_sensor",
        "folder_sensor",
        "retraining",
        "failure_log",
        "abandoned_runs",
    }


def test_a_changed_threshold_concerns_the_decision_and_not_the_network(specs: dict[str, dg.AssetSpec]) -> None:
    stricter = build_definitions(Pipeline(overrides={"unknown_threshold": 0.7})).resolve_all_asset_specs()
    changed = {s.key.to_user_string() for s in stricter if s.code_version != specs[s.key.to_user_string()].code_version}
    assert changed == {"evaluation_report", "batch_predictions"}


def test_every_table_is_shown_with_its_columns_by_an_asset_that_writes_it(specs: dict[str, dg.AssetSpec]) -> None:
    shown: dict[str, dg.TableSchema] = {}
    for spec in specs.values():
        if "dagster/table_name" in spec.metadata:
            shown[str(spec.metadata["dagster/table_name"])] = spec.metadata["dagster/column_schema"]
        further = {key: value for key, value in spec.metadata.items() if key.startswith("columns of ")}
        shown |= {key.removeprefix("columns of "): value for key, value in further.items()}
    assert set(shown) == {table.name for table in ALL_TABLES}
    for table in ALL_TABLES:
        described = {column.name: column.description for column in shown[table.name].columns}
        assert described == {name: column.description for name, column in table.columns.items()}
