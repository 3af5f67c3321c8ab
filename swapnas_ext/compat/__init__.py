"""Drop-in stand-ins for the interfaces of other NAS code bases; none of them needs to be installed.

``SWAP`` is the published class. The others are a module each: ``foresight`` (zero-cost-nas), ``naslib``,
``archai``, ``az_nas``, ``deeplite``, ``nni``, ``neps``, ``optuna``, ``ray_tune`` and ``syne_tune``.
"""

from swapnas_ext.compat.swap import SWAP

__all__ = ["SWAP"]
