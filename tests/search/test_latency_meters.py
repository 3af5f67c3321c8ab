"""Searches whose latencies are measured on devices of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import SMALL, essence, small_scorer, small_space
from torch import Tensor, nn

from swapnas_ext.report.search.json_text import to_json
from swapnas_ext.report.search.text import to_text
from swapnas_ext.search import (
    Candidate,
    Latency,
    Outcome,
    RunFile,
    SearchResult,
    SearchSettings,
    devices_text,
    precision_text,
    search,
)
from swapnas_ext.search.latency import Quiet, ThisMachine, measure

FEW: dict[str, Any] = {"candidates": 8, "strategy": "random", **SMALL}


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@dataclass(frozen=True)
class Device:
    """A device whose times are made up from sizes."""

    name: str = "phone"
    factor: float = 1.0
    spread: float = 0.01
    breaks: Callable[[int], bool] = lambda size: False
    is_elsewhere = True

    def measure(self, network: nn.Module, sample: Tensor) -> Latency:
        assert not network.training and sample.shape[0] == 1
        if self.breaks(size(network)):
            raise RuntimeError(f"{self.name}: the command ended with exit code 1: too hot")
        middle = self.factor * size(network) / 1e6
        return Latency(middle, middle * (1 - self.spread), middle * (1 + self.spread))


def test_each_device_is_recorded_and_has_a_column(tmp_path: Path) -> None:
    space, path = small_space(), tmp_path / "run.db"
    devices = [Device(), Device("board", 3.0)]
    found = search(space, small_scorer(), SearchSettings(**FEW), latency=devices, history=path)
    for row in found.ranked():
        assert row.candidate.outcome is not None
        latencies = row.candidate.outcome.latencies
        assert list(latencies) == ["phone", "board"]
        assert row.latency == latencies["phone"].median == pytest.approx(row.parameters / 1e6)
        assert latencies["board"].median == pytest.approx(3 * row.latency)
    assert found.front_of("latency")  # though neither a limit nor the objective is about it
    frame = found.to_frame()
    assert list(frame["latency_seconds"]) == list(frame["latency_seconds_phone"])
    assert list(frame["latency_low_seconds_board"].dropna().index) == list(range(8))
    with RunFile.read(path) as run_file:
        about, loaded = run_file.about, SearchResult.of(run_file, space)
    assert about["settings"]["latency"] == [
        {"name": "phone", "meter": f"{__name__}:Device"},
        {"name": "board", "meter": f"{__name__}:Device"},
    ]
    text = to_text(loaded, top=3, about=about)
    assert "ms (phone)  ms (board)" in text
    assert '"board": {' in to_json(loaded, about, space, top=1)


def test_limits_and_objective_are_about_the_first_device() -> None:
    space = small_space()
    sizes = sorted(size(space.build(architecture)) for architecture in list(space)[::500])  # type: ignore[call-overload]
    limit = sizes[len(sizes) // 2] / 1e6
    made = SearchSettings(max_latency=limit, objective="latency", **{**FEW, "candidates": 24})
    found = search(space, small_scorer(), made, latency=[Device(), Device("board", 100.0)])
    over = [c for c in found.candidates if c.outcome is not None and c.outcome.over]
    assert 0 < len(over) < 24
    assert all(c.outcome is not None and c.outcome.over == "latency" for c in over)
    assert all("board" not in c.outcome.latencies for c in over if c.outcome is not None)
    assert max(row.latency for row in found.ranked()) <= limit
    assert [row.latency for row in found.front] == sorted(row.latency for row in found.front)


def test_a_failure_costs_one_candidate() -> None:
    device = Device(breaks=lambda size: size % 3 == 0)
    made = SearchSettings(objective="latency", **{**FEW, "candidates": 24})
    found = search(small_space(), small_scorer(), made, latency=device)
    assert 0 < len(found.failed) < 24
    for candidate in found.failed:
        assert candidate.outcome is not None
        assert candidate.outcome.error == (
            "RuntimeError: phone: the command ended with exit code 1: too hot"
        )


def test_fifty_failures_end_the_search() -> None:
    tried: list[int] = []

    def always(size: int) -> bool:
        tried.append(size)
        return True

    made = SearchSettings(**{**FEW, "candidates": 500})
    with pytest.raises(RuntimeError, match=r"none of \d+ architectures could be scored: .*too hot"):
        search(small_space(), small_scorer(), made, latency=Device(breaks=always))
    assert 50 <= len(tried) < 70


@pytest.mark.slow
def test_meters_travel_to_workers() -> None:
    made = SearchSettings(objective="latency", **FEW)
    alone = search(small_space(), small_scorer(), made, latency=Device())
    together = search(small_space(), small_scorer(), made, latency=Device(), workers=2)
    assert essence(alone.candidates) == essence(together.candidates)
    assert [row.latency for row in alone.front] == [row.latency for row in together.front]


@pytest.mark.slow
def test_a_search_goes_on_with_the_same_device_only(tmp_path: Path) -> None:
    space, path = small_space(), tmp_path / "run.db"
    search(space, small_scorer(), SearchSettings(**FEW), latency=Device(), history=path)
    for other in ((), Device("board")):
        with pytest.raises(ValueError, match=r"made with latency measured by phone=.*, not "):
            search(space, small_scorer(), SearchSettings(**FEW), latency=other, history=path)
    again = search(space, small_scorer(), SearchSettings(**FEW), latency=Device(), history=path)
    assert len(again.candidates) == 8


def test_bad_meters() -> None:
    with pytest.raises(
        TypeError, match=r"such as swap\.export\.LatencyCommand; got float, without"
    ):
        search(small_space(), latency=0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two devices are called phone"):
        search(small_space(), latency=[Device(), Device()])


@pytest.mark.slow
def test_this_machine_is_named(tmp_path: Path) -> None:
    space, path = small_space(), tmp_path / "run.db"
    made = SearchSettings(objective="latency", **{**FEW, "candidates": 3})
    found = search(space, small_scorer(), made, history=path)
    for candidate in found.candidates:
        assert candidate.outcome is not None
        assert list(candidate.outcome.latencies) == [ThisMachine().name]
    with RunFile.read(path) as run_file:
        assert "ms (cpu)" in to_text(SearchResult.of(run_file, space), top=3, about=run_file.about)


def test_one_worker_measures_elsewhere_at_a_time() -> None:
    quiet = Quiet()
    with quiet.turn(), quiet.working():  # others work on meanwhile
        assert (quiet.path.with_name(f"{quiet.path.name}.turn")).exists()
    quiet.remove()
    assert not list(quiet.path.parent.glob(f"{quiet.name}*"))


def test_the_warm_up_ends_when_runs_are_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    from swapnas_ext.search import latency

    times = [5.0, 3.0, 2.0, 1.5, 1.49, *[1.0] * 100]  # seconds; the fifth gains nothing any more
    monkeypatch.setattr(latency, "_timed", lambda network, sample: times.pop(0))
    assert measure(nn.Identity(), torch.zeros(1)).median == 1.0
    assert len(times) == 100 - 7


def candidate(number: int, low: float | None, middle: float, high: float | None) -> Candidate:
    details = {"latencies": {f"kind {number % 2}": [middle, low, high]}}
    outcome = Outcome.of_patterns(5.0, latency=middle, latency_low=low, latency_high=high)
    outcome = Outcome(**{**vars(outcome), "details": {**outcome.details, **details}})
    return Candidate(number, 0, f"a{number}", f"a{number}", (), 1, outcome)


def test_what_cannot_be_told_apart_is_told() -> None:
    front = [
        candidate(0, 0.9, 1.0, 1.1),
        candidate(1, 1.05, 1.2, 1.3),
        candidate(2, 1.4, 1.5, 1.6),
        candidate(3, None, 2.0, None),
    ]
    assert precision_text(front) == (
        "1 of 3 neighbours on the front can't be told apart by latency: their 95 % confidence intervals overlap; of 1 "
        "that is not known, since one was measured once"
    )
    assert precision_text(front[:1]) == ""
    assert devices_text(front) == (
        "latencies were measured on machines of 2 kinds, and do not compare: kind 0 (2), kind 1 (2)"
    )
    assert devices_text(front[:1]) == ""
