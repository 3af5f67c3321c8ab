"""Makes the mini-batches to score on, from the bundled photograph, image files, arrays and data loaders.

Images come back as float32 ``[samples, 3, size, size]``, normalised with CIFAR-10's mean and standard
deviation.
"""

from __future__ import annotations

from swapnas_ext.data.classes import LabelledImages, labelled_images
from swapnas_ext.data.loaders import first_batch
from swapnas_ext.data.pixels import MEAN, STD
from swapnas_ext.data.sources import DEFAULT_SAMPLES, DEFAULT_SIZE, images, photograph

__all__ = [
    "DEFAULT_SAMPLES",
    "DEFAULT_SIZE",
    "MEAN",
    "STD",
    "LabelledImages",
    "first_batch",
    "images",
    "labelled_images",
    "photograph",
    "text",
]
