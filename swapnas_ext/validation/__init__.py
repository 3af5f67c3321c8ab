"""Tells whether scores rank on images of one's own: trains a few networks of a run.

::

    with swap.search.RunFile.read("run.db") as run_file:
        run = swap.search.SearchResult.of(run_file)
    found = validate(run, swap.spaces.get("nasbench201"), "photos/", networks=12, minutes=20)
    print(found.rankings[0].rho, found.verdict)
"""

from __future__ import annotations

from swapnas_ext.validation.plan import Plan
from swapnas_ext.validation.result import Trained, Validation
from swapnas_ext.validation.validate import Progress, validate

__all__ = ["Plan", "Progress", "Trained", "Validation", "validate"]
