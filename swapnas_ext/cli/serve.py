"""``swapnas show --serve``: a live page of a search, for browsers of this machine."""

from __future__ import annotations

import errno
import hashlib
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from swapnas_ext.cli.watch import check_may_be_run_file
from swapnas_ext.report.live.model import LiveRun
from swapnas_ext.report.live.page import CONTENT_SECURITY_POLICY, LivePage
from swapnas_ext.search import News, RunFileError, RunFileFollower, is_taken

LOOPBACK = "127.0.0.1"
_OWN_NAMES = ("127.0.0.1", "localhost")
"""The names by which a browser may ask. A page of elsewhere whose name was made to lead here asks by its own name."""
_LOOKS = 1.0
"""Seconds for which a look at the file is kept, whoever asks."""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def serve(path: Path, top: int, port: int) -> None:
    """Serves the live page of a run file until Ctrl-C.

    Args:
        port: 0 takes a free one.

    Raises:
        ValueError: there can't be a run file at the path, or the port is in use.
        RunFileError: not a run file.
    """
    check_may_be_run_file(path)
    with LiveServer(path, top, port) as server:
        try:
            click.echo(f"{path}: {server.url}  (Ctrl-C ends)")
            server.serve_forever()
        except KeyboardInterrupt:  # as users end a viewer
            return


class LiveServer(ThreadingHTTPServer):
    """Serves the live page of a run file, and the part of it that changes; nothing else. It reads the file when a
    browser asks.

    Args:
        port: 0 takes a free one.

    Raises:
        ValueError: the port is in use, or may not be used.
        RunFileError: not a run file.
    """

    def __init__(self, path: Path, top: int, port: int) -> None:
        self._follower = RunFileFollower(path)
        self._run = LiveRun(top)
        self._run.take(_first_look(self._follower))
        self._page = LivePage(self._run, str(path))
        self._looked_at = time.monotonic()
        self._trouble = ""
        self._one_at_a_time = threading.Lock()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            why = "is in use" if in_use else f"can't be used: {error.strerror}"
            raise ValueError(
                f"port {port} {why}: give another one, or --serve 0 for any that is free"
            ) from error

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"

    def page(self) -> str:
        with self._one_at_a_time:
            self._look()
            return self._page.page(time.time(), self._trouble)

    def part(self) -> str:
        with self._one_at_a_time:
            self._look()
            return self._page.part(time.time(), self._trouble)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _LOOKS:
            return
        self._looked_at, self._trouble = now, ""
        try:
            self._run.take(self._follower.look())
        except (RunFileError, OSError) as error:
            self._trouble = str(error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the browser went away
            super().handle_error(request, client_address)


def _first_look(follower: RunFileFollower) -> News | None:
    """Looks again where a file is there and can't be read: it may just be made. Raises RunFileError if it can't be read
    then either."""
    news = follower.look()
    if news is None and is_taken(follower.path):
        time.sleep(_LOOKS)
        news = follower.look()
    return news


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds, after which a silent connection is closed

    def do_GET(self) -> None:
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # the body stays unread: it is not the next request
        if not _is_own_name(self.headers.get("Host", "")):
            self._answer(HTTPStatus.FORBIDDEN, "this page is for browsers of this machine\n")
            return
        if self.path == "/":
            self._answer(HTTPStatus.OK, self.server.page())
        elif self.path == "/live":
            self._answer(HTTPStatus.OK, self.server.part())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "there is nothing here\n")

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status is HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "swapnas"

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the terminal is the user's."""


def _is_own_name(host: str) -> bool:
    """Whether a Host header names this machine, at any port: that of a tunnel may differ."""
    try:
        return urlsplit(f"//{host}").hostname in _OWN_NAMES
    except ValueError:
        return False
