"""How well scores rank, as a self-contained HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from swapnas_ext.correlation import analysis, caveats
from swapnas_ext.report.analysis.page import analysis_parts
from swapnas_ext.report.correlation.contents import (
    coefficient_columns,
    coefficient_text,
    comparison_columns,
    notes,
    summary,
    top_columns,
)
from swapnas_ext.report.shared.charts import draw_scatter
from swapnas_ext.report.shared.page import figure, html_table, page, paragraph, settings_details

if TYPE_CHECKING:
    from swapnas_ext.correlation import Correlations
    from swapnas_ext.spaces import SearchSpace

_LISTED = 100
"""How many of the rows that could not be scored, or were left out, are listed."""


def to_page(found: Correlations, made_with: dict[str, Any], space: SearchSpace) -> str:
    """A page with coefficients, how accurate the highest are, a chart of each predictor against accuracy, what scores
    tell about the space, failures and settings.

    Args:
        made_with: the settings to show.
    """
    parts = [
        paragraph(summary(found)),
        html_table(_escaped(coefficient_columns(found.rankings))),
        paragraph("With bootstrap 95 % intervals. Scores, parameters and FLOPs as logarithms."),
    ]
    top = top_columns(found.rankings)
    if top:
        parts += [
            "<h2>How accurate the highest are</h2>",
            html_table(_escaped(top)),
            paragraph(
                "Accuracy, how far it is below the best of the table, and its rank. Of the highest twentieth: "
                "normalised discounted cumulative gain, and the part that is among the most accurate twentieth."
            ),
        ]
    if found.comparisons:
        parts += [
            "<h2>Better than what?</h2>",
            html_table(_escaped(comparison_columns(found.comparisons))),
            paragraph(
                "Differences of Spearman's rho on the same rows, with intervals over the same resamples of the rows."
            ),
        ]
    candidates = [row.candidate for row in found.rows]
    parts += [paragraph(line) for line in (*notes(found), *caveats(candidates))]
    if "pilot" in made_with:
        parts.append(paragraph(made_with["pilot"]["sentence"]))
    parts += ["<h2>Against accuracy</h2>", _scatter_plots(found), *_analysis(found, space)]
    parts += [_listed(found), settings_details(made_with)]
    return page(f"Correlation with {found.table.accuracy}", parts)


def _scatter_plots(found: Correlations) -> str:
    accuracies = [row.row.accuracy for row in found.rows]
    rankings = {ranking.name: ranking for ranking in found.rankings}
    drawn = [
        figure(
            draw_scatter(values, accuracies, name, found.table.accuracy),
            f"{name}: rho {coefficient_text(rankings[name].rho)}",
        )
        for name, values in found.predictors.items()
    ]
    return "".join(drawn)


def _analysis(found: Correlations, space: SearchSpace) -> list[str]:
    alike = analysis.scored_alike([row.candidate for row in found.rows])
    of_score = {candidate.form for candidate in alike}
    rows = [row for row in found.rows if row.candidate.form in of_score]
    effects = {
        "score": analysis.operation_effects(
            space,
            [row.row.architecture for row in rows],
            [row.candidate.log_score for row in rows],
        ),
        found.table.accuracy: analysis.operation_effects(
            space,
            [row.row.architecture for row in found.rows],
            [row.row.accuracy for row in found.rows],
        ),
    }
    candidates = list({row.candidate.form: row.candidate for row in found.rows}.values())
    return analysis_parts(effects, candidates, found.repeats)


def _listed(found: Correlations) -> str:
    items = [
        f"row {row.row.place}: {(row.candidate.outcome and row.candidate.outcome.error) or ''}"
        for row in found.failed
    ]
    items += [f"row {fault.place}, {fault.kind}: {fault.reason}" for fault in found.table.faults]
    if not items:
        return ""
    lines = "".join(f"<li>{escape(item)}</li>" for item in items[:_LISTED])
    return f"<h2>{len(items):,} rows are not in it</h2><ul>{lines}</ul>"


def _escaped(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    return {escape(heading): [escape(cell) for cell in cells] for heading, cells in columns.items()}
