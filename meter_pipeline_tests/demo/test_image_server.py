"""The loopback image server: serves its folder and nothing else, counts, and fails on demand."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from meter_pipeline.demo.image_server import LOOPBACK, ImageServer, file_below
from meter_pipeline.errors import MeterError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ImageServer]:
    folder = tmp_path / "served"
    (folder / "2024-05").mkdir(parents=True)
    (folder / "2024-05" / "a b.jpg").write_bytes(b"photo")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    with ImageServer(folder) as running:
        yield running


def raw_get(server: ImageServer, path: str) -> tuple[int, bytes]:
    """GET without a client that tidies the path up first."""
    connection = http.client.HTTPConnection(LOOPBACK, server.port, timeout=5)
    try:
        connection.putrequest("GET", path, skip_host=False)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_file_is_served_and_every_request_is_counted(server: ImageServer) -> None:
    url = f"{server.base_url}/2024-05/a%20b.jpg?size=full"
    answer = requests.get(url, timeout=5)
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, b"photo", "image/jpeg")
    assert requests.head(url, timeout=5).headers["Content-Length"] == "5"
    assert requests.get(f"{server.base_url}/none.jpg", timeout=5).status_code == 404
    assert server.hits == {"/2024-05/a b.jpg": 2, "/none.jpg": 1}


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/2024-05/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "//../secret.txt",
        "/",
        "/2024-05",
        "/%00",
    ],
)
def test_no_path_leads_out_of_the_folder_or_lists_it(server: ImageServer, path: str) -> None:
    status, body = raw_get(server, path)
    assert status == 404
    assert b"secret" not in body


@given(path=st.text(alphabet="./\\%0ac:~é\x00", max_size=30))
def test_whatever_the_path_only_files_below_the_folder_are_found(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "property" / "served"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a").write_bytes(b"")
    (folder.parent / "c").write_bytes(b"")
    found = file_below(folder, path)
    assert found is None or found == (folder / "a").resolve()


def test_it_answers_as_told_until_told_otherwise(server: ImageServer) -> None:
    url = f"{server.base_url}/2024-05/a%20b.jpg"
    server.answer("/2024-05/a b.jpg", 500)
    assert requests.get(url, timeout=5).status_code == 500
    server.answer("/2024-05/a b.jpg", None)
    assert requests.get(url, timeout=5).status_code == 200


def test_a_busy_port_gives_way_to_a_free_one_or_is_an_error_where_that_would_hurt(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        busy = other.getsockname()[1]
        with ImageServer(tmp_path, port=busy) as server:
            assert server.port != busy
        with pytest.raises(MeterError, match="cannot listen"):
            ImageServer(tmp_path, port=busy, fallback=False).start()


def test_the_port_is_free_at_once_after_the_server_stopped(tmp_path: Path) -> None:
    """The second demo must have the first one's port, or every URL of its workbooks is new."""
    (tmp_path / "a.jpg").write_bytes(b"photo")
    with ImageServer(tmp_path) as first:
        port = first.port
        requests.get(f"{first.base_url}/a.jpg", timeout=5)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{LOOPBACK}:{port}/a.jpg", timeout=5)
    with ImageServer(tmp_path, port=port, fallback=False) as second:
        assert requests.get(f"{second.base_url}/a.jpg", timeout=5).content == b"photo"


def test_a_slow_server_waits_before_it_answers(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    with ImageServer(tmp_path, latency_s=0.2) as server:
        assert requests.get(f"{server.base_url}/a.jpg", timeout=5).elapsed.total_seconds() >= 0.2
