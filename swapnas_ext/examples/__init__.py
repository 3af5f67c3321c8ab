"""Small example files: cells with true accuracies, and architectures to score.

::

    space = swap.spaces.get("nasbench201")
    table = swap.correlation.read_table(swap.examples.path("nasbench201"), space)

On the command line, ``example:nasbench201`` stands for such a file: ``swapnas correlate --space nasbench201 --table
example:nasbench201``.
"""

from __future__ import annotations

from swapnas_ext.examples.files import about, names, path

__all__ = ["about", "names", "path"]
