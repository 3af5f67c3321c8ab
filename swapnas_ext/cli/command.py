"""The classes of the commands: options in groups, summaries at full length, and ``--config``, ``--quiet`` and
``--verbose`` for all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from swapnas_ext.cli import config_file, loudness

_GROUP = "swapnas_group"
_Decorator = TypeVar("_Decorator", bound=Callable[..., Any])


def option_group(title: str) -> Callable[[_Decorator], _Decorator]:
    """Puts the options that a decorator of commands adds under a heading of ``--help``."""

    def of(decorator: _Decorator) -> _Decorator:
        @functools.wraps(decorator)
        def decorated(command: Any, **settings: Any) -> Any:
            known = len(getattr(command, "__click_params__", ()))
            command = decorator(command, **settings)
            for parameter in command.__click_params__[known:]:
                setattr(parameter, _GROUP, title)
            return command

        return cast(_Decorator, decorated)

    return of


class Command(click.Command):
    """A command that takes its options from a file too, and lists them in groups."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if not any("--config" in parameter.opts for parameter in self.params):
            self.params.append(config_file.option())
        for option in loudness.options():
            setattr(option, _GROUP, "Messages")
            self.params.append(option)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            rest = super().parse_args(ctx, args)
        except click.BadParameter as error:
            name = None if error.param is None else error.param.name
            path = config_file.source_of(ctx, name)
            if path is None:
                raise
            raise click.BadParameter(
                f"{error.message} (in {path})", error.ctx, error.param, error.param_hint
            ) from error
        loudness.asked(ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        with loudness.told(loudness.asked(ctx)):
            return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, _GROUP, "Options"), []).append(record)
        general = groups.pop("Options")
        for title, records in (*groups.items(), ("Options", general)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(click.Group):
    """A group of such commands, with ``--quiet`` and ``--verbose`` before the name of one. Its ``--help`` shows the
    whole first sentence of each."""

    command_class = Command

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += loudness.options()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(limit=1_000))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
