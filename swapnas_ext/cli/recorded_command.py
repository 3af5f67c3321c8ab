"""The command that made a run file, as the file records it, and as a configuration that repeats it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from swapnas_ext.cli.scoring import Scoring
from swapnas_ext.cli.space_choice import SpaceChoice
from swapnas_ext.search import RunFile, SearchSettings

_OWN_SPACE_OPTIONS = ("dataset", "network", "channels", "cells")
"""Options of spaces that are options of the command; the others are NAME=VALUE."""


def as_recorded(
    name: str,
    choice: SpaceChoice,
    scoring: Scoring,
    found_by_pilot: dict[str, Any] | None,
    **options: Any,
) -> dict[str, Any]:
    """The command as run files record it.

    Args:
        name: that of the command.
        found_by_pilot: left out where no pilot ran.
        options: other options of the command, which fit JSON.
    """
    images = scoring.images
    if images is not None:  # the command may be repeated in another folder
        scoring = dataclasses.replace(scoring, images=str(Path(images).resolve()))
    recorded: dict[str, Any] = {
        "name": name,
        "space": dataclasses.asdict(choice),
        "scoring": dataclasses.asdict(scoring),
        "options": options,
    }
    return recorded if found_by_pilot is None else {**recorded, "pilot": found_by_pilot}


def scoring_of(command: dict[str, Any]) -> dict[str, Any]:
    """The options of scoring of a recorded command. Older versions ran all layers by torch."""
    return {"torch_layers": True, **command["scoring"]}


def config_of(path: Path) -> str:
    """A configuration (TOML) with which the command that made a run file repeats it.

    Raises:
        ValueError: a run from Python, of an earlier version, or damaged.
        RunFileError: not a run file.
    """
    import tomli_w

    with RunFile.read(path) as run_file:
        about = run_file.about
    settings = about["settings"]
    command = settings.get("command")
    if command is None:
        raise ValueError(
            f"{path} was made in Python, not by a command; its settings: swapnas show {path} --json"
        )
    try:
        name = command.get("name", "search")
        if name == "search" and settings["search"]["strategy"] == "listed":
            raise ValueError(f"{path} is of an earlier version, and does not tell its command")
        options = {
            **_space_options(command["space"]),
            **(_search_options(settings["search"]) if name == "search" else {}),
            **command.get("options", {}),
            **scoring_of(command),
        }
        programs = _programs(options)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: how it was made: {error}") from error
    given = {
        key.replace("_", "-"): _short(value)
        for key, value in options.items()
        if value is not None and value is not False and value != []
    }
    repeat = f"{name} --config FILE" + (" --run NEW.db" if name == "search" else "")
    return (
        f"# Repeats {path.name}, made by swapnas_ext {about['version']}: swapnas {repeat}\n"
        + tomli_w.dumps(given)
        + programs
    )


def _programs(options: dict[str, Any]) -> str:
    """Takes the options that run programs out of those of a run file, which comes from anyone. Returns them as
    comments."""
    import tomli_w

    commands = options.pop("latency_command", None)
    if not commands:
        return ""
    lines = tomli_w.dumps({"latency-command": commands}).splitlines()
    commented = "\n".join(f"# {line}" for line in lines)
    return f"# The search measured latency with programs. Take the # away to run them again:\n{commented}\n"


def _space_options(space: dict[str, Any]) -> dict[str, Any]:
    options = space["options"]
    own = {name: value for name, value in options.items() if name in _OWN_SPACE_OPTIONS}
    others = [f"{name}={value}" for name, value in options.items() if name not in own]
    return {"space": space["name"], **own, "space_option": others}


def _search_options(search: dict[str, Any]) -> dict[str, Any]:
    known = [
        setting.name for setting in dataclasses.fields(SearchSettings) if setting.metadata["option"]
    ]
    return {name: search[name] for name in known if name in search}


def _short(value: Any) -> Any:
    """1500000 in place of 1500000.0."""
    if isinstance(value, list):
        return [_short(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
