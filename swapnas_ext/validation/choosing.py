"""Chooses the networks to train: the best, the middle and the worst of a run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from swapnas_ext.correlation import analysis
from swapnas_ext.search import Ranked, SearchResult

Group = Literal["best", "middle", "worst"]
FEWEST = 3


@dataclass(frozen=True)
class Choice:
    """A candidate of the run that is to be trained.

    Attributes:
        place: its rank among the run's distinct architectures; 1 is the best.
        group: which part of the ranking it stands for.
    """

    ranked: Ranked
    place: int
    group: Group


def choose(result: SearchResult, networks: int) -> list[Choice]:
    """A third each from the top, the middle and the bottom of the ranking, or all candidates where there are no more.
    They come in the order of training: best, worst, middle, and again, so that an early end leaves a spread.

    Architectures with the same canonical form count once. Where the first of several measures could not read some,
    their scores are of another measure, and they are left out.

    Raises:
        ValueError: fewer than three ``networks``, or fewer than three scored candidates, or all with one score.
    """
    if networks < FEWEST:
        raise ValueError(f"networks must be at least {FEWEST}, got {networks}")
    ranked = result.ranked()
    alike = {one.number for one in analysis.scored_alike([row.candidate for row in ranked])}
    ranked = [row for row in ranked if row.candidate.number in alike]
    rows = list({row.candidate.form: row for row in reversed(ranked)}.values())[::-1]
    if len(rows) < FEWEST:
        raise ValueError(
            f"the run has {len(rows)} scored architectures: expected at least {FEWEST}; search for more"
        )
    if rows[0].log_score == rows[-1].log_score:
        raise ValueError(
            f"all {len(rows)} architectures of the run have the score {rows[0].score:.6g}: there is no ranking to "
            "validate; score them by another measure, or with more samples"
        )
    networks = min(networks, len(rows))
    middle = networks // 3
    best = (networks - middle + 1) // 2
    worst = networks - middle - best
    start = min(max(best, (len(rows) - middle) // 2), len(rows) - worst - middle)
    places: dict[Group, range] = {
        "best": range(best),
        "worst": range(len(rows) - 1, len(rows) - 1 - worst, -1),
        "middle": range(start, start + middle),
    }
    groups = ([Choice(rows[k], k + 1, group) for k in chosen] for group, chosen in places.items())
    return [choice for turn in zip_longest(*groups) for choice in turn if choice is not None]
