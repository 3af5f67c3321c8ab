"""Reads and writes architectures of the FlexiBERT space as JSON; errors point at the mistake.

Python's decoder reports no positions. The position of a wrong value is found by following its path through the
text again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, TypeVar

from swapnas_ext.spaces.base import ArchitectureError

HIDDEN_SIZES = (128, 256)
DEPTHS = (2, 4)
PARAMETERS: dict[str, tuple[str | int, ...]] = {
    "SA": ("SDP", "WMA"),  # attention: scaled dot product, weighted multiplicative
    "LT": ("DFT", "DCT"),  # linear transforms: Fourier, cosine
    "DSC": (5, 9),  # dynamic span convolution: its kernel
}
OPERATIONS = tuple((kind, parameter) for kind, values in PARAMETERS.items() for parameter in values)
VALUES = {
    "num_operation_heads": (2, 4),
    "feed_forward_dimension": (512, 1024),
    "num_feed_forward": (1, 3),
}
_IGNORED = ("id", "scores")  # other keys of an entry in the benchmark's table
_MAX_TEXT = 10_000

Choice = TypeVar("Choice")


class Layer(NamedTuple):
    operation_type: str
    operation_parameter: str | int
    num_operation_heads: int
    feed_forward_dimension: int
    num_feed_forward: int


class Architecture(NamedTuple):
    hidden_size: int
    encoder_layers: tuple[Layer, ...]


Where = tuple[str | int, ...]
"""Where a value is: keys of objects and indices of arrays, from the outside in."""


class _Mistake(Exception):
    def __init__(self, path: Where, problem: str, *, at_key: bool = False) -> None:
        self.path, self.problem, self.at_key = path, problem, at_key


class _Object(dict[str, Any]):
    """A JSON object, and the first key that it has twice, if any."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.twice = next((key for key in self if keys.count(key) > 1), None)


@lru_cache(4096)  # a search asks for the form, the size and the children of the same text
def parse(text: str) -> Architecture:
    """Reads the JSON of an architecture with any spaces and order of keys, or of an entry in the benchmark's table.
    Raises `ArchitectureError`, which points at the mistake."""
    if len(text) > _MAX_TEXT:
        raise ArchitectureError(text, 0, f"{len(text):,} characters are too many for this space")
    try:
        return _architecture(json.loads(text, object_pairs_hook=_Object))
    except _Mistake as mistake:
        place = _place(text, mistake.path, at_key=mistake.at_key)
        raise ArchitectureError(text, place, mistake.problem) from None
    except json.JSONDecodeError as error:
        raise ArchitectureError(text, error.pos, f"not JSON: {error.msg}") from None
    except (RecursionError, ValueError):  # endless brackets, or a number of thousands of digits
        raise ArchitectureError(text, 0, "not the JSON of an architecture") from None


def format_architecture(architecture: Architecture) -> str:
    """The JSON of an architecture without spaces; `parse` reads it back."""
    hidden, layers = architecture
    fields = {"hidden_size": hidden, "encoder_layers": [layer._asdict() for layer in layers]}
    return json.dumps(fields, separators=(",", ":"))


def _architecture(value: Any) -> Architecture:
    where: Where = ()
    if isinstance(value, dict) and "nas_config" in value:
        _check_keys(value, ("hidden_size", "nas_config"), (), ignored=_IGNORED)
        layers, where = value["nas_config"], ("nas_config",)
        _check_keys(layers, ("encoder_layers",), where)
        layers = layers["encoder_layers"]
    else:
        _check_keys(value, Architecture._fields, ())
        layers = value["encoder_layers"]
    hidden = _one_of(value["hidden_size"], HIDDEN_SIZES, ("hidden_size",))
    where = (*where, "encoder_layers")
    if not isinstance(layers, list) or len(layers) not in DEPTHS:
        raise _Mistake(where, f"expected a list of {' or '.join(map(str, DEPTHS))} layers")
    return Architecture(hidden, tuple(_layer(item, (*where, k)) for k, item in enumerate(layers)))


def _layer(value: Any, where: Where) -> Layer:
    _check_keys(value, Layer._fields, where)
    kind = _one_of(value["operation_type"], tuple(PARAMETERS), (*where, "operation_type"))
    parameter_at = (*where, "operation_parameter")
    parameter = _one_of(value["operation_parameter"], PARAMETERS[kind], parameter_at)
    others = (_one_of(value[name], VALUES[name], (*where, name)) for name in VALUES)
    return Layer(kind, parameter, *others)


def _check_keys(
    value: Any, keys: Sequence[str], where: Where, *, ignored: Sequence[str] = ()
) -> None:
    expected = ", ".join(keys)
    if not isinstance(value, _Object):
        raise _Mistake(where, f"expected an object with {expected}")
    for key in value:
        if key not in keys and key not in ignored:
            _unexpected(key, f"unknown key {_shown(key)}; expected {expected}", where)
    if value.twice is not None:
        _unexpected(value.twice, f"{_shown(value.twice)} a second time", where)
    missing = [key for key in keys if key not in value]
    if missing:
        raise _Mistake(where, f"missing {', '.join(missing)}")


def _unexpected(key: str, problem: str, where: Where) -> NoReturn:
    raise _Mistake((*where, key), problem, at_key=True)


def _one_of(value: Any, choices: Sequence[Choice], where: Where) -> Choice:
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    known = ", ".join(json.dumps(choice) for choice in choices)
    raise _Mistake(where, f"{where[-1]} must be one of {known}, got {_shown(value)}")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 20 else text[:20] + "..."


_decode = json.JSONDecoder().raw_decode


def _place(text: str, path: Where, *, at_key: bool) -> int:
    """The position in a JSON text at which the value of a path begins, or its key."""
    key, value = 0, _skip_spaces(text, 0)
    for step in path:
        key, value = _entry(text, value, step)
    return key if at_key else value


def _entry(text: str, start: int, step: str | int) -> tuple[int, int]:
    """The positions at which an entry of the object or array at ``start`` begins: of its key, and of its value. Of
    repeated keys, the last one counts, as in the decoder."""
    place, count, found = _skip_spaces(text, start + 1), 0, (start, start)
    while text[place] not in "}]":
        name: str | int = count
        key = value = place
        if text[start] == "{":
            name, place = _decode(text, key)
            value = _skip_spaces(text, _skip_spaces(text, place) + 1)  # after the colon
        if name == step:
            found = key, value
        place = _skip_spaces(text, _decode(text, value)[1])
        if text[place] == ",":
            place = _skip_spaces(text, place + 1)
        count += 1
    return found


def _skip_spaces(text: str, place: int) -> int:
    while text[place] in " \t\n\r":
        place += 1
    return place
