"""The options for workers."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any

import click

from swapnas_ext.cli.command import option_group
from swapnas_ext.cli.option_types import Function
from swapnas_ext.search import RayCluster, Workers


@option_group("Workers")
def workers_option(command: Function) -> Function:
    return click.option(
        "--workers",
        type=click.IntRange(1),
        help="Number of local processes, with one thread each. Default: one per core.",
    )(command)


def local_workers(workers: int | None) -> int:
    """The number of local workers: as many as are asked for, at most one per core."""
    most = cores()
    if workers is not None and workers > most:
        click.echo(f"--workers {workers}: {most} cores are busy with {most} of them", err=True)
    return most if workers is None else min(workers, most)


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Hands:
    """The workers that a command line asks for."""

    workers: int | None
    ray: bool
    ray_address: str | None

    def get(self) -> Workers:
        """The ``workers`` for a search. Raises ValueError if options contradict each other."""
        if not self.ray and self.ray_address is None:
            return local_workers(self.workers)
        if self.ray and self.ray_address is not None:
            raise ValueError(
                "--ray is for this machine, --ray-address for a cluster: give one of them"
            )
        return RayCluster(self.workers, self.ray_address)


@option_group("Workers")
def workers_options(command: Function) -> Function:
    """Gives a command ``hands``, a `Hands`."""

    @workers_option
    @click.option("--ray", is_flag=True, help="Scores with Ray on this machine.")
    @click.option(
        "--ray-address",
        metavar="ADDRESS",
        help="Scores on a Ray cluster: auto, or ray://host:10001.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any, workers: int | None, ray: bool, ray_address: str | None, **rest: Any
    ) -> Any:
        return command(*args, hands=Hands(workers, ray, ray_address), **rest)

    return wrapped  # type: ignore[return-value]
