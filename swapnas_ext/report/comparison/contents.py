"""What the text and the page about a comparison both show: sentences, and tables as columns of cells by heading."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swapnas_ext import measures
from swapnas_ext._util import exp_text, short_count, shortened
from swapnas_ext.report.shared.text import printable, spread
from swapnas_ext.search import COSTS

if TYPE_CHECKING:
    from swapnas_ext.search import BestSoFar, Comparison, JointFront

Columns = dict[str, list[str]]

_LONGEST_NAME = 60
_LONGEST_VALUE = 200


def plain(text: str, most: int = _LONGEST_NAME) -> str:
    """A text out of a run file without line breaks and control characters, which terminals obey."""
    return shortened(printable(text), most)


def head(comparison: Comparison) -> list[str]:
    """The lines that the text and the page begin with."""
    by = f", by {_title_of(comparison.measure)}" if comparison.measure else ""
    return [
        f"{plain(str(comparison.space))}{plain(by)}: {plain(comparison.sentence, 250)}",
        *(plain(note, 500) for note in comparison.notes),
    ]


def _title_of(measure: str) -> str:
    """What tables call a measure. A run file may name any module, which is not to be imported."""
    return measures.title_of(measure) if measure in measures.names() else measure


def settings_columns(comparison: Comparison) -> Columns:
    """The settings that differ, with the values of each group of repeats."""
    places = {run.name: place for place, run in enumerate(comparison.runs)}
    differing = dict(comparison.differing)
    if differing.get("scorer.seed") == differing.get(
        "search.seed"
    ):  # the command gives both one seed
        differing.pop("scorer.seed", None)
    columns = {"setting": _setting_names(differing)}
    for group in comparison.repeats:
        of_group = [places[name] for name in group.runs]
        columns[_unlike(plain(group.name), columns)] = [
            _values_text(name, [values[place] for place in of_group])
            for name, values in differing.items()
        ]
    return columns


def repeats_columns(comparison: Comparison) -> Columns:
    """The best scores of runs that are repeats of one setting; empty where there are no repeats, or no scores to
    compare."""
    groups = comparison.repeats
    if len(groups) == len(comparison.runs) or not comparison.has_curves:
        return {}
    runs = {run.name: run for run in comparison.runs}
    columns: Columns = {
        "setting": [plain(group.name) for group in groups],
        "runs": [str(len(group.runs)) for group in groups],
    }
    ranges = [("\nbest", [group.best for group in groups])]
    if len({run.candidates for run in comparison.runs}) > 1:
        until = f" of\nfirst {comparison.common_candidates:,}"
        ranges.append((until, [group.best_of_first for group in groups]))
    for of_which, found in ranges:
        for name in ("mean", "low", "high"):
            columns[f"{name}{of_which}"] = [
                "-" if one is None else exp_text(getattr(one, name)) for one in found
            ]
    for heading, name in (("candidates", "reached_candidates"), ("seconds", "reached_seconds")):
        columns[f"{heading}\nto reach"] = [
            _mean_text([getattr(runs[run], name) for run in group.runs]) for group in groups
        ]
    return columns


def cost_columns(comparison: Comparison) -> Columns:
    """What each run tried, and the time it took."""
    runs = comparison.runs
    columns = {
        "run": [plain(run.name) for run in runs],
        "candidates": [f"{run.candidates:,}" for run in runs],
        "scored": [f"{run.scored:,}" for run in runs],
    }
    for heading, name in (("failed", "failed"), ("over limits", "over")):
        counts = [getattr(run, name) for run in runs]
        if any(counts):
            columns[heading] = [f"{count:,}" for count in counts]
    columns["s of work"] = [f"{run.work_seconds:,.1f}" for run in runs]
    columns["seconds"] = [f"{run.seconds:,.1f}" for run in runs]
    if any(run.sessions > 1 for run in runs):
        columns["sessions"] = [str(run.sessions) for run in runs]
    columns["a second"] = [f"{run.rate:,.3g}" if run.rate > 0 else "-" for run in runs]
    if any(run.state != "complete" for run in runs):
        columns["ended"] = [plain(run.state, 24) for run in runs]
    return columns


def result_columns(comparison: Comparison) -> Columns:
    """What each run found: its best score, what it needed to reach the score that all reached, and its share of each
    joint front. Empty where nothing of it can be compared."""
    runs = comparison.runs
    columns: Columns = {"run": [plain(run.name) for run in runs]}
    if comparison.has_curves:
        columns["best score"] = [exp_text(run.best) for run in runs]
        columns["candidates\nto reach"] = [_count_text(run.reached_candidates) for run in runs]
        columns["seconds\nto reach"] = [_seconds_text(run.reached_seconds) for run in runs]
    for front in comparison.fronts:
        columns[f"of front of\n{COSTS[front.cost].title}"] = [
            f"{front.shares[run.name]:.0%}" for run in runs
        ]
    return columns if len(columns) > 1 else {}


def result_sentences(comparison: Comparison) -> list[str]:
    """What the columns of `result_columns` are of."""
    lines = []
    if comparison.has_curves:
        best = exp_text(comparison.common_best)
        lines.append(f"to reach: until a score of {best}, which all runs reached")
    if comparison.fronts:
        lines.append("of front: its part of the Pareto front of all runs together")
    return lines


def overlap_columns(comparison: Comparison) -> Columns:
    """How many of its best each run shares with each. Columns have the numbers of the runs, which rows begin with."""
    runs = comparison.runs
    columns = {"run": [f"{number} {plain(run.name)}" for number, run in enumerate(runs, start=1)]}
    for other in range(len(runs)):
        columns[str(other + 1)] = [str(line[other]) for line in comparison.overlap]
    return columns


def front_columns(
    comparison: Comparison, front: JointFront, shown: int, *, architectures: bool
) -> Columns:
    """Points of a joint front, evenly from the lowest cost to the highest, with the numbers of the runs that have
    them."""
    numbers = {run.name: str(number) for number, run in enumerate(comparison.runs, start=1)}
    points = spread(front.joint, shown)
    cost = COSTS[front.cost]
    if cost is COSTS["parameters"]:  # as in other tables
        costs = {"params": [f"{point.cost:,.0f}" for point in points]}
    else:
        costs = {cost.unit: [f"{point.cost / cost.scale:.4g}" for point in points]}
    columns = {
        **costs,
        "score": [exp_text(point.log_score) for point in points],
        "run": [", ".join(numbers[name] for name in point.runs) for point in points],
    }
    if architectures:
        columns["architecture"] = [plain(point.architecture, 1_000) for point in points]
    return columns


def front_title(front: JointFront, shown: int) -> str:
    count = len(front.joint)
    of_all = f", {min(count, shown)} of {count:,}" if count > shown else ""
    return f"the joint front of {COSTS[front.cost].title} and score{of_all}"


def thinned(curve: BestSoFar, most: int = 300) -> tuple[list[float], list[float]]:
    """Places and log-scores of a curve for drawing: no more than so many steps, each the last of an equal part of the
    whole length."""
    if not curve.at:
        return [], []
    first, last = curve.at[0], curve.at[-1]
    of_parts = {0.0: 0}
    for step, place in enumerate(curve.at):
        of_parts[math.ceil((place - first) / (last - first or 1.0) * most)] = step
    steps = of_parts.values() if len(curve.at) > most else range(len(curve.at))
    return [curve.at[step] for step in steps], [curve.log_scores[step] for step in steps]


def longest(curves: Sequence[BestSoFar]) -> float:
    """Where the longest of the curves ends; 0 without any."""
    return max((curve.at[-1] for curve in curves if curve.at), default=0.0)


def _setting_names(names: Mapping[str, Any]) -> list[str]:
    """Names of settings without their section, where it is not needed to tell them apart."""
    short = {name: name.rpartition(".")[2] for name in names}
    counts = Counter(short.values())
    return [plain(short[name] if counts[short[name]] == 1 else name) for name in names]


def _values_text(name: str, values: Sequence[Any]) -> str:
    texts = dict.fromkeys(_value_text(name, value) for value in values)
    return plain(", ".join(texts), _LONGEST_VALUE)


def _value_text(name: str, value: Any) -> str:
    """A setting in words, with its unit."""
    if value is None or value == [] or value == "None":
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_value_text(name, part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value_text(name, part)}" for key, part in value.items())
    if not isinstance(value, int | float):
        return repr(value)
    setting = name.rpartition(".")[2]
    costs = [cost for cost in COSTS.values() if cost.limit == setting]
    if costs and costs[0].name != "parameters":
        return costs[0].text(value)
    if costs or setting == "target_params":
        return short_count(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unlike(name: str, names: Mapping[str, Any]) -> str:
    """The name, or one with a mark if there is such a column."""
    while name in names:
        name += "'"
    return name


def _count_text(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _seconds_text(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:,.1f}"


def _mean_text(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):,.1f}" if known else "-"
