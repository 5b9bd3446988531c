"""Folders, sheets and reports that people open: in line with the tables, and nothing of a person's own is touched."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from meter_pipeline.discovery.cluster_folders import SHEET, folder_problems, write_cluster_folders
from meter_pipeline.discovery.folder_manifest import MANIFEST
from meter_pipeline.discovery.unknown_clusters import cluster_unknowns
from meter_pipeline.storage.files import write_bytes
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import CLUSTER_SUMMARY, UNKNOWN_CLUSTERS, UNKNOWN_METADATA
from meter_pipeline_tests.support.unknown_photos import put_unknown


def put_clusters(layout: Layout, clusters: dict[int, list[str]]) -> None:
    rows = [
        {"image_id": image_id, "cluster_id": cluster_id, "membership": 1 - 0.01 * rank, "revision": 1}
        for cluster_id, image_ids in clusters.items()
        for rank, image_id in enumerate(image_ids)
    ]
    table = pd.DataFrame(rows).reindex(columns=list(UNKNOWN_CLUSTERS.columns))
    layout.lake.replace(UNKNOWN_CLUSTERS, table)
    summary = pd.DataFrame([{"cluster_id": c, "count": len(i), "meters": len(i)} for c, i in clusters.items()])
    layout.lake.replace(CLUSTER_SUMMARY, summary.reindex(columns=list(CLUSTER_SUMMARY.columns)))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def ids(layout: Layout) -> dict[str, list[str]]:
    ids = put_unknown(layout, {"alpha": 4, "beta": 3, "gamma": 2})
    put_clusters(layout, {0: ids["alpha"], 12: ids["beta"], -1: ids["gamma"]})
    return ids


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_folders_hold_the_photos_in_order_without_metadata(layout: Layout, ids: dict[str, list[str]]) -> None:
    changes = write_cluster_folders(layout)
    assert (changes.clusters, changes.photos, changes.missing) == (2, 9, ())
    names = [f"{rank:03d}_alpha1_{image_id[:12]}.jpg" for rank, image_id in enumerate(ids["alpha"], start=1)]
    assert sorted(path.name for path in (layout.clusters / "cluster_0000").iterdir()) == [*names, SHEET]
    assert {path.name for path in layout.clusters.iterdir()} == {"cluster_0000", "cluster_0012", "noise", MANIFEST}
    exported = (layout.clusters / "cluster_0000" / names[0]).read_bytes()
    assert b"SECRET" in layout.image(ids["alpha"][0]).read_bytes()
    assert b"SECRET" not in exported
    with Image.open(layout.clusters / "cluster_0000" / SHEET) as sheet:
        assert sheet.width > 600
    assert folder_problems(layout) == []


def test_what_did_not_change_is_not_touched(layout: Layout, ids: dict[str, list[str]]) -> None:
    write_cluster_folders(layout)
    before = tree(layout.root)
    again = write_cluster_folders(layout)
    assert (again.written, again.removed) == (0, 0)
    assert tree(layout.root) == before


def test_photos_move_and_gone_clusters_go_but_notes_stay(layout: Layout, ids: dict[str, list[str]]) -> None:
    write_cluster_folders(layout)
    note = layout.clusters / "cluster_0012" / "ask Ravi.txt"
    note.write_text("new Genus?", encoding="utf-8")
    kept = tree(layout.clusters / "noise")
    put_clusters(layout, {0: [ids["beta"][1], *ids["alpha"]], -1: ids["gamma"]})
    assert any("in a folder where the table has none" in problem for problem in folder_problems(layout))
    write_cluster_folders(layout)
    assert folder_problems(layout) == []
    assert [path.name for path in (layout.clusters / "cluster_0012").iterdir()] == [note.name]
    assert len(list((layout.clusters / "cluster_0000").glob("00?_*.jpg"))) == 5
    assert tree(layout.clusters / "noise") == kept
    put_clusters(layout, {0: ids["alpha"]})
    write_cluster_folders(layout)
    assert not (layout.clusters / "noise").exists()


def test_cut_off_while_moving_it_completes(
    layout: Layout, ids: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cluster_folders(layout)
    put_clusters(layout, {3: [ids["beta"][1], *ids["alpha"]], 12: ids["gamma"]})
    replace, calls = Path.replace, []

    def ended(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", ended)
        with pytest.raises(KeyboardInterrupt):
            write_cluster_folders(layout)
    write_cluster_folders(layout)
    assert folder_problems(layout) == []
    photos = [path for path in layout.clusters.rglob("*.jpg") if path.name != SHEET]
    assert len(photos) == 7
    assert {path.parent.name for path in photos} == {"cluster_0003", "cluster_0012"}


def test_a_lost_file_is_reported_and_the_rest_written(layout: Layout, ids: dict[str, list[str]]) -> None:
    layout.image(ids["alpha"][1]).unlink()
    write_bytes(layout.image(ids["beta"][0]), b"not a photo")
    changes = write_cluster_folders(layout)
    assert set(changes.missing) == {ids["alpha"][1], ids["beta"][0]}
    assert changes.photos == 7
    assert folder_problems(layout) == [
        f"2 photos of the table are not in their folder, cluster_0000/{ids['alpha'][1]} among them"
    ]


def _place(ids: dict[str, list[str]]) -> str:
    return f"cluster_0000/002_alpha1_{ids['alpha'][1][:12]}.jpg"


def test_a_photo_that_a_person_took_out_comes_back(layout: Layout, ids: dict[str, list[str]]) -> None:
    write_cluster_folders(layout)
    (layout.clusters / _place(ids)).unlink()
    assert folder_problems(layout)
    assert write_cluster_folders(layout).written == 1
    assert folder_problems(layout) == []


def test_tables_for_people(layout: Layout, ids: dict[str, list[str]]) -> None:
    metadata = layout.lake.frame(UNKNOWN_METADATA)
    metadata["image_url"] = "=cmd()"
    metadata["top1_class"] = metadata["top1_class"].replace("gamma1", "../a<b>:c")
    layout.lake.replace(UNKNOWN_METADATA, metadata)
    write_cluster_folders(layout)
    with (layout.cluster_reports / "unknown_clustered.csv").open(encoding="utf-8-sig", newline="") as handle:
        header, *rows = csv.reader(handle)
    assert header[:5] == ["image_url", "image_id", "cluster_id", "top1_class", "top1_confidence"]
    assert [row[2] for row in rows] == ["0"] * 4 + ["12"] * 3 + ["-1"] * 2
    assert rows[0][0] == "'=cmd()"
    assert rows[0][4] == "40.00"
    summary = (layout.cluster_reports / "cluster_summary.csv").read_text(encoding="utf-8-sig").splitlines()
    assert summary[0].startswith("cluster_id,count,")
    assert [line.split(",")[:2] for line in summary[1:]] == [["0", "4"], ["12", "3"], ["-1", "2"]]
    assert "cluster_0012/contact_sheet.jpg" in (layout.cluster_reports / "index.html").read_text(encoding="utf-8")
    assert {path.parent for path in layout.clusters.rglob("*a_b_c*")} == {layout.clusters / "noise"}


def test_until_the_map_is_made_its_page_says_so(layout: Layout, ids: dict[str, list[str]]) -> None:
    write_cluster_folders(layout)
    assert "is not made yet" in (layout.cluster_reports / "map.html").read_text(encoding="utf-8")
    assert 'href="map.html"' in (layout.cluster_reports / "index.html").read_text(encoding="utf-8")


def test_the_page_tells_junk_and_bursts(layout: Layout, ids: dict[str, list[str]]) -> None:
    summary = layout.lake.frame(CLUSTER_SUMMARY)
    layout.lake.replace(CLUSTER_SUMMARY, summary.assign(meters=[4, 2, 2], meter_share=[0.75, 0.0, 0.5]))
    write_cluster_folders(layout)
    page = (layout.cluster_reports / "index.html").read_text(encoding="utf-8")
    assert page.count("Probably no meters") == page.count("They show 2 different meters") == 1
    cluster_12 = page[page.index('id="cluster_0012"') : page.index('id="noise"')]
    assert "Probably no meters" in cluster_12
    assert "They show 2 different meters" in cluster_12


@pytest.mark.slow
def test_the_page_gives_the_metrics_of_its_clusters(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    put_unknown(layout, {"alpha": 12, "beta": 9})
    found = cluster_unknowns(layout)
    assert found.metrics["stability"] > 0.5
    assert found.metrics["stability"] > 0
    write_cluster_folders(layout)
    page = (layout.cluster_reports / "index.html").read_text(encoding="utf-8")
    assert f"stability {found.metrics['stability']:.2f}" in page


def test_no_unknown_photos(layout: Layout) -> None:
    assert write_cluster_folders(layout).photos == 0
    assert folder_problems(layout) == []
    assert "no UNKNOWN" in (layout.cluster_reports / "index.html").read_text(encoding="utf-8")
