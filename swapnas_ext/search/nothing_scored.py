"""Why a search has no score at all."""

from __future__ import annotations

from collections.abc import Sequence

from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.costs import COSTS
from swapnas_ext.search.settings import SearchSettings


def check_any_scored(
    candidates: Sequence[Candidate], settings: SearchSettings, smallest_refused: int | None
) -> None:
    """Raises an error if no candidate has a score: no architecture is within the limits (the error says which comes
    closest), none can be scored, or none was found.

    Args:
        smallest_refused: parameters of the smallest architecture that is too large; None if none is.

    Raises:
        ValueError, RuntimeError: as above.
    """
    if any(candidate.scored for candidate in candidates):
        return
    if smallest_refused is not None and not candidates:
        raise ValueError(
            f"no architecture of at most {settings.max_params:,.0f} parameters was found; the "
            f"smallest that was tried has {smallest_refused:,}"
        )
    outcomes = [c.outcome for c in candidates if c.outcome is not None]
    for name in ("flops", "memory", "latency"):
        cost = COSTS[name]
        limit = getattr(settings, cost.limit)
        over = [c for c in candidates if c.outcome is not None and c.outcome.over == name]
        beyond = [found for c in over if (found := cost.recorded(c)) is not None]
        if beyond and limit is not None:
            raise ValueError(
                f"none of {len(outcomes):,} architectures takes at most {cost.text(limit)}; the closest takes "
                f"{cost.text(min(beyond))}"
            )
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        raise RuntimeError(f"none of {len(outcomes):,} architectures could be scored: {errors[0]}")
    raise ValueError("no architecture was found: the space gave none that is new")
