"""The Dagster UI behind our doors: what a page of another site could send does nothing, what the UI sends works."""

from __future__ import annotations

import json
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.types import ASGIApp

from meter_pipeline.cli.dagster_server.web import guarded_app
from meter_pipeline.settings import load_settings
from meter_pipeline_tests.support.asgi import Answer, ask

HERE = "http://127.0.0.1:8501"
JSON = {"content-type": "application/json"}
ORDER = 'mutation go{setConcurrencyLimit(concurrencyKey:"batches",limit:0)}'
REPORT = "/report_asset_materialization/drop_rows?data_version=1"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as temporary:
        yield temporary


@pytest.fixture(scope="module")
def app(instance: dg.DagsterInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ASGIApp]:
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("data"), dagster_url="https://intranet.example/dagster/,https://flow.example"
    )
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), version=dg.__version__, read_only=False) as context:
        yield guarded_app(context, settings, host="127.0.0.1")


@pytest.fixture(autouse=True)
def nothing_was_changed(request: pytest.FixtureRequest, instance: dg.DagsterInstance) -> Iterator[None]:
    yield
    assert instance.get_latest_materialization_event(dg.AssetKey("drop_rows")) is None


def post(app: ASGIApp, query: str, path: str = "/graphql", headers: dict[str, str] | None = None) -> Answer:
    return ask(app, path, method="POST", headers=JSON | (headers or {}), body=json.dumps({"query": query}).encode())


def test_the_ui_and_programs_are_answered(app: ASGIApp) -> None:
    assert ">Dagster</title>" in ask(app).text
    assert post(app, "{version}").json()["data"]["version"] == dg.__version__
    ui = {"origin": HERE, "sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0"}
    assert post(app, "{version}", headers=ui).status == 200
    assert ask(app, "/graphql", kind="websocket", headers=ui).is_accepted


@pytest.mark.parametrize(
    "asked",
    [
        f"/graphql?query={ORDER}",
        f"/graphql?query=query a{{version}} {ORDER}&operationName=go",
        "/graphql?query={version}",
        f"/graphql?operationName=go&variables={{}}&query={ORDER}",
        "/graphql",
    ],
)
def test_graphql_is_not_answered_by_get(app: ASGIApp, asked: str) -> None:
    for method in ("GET", "HEAD"):
        answer = ask(app, asked.replace(" ", "%20"), method=method)
        assert answer.status == 405
        assert "data" not in answer.text
    page = ask(app, asked.replace(" ", "%20"), headers={"accept": "text/html"})
    assert "GraphiQL" in page.text, "the page for people, which asks by POST"


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", ""]
)
def test_graphql_is_not_taken_from_a_form(app: ASGIApp, kind: str) -> None:
    assert post(app, "{version}", headers={"content-type": kind}).status == 415
    assert post(app, "{version}", path="/graphql?query={version}", headers={"content-type": kind}).status == 415


@pytest.mark.parametrize(
    "path", ["/graphql", REPORT, "/report_asset_check/drop_rows?passed=true", "/report_asset_observation/a"]
)
def test_orders_of_other_pages_and_names_do_nothing(app: ASGIApp, path: str) -> None:
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8502"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ):
        assert post(app, "{version}", path, headers).status == 403
        assert not ask(app, path, kind="websocket", headers=headers).is_accepted
    ask(app, path)  # a GET of it shows a page of the UI at most
    refused = ask(app, headers={"host": "evil.example"})
    assert refused.status == 403
    assert "METER_DAGSTER_URL" in refused.text


def test_every_answer_says_where_it_may_be_shown_and_keeps_dagsters_own_policy(app: ASGIApp) -> None:
    for path in ("/", "/graphql", "/server_info", "/favicon.png"):
        headers = ask(app, path, headers={"accept": "text/html"}).headers
        assert headers["x-frame-options"] == "SAMEORIGIN", path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "'nonce-" in ask(app).headers["content-security-policy"]


def test_under_the_path_of_a_proxy_and_at_the_root(app: ASGIApp) -> None:
    proxied = {"host": "intranet.example"}
    assert ask(app, "/dagster", headers=proxied).headers["location"] == "/dagster/"
    assert '"/dagster/_next/' in ask(app, "/dagster/runs", headers=proxied).text
    assert '"/_next/' in ask(app, "/runs", headers={"host": "flow.example"}).text
    page = {"origin": "https://intranet.example", "host": "127.0.0.1:8501"}  # nginx, if nobody says anything
    assert post(app, "{version}", "/dagster/graphql", page).status == 200
    assert ask(app, "/dagster/graphql", kind="websocket", headers=page).is_accepted
    assert ask(app, f"/dagster/graphql?query={ORDER.replace(' ', '%20')}", headers=proxied).status == 405
    assert post(app, "{version}", "/dagster/graphql", page | {"origin": "http://intranet.example"}).status == 403


def test_a_report_of_a_program_is_taken(app: ASGIApp) -> None:
    answer = ask(app, "/report_asset_materialization/other", method="POST", headers=JSON, body=b"{}")
    assert answer.status == 200
