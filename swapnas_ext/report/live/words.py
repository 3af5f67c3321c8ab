"""The words and numbers that all live views share."""

from __future__ import annotations

from swapnas_ext._util import duration, rate_text, short_count, significant
from swapnas_ext.report.live.model import LiveRun, Scored, State
from swapnas_ext.report.shared.text import printable
from swapnas_ext.search import COSTS

__all__ = [
    "cost_text",
    "done_text",
    "failure_lines",
    "one_line",
    "over_text",
    "short_count",
    "speed_text",
    "state_text",
]

_QUIET = 30.0
"""Seconds after the last candidate from which on a view says how long ago that was."""


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
        parts.append(f"best {significant(run.score(run.best[0]))}")
    parts += filter(None, (speed_text(run, now), over_text(run)))
    if run.failed:
        parts.append(f"{run.failed:,} without a score")
    return printable(", ".join(parts) + f"; {state}")
