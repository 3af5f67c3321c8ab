"""The options for devices that measure latency."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from swapnas_ext.cli.command import option_group
from swapnas_ext.cli.messages import CommandError
from swapnas_ext.cli.option_types import SECONDS, Function
from swapnas_ext.export import LatencyCommand

_NAMED = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Devices:
    """The devices that a command line asks for."""

    commands: tuple[str, ...]
    timeout: float

    def get(self) -> list[LatencyCommand]:
        """What measures on them, as for a search. Raises the errors of `LatencyCommand`."""
        found = []
        for text in self.commands:
            named = _NAMED.fullmatch(text.strip())
            name, command = ("", text) if named is None else named.groups()
            found.append(LatencyCommand(command, name, self.timeout))
        return found

    def as_recorded(self) -> dict[str, Any]:
        """The options as run files record them."""
        if not self.commands:
            return {}
        return {"latency_command": list(self.commands), "latency_timeout": self.timeout}


def check_given_again(run: object, recorded: Sequence[dict[str, str]], devices: Devices) -> None:
    """Raises ValueError if a run file measures with commands that were not given again: it is data, and no command in
    it runs unasked."""
    if recorded and not devices.commands:
        commands = [f"{one['name']}={one['command']}" for one in recorded]
        shown = [one if one.isprintable() else repr(one) for one in commands]
        again = " ".join(f"--latency-command {shlex.quote(command)}" for command in shown)
        raise ValueError(
            f"{run} measures latency with a command, which runs only if it is given again: add {again}"
        )


@option_group("Latency on other devices")
def latency_options(command: Function) -> Function:
    """Gives a command ``devices``, a `Devices`."""

    @click.option(
        "--latency-command",
        "commands",
        multiple=True,
        metavar="[NAME=]COMMAND",
        help="Measures the latency of each candidate with a command, such as phone='python measure.py {onnx}': it gets "
        "the final network as a file ({onnx}, or {torch}: a program of torch.export), and prints milliseconds, one "
        "number or several. Repeatable; limits and the objective are about the first.",
    )
    @click.option(
        "--latency-timeout",
        "timeout",
        type=SECONDS,
        default="60s",
        show_default=True,
        help="A command that takes longer is ended; its candidate counts as failed.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, commands: tuple[str, ...], timeout: float, **rest: Any) -> Any:
        source = click.get_current_context().get_parameter_source("timeout")
        if source is ParameterSource.COMMANDLINE and not commands:
            raise CommandError("--latency-timeout is the time of a --latency-command: give one too")
        return command(*args, devices=Devices(commands, timeout), **rest)

    return wrapped  # type: ignore[return-value]
