"""``--config``: options from a TOML file, by their names."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from swapnas_ext._util import decoded
from swapnas_ext.cli.messages import CommandError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SOURCE = "swapnas_ext.config"


def option() -> click.Option:
    """``--config FILE``."""
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="Takes options from a TOML file, by their names: samples = 32. Those of the command line go before.",
    )


def source_of(context: click.Context, name: str | None) -> Path | None:
    """The file that an option was read from; None if it was not."""
    source: Path | None = context.meta.get(_SOURCE)
    return source if name in (context.default_map or {}) else None


def read(path: Path, context: click.Context) -> None:
    """Makes the options in the file the defaults of the command.

    A table with the name of a command is for that command alone; other tables are ignored if they have the name of
    another command.

    Raises:
        CommandError: no such file, no TOML, an option that there is not, or a value that no option takes.
    """
    options = _of_command(_parsed(path), context)
    parameters = {
        str(parameter.name): parameter
        for parameter in context.command.params
        if "--config" not in parameter.opts
    }
    defaults = {}
    for key, value in options.items():
        name = _name_of(key, parameters)
        if name is None:
            known = [max(parameter.opts, key=len).lstrip("-") for parameter in parameters.values()]
            problem = _unknown(key, known, context, is_table=isinstance(value, dict))
            raise CommandError(f"{path}: {problem}")
        if name in defaults:
            raise CommandError(f"{path} has {key} twice")
        defaults[name] = _value(value, parameters[name], f"{path}: {key}")
    context.default_map = {**(context.default_map or {}), **defaults}
    context.meta[_SOURCE] = path


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        read(path, context)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = decoded(path.read_bytes(), f"--config {path}")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise CommandError(f"--config {path}: there is no such file") from None
    except OSError as error:
        raise CommandError(f"--config {path} can't be read: {error.strerror or error}") from error
    except ValueError as error:  # of TOML, and of texts that are none
        raise CommandError(f"--config {path} is no TOML file: {error}") from error


def _of_command(content: dict[str, Any], context: click.Context) -> dict[str, Any]:
    commands = _commands(context)
    own = content.get(str(context.info_name))
    general = {
        key: value
        for key, value in content.items()
        if not (isinstance(value, dict) and key in commands)
    }
    return {**general, **own} if isinstance(own, dict) else general


def _commands(context: click.Context) -> list[str]:
    root = context.find_root().command
    return list(root.commands) if isinstance(root, click.Group) else []


def _name_of(key: str, parameters: dict[str, click.Parameter]) -> str | None:
    """The parameter that a key stands for: the name of an option without its dashes, with - or _."""
    wanted = key.replace("_", "-")
    for name, parameter in parameters.items():
        known = {text.lstrip("-") for text in parameter.opts}
        if wanted in known or key in known:
            return name
    return None


def _unknown(key: str, known: Sequence[str], context: click.Context, *, is_table: bool) -> str:
    problem = f"swapnas {context.info_name} has no option {key}"
    if is_table:
        problem += ", and there is no such command"
        known = [*known, *_commands(context)]
    close = difflib.get_close_matches(key.replace("_", "-"), known, 1)
    if close:
        return f"{problem}; did you mean {close[0]}?"
    return f"{problem}; there are {', '.join(sorted(known))}"


def _value(value: Any, parameter: click.Parameter, where: str) -> Any:
    """A value as the command line would give it."""
    is_flag = isinstance(parameter, click.Option) and parameter.is_flag
    if isinstance(value, bool) != is_flag:
        wanted = "true or false" if is_flag else "a number or a text"
        raise CommandError(f"{where} must be {wanted}, got {value!r}")
    if is_flag:
        return value
    if parameter.multiple:
        values = value if isinstance(value, list) else [value]
        return [_scalar(part, where) for part in values]
    if isinstance(value, list):  # such as several target sizes
        return ",".join(_scalar(part, where) for part in value)
    return _scalar(value, where)


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise CommandError(f"{where} must be a number or a text, got {value!r}")
    return str(value)  # the types of options read and check texts
