"""Models that are hard to restore: each leaves something behind in its forward pass, or has a structure
that is easy to get wrong. All take ``[12, 8]``, or images ``[12, 3, 8, 8]`` if their name says so."""

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
