"""Says where the scores of many networks are known to be weak, and what to do about it. No accuracies are needed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from swapnas_ext.correlation.ranking import spearman
from swapnas_ext.measures import SIZES, title_of
from swapnas_ext.scoring import mixed_text
from swapnas_ext.search import Candidate, Ranked

_ENOUGH = 10
"""With fewer networks, rankings agree or differ by chance."""
_SAME = 0.95
"""From this rank correlation on, two rankings are nearly the same."""
_DIFFERENT = 0.5
"""Below this rank correlation, two rankings have little in common."""


@dataclass(frozen=True)
class Standing:
    """What `caveats` needs to know of a scored network.

    Attributes:
        measure: name of the measure that the score is of.
        log_score: what the networks are ranked by: the natural logarithm of the score, with size control if any.
        by_measure: what each of several measures found: ``log_score``, ``saturated`` or ``error``.
    """

    measure: str | None
    log_score: float
    parameters: int
    flops: int | None = None
    saturated: bool = False
    ternary: bool | None = None
    by_measure: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Candidate | Ranked) -> Standing:
        """Of a candidate of a search, or of one in a ranking."""
        candidate = found if isinstance(found, Candidate) else found.candidate
        return cls(
            candidate.score_of,
            found.log_score,
            candidate.parameters,
            None if candidate.outcome is None else candidate.outcome.flops,
            candidate.is_saturated,
            candidate.ternary,
            candidate.by_measure,
        )


def caveats(networks: Iterable[Candidate | Ranked | Standing]) -> list[str]:
    """Sentences about scored networks that are ranked together, one for each reason to doubt the ranking:

    - scores are saturated: so near the highest possible that they can't tell networks apart;
    - binary and ternary patterns are compared;
    - the number of parameters, or of operations, alone ranks the networks nearly the same;
    - several measures rank them differently.

    The last two need at least 10 networks.
    """
    standings = [one if isinstance(one, Standing) else Standing.of(one) for one in networks]
    return [*_saturated(standings), *_mixed(standings), *_size(standings), *_apart(standings)]


def _saturated(standings: Sequence[Standing]) -> list[str]:
    names = _names(standings)
    by_score = [one for one in standings if not names or one.measure == names[0]]
    counts = {"": sum(one.saturated for one in by_score)}
    for name in names[1:]:
        counts[f" by {title_of(name)}"] = sum(
            bool(one.by_measure.get(name, {}).get("saturated")) for one in standings
        )
    return [
        f"{count:,} of {len(standings):,} are saturated{by}, and not told apart well: --samples auto finds how many "
        "samples tell them apart"
        for by, count in counts.items()
        if count
    ]


def _mixed(standings: Sequence[Standing]) -> list[str]:
    kinds = [one.ternary for one in standings]
    if True in kinds and False in kinds:
        return [mixed_text(f"{kinds.count(True):,}", f"{kinds.count(False):,}")]
    return []


def _size(standings: Sequence[Standing]) -> list[str]:
    """One sentence, about what comes nearest to the ranking. Sizes as scores are no news."""
    measures = Counter(one.measure for one in standings)
    most = [measure for measure, _ in measures.most_common(1)]
    standings = [one for one in standings if one.measure in most]  # others don't compare with them
    if any(measure in SIZES for measure in most):
        return []
    sizes = {
        "parameters": [float(one.parameters) for one in standings],
        "operations": [math.nan if one.flops is None else float(one.flops) for one in standings],
    }
    log_scores = [one.log_score for one in standings]
    agreements = {what: _agreement(log_scores, values) for what, values in sizes.items()}
    same = {what: rho for what, rho in agreements.items() if rho >= _SAME}  # without NaN
    if not same:
        return []
    what, rho = max(same.items(), key=lambda found: found[1])
    return [
        f"the number of {what} alone ranks these nearly as the score does (Spearman's rho {rho:.2f}): "
        "the score tells little beyond size here; compare architectures of one size (--target-params)"
    ]


def _apart(standings: Sequence[Standing]) -> list[str]:
    names = [name for name in _names(standings) if name not in SIZES]
    if len(names) < 2:
        return []
    values = {
        name: [_log_score(one.by_measure.get(name, {})) for one in standings] for name in names
    }
    first, *others = names
    agreements = {name: _agreement(values[first], values[name]) for name in others}
    apart = [f"{title_of(name)} {rho:.2f}" for name, rho in agreements.items() if rho < _DIFFERENT]
    if not apart:
        return []
    return [
        f"other measures rank these unlike {title_of(first)} (Spearman's rho: {', '.join(apart)}): not all can be "
        "right; 'swapnas validate' trains a few to tell"
    ]


def _names(standings: Sequence[Standing]) -> list[str]:
    """Names of several measures, the one that ranks first; empty where there is one measure."""
    return list(dict.fromkeys(name for one in standings for name in one.by_measure))


def _log_score(found: Mapping[str, Any]) -> float:
    known = found.get("log_score")
    return math.nan if known is None else float(known)


def _agreement(first: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rho over the networks that have both; NaN where they are fewer than ten."""
    x, y = np.array(first, dtype=float), np.array(other, dtype=float)
    known = np.isfinite(x) & np.isfinite(y)
    return spearman(x[known], y[known]) if known.sum() >= _ENOUGH else math.nan
