"""How well scores rank trained networks, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapnas_ext._util import decimal, significant
from swapnas_ext.report.correlation.contents import coefficient_text, comparison_columns
from swapnas_ext.report.shared.text import architectures_text, columns_text, wrapped
from swapnas_ext.report.validation.contents import cost, remarks, summary, verdict

if TYPE_CHECKING:
    from swapnas_ext.validation import Validation


def to_text(found: Validation, width: int | None = None) -> str:
    """A line for each network, the coefficients of the score and of the parameters, a verdict, the cost and remarks.

    Args:
        width: of the terminal; None: whole lines.
    """
    rankings = found.rankings
    coefficients = {
        "predictor": [ranking.name for ranking in rankings],
        "Spearman's rho": [coefficient_text(ranking.rho) for ranking in rankings],
        "Kendall's tau": [coefficient_text(ranking.tau) for ranking in rankings],
    }
    parts = [
        f"{wrapped(summary(found), width)}\n\n",
        _networks(found, width),
        "\n",
        columns_text(coefficients, width),
    ]
    if found.comparisons:
        parts += ["\n", columns_text(comparison_columns(found.comparisons), width, sentences=[""])]
    lines = (verdict(found), cost(found), *remarks(found))
    parts += ["\n", *(f"{wrapped(line, width)}\n" for line in lines)]
    parts += [f"  {one.architecture}: {one.error}\n" for one in found.failed]
    return "".join(parts)


def _networks(found: Validation, width: int | None) -> str:
    return architectures_text(
        {
            "rank": [f"{one.place:,}" for one in found.networks],
            "of the": [one.group for one in found.networks],
            "score": [significant(one.score) for one in found.networks],
            "params": [f"{one.parameters:,}" for one in found.networks],
            "accuracy": [
                "failed" if one.accuracy is None else f"{one.accuracy:.2f} %"
                for one in found.networks
            ],
            "s": [decimal(one.seconds, 1) for one in found.networks],
            "architecture": [one.architecture for one in found.networks],
        },
        width,
    )
