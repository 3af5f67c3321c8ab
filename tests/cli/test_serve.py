"""``swapnas show --serve``: the live page over HTTP, for browsers of this machine alone."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from swapnas_ext.cli import main, serve
from swapnas_ext.cli.serve import LiveServer
from swapnas_ext.search import Candidate, Outcome, RunFile

SETTINGS = {
    "space": {"name": "nasbench201"},
    "search": {"strategy": "random", "seed": 0, "candidates": 50},
}


def candidate(number: int) -> Candidate:
    outcome = Outcome.of_patterns(1.0 + number)
    return Candidate(number, 0, f"cell {number}", f"form {number}", (), 100, outcome, 1.5 + number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def run_file(path: Path) -> Iterator[RunFile]:
    with RunFile.create(path, SETTINGS) as run_file:
        run_file.record([candidate(0), candidate(1)])
        yield run_file


@pytest.fixture
def server(path: Path, run_file: RunFile, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    monkeypatch.setattr(serve, "_LOOKS", 0.0)
    with LiveServer(path, 10, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: LiveServer, target: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, target, headers=named)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def test_the_page_and_the_part_that_changes(server: LiveServer, run_file: RunFile) -> None:
    status, headers, page = ask(server, "/")
    assert status == 200 and page.startswith("<!DOCTYPE html>") and "2 of 50" in page
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    run_file.record([candidate(2)])
    status, _, part = ask(server, "/live")
    assert status == 200 and "3 of 50" in part and "<html" not in part and "running" in part
    run_file.write_about(ended="complete")
    assert "ended: complete" in ask(server, "/live")[2]
    assert "cell 2" in ask(server, "/")[2]


def test_what_did_not_change_is_not_sent_again(server: LiveServer, run_file: RunFile) -> None:
    run_file.write_about(ended="complete")  # a running search changes its times
    _, headers, _ = ask(server, "/live")
    status, _, text = ask(server, "/live", If_None_Match=headers["ETag"])
    assert (status, text) == (304, "")


def test_the_page_may_load_nothing_but_itself(server: LiveServer) -> None:
    """Its style and script are the ones whose digests the header names."""
    import base64
    import hashlib
    import re

    _, headers, page = ask(server, "/")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for element in ("style", "script"):
        found = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert found is not None
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert " style=" not in page and " onclick=" not in page


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9000", 200),  # of a tunnel
        ("LOCALHOST", 200),
        ("rebound.example", 403),
        ("rebound.example:80", 403),
        ("127.0.0.1.rebound.example", 403),
        ("localhost.", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_names_of_other_hosts_are_refused(server: LiveServer, host: str, status: int) -> None:
    for target in ("/", "/live"):
        answer = ask(server, target, Host=host)
        assert answer[0] == status
        assert ("2 of 50" in answer[2]) == (status == 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_get(server: LiveServer, method: str) -> None:
    status, _, text = ask(server, "/live", method)
    assert status == 501 and "2 of 50" not in text


def test_a_body_is_not_the_next_request(server: LiveServer) -> None:
    inner = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = f"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(head + inner)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "target", ["/run.db", "/../run.db", "/etc/passwd", "//etc/passwd", "/live/", "/live?x=1"]
)
def test_no_file_is_served(server: LiveServer, target: str) -> None:
    assert ask(server, target)[0] == 404


def test_other_runs_and_troubles_are_told(
    server: LiveServer, path: Path, run_file: RunFile, tmp_path: Path
) -> None:
    with RunFile.create(tmp_path / "other.db", SETTINGS) as other:
        other.record([candidate(number) for number in range(5)])
    run_file.close()
    (tmp_path / "other.db").replace(path)
    part = ask(server, "/live")[2]
    assert "another run" in part and "5 of 50" in part
    path.write_text("scribbled over " * 1000)
    ask(server, "/live")
    status, _, part = ask(server, "/live")
    assert status == 200 and "not a run file" in part
    path.unlink()
    assert "was removed" in ask(server, "/live")[2]


def test_a_page_before_there_is_a_run(path: Path) -> None:
    with LiveServer(path, 10, 0) as server:
        assert "waiting for the run file" in server.page()


def test_it_listens_on_this_machine_alone(server: LiveServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_port_in_use(server: LiveServer, path: Path) -> None:
    command: list[Any] = ["show", str(path), "--serve", str(server.server_port)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert f"port {server.server_port} is in use: give another one, or --serve 0" in result.output


def test_the_file_is_read_when_a_browser_asks(
    path: Path, run_file: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once a second, whoever asks."""
    with LiveServer(path, 10, 0) as server:
        run_file.record([candidate(2)])
        now = server._looked_at
        monkeypatch.setattr(serve.time, "monotonic", lambda: now + 0.9)
        assert "2 of 50" in server.part()
        monkeypatch.setattr(serve.time, "monotonic", lambda: now + 1.1)
        assert "3 of 50" in server.part()
