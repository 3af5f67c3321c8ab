"""Drop-in stand-ins for the interfaces of other NAS code bases; none of them needs to be installed.

``SWAP`` is the published class. The others are ``compat.foresight``, ``compat.naslib``, ``compat.archai``,
``compat.nni``, ``compat.optuna`` and ``compat.ray_tune``.
"""

from swapnas_ext.compat.swap import SWAP

__all__ = ["SWAP"]
