"""Makes the score available in other NAS code bases. None of them needs to be installed to import this package.

``SWAP`` is the class of the published code. There is a module for each other code base: ``foresight``
(zero-cost-nas), ``naslib``, ``archai``, ``az_nas``, ``configspace``, ``deeplite``, ``nni``, ``neps``, ``optuna``,
``ray_tune`` and ``syne_tune``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from swapnas_ext.compat.swap import SWAP

_ADAPTERS = (
    "archai",
    "az_nas",
    "configspace",
    "deeplite",
    "foresight",
    "naslib",
    "neps",
    "nni",
    "optuna",
    "ray_tune",
    "syne_tune",
)


def __getattr__(name: str) -> ModuleType:
    if name in _ADAPTERS:  # on demand, since some import their code base
        return importlib.import_module(f"swapnas_ext.compat.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["SWAP"]
