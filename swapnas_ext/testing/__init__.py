"""Checks for a search space, a strategy or a worker of your own: what searches expect of one.

::

    from swapnas_ext.testing import check_space

    def test_my_space():
        check_space(MySpace())

Each is a plain function that raises AssertionError, with a sentence that says what is not kept.
"""

from __future__ import annotations

from swapnas_ext.testing.space import check_space
from swapnas_ext.testing.strategy import check_strategy
from swapnas_ext.testing.worker import check_worker

__all__ = ["check_space", "check_strategy", "check_worker"]
