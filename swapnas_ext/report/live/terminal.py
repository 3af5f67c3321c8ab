"""The live view in a terminal."""

from __future__ import annotations

import textwrap
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from swapnas_ext._util import significant
from swapnas_ext.report.live import words
from swapnas_ext.report.live.model import LiveRun, Scored, State
from swapnas_ext.report.shared.blocks import block_curve
from swapnas_ext.report.shared.text import printable

_WIDEST = 60
"""Characters of a bar or a curve."""
_LABELS = 13
"""Characters of the names of facts."""
_SHORTEST = 12
"""Characters of an architecture that are shown at least."""
_BEFORE = 4
"""Characters that are shown before the place where names part."""
_FAILURES = 3
"""How many reasons of failures are shown."""
_STYLES = {
    State.RUNNING: Style(color="green"),
    State.ENDED: Style(color="cyan"),
    State.STOPPED: Style(color="red"),
    State.GONE: Style(color="red"),
}

_Line = tuple[str, str, Style | None]
"""The name of a fact, or nothing; the fact; its style."""


class LiveView:
    """Draws the state of a run, as wide as the terminal, and no higher. It makes its own lines, since it is drawn again
    and again beside a search, and tables of rich take ten times as long.

    Args:
        path: of the run file, as it is shown.
        now: seconds since the epoch.
    """

    def __init__(self, run: LiveRun, path: str, now: float) -> None:
        self._run = run
        self._path = path
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(_LABELS + 20, options.max_width)
        lines = list(self.lines(width))
        height = options.height or console.height
        for name, text, style in lines[: max(1, height - 1)]:
            yield Segment(
                f"{name.ljust(_LABELS)}{text}\n", style
            )  # rich takes long for each segment

    def lines(self, width: int) -> Iterator[_Line]:
        """The lines, none of them longer than ``width``."""
        for name, text, style in self._facts(width - _LABELS):
            for place, part in enumerate(_folded(text, width - _LABELS)):
                yield ("" if place else name), part, style
        if not self._run.family:
            yield from self._others(width - _LABELS)

    def _facts(self, width: int) -> Iterator[_Line]:
        run, now = self._run, self._now
        state = words.state_text(run, self._path, now)
        if run.name:
            yield "search", f"{run.name}  ({self._path})", None
        yield "state", state, _STYLES.get(run.state)
        if not run.name:
            return
        if run.measure:
            yield "measure", run.measure, None
        if run.total is not None:
            across = min(width, _WIDEST)
            filled = round(across * run.done / max(1, run.total))
            yield "", "█" * filled + "░" * (across - filled), None
        yield "done", words.done_text(run), None
        speed = words.speed_text(run, now)
        if speed:
            yield "speed", speed, None
        yield from self._best()
        curve = self._curve(min(width, _WIDEST))
        if curve:
            yield "best so far", curve, None
        if run.over:
            yield "limits", words.over_text(run), None
        for place, line in enumerate(words.failure_lines(run, _FAILURES)):
            yield ("" if place else "no score"), _cut(line, width), None

    def _best(self) -> Iterator[_Line]:
        run = self._run
        for target, score, row in run.family:
            yield (
                f"for {words.short_count(target)}",
                f"{_about(run, score, row)}\n{row.architecture}",
                None,
            )
        if not run.family:
            for row in run.best[:1]:
                yield "best", f"{_about(run, run.score(row), row)}\n{row.architecture}", None

    def _curve(self, width: int) -> str:
        """The best score so far, after equal steps of scored candidates."""
        run = self._run
        count = len(run.scored)
        if count < 2:
            return ""
        steps = min(width, count)
        ends = [(step + 1) * count // steps - 1 for step in range(steps)]
        places = [run.curve[bisect_right(run.curve, end) - 1] for end in ends]
        return block_curve([run.score(run.scored[place]) for place in places])

    def _others(self, width: int) -> Iterator[_Line]:
        run = self._run
        shown = []
        for row in run.best[1:]:
            cost = words.cost_text(run, row)
            score = significant(run.score(row))
            shown.append(f"{score:<11} {row.parameters:>12,}  {cost and f'{cost:>12}  '}")
        room = max(_SHORTEST, width - max(map(len, shown), default=0))
        architectures = told_apart([row.architecture for row in run.best[1:]], room)
        for rank, (about, name) in enumerate(zip(shown, architectures, strict=True), start=2):
            yield f"{rank}.", _cut(about + name, width), None


def _about(run: LiveRun, score: float, row: Scored) -> str:
    costs = filter(None, (f"{row.parameters:,} parameters", words.cost_text(run, row)))
    return f"{significant(score)}, {', '.join(costs)}, candidate {row.number:,}"


def _folded(text: str, width: int) -> Iterable[str]:
    """Lines of at most ``width`` characters. Architectures have few spaces, and are cut anywhere."""
    for line in text.split("\n"):
        yield from textwrap.wrap(printable(line), width, break_on_hyphens=False) or [""]


def told_apart(names: Sequence[str], width: int) -> list[str]:
    """Each name in at most ``width`` characters: from its beginning; or, where others begin in the same way, from a
    little before the place where they part."""
    names = [printable(name) for name in names]
    cut = [_cut(name, width) for name in names]
    alike = Counter(cut)
    shown = []
    for name, text in zip(names, cut, strict=True):
        if alike[text] > 1 and len(name) > width:
            others = [other for other in names if other != name and _cut(other, width) == text]
            parted = min((_parted(name, other) for other in others), default=0)
            start = min(max(0, parted - _BEFORE), len(name) - width + 1)
            text = _cut(f"…{name[start:]}", width) if start else text
        shown.append(text)
    return shown


def _parted(name: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(name, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(name), len(other)))


def _cut(text: str, width: int) -> str:
    text = printable(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"
