"""Scores as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from swapnas_ext._util import significant
from swapnas_ext.measures import titles_of
from swapnas_ext.report.scores.rows import ScoreRow
from swapnas_ext.report.shared.text import architectures_text, kind_text


def to_text(rows: Sequence[ScoreRow], width: int | None = None) -> str:
    """A line for each row, with its rank, its score and its architecture. Of several measures, the logarithm of each
    score is there, which is what the papers of some of them call the score.

    The kind of patterns is there where patterns were counted and some are ternary; saturation where a measure tells
    it.

    Args:
        width: of the terminal; None: whole lines.
    """
    columns = {"rank": [str(rank) for rank in range(1, len(rows) + 1)]}
    titles = titles_of(dict.fromkeys(name for row in rows for name in row.log_scores))
    if titles:
        for name, title in titles.items():
            log_scores = [row.log_scores.get(name) for row in rows]
            columns[f"ln {title}"] = [
                "-" if one is None else significant(one) for one in log_scores
            ]
    else:
        columns["score"] = [
            f"{significant(row.score)}{_spread_text(row.score_std)}" for row in rows
        ]
    columns["neurons"] = [f"{row.neurons:,}" for row in rows]
    if any(row.ternary and row.patterns_mean is not None for row in rows):
        columns["patterns"] = [
            "" if row.patterns_mean is None else kind_text(row.ternary) for row in rows
        ]
    if any(row.saturation is not None for row in rows):
        columns["saturation"] = [
            "" if row.saturation is None else f"{row.saturation:.2f}" for row in rows
        ]
    columns["params"] = [f"{row.parameters:,}" for row in rows]
    columns["ms"] = [f"{1e3 * row.score_seconds:.0f}" for row in rows]
    columns["architecture"] = [row.architecture for row in rows]
    return architectures_text(columns, width)


def _spread_text(spread: float | None) -> str:
    if spread is None:
        return ""
    return f" ± {spread:.0f}" if 1 <= spread < 1e6 else f" ± {spread:.2g}"
