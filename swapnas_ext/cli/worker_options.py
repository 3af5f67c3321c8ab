"""The options for workers."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import torch

from swapnas_ext._util import cores
from swapnas_ext.cli.command import option_group
from swapnas_ext.cli.messages import tell
from swapnas_ext.cli.option_types import Function
from swapnas_ext.search import RayCluster, SlurmCluster, Workers
from swapnas_ext.search.workers import FORMS, check_workers, read_workers

_MOST_PER_CARD = 8
"""More processes than this on one GPU only cost memory: it runs the kernels of one process at a time."""


class _WorkersText(click.ParamType):  # type: ignore[type-arg]  # is no generic class in all of click 8
    name = "workers"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            known = read_workers(value)
            if known is None:
                check_workers(value)
        except (ValueError, ImportError) as error:
            self.fail(str(error), param, ctx)
        return value if known is None else known


class _Setting(click.ParamType):  # type: ignore[type-arg]
    """NAME=VALUE, with a number where the value is one."""

    name = "name=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not equals or not name:
            self.fail(f"{value!r}: expected NAME=VALUE, such as partition=gpu", param, ctx)
        if re.fullmatch(r"\d{1,15}", text):
            return name, int(text)
        return name, float(text) if re.fullmatch(r"\d{1,15}\.\d{1,15}", text) else text


def local_workers(workers: int | None, device: str = "cpu") -> int:
    """The number of local workers: as many as are asked for, within reason. By default one for each core, or for each
    GPU if networks run on GPUs."""
    if device == "cpu":
        most, default, busy = cores(), cores(), f"{cores()} cores are"
    else:
        cards = 1 if ":" in device else max(1, torch.cuda.device_count())
        most, default = max(cores(), _MOST_PER_CARD * cards), cards
        busy = f"{cards} GPUs and {cores()} cores are" if cards > 1 else "one GPU is"
    if workers is not None and workers > most:
        tell(f"--workers {workers}: {busy} busy with {most} of them")
    return default if workers is None else min(workers, most)


@dataclass(frozen=True)
class Hands:
    """The workers that a command line asks for."""

    workers: Any
    ray: bool = False
    ray_address: str | None = None
    slurm_options: tuple[tuple[str, Any], ...] = ()

    @property
    def local(self) -> int | None:
        """The number of local processes that it asks for; None if it does not say."""
        return self.workers if isinstance(self.workers, int) else None

    def get(self, device: str = "cpu", run: Path | None = None) -> Workers:
        """The ``workers`` for a search.

        Args:
            device: runs the networks.
            run: the run file. The logs of Slurm jobs are in a folder beside it.

        Raises:
            ValueError: options contradict each other.
        """
        if self.slurm_options and not isinstance(self.workers, SlurmCluster):
            raise ValueError("--slurm-option is for jobs of Slurm: give --workers slurm:COUNT too")
        if isinstance(self.workers, SlurmCluster):
            self._check_no_ray()
            folder = None if run is None else run.with_name(f"{run.name}-slurm")
            return replace(self.workers, options=self._options(), folder=folder)
        if self.workers is not None and self.local is None:
            self._check_no_ray()
            return self.workers  # type: ignore[no-any-return]
        if not self.ray and self.ray_address is None:
            return local_workers(self.local, device)
        if self.ray and self.ray_address is not None:
            raise ValueError(
                "--ray is for this machine, --ray-address for a cluster: give one of them"
            )
        return RayCluster(self.local, self.ray_address)

    def _check_no_ray(self) -> None:
        if self.ray or self.ray_address is not None:
            raise ValueError("--workers says where to score already: leave out --ray")

    def _options(self) -> dict[str, Any]:
        """The options of Slurm. Commands of ``setup`` are a list; others may be given once."""
        options: dict[str, Any] = {}
        for name, value in self.slurm_options:
            if name == "setup":
                options.setdefault(name, []).append(str(value))
            elif name in options:
                raise ValueError(f"--slurm-option {name} is given twice")
            else:
                options[name] = value
        return options


@option_group("Workers")
def workers_options(command: Function) -> Function:
    """Gives a command ``hands``, a `Hands`."""

    @click.option(
        "--workers",
        type=_WorkersText(),
        metavar="WORKERS",
        help=f"Where networks are scored: {FORMS}. 4: local processes of one thread each. ray:4, dask:4: Ray or Dask "
        "on this machine. ray:auto, ray://head:10001, dask:tcp://head:8786: a running cluster. slurm:16: Slurm jobs; "
        "slurm:2@local: jobs on this machine, to try it out. Or a registered name, or MODULE:NAME. Default: a process "
        "for each core, or for each GPU with --device cuda.",
    )
    @click.option(
        "--slurm-option",
        "slurm_options",
        type=_Setting(),
        multiple=True,
        metavar="NAME=VALUE",
        help="Parameter of submitit for the jobs: partition=gpu, timeout_min=600, mem_gb=8, gpus_per_node=1, "
        "setup='module load cuda', ... Repeatable.",
    )
    @click.option("--ray", is_flag=True, help="The same as --workers ray.")
    @click.option("--ray-address", metavar="ADDRESS", help="The same as --workers ray:ADDRESS.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        workers: Any,
        ray: bool,
        ray_address: str | None,
        slurm_options: tuple[tuple[str, Any], ...],
        **rest: Any,
    ) -> Any:
        return command(*args, hands=Hands(workers, ray, ray_address, slurm_options), **rest)

    return wrapped  # type: ignore[return-value]
