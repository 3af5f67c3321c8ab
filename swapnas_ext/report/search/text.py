"""What a search found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext._util import significant
from swapnas_ext.correlation import caveats
from swapnas_ext.report.search.contents import (
    best_so_far,
    columns,
    distinct_columns,
    front_columns,
    head,
    precision,
    shown_rows,
)
from swapnas_ext.report.search.failures import grouped_failures
from swapnas_ext.report.shared.text import (
    architectures_text,
    columns_text,
    printable_lines,
    spread,
    wrapped,
)
from swapnas_ext.search import cost_of

if TYPE_CHECKING:
    from swapnas_ext.search import Distinct, Ranked, SearchResult
    from swapnas_ext.spaces import SearchSpace

_FRONT = 6
"""How many rows of the Pareto front are shown."""
_FAILURES = 5
"""How many failures are shown."""


def to_text(
    result: SearchResult,
    *,
    top: int,
    about: dict[str, Any] | None = None,
    space: SearchSpace | None = None,
    distinct: Sequence[Distinct] | None = None,
    width: int | None = None,
) -> str:
    """The best of a search. With ``about``, also how the search went, its Pareto front and its failures; with
    ``distinct``, these instead of the best.

    Args:
        width: of the terminal; None: whole lines.
    """
    rows, targets = shown_rows(result, top)
    if distinct is None:
        best = architectures_text(columns(rows, targets), width)
    else:
        rows = [group.ranked for group in distinct]
        best = architectures_text(distinct_columns(distinct), width)
    if about is None:
        return printable_lines(best)
    lines = wrapped("\n".join(head(result, about)), width)
    if not rows:
        return f"{lines}\n\nno candidate has a score\n{_failures(result)}"
    parts = [f"{lines}\n\n", best, f"\n{_curve(result)}", f"\n{front_text(result, width)}"]
    if space is not None:
        parts.append(_formats(rows[0], space))
    parts += [f"\n{wrapped(line, width)}\n" for line in caveats(result.ranked())]
    return printable_lines("".join([*parts, _failures(result)]))


def _curve(result: SearchResult) -> str:
    """The best score after some numbers of candidates."""
    curve = best_so_far(result)
    total = len(result.candidates)
    shares = (0.01, 0.03, 0.1, 0.3, 1.0)
    places = list(dict.fromkeys(max(1, round(share * total)) for share in shares))
    known = [[score for number, score in curve if number < until] for until in places]
    cells = {
        "after": [f"{until:,}" for until in places],
        "best": [significant(scores[-1]) if scores else "-" for scores in known],
    }
    return columns_text(cells)


def front_text(result: SearchResult, width: int | None = None) -> str:
    """Some architectures of the Pareto front, from the cheapest to the most expensive, and how far they can be told
    apart."""
    front = result.front
    shown = spread(front, _FRONT)
    of_all = f", {len(shown)} of {len(front):,}" if len(shown) < len(front) else ""
    title = cost_of(result.objective).title
    cells = front_columns(shown, result.objective)
    table = f"the front of {title} and score{of_all}:\n{architectures_text(cells, width)}"
    return "\n".join(
        [table.rstrip("\n"), *(wrapped(line, width) for line in precision(result)), ""]
    )


def _formats(row: Ranked, space: SearchSpace) -> str:
    formats = space.formats(row.architecture)
    if not formats:
        return ""
    lines = "".join(f"  {name}:\n    {text}\n" for name, text in formats.items())
    return f"\nthe first one, for\n{lines}"


def _failures(result: SearchResult) -> str:
    failed = result.failed
    if not failed:
        return ""
    lines = [f"\n{len(failed)} could not be scored:\n"]
    for group in grouped_failures(failed)[:_FAILURES]:
        alike = f" (and {group.count - 1:,} alike)" if group.count > 1 else ""
        lines.append(f"  {group.architecture}{alike}: {_first_line(group.error)}\n")
    return "".join(lines)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
