"""`meter doctor`: every check says what it found and what to do, and one that fails keeps none from running."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from meter_pipeline.cli.doctor import Finding, examine
from meter_pipeline.defs.instance import ready_instance
from meter_pipeline.evaluation.gate.verdict import judge
from meter_pipeline.evaluation.gate_report import report_of, write_gate_report
from meter_pipeline.labels import Action, Promotion
from meter_pipeline.recognition.model_card import set_challenger, set_champion
from meter_pipeline.review.deciding import decide
from meter_pipeline.review.reviewed_images import current_state
from meter_pipeline.storage.layout import Layout
from meter_pipeline.storage.tables import PROMOTED_IMAGES
from meter_pipeline_tests.support.contenders import answers, contender
from meter_pipeline_tests.support.photos_in_review import put_in_review
from meter_pipeline_tests.support.small_models import Trained
from meter_pipeline_tests.support.two_drops import frame

pytestmark = pytest.mark.slow


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that is not there yet, and nothing of the caller's settings."""
    monkeypatch.setenv("METER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("METER_BACKBONE", "efficientnet_lite0")  # its weights need no network
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster_home"))
    return tmp_path / "data"


def found() -> dict[str, Finding]:
    """Return the findings by name, but for the disk: how much is free is not the test's to say."""
    return {finding.name: finding for finding in examine() if finding.name != "disk"}


def test_on_an_empty_directory_it_says_what_comes_next(data_dir: Path) -> None:
    findings = found()
    assert {name for name, finding in findings.items() if finding.state == "warn"} == {
        "labelled photos",
        "champion model",
    }
    assert findings["labelled photos"].found.startswith("0 file(s) in 0 class folder(s)")
    assert findings["champion model"].fix == "Train one: meter train"
    assert not [finding for finding in findings.values() if finding.state == "fail"]
    assert (data_dir / "raw").is_dir()


def test_on_a_directory_in_use_all_is_well(drawn_model: Trained, data_dir: Path) -> None:
    shutil.copytree(drawn_model.layout.root, data_dir)
    assert found()["history and folder"].found == "not in the history: trained_model, champion_model"
    with ready_instance(data_dir):  # as `meter update` begins
        pass
    findings = found()
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert findings["champion model"].found == f"{drawn_model.card.version}, 3 classes, answers by onnx"
    assert findings["labelled photos"].found.startswith("34 file(s) in 3 class folder(s)")


def test_what_cannot_be_written_is_said_and_the_other_checks_run(data_dir: Path) -> None:
    data_dir.write_text("a file", encoding="utf-8")
    findings = found()
    assert findings["data directory"].state == "fail"
    assert findings["data directory"].fix
    assert findings["weights"].state == "ok"


def test_a_bad_setting_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_UNKNOWN_THRESHOLD", "fifty")
    assert "METER_UNKNOWN_THRESHOLD" in found()["settings"].found
    assert found()["settings"].state == "fail"


def test_decisions_that_cannot_be_read_are_named_and_classes_that_wait_are_no_problem(data_dir: Path) -> None:
    layout = Layout(data_dir)
    ids = put_in_review(layout)
    decide(layout, Action.NAME, ids["RED"], by="anna", target="LT2")
    waits = {"label": "LT2", "status": Promotion.PROMOTED.value, "class_meters": 2, "class_meters_needed": 3}
    (layout.raw / "LT2").mkdir(parents=True)
    rows = []
    for image_id in ids["RED"]:
        path = f"LT2/reviewed-{image_id[:16]}.jpg"
        shutil.copy(layout.image(image_id), layout.raw / path)
        rows.append({"image_id": image_id, "path": path, **waits})
    layout.lake.replace(PROMOTED_IMAGES, frame(PROMOTED_IMAGES, rows))
    findings = found()
    assert (findings["decisions"].state, findings["decisions"].found) == ("ok", "1 on 4 photo(s), all can be read")
    assert (findings["promotion"].state, findings["promotion"].found) == (
        "ok",
        "4 photo(s) named; classes that wait: LT2 has 2 of 3 meters",
    )
    for number in range(5):
        (layout.decisions / f"broken-{number}.json").write_text("{", encoding="utf-8")
    broken = found()["decisions"]
    assert broken.state == "warn"
    assert "broken-0.json" in broken.found
    assert broken.found.endswith("And 2 more.")


def test_disputed_photos_are_counted_with_how_to_settle_them(data_dir: Path) -> None:
    layout = Layout(data_dir)
    photo, before = put_in_review(layout)["RED"][0], current_state(layout)
    for who, label in (("anna", "LT2"), ("ben", "GENUS")):
        decide(layout, Action.NAME, [photo], by=who, target=label, state=before)
    promotion = found()["promotion"]
    assert promotion.state == "warn"
    assert promotion.found.startswith("1 disputed photo(s).")
    assert "meter review list" in promotion.fix


def test_a_model_that_the_gate_held_is_said_with_what_to_do(data_dir: Path) -> None:
    layout = Layout(data_dir)
    set_champion(layout, "0001-a", reason="the first", by="gate")
    set_challenger(layout, "0002-b")
    old, new = (contender(v, ["A"], answers({"A": right})) for v, right in (("0001-a", 10), ("0002-b", 5)))
    write_gate_report(layout, report_of(judge(new, old, tolerance=0.01)))
    gate = found()["gate"]
    assert gate.state == "warn"
    assert "0001-a stays." in gate.found
    assert "meter model show 0002-b" in gate.fix
    assert "meter model accept 0002-b --why TEXT" in gate.fix


def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("METER_DOWNLOAD_PROXY", f"http://anna:SECRET@127.0.0.1:{port}")
        finding = found()["proxy"]
        assert (finding.state, finding.found.partition(" (")[0]) == ("fail", f"127.0.0.1:{port} does not answer")
        taken.listen()
        finding = found()["proxy"]
    assert (finding.state, finding.found) == ("ok", f"photos are fetched through 127.0.0.1:{port}")
