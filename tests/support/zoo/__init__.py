"""Models that do what models do: each leaves something behind in its forward pass, or is put together in a way
that is easy to get wrong. All take ``[12, 8]``, or images ``[12, 3, 8, 8]`` where their name says so."""

from support.zoo import attributes, hidden, hooks, kinds, modes, sharing, weights
from support.zoo.base import IMAGES, VECTORS, ZOO, Base

__all__ = [
    "IMAGES",
    "VECTORS",
    "ZOO",
    "Base",
    "attributes",
    "hidden",
    "hooks",
    "kinds",
    "modes",
    "sharing",
    "weights",
]
