"""Tells whether scores rank on images of one's own: trains a few networks of a run.

::

    with swap.search.RunFile.read("run.db") as run_file:
        run = swap.search.SearchResult.of(run_file)
    found = validate(run, swap.spaces.get("nasbench201"), "photos/", networks=12, minutes=20)
    print(found.rankings[0].rho, found.verdict)
"""

from __future__ import annotations

from swapnas_ext.validation.heads import logits_of, with_classes
from swapnas_ext.validation.plan import Plan
from swapnas_ext.validation.result import Trained, Validation
from swapnas_ext.validation.split import FEWEST_OF_A_CLASS, Split, split
from swapnas_ext.validation.validate import Progress, validate

__all__ = [
    "FEWEST_OF_A_CLASS",
    "Plan",
    "Progress",
    "Split",
    "Trained",
    "Validation",
    "logits_of",
    "split",
    "validate",
    "with_classes",
]
