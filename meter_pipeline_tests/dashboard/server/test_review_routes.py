"""The routes of the review page: each answers, behind the token, and says in a sentence what went wrong."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from meter_pipeline.dashboard.server import review_routes as routes_module
from meter_pipeline.dashboard.server.review_routes import review_routes
from meter_pipeline.dashboard.server.token import TOKEN_HEADER, session_token
from meter_pipeline.labels import NOISE
from meter_pipeline.review.decisions import new_decision_id, read_decisions
from meter_pipeline.review.page.desk import ReviewDesk
from meter_pipeline.storage.layout import Layout
from meter_pipeline_tests.support.photos_in_review import put_in_review

RED, BLUE = 0, 1
ROUTES = {
    "GET": ["overview", "fingerprint", "group/0", "noise", "nearest/a", "history", "near-names"],
    "POST": ["decisions", "grow", "split", "undo"],
}
EACH_ROUTE = [(method, path) for method, paths in ROUTES.items() for path in paths]
Ids = dict[str, list[str]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def ids(layout: Layout) -> Ids:
    return put_in_review(layout)


@pytest.fixture
def client(layout: Layout) -> TestClient:
    app = Starlette(routes=review_routes(ReviewDesk(layout)))
    return TestClient(app, headers={TOKEN_HEADER: session_token()}, raise_server_exceptions=False)


def named(image_ids: list[str], target: str = "LT2", **changes: Any) -> dict[str, Any]:
    decision = {"decision_id": new_decision_id(), "action": "name", "image_ids": image_ids, "target": target}
    return decision | {"last": dict.fromkeys(image_ids)} | changes


def post(client: TestClient, *decisions: dict[str, Any], by: str = "anna", **fields: Any) -> dict[str, Any]:
    answer = client.post("/review/decisions", json={"decisions": decisions, "by": by} | fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(("method", "path"), EACH_ROUTE)
def test_nothing_is_told_or_taken_without_the_token(client: TestClient, ids: Ids, method: str, path: str) -> None:
    for token in (b"", b"guessed", "été".encode()):
        answer = client.request(method, f"/review/{path}", headers={TOKEN_HEADER.encode(): token}, content="{}")
        assert answer.status_code == 403
        assert "reload the page" in answer.json()["error"]


def test_every_route_is_behind_the_token() -> None:
    """A route that is added has to be added above, too."""
    paths = {
        (method, route.path.split("/{")[0])
        for route in review_routes(ReviewDesk(Layout(Path())))
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert paths == {(method, f"/review/{path.split('/')[0]}") for method, path in EACH_ROUTE}


def test_the_groups_and_one_of_them(client: TestClient, ids: Ids) -> None:
    overview = client.get("/review/overview").json()
    assert [group["cluster_id"] for group in overview["groups"]] == [BLUE, RED, NOISE]
    assert overview["fingerprint"] == client.get("/review/fingerprint").json()["fingerprint"]
    group = client.get(f"/review/group/{RED}").json()
    assert {photo["id"] for photo in group["photos"]} == {*ids["RED"]}
    assert {photo["id"] for photo in client.get("/review/noise").json()["photos"]} == {*ids["STRAY"]}


def test_a_group_that_is_gone_is_said(client: TestClient, ids: Ids) -> None:
    answer = client.get("/review/group/99")
    assert (answer.status_code, answer.json()) == (
        409,
        {"error": "This group is not there any more. Go back to all groups."},
    )
    assert client.get("/review/group/x").status_code == 404


def test_what_is_decided_leaves_and_comes_back_when_it_is_undone(client: TestClient, ids: Ids) -> None:
    mine = named(ids["RED"], "LT/2")
    before = client.get("/review/fingerprint").json()
    answer = post(client, mine)
    assert answer["done"] == [{"decision_id": mine["decision_id"], "target": "LT_2", "image_ids": ids["RED"]}]
    assert (answer["refused"], answer["fingerprint"] != before["fingerprint"]) == ([], True)
    assert client.get(f"/review/group/{RED}").json()["photos"] == []
    undone = client.post("/review/undo", json={"decision_id": mine["decision_id"], "by": "bob"}).json()
    assert undone["undone"] == mine["decision_id"]
    assert len(client.get(f"/review/group/{RED}").json()["photos"]) == 4
    newest, first = client.get("/review/history?limit=5").json()["decisions"]
    assert (newest["by"], newest["undoes"], first["by"], first["is_live"]) == (
        "bob",
        first["decision_id"],
        "anna",
        False,
    )
    assert len(client.get("/review/history?limit=1").json()["decisions"]) == 1
    again = client.post("/review/undo", json={"decision_id": mine["decision_id"], "by": "bob"})
    assert (again.status_code, "does not count any more" in again.json()["error"]) == (409, True)


def test_what_somebody_else_decided_is_refused_with_who_and_replaced_on_demand(client: TestClient, ids: Ids) -> None:
    post(client, named(ids["RED"][:1], "GENUS"), by="bob")
    answer = post(client, named(ids["RED"]))
    (refusal,) = answer["refused"]
    assert (refusal["image_id"], refusal["by"], answer["done"][0]["image_ids"]) == (
        ids["RED"][0],
        "bob",
        ids["RED"][1:],
    )
    assert refusal["reason"].startswith("bob named 1 photo of these GENUS")
    assert post(client, named(ids["RED"][:1]), replace=True)["refused"] == []


def test_look_alikes_parts_neighbours_and_names(client: TestClient, ids: Ids) -> None:
    grown = client.post("/review/grow", json={"image_ids": ids["RED"], "offset": 0, "size": 3}).json()
    assert (len(grown["photos"]), grown["more"]) == (3, True)
    rest = client.post("/review/grow", json={"image_ids": ids["RED"], "offset": 3}).json()
    assert {photo["id"] for photo in grown["photos"] + rest["photos"]} == {*ids["BLUE"], *ids["STRAY"]}
    parts = client.post("/review/split", json={"image_ids": [*ids["RED"], *ids["BLUE"]]}).json()["parts"]
    assert sorted(map(sorted, parts)) == sorted(map(sorted, (ids["RED"], ids["BLUE"])))
    assert client.get(f"/review/nearest/{ids['RED'][0]}").json() == {"photos": []}
    post(client, named(ids["BLUE"], "GENUS <b>सुरक्षा"))
    near = client.get("/review/near-names", params={"name": "GENUS <b>सुरक्ष"}).json()
    assert near == {"near": ["GENUS _b_सुरक्षा"], "spelling": "GENUS _b_सुरक्ष", "problem": None}


@pytest.mark.parametrize("path", ROUTES["POST"])
@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        b"\xff",
        '{"decisions": 5, "image_ids": 5}',
        '{"decisions": null, "image_ids": ["../x"]}',
    ],
)
def test_a_body_that_is_none_is_said(client: TestClient, ids: Ids, path: str, body: str | bytes) -> None:
    answer = client.post(f"/review/{path}", content=body)
    assert answer.status_code == 400
    assert answer.json() == {"error": "This cannot be understood. Reload the page."}


@pytest.mark.parametrize(
    "changes",
    [
        {"image_ids": ["../x"]},
        {"image_ids": []},
        {"image_ids": "a"},
        {"action": "undo"},
        {"action": "merge"},
        {"target": None},
        {"target": {"a": 1}},
        {"target": "\ud800"},
        {"decision_id": "../../escaped"},
        {"decision_id": "\ud800"},
        {"cluster_id": float("inf")},
        {"last": 5},
        {"action": "exclude", "target": 5},
        {"action": "exclude", "target": ["x"]},
    ],
)
def test_what_is_no_decision_is_an_answer_and_writes_nothing(
    client: TestClient, layout: Layout, ids: Ids, changes: dict[str, Any]
) -> None:
    content = json.dumps({"decisions": [named(ids["RED"]) | changes], "by": "anna"})
    answer = client.post("/review/decisions", content=content)
    if answer.status_code == 200 and not answer.json()["refused"]:
        # A lone half of a character is replaced, as a terminal does.
        assert answer.json()["done"][0]["target"] == "?"
        return
    assert answer.status_code in (200, 400, 409)
    assert answer.json().get("refused") or answer.json()["error"]
    assert (read_decisions(layout).decisions, list(layout.root.rglob("escaped*"))) == ((), [])


def test_a_full_disk_is_507_and_the_same_decision_can_be_sent_again(
    client: TestClient, layout: Layout, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mine = named(ids["RED"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        answer = client.post("/review/decisions", json={"decisions": [mine], "by": "anna"})
    assert (answer.status_code, "disk is full" in answer.json()["error"]) == (507, True)
    assert [path for path in layout.decisions.rglob("*") if path.is_file()] == []
    assert post(client, mine)["done"][0]["image_ids"] == ids["RED"]


def test_too_much_at_once_is_said(client: TestClient, ids: Ids, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "LARGEST_BODY_BYTES", 1000)
    answer = client.post("/review/decisions", content=b"x" * 1001)
    assert (answer.status_code, "too much at once" in answer.json()["error"]) == (409, True)
    # A program need not say beforehand how much comes.
    answer = client.post("/review/decisions", content=iter([b"x" * 600, b"x" * 600]))
    assert (answer.status_code, "too much at once" in answer.json()["error"]) == (409, True)


def test_a_data_directory_with_nothing_in_it(client: TestClient) -> None:
    assert client.get("/review/overview").json()["groups"] == []
    assert client.get("/review/noise").status_code == 409
    assert client.get("/review/history").json() == {"decisions": []}
    assert client.post("/review/grow", json={"image_ids": ["0" * 64]}).json() == {"photos": [], "more": False}
    assert client.get("/review/nearest/x").json() == {"photos": []}
