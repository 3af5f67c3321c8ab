"""Data classes as JSON, and back. What is read is checked against the types of the fields, and nothing is imported.

A document is an object with the names of its class and of its version, and the fields. Numbers that JSON does not have
are the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` where a float is expected.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from swapnas_ext._util.text_file import parsed_json

VERSION = 1
_KIND, _VERSION = "swapnas", "version"
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NUMBER, _TUPLE, _PART, _OBJECT = "$number", "$tuple", "$part", "$object"
"""Marks of what JSON does not have, where any value may be."""

Thing = TypeVar("Thing")
Classes = Mapping[str, type[Any]]


def json_document(
    thing: Any, classes: Classes | None = None, *, name: str | None = None, **others: Any
) -> str:
    """A data class as a JSON document.

    Args:
        name: what the document calls it; by default its class.
        classes: data classes, by name, that may be where any value may be.
        others: further values of the document, which are JSON.

    Raises:
        TypeError: a value that is not JSON, and of no such class.
    """
    record = _encoded(thing, type(thing), classes or {})
    head = {_KIND: name or type(thing).__name__, _VERSION: VERSION}
    return json.dumps({**head, **record, **others}, allow_nan=False)


def read_document(
    text: str,
    kind: type[Thing],
    classes: Classes | None = None,
    *,
    name: str | None = None,
    others: Sequence[str] = (),
) -> tuple[Thing, dict[str, Any]]:
    """The data class of a JSON document, and its other values.

    Raises:
        ValueError: not such a document, of another version, or with fields that are missing, unknown or of another
            type.
    """
    name = name or kind.__name__
    told = f"the JSON of a {name}"
    if not isinstance(text, str):
        raise TypeError(f"{told} is a str, got {type(text).__name__}")
    record = parsed_json(text, told)
    if not isinstance(record, dict) or record.get(_KIND) != name:
        got = record.get(_KIND) if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"expected {told}, as its to_json writes it, got that of {got!r}")
    if record.get(_VERSION) != VERSION:
        raise ValueError(
            f"{told} has version {record.get(_VERSION)!r}, and version {VERSION} can be read: read it with the version "
            "of swapnas_ext that wrote it"
        )
    rest = {key: value for key, value in record.items() if key not in (_KIND, _VERSION, *others)}
    found = _decoded(rest, kind, classes or {}, name)
    return found, {key: record.get(key) for key in others}


@lru_cache(None)
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(kind)
        if field.compare or field.repr
    }


def _encoded(value: Any, kind: Any, classes: Classes) -> Any:
    if kind is Any:
        return _encoded_any(value, classes)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _name_of(value)
    if isinstance(value, int):
        return value
    if dataclasses.is_dataclass(value):
        kind = type(value)
        hints = _hints(kind)
        return {name: _encoded(getattr(value, name), hint, classes) for name, hint in hints.items()}
    inner = [one for one in get_args(_without_none(kind)) if one is not ...] or [Any]
    if isinstance(value, Mapping) and inner[-1] is not Any:
        return {key: _encoded(one, inner[-1], classes) for key, one in value.items()}
    if isinstance(value, Sequence):
        kinds = inner if len(inner) == len(value) else [inner[0]] * len(value)
        return [_encoded(one, of, classes) for one, of in zip(value, kinds, strict=True)]
    return _encoded_any(value, classes)


def _encoded_any(value: Any, classes: Classes) -> Any:
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_NUMBER: _name_of(value)}
    if type(value).__name__ in classes and type(value) is classes[type(value).__name__]:
        return {_PART: type(value).__name__, "fields": _encoded(value, type(value), classes)}
    if type(value) in (list, tuple):
        items = [_encoded_any(one, classes) for one in value]
        return items if isinstance(value, list) else {_TUPLE: items}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        record = {key: _encoded_any(one, classes) for key, one in value.items()}
        return {_OBJECT: record} if any(key.startswith("$") for key in record) else record
    raise TypeError(
        f"JSON has no {type(value).__name__}, which is in these results: {value!r:.100}; pickle keeps it"
    )


def _decoded(value: Any, kind: Any, classes: Classes, where: str) -> Any:
    if kind is Any:
        return _decoded_any(value, classes, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decoded_union(value, kind, classes, where)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise _unexpected(value, kind, where)
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is float and isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if kind in (int, str, bool, type(None)) and type(value) is kind:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _decoded_class(value, kind, classes, where)
    arguments = get_args(kind)
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        if len(kinds) == len(value):
            pairs = enumerate(zip(value, kinds, strict=True))
            return tuple(_decoded(v, of, classes, f"{where}[{n}]") for n, (v, of) in pairs)
    elif origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
        if arguments[1] is Any:  # the marks are those of the whole
            found = _decoded_any(value, classes, where)
            if isinstance(found, dict):
                return found
        else:
            return {k: _decoded(v, arguments[1], classes, f"{where}.{k}") for k, v in value.items()}
    elif origin is not None and issubclass(origin, Sequence) and isinstance(value, list):
        return [_decoded(v, arguments[0], classes, f"{where}[{n}]") for n, v in enumerate(value)]
    raise _unexpected(value, kind, where)


def _decoded_union(value: Any, kind: Any, classes: Classes, where: str) -> Any:
    if value is None and type(None) in get_args(kind):
        return None
    kinds = [one for one in get_args(kind) if one is not type(None)]
    for one in kinds[:-1]:
        try:
            return _decoded(value, one, classes, where)
        except ValueError:
            pass
    return _decoded(value, kinds[-1], classes, where)


def _decoded_class(value: dict[str, Any], kind: Any, classes: Classes, where: str) -> Any:
    hints = _hints(kind)
    unknown = sorted(value.keys() - hints.keys())
    missing = [name for name in hints if name not in value]
    if unknown or missing:
        problem = f"has no field {missing[0]}" if missing else f"has the unknown field {unknown[0]}"
        raise ValueError(f"{where} {problem}; its fields are {', '.join(hints)}")
    return kind(
        **{
            name: _decoded(value[name], of, classes, f"{where}.{name}")
            for name, of in hints.items()
        }
    )


def _decoded_any(value: Any, classes: Classes, where: str) -> Any:
    if isinstance(value, list):
        return [_decoded_any(one, classes, where) for one in value]
    if not isinstance(value, dict):
        return value
    mark = next((key for key in value if key.startswith("$")), None)
    if mark is None:
        return {key: _decoded_any(one, classes, f"{where}.{key}") for key, one in value.items()}
    inner = value[mark]
    if mark == _NUMBER and isinstance(inner, str) and inner in _NOT_FINITE:
        return _NOT_FINITE[inner]
    if mark == _TUPLE and isinstance(inner, list):
        return tuple(_decoded_any(one, classes, where) for one in inner)
    if mark == _OBJECT and isinstance(inner, dict):
        return {key: _decoded_any(one, classes, f"{where}.{key}") for key, one in inner.items()}
    is_part = mark == _PART and isinstance(inner, str) and inner in classes
    if is_part and isinstance(value.get("fields"), dict):
        return _decoded_class(value["fields"], classes[inner], classes, where)
    raise _unexpected(value, "a value", where)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(one for one in get_args(kind) if one is not type(None))
    return kind


def _name_of(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _unexpected(value: Any, kind: Any, where: str) -> ValueError:
    expected = kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else kind
    return ValueError(f"{where} must be {expected}, got {value!r:.100}")
