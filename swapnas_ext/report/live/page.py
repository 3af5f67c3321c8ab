"""The live page of a search, and the part of it that changes."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator
from html import escape

from swapnas_ext.report.live import words
from swapnas_ext.report.live.model import LiveRun, Scored, State
from swapnas_ext.report.live.svg import draw_chart
from swapnas_ext.report.shared.page import html_table
from swapnas_ext.search import COSTS

_FAILURES = 20
"""How many reasons of failures are listed."""
_REDRAWN = 5.0
"""Seconds for which charts are kept while candidates come in."""
_POINTS = 1500
"""Candidates that a chart shows; of more, evenly chosen ones. Lines are of all."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --paper: #fff; --faint: #52606d; --line: #e4e7eb;
  --dots: #9aa5b1; --accent: #c2410c; --on-accent: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #14181d; --faint: #9aa5b1; --line: #323f4b; --dots: #7b8794; --accent: #fb923c;
    --on-accent: #14181d } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1120px;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top;
  white-space: nowrap }
th:last-child, td:last-child { text-align: left; white-space: normal }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
dt { color: var(--faint) } dd { margin: 0 }
code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
progress { width: 100%; accent-color: var(--accent) }
figure { display: inline-block; margin: 0 1rem 1rem 0; width: 520px; max-width: 100% } svg { width: 100% }
figcaption { color: var(--faint) }
.points { stroke: var(--dots); stroke-width: 4.5; stroke-linecap: round; fill: none }
.steps { stroke: var(--accent); stroke-width: 1.8; fill: none } .axis { stroke: var(--line); fill: none }
.label { fill: var(--faint); font-size: 12px }
#lost { background: var(--accent); color: var(--on-accent); padding: .3rem .8rem; border-radius: 4px }
"""

_SCRIPT = """
const part = document.getElementById("live"), lost = document.getElementById("lost");
let tag = "";
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/live", {cache: "no-store", headers: tag ? {"If-None-Match": tag} : {}});
      if (answer.status === 200) {
        tag = answer.headers.get("ETag") || "";
        part.innerHTML = await answer.text();
      } else if (answer.status !== 304) throw new Error(answer.status);
      lost.hidden = true;
    } catch (error) { lost.hidden = false; }
  }
  setTimeout(refresh, 1500);
}
refresh();
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_digest(_STYLE)}; script-src {_digest(_SCRIPT)}; connect-src 'self'; "
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
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(self._path)}: SWAP-NAS search</title><style>{_STYLE}</style></head>\n"
            f"<body>\n<h1>{escape(self._path)}</h1>\n"
            '<p id="lost" hidden>connection lost, retrying</p>\n'
            f'<main id="live">{self.part(now, trouble)}</main>\n<script>{_SCRIPT}</script>\n</body></html>\n'
        )

    def part(self, now: float, trouble: str = "") -> str:
        """What changes.

        Args:
            now: seconds since the epoch.
            trouble: why the file can't be read; empty if it can.
        """
        if trouble:
            return f"<p>{escape(trouble)}</p>"
        run = self._run
        facts = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in self._facts(now)
        )
        bar = ""
        if run.total is not None:
            bar = f'<progress max="{max(1, run.total)}" value="{run.done}"></progress>'
        return f"{bar}<dl>{facts}</dl>{self._charts_at(now)}{self._best()}{self._failures()}"

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

    def _best(self) -> str:
        run = self._run
        if not run.best:
            return ""
        if run.family:
            rows = [(f"{target:,.0f}", score, row) for target, score, row in run.family]
            return "<h2>The best of each size</h2>" + self._table("wanted", rows)
        rows = [(str(rank), run.score(row), row) for rank, row in enumerate(run.best, start=1)]
        return "<h2>The best</h2>" + self._table("rank", rows)

    def _table(self, first: str, rows: list[tuple[str, float, Scored]]) -> str:
        costs = [words.cost_text(self._run, row) for *_, row in rows]
        return html_table(
            {
                first: [text for text, _, _ in rows],
                "score": [f"{score:.6g}" for _, score, _ in rows],
                "params": [f"{row.parameters:,}" for *_, row in rows],
                **({self._run.cost.title: costs} if any(costs) else {}),
                "candidate": [f"{row.number:,}" for *_, row in rows],
                "architecture": [f"<code>{escape(row.architecture)}</code>" for *_, row in rows],
            }
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
        scale, unit = run.cost.scale, f"{run.cost.title}, {run.cost.unit}"
        if run.cost is COSTS["parameters"] and max(row.parameters for row in run.scored) < 1e6:
            scale, unit = 1e3, "size, thousands of parameters"
        step = math.ceil(len(run.scored) / _POINTS)
        shown = run.scored[::step]
        curve = draw_chart(
            [(place * step + 1, run.score(row)) for place, row in enumerate(shown)],
            [
                (place + 1, score)
                for place, score in zip(places, [*highest, highest[-1]], strict=True)
            ],
            x="scored candidates",
            y="score",
        )
        front = draw_chart(
            [(row.cost / scale, run.score_in_front(row)) for row in shown if row.cost is not None],
            [(cost / scale, score) for cost, score in run.front],
            x=unit,
            y="score" if run.has_objective else "unregularised score",
        )
        return (
            f"<h2>The search</h2><figure>{curve}<figcaption>scores, and the best so far</figcaption></figure>"
            f"<figure>{front}<figcaption>scores by {run.cost.title}, and their Pareto front</figcaption></figure>"
        )

    def _failures(self) -> str:
        lines = words.failure_lines(self._run, _FAILURES)
        if not lines:
            return ""
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        return f"<h2>Without a score</h2><ul>{items}</ul>"
