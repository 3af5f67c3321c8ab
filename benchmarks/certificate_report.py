"""Writes the tables and figures of docs/certificate.md from the results."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from certificate_tables import CAPACITY, COMPOSITE, TABLES
from marked import rewrite, table
from matplotlib.figure import Figure
from plots import draw_operations

from swapnas_ext.correlation.analysis import OperationEffect, Repeatability
from swapnas_ext.correlation.correlations import RAW, REGULARISED
from swapnas_ext.correlation.ranking import Chosen, Coefficient
from swapnas_ext.report.correlation.contents import chosen_text, coefficient_text

Results = Mapping[str, Mapping[str, Mapping[str, Any]]]

ALL = "all rows"
SEARCHES = "searches"
_DRAWN = ("NAS-Bench-201", "DARTS")
"""Tables whose operations get a figure."""


def write(results: Results, docs: Path) -> None:
    figures = docs / "certificate"
    figures.mkdir(exist_ok=True)
    whole = {name: found[ALL] for name, found in results.items() if ALL in found}
    _save(_scatter(whole), figures / "scatter.png")
    _save(_lines(results, "samples"), figures / "samples.png")
    for name in _DRAWN:
        if name in whole:
            effects = [OperationEffect(**effect) for effect in whole[name]["operations"]]
            _save(draw_operations({"score": effects}), figures / f"operations-{_slug(name)}.png")
    rewrite(
        docs / "certificate.md",
        {
            "correlations": _correlations(whole, results),
            "aims": _aims(whole),
            "capacity": _measure(results, CAPACITY),
            "composite": _measure(results, COMPOSITE),
            "calibration": _calibration(whole),
            "searches": _searches(results),
            "chosen": _chosen(whole),
            "ablations": _ablations(results),
            "stability": _stability(results),
            "settings": _settings(results),
        },
    )


def _correlations(whole: Mapping[str, Mapping[str, Any]], results: Results) -> str:
    rows = []
    for name, found in whole.items():
        rankings = [*found["rankings"]]
        for measure in (COMPOSITE, CAPACITY):
            if measure in results[name]:
                rankings.insert(1, results[name][measure]["rankings"]["all"])
        for place, ranking in enumerate(rankings):
            cells = [_interval(ranking[key]) for key in ("rho", "tau")]
            label = name if place == 0 else ""
            rows.append([label, f"{ranking['rows']:,}", ranking["name"], *cells])
        rows += [
            ["", "", f"*published:* {who}", f"{rho:.3f}", ""]
            for who, rho in TABLES[name].published.items()
        ]
    return table(("table", "rows", "predictor", "Spearman's rho", "Kendall's tau"), rows)


def _measure(results: Results, measure: str) -> str:
    rows = []
    for name, experiments in results.items():
        if ALL not in experiments or measure not in experiments:
            continue
        found = experiments[measure]
        raw = experiments[ALL]["rankings"][0]["rho"]
        all_rows, unseen = found["rankings"]["all"], found["rankings"].get("unseen")
        there = found["patterns"].get("unseen")
        rows.append(
            [
                name,
                f"{raw['value']:.3f}",
                _interval(all_rows["rho"]),
                f"{unseen['rows']:,}" if unseen else "none",
                f"{there['rho']['value']:.3f}" if there else "",
                _interval(unseen["rho"]) if unseen else "",
                chosen_text(Chosen(**all_rows["chosen"][0])) if all_rows["chosen"] else "",
                f"{found['seconds']:,.0f} s",
            ]
        )
    headings = (
        *(
            "table",
            "SWAP-Score, all rows",
            f"{measure}, all rows",
            "unseen rows",
            "SWAP-Score there",
        ),
        *(f"{measure} there", "the highest", "time"),
    )
    return table(headings, rows)


def _aims(whole: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, found in whole.items():
        rhos = _rhos(found)
        for which, aim in zip((RAW, REGULARISED), TABLES[name].aim, strict=True):
            if aim is not None:
                reached = "reached" if rhos[which] >= aim else "**missed**"
                rows.append([name, which, f"{aim:.3g}", f"{rhos[which]:.3f}", reached])
    return table(("table", "score", "aim", "measured", ""), rows)


def _calibration(whole: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, found in whole.items():
        rhos, best = _rhos(found), found["best of a grid that sees accuracies"]["rho"]
        if REGULARISED in rhos:
            ours = rhos[REGULARISED]
            control = found["control"]
            rows.append(
                [
                    name,
                    f"{rhos[RAW]:.3f}",
                    f"{ours:.3f}",
                    f"{best:.3f}",
                    f"{best - ours:.3f}",
                    f"{control['mu']:.4g}, {control['sigma']:.3g}",
                ]
            )
    headings = ("table", "raw", "calibrated without labels", "best of the grid", "difference")
    return table((*headings, "mu, sigma"), rows)


def _chosen(whole: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, found in whole.items():
        for ranking in found["rankings"]:
            if ranking["chosen"]:
                cells = [chosen_text(Chosen(**chosen)) for chosen in ranking["chosen"]]
                rows.append([name, ranking["name"], *cells, *[""] * (3 - len(cells))])
    return table(("table", "predictor", "the highest", "best of 10", "best of 100"), rows)


def _searches(results: Results) -> str:
    rows = []
    for name, experiments in results.items():
        found = experiments.get(SEARCHES)
        if found is None:
            continue
        for accuracy, ranked_by in found["found"].items():
            for label, strategies in ranked_by.items():
                cells = [f"{mean:.2f} ± {spread:.2f}" for mean, spread in strategies.values()]
                rows.append([name, accuracy, label, *cells, f"{found['best'][accuracy]:.2f}"])
    headings = ("table", "accuracy", "ranked by", "evolution", "random search", "best of the table")
    return table(headings, rows)


def _ablations(results: Results) -> str:
    by_kind: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = defaultdict(dict)
    for name, experiments in results.items():
        for experiment, found in experiments.items():
            kind, colon, label = experiment.partition(": ")
            if colon:
                by_kind[kind].setdefault(name, {})[label] = found
    parts = []
    for kind, tables in by_kind.items():
        labels = list(dict.fromkeys(label for found in tables.values() for label in found))
        rows = [
            [
                name,
                f"{next(iter(found.values()))['rows']:,}",
                *(_rho_and_saturation(found.get(label)) for label in labels),
            ]
            for name, found in tables.items()
        ]
        parts.append(f"**{kind.capitalize()}**\n\n" + table(("table", "rows", *labels), rows))
    return "\n".join(parts)


def _rho_and_saturation(found: Mapping[str, Any] | None) -> str:
    """Adds the share of saturated architectures, if any."""
    if found is None:
        return ""
    saturation = found["saturation"]
    part = saturation["architectures"] / saturation["total"]
    rho = found["rho"][RAW]
    value = "undefined" if math.isnan(rho) else f"{rho:.3f}"
    return value + (f" ({part:.0%} saturated)" if part >= 0.005 else "")


def _stability(results: Results) -> str:
    rows = []
    for name, experiments in results.items():
        repeated = [
            found["repeatability"]
            for experiment, found in experiments.items()
            if experiment.startswith("repeats") and found["repeatability"]
        ]
        if not repeated:
            continue
        most = Repeatability(**max(repeated, key=lambda told: told["repeats"]))
        needed = [str(most.needed(wanted)) for wanted in (0.9, 0.95, 0.99)]
        rows.append([name, f"{most.agreement_of(1):.3f}", *needed])
    headings = (
        "table",
        "agreement of two rankings with one repeat",
        "repeats for 0.9",
        "0.95",
        "0.99",
    )
    return table(headings, rows)


def _settings(results: Results) -> str:
    rows = []
    for name, experiments in results.items():
        if ALL not in experiments:
            continue
        found = experiments[ALL]
        setting = found["setting"]
        options = ", ".join(f"{key}={value}" for key, value in setting["options"].items())
        rows.append(
            [
                name,
                f"{setting['space']}({options})",
                f"{setting['samples']}, {setting['source']}",
                f"{setting['init']}, {setting['repeats']}",
                str(setting["seed"]),
                f"{found['networks']:,}",
                f"{_seconds(found):,.0f} s",
                f"{sum(map(_seconds, experiments.values())) - _seconds(found):,.0f} s",
            ]
        )
    total = sum(_seconds(other) for found in results.values() for other in found.values())
    first = next(iter(next(iter(results.values())).values()))
    headings = (
        "table",
        "networks of",
        "samples",
        "init, repeats",
        "seed",
        "networks",
        "time",
        "other scores and ablations",
    )
    return table(headings, rows) + (
        f"\nswapnas_ext {first['swapnas_ext']}, torch {first['torch']}, {first['workers']} workers of one "
        f"thread; {total / 60:.0f} minutes in all.\n"
    )


def _seconds(found: Mapping[str, Any]) -> float:
    """Also of scores that were in the run file before, but for searches, which take those of other experiments."""
    if "found" in found:
        return float(found["seconds"])
    return max(found["seconds"], found["seconds of scoring"] / found["workers"])


def _rhos(found: Mapping[str, Any]) -> dict[str, float]:
    return {ranking["name"]: ranking["rho"]["value"] for ranking in found["rankings"]}


def _interval(coefficient: Mapping[str, float]) -> str:
    return coefficient_text(Coefficient(**coefficient))


def _scatter(whole: Mapping[str, Mapping[str, Any]]) -> Figure:
    columns = 4
    lines = -(-len(whole) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.7 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, found) in zip(figure.axes, whole.items(), strict=False):
        axes.set_axis_on()
        scores, accuracies = zip(*found["points"], strict=True)
        axes.scatter(scores, accuracies, s=4, alpha=0.35, lw=0, color="#c2410c")
        axes.set_title(f"{name}: {_rhos(found)[RAW]:.3f}", fontsize=10)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("log-score", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    return figure


def _lines(results: Results, kind: str) -> Figure:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for name, experiments in results.items():
        points = [
            (int(experiment.partition(": ")[2]), found["rho"][RAW])
            for experiment, found in experiments.items()
            if experiment.startswith(f"{kind}: ")
        ]
        if points:
            axes.plot(*zip(*sorted(points), strict=True), marker="o", ms=3, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xlabel(kind)
    axes.set_ylabel("Spearman's rho of the score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight")


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")
