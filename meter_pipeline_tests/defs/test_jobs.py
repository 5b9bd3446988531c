"""The two jobs on a real instance, on small drawn photos: what they make, and that nothing is done twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
from openpyxl import Workbook

from meter_pipeline.definitions import build_definitions
from meter_pipeline.defs.observations import observe_drops, observe_labelled
from meter_pipeline.defs.resources import Pipeline
from meter_pipeline.demo.image_server import ImageServer
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import (
    BATCH_PREDICTIONS,
    IMAGE_FEATURES,
    UNKNOWN_CLUSTERS,
    UNKNOWN_MAP,
    URL_IMAGES,
)
from meter_pipeline_tests.support.patterns import draw, write_raw

pytestmark = pytest.mark.slow

CHAIN = ["drop_rows", "url_images", "image_features", "batch_predictions", "prediction_exports", "unknown_embeddings"]
COUNTS = {"BLUE_A": 22, "GREY_A": 12, "WHITE_A": 6}
SETTINGS = {"backbone": "efficientnet_lite0", "epochs_head": 3, "epochs_tune": 2, "train_views": 3, "batch_size": 8}


class World:
    """A data directory, its instance, and an image server with photos of known and of unknown types."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, server: ImageServer) -> None:
        overrides = {**SETTINGS, "data_dir": str(root), "allow_hosts": ["127.0.0.1"], "download_attempts": 1}
        self.pipeline = Pipeline(overrides=overrides)
        self.layout, self.instance, self.server = Layout(root), instance, server
        self.layout.prepare()

    def run(self, job: str, *, config: dict[str, dict[str, object]] | None = None) -> dg.ExecuteInProcessResult:
        for observation in (observe_labelled(self.layout), observe_drops(self.layout)):
            self.instance.report_runless_asset_event(observation)
        definition = build_definitions(self.pipeline).resolve_job_def(job)
        ops = {name: {"config": fields} for name, fields in (config or {}).items()}
        return definition.execute_in_process(instance=self.instance, raise_on_error=False, run_config={"ops": ops})

    def version(self, asset: str) -> str:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return (event.asset_materialization.tags or {})["dagster/data_version"]

    def metadata(self, asset: str) -> Mapping[str, dg.MetadataValue]:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata

    def drop(self, name: str, paths: list[str]) -> Path:
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(["Account", "Photo"])
        for number, path in enumerate(paths):
            sheet.append([f"{number:06d}", f"{self.server.base_url}/{path}"])
        book.save(self.layout.drops / name)
        return self.layout.drops / name

    def failures(self, result: dg.ExecuteInProcessResult) -> list[str]:
        said = []
        for event in result.all_events:
            if event.is_step_failure:
                data = event.step_failure_data
                assert data.user_failure_data is not None, data.error
                said.append(f"{event.step_key}: {data.user_failure_data.description}")
        return said

    def failure(self, result: dg.ExecuteInProcessResult) -> str:
        (said,) = self.failures(result)
        return said


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    served = tmp_path / "served"
    served.mkdir()
    for kind in (*COUNTS, "RED_NEW"):
        for number in range(20 if kind == "RED_NEW" else 4):
            draw(kind, 500 + number).save(served / f"{kind}_{number}.jpg", quality=90)
    with ImageServer(served) as server, dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path / "data", instance, server)


@pytest.fixture(scope="module")
def trained_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a champion, made once by the real job."""
    root = tmp_path_factory.mktemp("trained")
    with dg.DagsterInstance.ephemeral() as instance, ImageServer(root) as server:
        world = World(root / "data", instance, server)
        write_raw(world.layout.raw, COUNTS)
        assert world.run("train").success
    return root / "data"


@pytest.fixture
def trained(world: World, trained_data: Path) -> World:
    shutil.copytree(trained_data, world.layout.root, dirs_exist_ok=True)
    assert world.run("train").success  # nothing to do but to tell this instance
    return world


KNOWN = ["BLUE_A_0.jpg", "GREY_A_1.jpg", "WHITE_A_2.jpg"]
NEW = [f"RED_NEW_{number}.jpg" for number in range(20)]


def test_from_photos_and_a_drop_to_names_and_cluster_folders(trained: World) -> None:
    world = trained
    world.drop("june.xlsx", [*KNOWN, *NEW, "gone.jpg", KNOWN[0]])
    result = world.run("update")
    assert result.success
    rows = world.layout.lake.frame(BATCH_PREDICTIONS).sort_values("position")
    assert len(rows) == 25
    assert rows["top1_class"].iloc[:3].tolist() == ["BLUE_A", "GREY_A", "WHITE_A"]
    assert rows["final_prediction"].iloc[23] == "ERROR"
    assert rows["reason"].iloc[23]
    exported = (world.layout.batch_reports / "june.csv").read_text(encoding="utf-8-sig").splitlines()
    assert exported[0].startswith(
        "image_url,final_prediction,top1_class,top1_confidence,top2_class,top2_confidence,top3_class,top3_confidence,"
        "brightness,contrast,green_ratio,reason"
    )
    assert len(exported) == 26
    unknown = set(rows.loc[rows["final_prediction"] == "UNKNOWN", "image_id"])
    assert set(world.layout.lake.frame(UNKNOWN_CLUSTERS)["image_id"]) == unknown
    assert len(list(world.layout.clusters.glob("*/*.jpg"))) >= len(unknown)
    made = [event.step_key for event in result.all_events if event.is_step_success]
    assert made.index("unknown_map") > made.index("warehouse")
    assert set(world.layout.lake.frame(UNKNOWN_MAP)["image_id"]) == unknown
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_the_same_urls_in_another_drop_are_answered_without_fetching_inferring_or_clustering(trained: World) -> None:
    world = trained
    world.drop("june.xlsx", [*KNOWN, *NEW])
    assert world.run("update").success
    before = {name: world.version(name) for name in ("url_images", "image_features", "unknown_embeddings")}
    features = world.layout.lake.count(IMAGE_FEATURES)
    hits = world.server.hits.copy()
    world.drop("july.xlsx", [*KNOWN, *NEW])
    assert world.run("update").success
    assert world.server.hits == hits
    assert world.layout.lake.count(IMAGE_FEATURES) == features
    assert {name: world.version(name) for name in before} == before
    assert len(world.layout.lake.frame(BATCH_PREDICTIONS)) == 46
    assert (world.layout.batch_reports / "july.csv").exists()


def test_a_second_pass_with_nothing_new_changes_no_version(trained: World) -> None:
    world = trained
    world.drop("june.xlsx", [*KNOWN, *NEW[:6]])
    assert world.run("update").success
    names = [*CHAIN, "unknown_clusters", "cluster_folders", "unknown_map"]
    before = {name: world.version(name) for name in names}
    assert world.run("update").success
    assert {name: world.version(name) for name in names} == before


def test_failed_urls_are_fetched_again_only_when_asked(trained: World) -> None:
    world = trained
    world.server.answer(f"/{NEW[0]}", 503)
    world.drop("june.xlsx", NEW[:2])
    assert world.run("update").success
    world.server.answer(f"/{NEW[0]}", None)
    assert world.run("update").success
    assert world.layout.lake.frame(BATCH_PREDICTIONS)["final_prediction"].tolist().count("ERROR") == 1
    assert world.run("update", config={"url_images": {"retry_failed": True}}).success
    assert "ERROR" not in world.layout.lake.frame(BATCH_PREDICTIONS)["final_prediction"].tolist()


def test_a_changed_threshold_reruns_the_decision_alone(trained: World) -> None:
    world = trained
    world.drop("june.xlsx", KNOWN)
    assert world.run("update").success
    before = {name: world.version(name) for name in CHAIN}
    assert world.run("update", config={"batch_predictions": {"unknown_threshold": 1.0}}).success
    after = {name: world.version(name) for name in CHAIN}
    assert {name for name in CHAIN if before[name] != after[name]} == {
        "batch_predictions",
        "prediction_exports",
        "unknown_embeddings",
    }
    assert set(world.layout.lake.frame(BATCH_PREDICTIONS)["final_prediction"]) == {"UNKNOWN"}


def test_new_labelled_photos_make_the_data_set_unsynced_and_retraining_reaches_the_champion(trained: World) -> None:
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    world = trained
    graph = build_definitions(world.pipeline).resolve_asset_graph()

    def status(asset: str) -> StaleStatus:
        return CachingStaleStatusResolver(world.instance, graph, LoadingContextForTest(world.instance)).get_status(
            dg.AssetKey(asset)
        )

    assert status("image_inventory") == StaleStatus.FRESH
    write_raw(world.layout.raw, {"RED_NEW": 20})
    world.instance.report_runless_asset_event(observe_labelled(world.layout))
    assert status("image_inventory") == StaleStatus.STALE
    old = world.version("champion_model")
    assert world.run("train").success
    assert status("champion_model") == StaleStatus.FRESH
    assert world.version("champion_model") != old
    world.drop("june.xlsx", NEW[:3])
    assert world.run("update").success
    assert set(world.layout.lake.frame(BATCH_PREDICTIONS)["top1_class"]) == {"RED_NEW"}


def test_a_broken_workbook_is_said_and_stops_no_other_drop(trained: World) -> None:
    world = trained
    (world.layout.drops / "broken.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    book = Workbook()
    book.save(world.layout.drops / "no_urls.xlsx")
    world.drop("good.xlsx", KNOWN)
    result = world.run("update")
    assert result.success
    assert (world.layout.batch_reports / "good.csv").exists()
    for name in ("broken", "no_urls"):
        assert (world.layout.batch_reports / f"{name}_REFUSED.txt").read_text(encoding="utf-8")
    (check,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "drops_are_readable"]
    assert not check.passed
    assert "broken.xlsx" in (check.description or "")


def test_without_a_champion_the_photos_are_fetched_and_the_message_says_what_to_do(world: World) -> None:
    world.drop("june.xlsx", KNOWN)
    result = world.run("update")
    assert not result.success
    assert "image_features: There is no model in use yet." in world.failure(result)
    assert "meter train" in world.failure(result)
    assert world.layout.lake.count(URL_IMAGES) == 3


@pytest.mark.parametrize(
    ("counts", "message"),
    [({}, "image_inventory: There are no labelled photos"), ({"BLUE_A": 3}, "trained_model: .*one class|single class")],
)
def test_what_makes_no_data_set_is_said(world: World, counts: dict[str, int], message: str) -> None:
    import re

    write_raw(world.layout.raw, counts)
    result = world.run("train")
    assert not result.success
    assert re.search(message, world.failure(result), re.IGNORECASE), world.failure(result)


def test_a_worse_model_does_not_become_champion(trained: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from meter_pipeline.training import two_phase

    world = trained
    champion = world.version("champion_model")
    # A training that learns nothing.
    monkeypatch.setattr(two_phase, "HEAD_LEARNING_RATE", 0.0)
    monkeypatch.setattr(two_phase, "discriminant_head", lambda trained, *_, **__: trained)
    assert world.run("train", config={"trained_model": {"epochs_head": 1, "epochs_tune": 0}}).success
    assert world.version("trained_model") != champion
    assert world.version("champion_model") == champion


def test_going_back_to_earlier_settings_judges_the_model_that_was_asked_for(trained: World) -> None:
    """Once the highest number was judged, so that 0001 could not come back when its settings did."""
    world = trained

    def train(seed: int) -> tuple[str, str]:
        result = world.run("train", config={name: {"seed": seed} for name in ("dataset_split", "trained_model")})
        assert result.success
        trained_version = world.metadata("trained_model")["version"].value
        assert world.metadata("evaluation_report")["page"].value.endswith(f"{trained_version}/index.html")
        return str(trained_version), str(world.metadata("champion_model")["challenger"].value)

    first, second = train(0), train(1)
    assert first[0].startswith("0001-")
    assert second[0].startswith("0002-")
    assert first[0] == first[1]
    assert second[0] == second[1]
    assert train(0) == first


def test_the_report_says_what_the_audit_says(trained: World) -> None:
    """Once the report compared softmax and classes in different orders, and showed 22 % for a model that was right."""
    from meter_pipeline.storage.files import read_json
    from meter_pipeline.storage.tables import EVALUATION_AUDIT

    audit = trained.layout.lake.frame(EVALUATION_AUDIT)
    (metrics,) = trained.layout.root.glob("reports/evaluation/*/metrics.json")
    assert read_json(metrics)["accuracy"] == pytest.approx(audit["correct"].mean())
    assert audit["correct"].mean() > 0.8


@pytest.mark.parametrize(("code", "message"), [("ENOSPC", "The disk is full"), ("EROFS", "The disk is read-only")])
def test_a_full_or_read_only_disk_is_said_and_nothing_is_half_written(
    trained: World, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    """Simulated at the system call: what the disk says when bytes are to be made safe."""
    import errno

    world = trained
    world.drop("june.xlsx", KNOWN)
    with monkeypatch.context() as patched:

        def refuse(_descriptor: int) -> None:
            raise OSError(getattr(errno, code), code)

        patched.setattr("meter_pipeline.storage.files.os.fsync", refuse)
        result = world.run("update")
    assert not result.success
    # Neither waits for the other: what people decided, and the drops.
    assert sorted(said[: said.index(message) + len(message)] for said in world.failures(result)) == [
        f"drop_rows: {message}",
        f"reviewed_images: {message}",
    ]
    assert not list(world.layout.root.rglob(".tmp-*"))
    assert world.run("update").success
    assert len(world.layout.lake.frame(BATCH_PREDICTIONS)) == len(KNOWN)
