"""The words and numbers that all live views share."""

from __future__ import annotations

import math

from swapnas_ext.report.live.model import LiveRun, Scored, State
from swapnas_ext.report.shared.text import printable
from swapnas_ext.search import COSTS

_QUIET = 30.0
"""Seconds after the last candidate from which on a view says how long ago that was."""


def duration(seconds: float) -> str:
    """About so long, in the two largest units: 45 s, 2 min, 1 h 5 min, 3 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def rate_text(rate: float, unit: str = "candidates") -> str:
    """38 candidates/s, 2.5 candidates/min, ..., with two digits at least."""
    for seconds, name in ((1, "s"), (60, "min"), (3600, "h")):
        if rate * seconds >= 1 or name == "h":
            return f"{_two_digits(rate * seconds)} {unit}/{name}"
    raise AssertionError("the last unit takes any rate")


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def short_count(count: float) -> str:
    """2.5M, 800k, 12."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.4g}{letter}"
    return f"{count:.4g}"


def state_text(run: LiveRun, path: str, now: float) -> str:
    """What the search does, in a few words. ``now``: seconds since the epoch."""
    if run.state is State.WAITING:
        return f"waiting for the run file {path}"
    if run.state is State.GONE:
        return f"{path} was removed"
    if run.state is State.ENDED:
        how = {"exhausted": "exhausted: no other architectures were found"}
        return f"ended: {how.get(run.ended, run.ended)}"
    if run.state is State.STOPPED:
        return "stopped without an end: killed, or failed; --resume continues it"
    quiet = 0.0 if run.last is None else now - run.last
    if quiet > _QUIET:
        return f"running; the last candidate was {duration(quiet)} ago"
    return "running" if run.done else "running: no candidate yet"


def done_text(run: LiveRun) -> str:
    of_all = "" if run.total is None else f" of {run.total:,}, {run.done / max(1, run.total):.0%}"
    return f"{run.done:,}{of_all}"


def speed_text(run: LiveRun, now: float) -> str:
    """The rate and the time left; empty where they are not known. ``now``: seconds since the epoch."""
    rate, left = run.rate(now), run.seconds_left(now)
    if rate is None:
        return ""
    return rate_text(rate) + ("" if left is None else f", {duration(left)} left")


def over_text(run: LiveRun) -> str:
    """How many candidates are beyond which limit; empty if none is."""
    return ", ".join(
        f"{count:,} beyond the limit on {COSTS[name].title if name in COSTS else name}"
        for name, count in run.over.most_common()
    )


def failure_lines(run: LiveRun, most: int) -> list[str]:
    """The most frequent reasons why candidates could not be scored, each with how many had it."""
    groups = run.failures.largest_first()
    lines = [f"{group.count:,} x {group.error.partition(chr(10))[0]}" for group in groups[:most]]
    others = sum(group.count for group in groups[most:])
    return [*lines, f"{others:,} x other reasons"] if others else lines


def cost_text(run: LiveRun, row: Scored) -> str:
    """The cost of the objective with its unit; empty if it is the number of parameters, or not known."""
    if run.cost is COSTS["parameters"] or row.cost is None:
        return ""
    return run.cost.text(row.cost)


def one_line(run: LiveRun, path: str, now: float) -> str:
    """The state of a search in one line. ``now``: seconds since the epoch."""
    state = state_text(run, path, now)
    if run.state in (State.WAITING, State.GONE):
        return state
    parts = [f"{run.name}: {done_text(run)}"]
    if run.best:
        parts.append(f"best {run.score(run.best[0]):.6g}")
    parts += filter(None, (speed_text(run, now), over_text(run)))
    if run.failed:
        parts.append(f"{run.failed:,} without a score")
    return printable(", ".join(parts) + f"; {state}")
