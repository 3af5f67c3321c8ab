"""The live page of a search, and the part of it that changes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from markupsafe import Markup

from swapnas_ext._util import shortened
from swapnas_ext.report.live import words
from swapnas_ext.report.live.model import LiveRun, Scored, State
from swapnas_ext.report.live.svg import Linked, draw_chart
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.measured import definition
from swapnas_ext.report.shared.page import Architecture, Table, digest, render, text_of
from swapnas_ext.search import COSTS

_FAILURES = 20
"""How many reasons of failures are listed."""
_REDRAWN = 5.0
"""Seconds for which charts are kept while candidates come in."""
_WIDE_COSTS = 3.0
_NAME = 44
"""Letters of an architecture that a row begins with."""
_POINTS = 1500
"""Candidates that a chart shows; of more, evenly chosen ones. Lines are of all."""


def _script() -> str:
    return text_of("page.js") + text_of("live.js")


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {digest(text_of('page.css'))}; script-src {digest(_script())}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Allows the page its own style and script, and nothing else."""


class LivePage:
    """The page of a run whose file is followed. Its charts are drawn at most every few seconds.

    Args:
        path: of the run file, as it is shown.
    """

    def __init__(self, run: LiveRun, path: str) -> None:
        self._run = run
        self._path = path
        self._charts = ""
        self._drawn_at = 0.0
        self._drawn_of: tuple[int, int, object] | None = None

    def page(self, now: float, trouble: str = "") -> str:
        """The whole page; arguments as for `part`. Without scripts, it shows the state of its loading."""
        return render(
            "live.html",
            title=f"{self._path}: SWAP-NAS search",
            heading=self._path,
            css=Markup(text_of("page.css")),
            script=Markup(_script()),
            part=Markup(self.part(now, trouble)),
        )

    def part(self, now: float, trouble: str = "") -> str:
        """What changes.

        Args:
            now: seconds since the epoch.
            trouble: why the file can't be read; empty if it can.
        """
        run = self._run
        return render(
            "live_part.html",
            trouble=trouble,
            facts=dict(self._facts(now)),
            total=run.total,
            done=run.done,
            definition=definition(run.scored[-1].measure) if run.scored else "",
            best=self._best(),
            charts=Markup(self._charts_at(now)),
            failures=words.failure_lines(run, _FAILURES),
        )

    def _facts(self, now: float) -> Iterator[tuple[str, str]]:
        run = self._run
        yield "state", words.state_text(run, self._path, now)
        if not run.name:
            return
        if run.replaced:
            yield "file", "another run than the one that this page began with"
        yield "search", run.name
        if run.measure:
            yield "measure", run.measure
        yield "candidates", words.done_text(run)
        speed, over = words.speed_text(run, now), words.over_text(run)
        if speed:
            yield "speed", speed
        if over:
            yield "limits", over
        if run.failed:
            yield "no score", f"{run.failed:,}"

    def _best(self) -> Table | None:
        run = self._run
        if not run.best:
            return None
        if run.family:
            rows = [(f"{target:,.0f}", score, row) for target, score, row in run.family]
            return self._table("The best of each wanted size", "wanted", rows, [])
        rows = [(str(rank), run.score(row), row) for rank, row in enumerate(run.best, start=1)]
        return self._table(
            "The highest scores so far", "rank", rows, [_anchor(row) for row in run.best]
        )

    def _table(
        self, caption: str, first: str, rows: list[tuple[str, float, Scored]], ids: list[str]
    ) -> Table:
        costs = [words.cost_text(self._run, row) for *_, row in rows]
        return Table(
            caption,
            {
                first: [text for text, _, _ in rows],
                "architecture": [
                    Architecture(shortened(row.architecture, _NAME), row.architecture)
                    for *_, row in rows
                ],
                "score": [f"{score:.6g}" for _, score, _ in rows],
                "params": [f"{row.parameters:,}" for *_, row in rows],
                **({self._run.cost.title: costs} if any(costs) else {}),
                "candidate": [f"{row.number:,}" for *_, row in rows],
            },
            ids,
        )

    def _charts_at(self, now: float) -> str:
        run = self._run
        of = len(run.scored), run.replaced, run.state
        is_due = run.state is not State.RUNNING or now - self._drawn_at >= _REDRAWN
        if of != self._drawn_of and (is_due or not self._charts):
            self._charts, self._drawn_at, self._drawn_of = self._draw(), now, of
        return self._charts

    def _draw(self) -> str:
        run = self._run
        if not run.scored:
            return ""
        places = [*run.curve, len(run.scored) - 1]
        highest = [run.score(run.scored[place]) for place in run.curve]
        is_size = run.cost is COSTS["parameters"]
        scale = 1.0 if is_size else run.cost.scale
        step = math.ceil(len(run.scored) / _POINTS)
        shown = run.scored[::step]
        places_of = {row.number: place for place, row in enumerate(run.scored, start=1)}
        ranks = [(rank, row) for rank, row in enumerate(run.best, start=1)]
        linked = [
            Linked(places_of[row.number], run.score(row), _name(rank, row), _anchor(row))
            for rank, row in ranks
        ]
        curve = draw_chart(
            [(place * step + 1, run.score(row)) for place, row in enumerate(shown)],
            [
                (place + 1, score)
                for place, score in zip(places, [*highest, highest[-1]], strict=True)
            ],
            x=Axis("x", "scored candidates", [], wide=math.inf),
            y=Axis("y", "score", [], trims=True),
            linked=() if run.family else linked,
        )
        front = draw_chart(
            [(row.cost / scale, run.score_in_front(row)) for row in shown if row.cost is not None],
            [(cost / scale, score) for cost, score in run.front],
            x=Axis(
                "x",
                "parameters" if is_size else f"{run.cost.title}, {run.cost.unit}",
                [],
                "" if is_size else run.cost.unit,
                wide=_WIDE_COSTS,
            ),
            y=Axis(
                "y", "score" if run.has_objective else "score before size control", [], trims=True
            ),
            linked=()
            if run.family
            else [
                Linked(row.cost / scale, run.score_in_front(row), _name(rank, row), _anchor(row))
                for rank, row in ranks
                if row.cost is not None
            ],
        )
        return render(
            "live_charts.html",
            charts=[
                ("Scores, and the best so far", Markup(curve)),
                (f"Scores by {run.cost.title}, and their Pareto front", Markup(front)),
            ],
        )


def _anchor(row: Scored) -> str:
    return f"row-{row.number}"


def _name(rank: int, row: Scored) -> str:
    return f"#{rank}: {row.architecture}"
