"""Choices in choices: alternatives with their own choices, and lists of parts that each have their own.

Each node knows how to make its decisions (`walk`), and how the decisions are written and read.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from swapnas_ext.spaces.base import ArchitectureError
from swapnas_ext.spaces.choice_options import Options
from swapnas_ext.spaces.choice_text import Scanner, value_text

Choose = Callable[[str, Options], int]
"""Makes the decision of this name: returns the index of one of the options."""
Put = Callable[[int], None]


class Node(ABC):
    """A choice, or several that belong together. Decisions are indices of options, always in the same order."""

    count: int
    """The number of combinations."""

    @abstractmethod
    def walk(self, choose: Choose, path: str) -> Any:
        """Makes the decisions, and returns the value that they give."""

    @abstractmethod
    def write(self, indices: Iterator[int]) -> str:
        """The text of the decisions."""

    @abstractmethod
    def read(self, scanner: Scanner, put: Put, path: str) -> None:
        """Puts the decisions of a text. Raises `ArchitectureError`."""

    @abstractmethod
    def decide(self, value: Any, put: Put, path: str) -> None:
        """Puts the decisions that give a value. Raises ValueError if there are none."""

    @abstractmethod
    def described(self) -> str:
        """All options, on a line."""


class OneChoice(Node):
    """One of several values."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.count = len(options)

    def walk(self, choose: Choose, path: str) -> Any:
        return self.options.values[choose(path, self.options)]

    def write(self, indices: Iterator[int]) -> str:
        return self.options.texts[next(indices)]

    def read(self, scanner: Scanner, put: Put, path: str) -> None:
        put(_read_option(self.options, scanner, path))

    def decide(self, value: Any, put: Put, path: str) -> None:
        put(self.options.index_of(path, value))

    def described(self) -> str:
        return "|".join(self.options.texts)


class Group(Node):
    """Choices by name, which give a dict."""

    def __init__(self, choices: Mapping[str, Any], path: str) -> None:
        for name in choices:
            if not isinstance(name, str) or not name.isidentifier():
                raise ValueError(
                    f"{path or 'a choice'}: {name!r} can't be the name of a choice: give a name such as width"
                )
        self.nodes = {name: as_node(given, _below(path, name)) for name, given in choices.items()}
        self.count = math.prod(node.count for node in self.nodes.values())

    def walk(self, choose: Choose, path: str) -> dict[str, Any]:
        return {name: node.walk(choose, _below(path, name)) for name, node in self.nodes.items()}

    def write_body(self, indices: Iterator[int]) -> str:
        return ",".join([f"{name}={node.write(indices)}" for name, node in self.nodes.items()])

    def write(self, indices: Iterator[int]) -> str:
        return f"({self.write_body(indices)})"

    def read_body(self, scanner: Scanner, put: Put, path: str) -> None:
        for number, (name, node) in enumerate(self.nodes.items()):
            expected = f",{name}=" if number else f"{name}="
            if not scanner.take(expected):
                raise _error(scanner, expected)
            node.read(scanner, put, _below(path, name))

    def read(self, scanner: Scanner, put: Put, path: str) -> None:
        _expect(scanner, "(")
        self.read_body(scanner, put, path)
        _expect(scanner, ")")

    def decide(self, value: Any, put: Put, path: str) -> None:
        names = list(self.nodes)
        if not isinstance(value, Mapping) or sorted(value) != sorted(names):
            raise ValueError(
                f"{path or 'an architecture'} must be a dict with {', '.join(names) or 'nothing'}, got {value!r}"
            )
        for name, node in self.nodes.items():
            node.decide(value[name], put, _below(path, name))

    def described(self) -> str:
        parts = (f"{name}={node.described()}" for name, node in self.nodes.items())
        return f"({','.join(parts)})"


class OneOf(Node):
    """A choice among alternatives, each with choices of its own: these exist only where it is taken.

    Args:
        alternatives: for each alternative its choices by name; ``{}`` if it has none.

    The value is a pair: the name of the alternative, and a dict of its choices. ::

        block = OneOf(conv={"kernel": (3, 5)}, mbconv={"kernel": (3, 5, 7), "expand": (2, 4)}, skip={})
        # ("mbconv", {"kernel": 7, "expand": 2}), written mbconv(kernel=7,expand=2)

    Raises:
        TypeError: the choices of an alternative are no mapping.
        ValueError: there are no alternatives, or a choice is wrong.
    """

    def __init__(self, *unnamed: Any, **alternatives: Mapping[str, Any]) -> None:
        if unnamed or not alternatives:
            raise ValueError(
                "OneOf needs alternatives with names, such as OneOf(conv={'kernel': (3, 5)}, skip={}); of plain values "
                "give a tuple"
            )
        for name, choices in alternatives.items():
            if not isinstance(choices, Mapping):
                raise TypeError(
                    f"the alternative {name} must be a dict of its choices ({{}} if it has none), got {choices!r}"
                )
        self._names = Options("OneOf", alternatives)
        self._groups = [Group(choices, name) for name, choices in alternatives.items()]
        self.count = sum(group.count for group in self._groups)

    def walk(self, choose: Choose, path: str) -> tuple[str, dict[str, Any]]:
        index = choose(path, self._names)
        name = self._names.values[index]
        return name, self._groups[index].walk(choose, f"{path}.{name}")

    def write(self, indices: Iterator[int]) -> str:
        index = next(indices)
        group = self._groups[index]
        return self._names.texts[index] + (group.write(indices) if group.nodes else "")

    def read(self, scanner: Scanner, put: Put, path: str) -> None:
        index = _read_option(self._names, scanner, path)
        put(index)
        if self._groups[index].nodes:
            self._groups[index].read(scanner, put, f"{path}.{self._names.values[index]}")

    def decide(self, value: Any, put: Put, path: str) -> None:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ValueError(
                f"{path} must be a pair, an alternative and a dict of its choices, got {value!r}"
            )
        index = self._names.index_of(path, value[0])
        put(index)
        self._groups[index].decide(value[1], put, f"{path}.{value[0]}")

    def described(self) -> str:
        return "|".join(
            text + (group.described() if group.nodes else "")
            for text, group in zip(self._names.texts, self._groups, strict=True)
        )


class Repeated(Node):
    """A list of parts, each with its own choice: of options, a dict of choices, `OneOf` or `Repeated`.

    Args:
        part: the choice of each part.
        times: the possible lengths of the list.

    The value is a list. ::

        blocks = Repeated({"width": (16, 32), "kernel": (3, 5)}, times=(1, 2, 3))
        # [{"width": 16, "kernel": 5}, {"width": 32, "kernel": 3}], written [(width=16,kernel=5),(width=32,kernel=3)]

    Raises:
        TypeError: ``part`` or ``times`` are no choices.
        ValueError: ``times`` are not different numbers from 0 on, or the choice is wrong.
    """

    def __init__(self, part: Any, times: Iterable[int]) -> None:
        if isinstance(times, int):
            times = (times,)
        self._times = Options("times", times)
        for count in self._times.values:
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(
                    f"times must be numbers of parts, such as (1, 2, 3), got {count!r}"
                )
        self._part = as_node(part, "part")
        self.count = sum(self._part.count**count for count in self._times.values)

    def walk(self, choose: Choose, path: str) -> list[Any]:
        count = self._times.values[choose(path, self._times)]
        return [self._part.walk(choose, f"{path}.{place}") for place in range(count)]

    def write(self, indices: Iterator[int]) -> str:
        count = self._times.values[next(indices)]
        return f"[{','.join([self._part.write(indices) for _ in range(count)])}]"

    def read(self, scanner: Scanner, put: Put, path: str) -> None:
        start = scanner.position
        _expect(scanner, "[")
        below: list[int] = []
        count = 0
        while not scanner.take("]"):
            if count:
                _expect(scanner, ",")
            self._part.read(scanner, below.append, f"{path}.{count}")
            count += 1
        index = self._times.find(str(count))
        if index is None:
            problem = f"{path} has {count} parts, expected {self._times}"
            raise ArchitectureError(scanner.text, start, problem)
        put(index)
        for one in below:
            put(one)

    def decide(self, value: Any, put: Put, path: str) -> None:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{path} must be a list, got {value!r}")
        put(self._times.index_of(f"the length of {path}", len(value)))
        for place, part in enumerate(value):
            self._part.decide(part, put, f"{path}.{place}")

    def described(self) -> str:
        return f"[{self._part.described()}]*{'|'.join(self._times.texts)}"


def as_node(given: Any, path: str) -> Node:
    """The node for options, a dict of choices, `OneOf` or `Repeated`. Raises TypeError and ValueError."""
    if isinstance(given, Node):
        return given
    if isinstance(given, Mapping):
        return Group(given, path)
    return OneChoice(Options(path, given))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _read_option(options: Options, scanner: Scanner, path: str) -> int:
    index = scanner.take_one_of(options.texts)
    if index is None:
        problem = f"{path} must be {options}, found {scanner.next_part}"
        raise ArchitectureError(scanner.text, scanner.position, problem)
    return index


def _expect(scanner: Scanner, part: str) -> None:
    if not scanner.take(part):
        raise _error(scanner, part)


def _error(scanner: Scanner, expected: str) -> ArchitectureError:
    problem = f"expected {value_text(expected)}, found {scanner.next_part}"
    return ArchitectureError(scanner.text, scanner.position, problem)
