"""The reviewer of the loop's benchmark: what he says by cluster, what one who errs says, and the files he writes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pandas as pd

from benchmarks.loop_reviewer import JUNK, Saying, errors_on, last_decisions, say, write_decisions
from meter_pipeline.labels import NOISE

SHOWN = {0: "AAAB", 1: "BB", 2: (JUNK, JUNK, "A"), NOISE: "AC"}
CLUSTERS = pd.DataFrame(
    [
        {"image_id": f"{cluster}-{number}", "cluster_id": cluster, "shows": shows}
        for cluster, members in SHOWN.items()
        for number, shows in enumerate(members)
    ]
)


def test_strangers_are_taken_out_and_the_rest_is_named_or_junk() -> None:
    assert say(CLUSTERS) == [
        Saying("exclude", ("0-3",), ("0-0", "0-1", "0-2"), 0),
        Saying("name", ("0-0", "0-1", "0-2"), "A", 0),
        Saying("name", ("1-0", "1-1"), "B", 1),
        Saying("exclude", ("2-2",), ("2-0", "2-1"), 2),
        Saying("junk", ("2-0", "2-1"), None, 2),
    ]


def test_a_stranger_that_is_missed_is_named_with_the_rest() -> None:
    assert say(CLUSTERS, {"0-3": "A"})[0] == Saying("name", ("0-0", "0-1", "0-2", "0-3"), "A", 0)


def test_a_photo_taken_for_another_design_is_named_so_by_itself() -> None:
    assert [saying for saying in say(CLUSTERS, {"0-1": "C"}) if saying.cluster_id == 0] == [
        Saying("exclude", ("0-3",), ("0-0", "0-2"), 0),
        Saying("name", ("0-0", "0-2"), "A", 0),
        Saying("name", ("0-1",), "C", 0),
    ]


def test_errors_are_a_share_of_the_photos_in_clusters_and_always_wrong() -> None:
    truth = CLUSTERS.set_index("image_id")["shows"]
    for seed in range(5):
        errors = errors_on(CLUSTERS, 0.3, ["A", "B", "C"], seed)
        assert len(errors) == 3
        assert all(
            taken_for != truth[image_id] and f"{NOISE}-" not in image_id for image_id, taken_for in errors.items()
        )
        assert errors.get("0-3", "A") == "A"
    assert len(errors_on(CLUSTERS, 0.001, ["A", "B"], 0)) == 1
    assert errors_on(CLUSTERS[CLUSTERS["cluster_id"] == NOISE], 0.5, ["A"], 0) == {}


def test_decision_files_hold_what_the_contract_asks_for(tmp_path: Path) -> None:
    first = write_decisions(tmp_path, say(CLUSTERS), by="eye", revision=3, model_version="0001-ab")
    again = write_decisions(tmp_path, [Saying("name", ("0-3",), "B", 7)], by="eye", revision=4, model_version="0002-cd")
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*/*.json")}
    assert sorted(files) == [*first, *again]  # by time
    assert all(UUID(name).version == 7 for name in files)
    exclude, last = files[first[0]], files[again[0]]
    assert (exclude["action"], exclude["image_ids"], exclude["target"]) == ("exclude", ["0-3"], ["0-0", "0-1", "0-2"])
    assert last["seen"] == {
        "cluster_id": 7,
        "revision": 4,
        "model_version": "0002-cd",
        "last_decisions": {"0-3": first[0]},
    }
    assert last["decision_id"] == again[0]
    assert datetime.fromisoformat(exclude["at"]) < datetime.fromisoformat(last["at"])
    assert next(path.parent.name for path in tmp_path.glob("*/*.json")) == last["at"][:7]
    assert last_decisions(tmp_path)["0-3"] == again[0]
