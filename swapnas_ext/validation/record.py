"""The record of a validation: a JSON file, written after each network, from which the next call continues."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from filelock import FileLock, Timeout

from swapnas_ext._util import ctrl_c_later, parsed_json, read_text
from swapnas_ext.validation.plan import Plan
from swapnas_ext.validation.result import Trained
from swapnas_ext.version import __version__

_FORMAT = 1


@dataclass
class Record:
    """What is known so far. ``path`` is None if nothing is to be written."""

    path: Path | None
    settings: Mapping[str, Any]
    plan: Plan | None = None
    trained: list[Trained] = field(default_factory=list)
    seconds: float = 0.0

    def save(self) -> None:
        """Writes the whole file, or leaves it as it is. Raises OSError."""
        if self.path is None:
            return
        content = {
            "validation": _FORMAT,
            "version": __version__,
            "settings": self.settings,
            "plan": None if self.plan is None else asdict(self.plan),
            "trained": [asdict(trained) for trained in self.trained],
            "seconds": self.seconds,
        }
        with ctrl_c_later():
            handle, name = tempfile.mkstemp(prefix=".swapnas-", dir=self.path.parent)
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    json.dump(content, file, indent=1)
                os.replace(name, self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


@contextmanager
def opened(path: Path | None, settings: Mapping[str, Any], *, again: bool) -> Iterator[Record]:
    """The record at a path, to be continued, or a new one. One process at a time has it.

    Args:
        again: starts over, whatever is there.

    Raises:
        ValueError: what is there has other settings, or is no record.
        RuntimeError: another process has it, or it can't be written.
    """
    settings = json.loads(json.dumps(settings))  # as they will be read
    if path is None:
        yield Record(None, settings)
        return
    path = path.resolve()
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeError(f"another validation is writing to {path}") from None
    except OSError as error:
        raise RuntimeError(f"can't write beside {path}: {error.strerror or error}") from error
    try:
        record = Record(path, settings)
        found = _read(path) if path.exists() and not again else record
        if found.plan is not None:  # otherwise it ended before anything was trained
            _check_same(found, settings)
            record = found
        else:
            record.save()  # fails here if the file can't be written
        yield record
    finally:
        lock.release()


def _read(path: Path) -> Record:
    content = parsed_json(read_text(path), path)
    if not isinstance(content, dict) or content.get("validation") != _FORMAT:
        raise ValueError(f"{path} is no record of a validation: choose another file, or start over")
    try:
        plan = content["plan"]
        return Record(
            path,
            dict(content["settings"]),
            None if plan is None else _made(Plan, plan),
            [_made(Trained, values) for values in content["trained"]],
            float(content["seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): start over") from error


def _made(kind: Any, values: Any) -> Any:
    """A dataclass from JSON. Raises TypeError or ValueError if its fields don't fit."""
    made = kind(**values)
    for name, hint in get_type_hints(kind).items():
        value = getattr(made, name)
        if get_origin(hint) is Literal:
            fits = value in get_args(hint)
        else:
            kinds = int | float if hint is float else hint
            fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits:
            raise ValueError(f"{name} is {value!r}")
    return made


def _check_same(record: Record, settings: Mapping[str, Any]) -> None:
    for name in {**settings, **record.settings}:
        was, wanted = record.settings.get(name), settings.get(name)
        if was != wanted:
            short = name != "images" and all(
                isinstance(v, str | int | float) for v in (was, wanted)
            )
            values = f" ({was}, not {wanted})" if short else ""
            raise ValueError(
                f"{record.path} has a validation with another setting of {name}{values}: give the same to continue it, "
                "choose another file (--output), or start over (--again)"
            )
