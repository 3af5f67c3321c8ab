"""Reads workers from a text: ``4``, ``ray``, ``dask:tcp://host:8786``, ``slurm:16``."""

from __future__ import annotations

import re

from swapnas_ext.search.workers.dask_cluster import DaskCluster
from swapnas_ext.search.workers.ray_cluster import RayCluster
from swapnas_ext.search.workers.slurm_cluster import SlurmCluster

FORMS = (
    "a number of processes, or KIND[:COUNT][@ADDRESS] or KIND:ADDRESS with KIND ray, dask or slurm (such as 4, "
    "ray:auto, slurm:16)"
)
"""The forms of ``workers=`` and ``--workers`` as text, for help and errors."""
_CLUSTERS = ("ray", "dask", "slurm")


def read_workers(text: str) -> int | RayCluster | DaskCluster | SlurmCluster | None:
    """The workers that a text names; None if it begins with none of the kinds known here.

    Raises:
        ValueError: no workers, or a text that is not of this form.
    """
    if re.fullmatch(r"[+-]?\d+", text):
        return _at_least_one(text, text)
    kind = re.split("[:@]", text, maxsplit=1)[0]
    if kind not in _CLUSTERS:
        return None
    count, address = _count_and_address(text, text[len(kind) :])
    if text.startswith("ray://"):  # an address of Ray as it is
        return RayCluster(address=text)
    if kind == "ray":
        return RayCluster(count, address)
    if kind == "dask":
        return DaskCluster(count, address)
    if count is None:
        raise ValueError(f"workers {text}: how many jobs? Such as slurm:16")
    if address == "local":
        return SlurmCluster(count, cluster="local")
    return SlurmCluster(count, host=address)


def _count_and_address(text: str, rest: str) -> tuple[int | None, str | None]:
    """Reads what follows the kind: ``:4``, ``:4@host:1``, ``@host:1``, ``:host:1``, or nothing."""
    match = re.fullmatch(r":([+-]?\d+)(?:@(.+))?", rest)
    if match is not None:
        return _at_least_one(match[1], text), match[2]
    if rest in (":", "@") or rest.endswith("@"):
        raise ValueError(f"workers {text}: expected {FORMS}")
    return None, rest[1:] or None


def _at_least_one(number: str, text: str) -> int:
    count = int(number)
    if count < 1:
        raise ValueError(f"workers {text}: at least 1 is needed")
    return count
