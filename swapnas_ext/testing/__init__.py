"""Checks a search space, a measure, a strategy or a worker of your own.

::

    from swapnas_ext.testing import check_space

    def test_my_space():
        check_space(MySpace())

Each check is a plain function. It raises AssertionError with a sentence that says what is wrong.
"""

from __future__ import annotations

from swapnas_ext.testing.measure import check_measure
from swapnas_ext.testing.space import check_space
from swapnas_ext.testing.strategy import check_strategy
from swapnas_ext.testing.worker import check_worker

__all__ = ["check_measure", "check_space", "check_strategy", "check_worker"]
