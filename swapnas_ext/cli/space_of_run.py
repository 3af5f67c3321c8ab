"""Finds the space whose networks are built for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swapnas_ext import spaces
from swapnas_ext.cli.space_choice import SpaceChoice
from swapnas_ext.search import asked_space_name
from swapnas_ext.spaces import SearchSpace


def space_to_build(choice: SpaceChoice, settings: dict[str, Any], run: Path) -> SearchSpace:
    """The space of the run, or the one that is asked for.

    Raises:
        ValueError: they differ, or the run file does not tell how its space was made.
    """
    name = settings["space"]["name"]
    if choice.name is not None:
        if choice.name in spaces.names() and choice.name != name:
            raise ValueError(f"{run} is a run of the space {name}, not of {choice.name}")
        return choice.get()
    command = settings.get("command")
    if name not in spaces.names() or not isinstance(command, dict):
        raise ValueError(
            f"{run} does not tell how its space was made: give --space {asked_space_name(settings)} "
            "too, and the options it was made with"
        )
    try:
        made = SpaceChoice(**command["space"])
        return SpaceChoice(made.name, {**made.options, **choice.options}).get()
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run} is damaged, or of another version: its space: {error}") from error
