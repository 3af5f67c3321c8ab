"""What the text and the page about a correlation both show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swapnas_ext import measures
from swapnas_ext._util import decimal
from swapnas_ext.correlation import agreement
from swapnas_ext.report.analysis.text import missing_lines

if TYPE_CHECKING:
    from swapnas_ext.correlation import Chosen, Coefficient, Comparison, Correlations, Ranking


def asked_first(found: Correlations) -> list[Ranking]:
    """The rankings, that of the measure that was asked for first: other measures also count patterns."""
    names = dict.fromkeys(row.candidate.score_of for row in found.rows)
    titles = [measures.title_of(name) for name in names if name is not None]
    asked = titles[0] if len(titles) == 1 else None
    return sorted(found.rankings, key=lambda ranking: ranking.name != asked)


def summary(found: Correlations) -> str:
    """One line: the benchmark table, how much of it was scored, and the mu and sigma of the regularised score."""
    parts = [f"{found.table.name}, {found.table.accuracy}: {len(found.rows):,} architectures"]
    if found.failed:
        parts.append(f"{len(found.failed):,} could not be scored")
    if found.table.faults:
        parts.append(f"{len(found.table.faults):,} rows left out")
    if found.control is not None:
        of_what = f"size-regularised {found.rankings[0].name}" if found.rankings else "size control"
        parts.append(f"{of_what}: mu {found.control.mu:.6g}, sigma {found.control.sigma:.6g}")
    return "; ".join(parts)


def coefficient_columns(rankings: Sequence[Ranking]) -> dict[str, list[str]]:
    """Columns of cells by heading: each predictor's correlation coefficients."""
    headings = {"rho": "Spearman's rho", "tau": "Kendall's tau", "r": "Pearson's r"}
    cells = {"predictor": [ranking.name for ranking in rankings]}
    for name, heading in headings.items():
        cells[heading] = [coefficient_text(getattr(ranking, name)) for ranking in rankings]
    return cells


def comparison_columns(comparisons: Sequence[Comparison]) -> dict[str, list[str]]:
    """Columns of cells by heading: differences of Spearman's rho on the same rows, and what they say."""
    return {
        "compared on the same rows": [f"{one.name} - {one.other}" for one in comparisons],
        "difference of rho": [coefficient_text(one.difference) for one in comparisons],
        "": [one.verdict for one in comparisons],
    }


def coefficient_text(coefficient: Coefficient) -> str:
    """The coefficient and its interval; a dash where it is not defined."""
    return str(coefficient)


def top_columns(rankings: Sequence[Ranking]) -> dict[str, list[str]]:
    """Columns of cells by heading: for each predictor, the most accurate architecture among its highest, and how well
    it ranks the most accurate twentieth. Empty where no predictor ranks."""
    rankings = [ranking for ranking in rankings if ranking.chosen]
    if not rankings:
        return {}
    cells = {"predictor": [ranking.name for ranking in rankings]}
    for top in dict.fromkeys(chosen.top for ranking in rankings for chosen in ranking.chosen):
        heading = "the highest" if top == 1 else f"best of {top} highest"
        cells[heading] = []
        for ranking in rankings:
            found = [chosen for chosen in ranking.chosen if chosen.top == top]
            cells[heading].append(chosen_text(found[0]) if found else "-")
    cells["nDCG, top 5 %"] = [decimal(ranking.ndcg, 3) for ranking in rankings]
    cells["precision, top 5 %"] = [f"{ranking.precision:.0%}" for ranking in rankings]
    return cells


def chosen_text(chosen: Chosen) -> str:
    """Its accuracy, how far that is below the best, and its rank."""
    below = decimal(-chosen.regret, 2)
    return f"{decimal(chosen.accuracy, 2)} ({below}, rank {chosen.rank:,})"


def notes(found: Correlations) -> list[str]:
    """Lines about predictors that are missing, undefined, or not known for all rows."""
    lines = [f"{ranking.name}: {ranking.note}" for ranking in found.rankings if ranking.note]
    total = len(found.rows)
    told = agreement([row.candidate for row in found.rows], found.repeats)
    missing = {one.title for one in told.measures if one.missing} if told else set()
    lines += missing_lines(told, total) if told else []
    if found.control is None:
        lines.append(
            "no size-regularised score: it can't be calibrated, since all sizes or all scores are the same"
        )
    lines += [
        f"{ranking.name}: {total - ranking.rows:,} of {total:,} rows have no value"
        for ranking in found.rankings
        if ranking.rows < total and ranking.name not in missing
    ]
    return lines
