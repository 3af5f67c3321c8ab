"""A search space from a function that builds a network, and the choices of its arguments."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from swapnas_ext._util import full_name
from swapnas_ext.spaces.base import ArchitectureError
from swapnas_ext.spaces.choice_hints import hinted
from swapnas_ext.spaces.choice_options import Options
from swapnas_ext.spaces.choice_text import Scanner
from swapnas_ext.spaces.choice_tree import Choose, Group
from swapnas_ext.spaces.decisions import Decisions, DecisionSpace

_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Choices(DecisionSpace):
    """The networks that ``build`` makes, by the choices of its arguments::

        space = Choices(build, depth=(1, 2, 3), width=range(8, 65, 8), kernel=(3, 5))

    Architectures are strings such as ``depth=2,width=16,kernel=3``. Random architectures are uniform over the options
    of each choice.

    Args:
        build: called with a value for each choice, as keywords; returns a network with initialised weights.
        more: choices by name, for names that can't be keywords here (``valid``, ``input_size``).
        valid: returns whether a combination is allowed; called with those of the choices that it has parameters for.
            It should depend on nothing else, and be fast.
        input_size: channels, height and width of the images that the networks take; a number stands for RGB images
            with sides of that many pixels.
        choices: for each choice its options (numbers, strings, bools, None, enum members, tuples of these, classes,
            functions), a dict of choices, `OneOf` or `Repeated`. With none at all they are read from the type hints of
            ``build``: ``Literal[3, 5]``, ``bool``, enums, ``Annotated[int, range(8, 65, 8)]``. With some, hints are
            read only for parameters without a default. Parameters with neither keep their default.

    Raises:
        TypeError: ``build`` or ``valid`` can't be called, or choices are no options.
        ValueError: a parameter has neither a choice nor a default; ``build`` does not take a choice; options are
            equal, or can't be told apart as text; or fewer than two architectures are valid.
    """

    def __init__(
        self,
        build: Callable[..., nn.Module],
        more: Mapping[str, Any] | None = None,
        /,
        *,
        valid: Callable[..., bool] | None = None,
        input_size: tuple[int, int, int] | int = (3, 32, 32),
        **choices: Any,
    ) -> None:
        super().__init__()
        if not callable(build):
            raise TypeError(f"build must be a function that makes a network, got {build!r}")
        self.name = full_name(build)
        self.input_size = _checked_size(input_size)
        self._builder = build
        self._root = Group(_all_choices(build, {**(more or {}), **choices}), "")
        self.choices = tuple(
            f"{name}={node.described()}" for name, node in self._root.nodes.items()
        )
        self.rule = None if valid is None else full_name(valid)
        self._valid = valid
        self._valid_takes = frozenset(_taken_by(valid, list(self._root.nodes)))
        self._check_several()

    @property
    def combinations(self) -> int:
        """The number of combinations, also of those that ``valid`` refuses."""
        return self._root.count

    def __len__(self) -> int:
        if self._valid is not None:
            return super().__len__()
        if self.combinations > sys.maxsize:
            raise OverflowError(
                "the space has more architectures than len() can tell: ask for its combinations"
            )
        return self.combinations

    def _told_count(self) -> str:
        count = self.combinations
        if self._valid is not None:
            return super()._told_count()
        return f"{count:,}" if count <= sys.maxsize else f"about 1e{round(math.log10(count))}"

    def walk(self, choose: Choose) -> dict[str, Any]:
        return self._root.walk(choose, "")

    def accepts(self, made: dict[str, Any]) -> bool:
        if self._valid is None:
            return True
        given = {name: made[name] for name in self._valid_takes}
        try:
            return bool(self._valid(**given))
        except Exception as error:  # a user's code may raise anything
            raise RuntimeError(
                f"valid fails with {given}: {type(error).__name__}: {error}"
            ) from error

    def format(self, parsed: Mapping[str, Any]) -> str:
        """The string of the arguments of ``build``. Raises ValueError if they are no architecture of this space."""
        indices: list[int] = []
        self._root.decide(parsed, indices.append, "")
        return self._write(self._checked(_replay(indices), parsed))

    def _write(self, decisions: Decisions) -> str:
        return self._root.write_body(iter([decision.taken for decision in decisions]))

    def _read(self, text: str) -> Decisions:
        scanner = Scanner(text)
        indices: list[int] = []
        self._root.read_body(scanner, indices.append, "")
        if not scanner.at_end:
            problem = f"expected the end of the architecture, found {scanner.next_part}"
            raise ArchitectureError(text, scanner.position, problem)
        decisions, accepted = self._walked(_replay(indices))
        if not accepted:
            raise ArchitectureError(text, 0, self._refusal())
        return decisions

    def _refusal(self) -> str:
        return "valid refuses this combination"

    def _build(self, architecture: str) -> nn.Module:
        made = self._builder(**self.parse(architecture))
        if not isinstance(made, nn.Module):
            raise TypeError(
                f"{self.name} must return a network (torch.nn.Module), and returns {type(made).__name__} for "
                f"{architecture}"
            )
        return made


def _replay(indices: list[int]) -> Choose:
    following = iter(indices)

    def choose(name: str, options: Options) -> int:
        return next(following)

    return choose


def _all_choices(build: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The choices of all parameters, in the order of the parameters."""
    try:
        parameters = inspect.signature(build).parameters
    except (TypeError, ValueError):  # some callables of other languages have none
        return given
    called = getattr(build, "__name__", "build")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = [name for name, p in parameters.items() if p.kind in _KEYWORDS]
    for name in given:
        if name not in taken and not takes_any:
            raise ValueError(
                f"{called} has no parameter {name}; it takes {', '.join(taken) or 'nothing'}"
            )
    hints = hinted(build)
    choices: dict[str, Any] = {}
    for name, parameter in parameters.items():
        required = parameter.default is parameter.empty
        if parameter.kind not in _KEYWORDS:
            if parameter.kind is parameter.POSITIONAL_ONLY and required:
                raise ValueError(
                    f"build is called with keywords, and its parameter {name} does not take one"
                )
        elif name in given:
            choices[name] = given[name]
        elif name in hints and (required or not given):
            choices[name] = hints[name]
        elif required:
            raise ValueError(
                f"the parameter {name} of {called} has no choice: give options, Choices({called}, {name}=(1, 2, 3)), "
                f"or a type hint, {name}: Literal[1, 2, 3], or a default"
            )
    choices.update((name, given[name]) for name in given if name not in choices)
    if not choices:
        raise ValueError(
            "there are no choices: give some, such as Choices(build, width=(8, 16, 32)), or type hints of build's "
            "parameters, such as width: Literal[8, 16, 32]"
        )
    return choices


def _taken_by(valid: Callable[..., bool] | None, names: list[str]) -> list[str]:
    """The choices that ``valid`` is called with."""
    if valid is None:
        return []
    if not callable(valid):
        raise TypeError(
            f"valid must be a function that returns whether a combination is allowed, got {valid!r}"
        )
    try:
        parameters = inspect.signature(valid).parameters
    except (TypeError, ValueError) as error:  # some callables of other languages have none
        raise ValueError(
            f"valid must be a function whose parameters are choices, and those of {valid!r} can't be read"
        ) from error
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return names
    for name, parameter in parameters.items():
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise ValueError(
                f"valid is called with keywords, and its parameter {name} does not take one"
            )
        optional = parameter.kind is parameter.VAR_POSITIONAL or (
            parameter.default is not parameter.empty
        )
        if name not in names and not optional:
            raise ValueError(
                f"valid has a parameter {name}, which is no choice; the choices are {', '.join(names)}"
            )
    return [name for name in names if name in parameters and parameters[name].kind in _KEYWORDS]


def _checked_size(size: Any) -> tuple[int, int, int]:
    if isinstance(size, int) and not isinstance(size, bool):
        size = (3, size, size)
    numbers = tuple(size) if isinstance(size, tuple | list) else ()
    if len(numbers) != 3 or not all(
        isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers
    ):
        raise ValueError(
            f"input_size must be channels, height and width, such as (3, 32, 32), or a number of pixels, got {size!r}"
        )
    return numbers
