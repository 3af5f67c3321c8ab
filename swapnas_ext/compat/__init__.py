"""Drop-in stand-ins for the interfaces of other NAS code bases."""

from swapnas_ext.compat.swap import SWAP

__all__ = ["SWAP"]
