"""A search of two Ray nodes, from its start to its comparison: the commands of docs/workers.md, made small."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import swapnas_ext as swap

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "workers.md"
SMALLER = {
    "--candidates 400": "--candidates 24 --space-option channels=2 --space-option cells=1 --samples 4",
    "ray:auto": "ray:{address}",
    "--serve 8000": "--serve 0",
}
ENOUGH = 120  # seconds


def commands(address: str) -> list[list[str]]:
    """The arguments of `swapnas` in the page, in their order, made small."""
    found = re.search(r"<!-- from start to end -->\n(.*?)<!-- /", PAGE.read_text(), re.DOTALL)
    assert found is not None
    lines = re.findall(r"^swapnas .*", found[1], re.MULTILINE)
    made = []
    for line in lines:
        for large, small in SMALLER.items():
            line = line.replace(large, small.format(address=address))
        made.append(shlex.split(line, comments=True)[1:])
    return made


@contextmanager
def running(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "swapnas_ext.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # where tests ignore it
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(words: list[str]) -> str:
    with running(words) as process:
        out, err = process.communicate(timeout=ENOUGH)
        assert process.returncode == 0, err
        return out


def done(path: Path) -> int:
    try:
        return len(swap.search.load(path).candidates)
    except (FileNotFoundError, swap.search.RunFileError):  # not there yet, or just being made
        return 0


def wait_for(path: Path, candidates: int, search: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + ENOUGH
    while done(path) < candidates:
        assert search.poll() is None, search.communicate()[1]
        assert time.monotonic() < deadline, f"{done(path)} candidates after {ENOUGH} s"
        time.sleep(0.1)


def live_part(url: str) -> str:
    with urllib.request.urlopen(f"{url}live", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.slow
def test_from_two_ray_nodes_to_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        nodes.add_node(num_cpus=1)
        search, watch, serve, resume, at_random, compare, show = commands(nodes.address)
        path = Path("evolution.db")
        with (
            running(search) as searching,
            running(watch) as watching,
        ):
            wait_for(path, 3, searching)
            with running(serve) as server:
                assert server.stdout is not None
                url = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
                assert url is not None
                assert "running" in live_part(url[0]) and "latency, ms" in live_part(url[0])
                searching.send_signal(signal.SIGINT)
                assert searching.wait(ENOUGH) == 130
                lines = watching.communicate(timeout=ENOUGH)[0].splitlines()
                assert watching.returncode == 0 and lines[-1].endswith("ended: interrupted")
                stopped_at = done(path)
                assert 3 <= stopped_at < 24
                run(resume)
                assert done(path) == 24
                time.sleep(1.1)  # the server keeps what it has read for a second
                assert "ended: complete" in live_part(url[0])
    finally:
        nodes.shutdown()
    run(at_random)
    run(compare)
    compared = run(["compare", "evolution.db", "random.db"])
    assert "strategy" in compared and "the joint front of latency and score" in compared
    assert "<svg" in Path("compare.html").read_text()

    shown = json.loads(run(["show", "evolution.db", "--json"]))
    result = swap.search.load(path)
    costs = {
        candidate.architecture: (candidate.outcome.latency, -candidate.score)
        for candidate in result.scored
        if candidate.outcome is not None
    }
    on_front = {
        name
        for name, (seconds, loss) in costs.items()
        if not any(
            one <= seconds and other <= loss and (one, other) != (seconds, loss)
            for one, other in costs.values()
        )
    }
    assert {entry["architecture"] for entry in shown["front"]} == on_front
    assert all(entry["latency"] > 0 for entry in shown["front"])
    run(show)
    assert "latency, ms" in Path("front.html").read_text()
