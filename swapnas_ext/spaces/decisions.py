"""Spaces whose architectures are made by one decision after the other."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.choice_options import Options
from swapnas_ext.spaces.choice_text import Scanner, value_text
from swapnas_ext.spaces.choice_tree import Choose

_DRAWS = 10_000  # in vain, before a rule is said to allow nothing
_CHANGES = 50  # in vain, before all changes are listed
_COMPLETIONS = 200  # of one change, that are listed
_SMALL = 20_000  # combinations that are listed at once
_REMEMBERED = 100_000


class Decision(NamedTuple):
    """A decision of an architecture: its name, its options, and the index of the one taken."""

    name: str
    options: Options
    taken: int

    @property
    def text(self) -> str:
        return self.options.texts[self.taken]


Decisions = tuple[Decision, ...]


class NothingAccepted(RuntimeError):
    """All architectures that were drawn were refused."""


class DecisionSpace(SearchSpace):
    """A space whose architectures are made by one decision after the other: which decisions come next may depend on
    those before. A subclass has `walk` and `_build`, and may have `accepts` and `combinations`.

    An architecture is written as its decisions, such as ``depth=2,width=16``. Random choices are uniform over the
    options of each decision. Where `accepts` refuses the result, another is drawn.
    """

    def __init__(self) -> None:
        self._known: dict[str, Decisions] = {}
        self._few: dict[str, None] = {}  # no list, which a run file would record

    @abstractmethod
    def walk(self, choose: Choose) -> Any:
        """Makes all decisions of an architecture with ``choose(name, options)``, which returns the index of an option.
        Names are different, and the decisions depend on nothing but those before.

        Returns what the decisions give, such as a dict of values.
        """

    def accepts(self, made: Any) -> bool:
        """Whether what `walk` returned is an architecture."""
        return True

    @property
    def combinations(self) -> int | None:
        """The number of architectures, those too that `accepts` refuses, or an upper bound; None if not known."""
        return None

    # ---- texts

    def parse(self, text: str) -> Any:
        """What `walk` makes of the decisions in ``text``. Raises `ArchitectureError`."""
        return self._value(self._decisions(text))

    def format(self, parsed: Mapping[str, Any]) -> str:
        """The string of values by the names of their decisions. Raises ValueError if they are no architecture."""

        def choose(name: str, options: Options) -> int:
            if name not in parsed:
                raise ValueError(f"{name} is missing: it must be {options}")
            return options.index_of(name, parsed[name])

        decisions = self._checked(choose, parsed)
        left = [name for name in parsed if name not in {d.name for d in decisions}]
        if left:
            raise ValueError(f"{left[0]} is no decision of this architecture: leave it out")
        return self._write(decisions)

    def canonical(self, architecture: str) -> str:
        """The string itself: different strings are different calls of the function that builds."""
        self._decisions(architecture)
        return architecture

    def check(self, architecture: str) -> None:
        self._decisions(architecture)

    def _write(self, decisions: Decisions) -> str:
        return ",".join([f"{value_text(d.name)}={d.text}" for d in decisions])

    def _read(self, text: str) -> Decisions:
        """The decisions of a text. Raises `ArchitectureError`."""
        scanner = Scanner(text)

        def choose(name: str, options: Options) -> int:
            if scanner.position and not scanner.take(","):
                raise _problem(scanner, f"expected ,{value_text(name)}=")
            if not scanner.take(f"{value_text(name)}="):
                raise _problem(scanner, f"expected {value_text(name)}=")
            index = scanner.take_one_of(options.texts)
            if index is None:
                raise _problem(scanner, f"{name} must be {options}")
            return index

        decisions, accepted = self._walked(choose)
        if not scanner.at_end:
            raise _problem(scanner, "expected the end of the architecture")
        if not accepted:
            raise ArchitectureError(text, 0, self._refusal())
        return decisions

    def _refusal(self) -> str:
        return "the rules of the space refuse this combination"

    def _decisions(self, text: str) -> Decisions:
        known = self._known.get(text)
        if known is None:
            known = self._read(text)
            self._remember(text, known)
        return known

    def _remember(self, text: str, decisions: Decisions) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[text] = decisions

    # ---- walks

    def _walked(self, choose: Choose) -> tuple[Decisions, bool]:
        """The decisions of a walk, and whether its result is accepted."""
        decisions: list[Decision] = []

        def noted(name: str, options: Options) -> int:
            index = choose(name, options)
            decisions.append(Decision(name, options, index))
            return index

        made = self.walk(noted)
        return tuple(decisions), self.accepts(made)

    def _value(self, decisions: Decisions) -> Any:
        indices = iter(decisions)
        return self.walk(lambda name, options: next(indices).taken)

    def _checked(self, choose: Choose, parsed: Any) -> Decisions:
        decisions, accepted = self._walked(choose)
        if not accepted:
            raise ValueError(f"{self._refusal()}: {parsed!r}")
        return decisions

    def _text(self, choose: Choose) -> str | None:
        """The architecture that ``choose`` makes; None if it is refused."""
        decisions, accepted = self._walked(choose)
        if not accepted:
            return None
        text = self._write(decisions)
        self._remember(text, decisions)
        return text

    def _walks(self, fixed: Mapping[str, str]) -> Iterator[str | None]:
        """All architectures with these decisions, by their names and texts; None for each that is refused."""
        forced: list[int] = []
        while True:
            free: list[bool] = []

            def choose(
                name: str, options: Options, forced: list[int] = forced, free: list[bool] = free
            ) -> int:
                place = len(free)
                held = options.find(fixed[name]) if name in fixed else None
                free.append(held is None)
                if held is not None:
                    return held
                return forced[place] if place < len(forced) else 0

            decisions, accepted = self._walked(choose)
            if accepted:
                yield self._write(decisions)
            else:
                yield None
            place = len(decisions) - 1
            while place >= 0 and not (
                free[place] and decisions[place].taken + 1 < len(decisions[place].options)
            ):
                place -= 1
            if place < 0:
                return
            forced = [d.taken for d in decisions[:place]] + [decisions[place].taken + 1]

    def __iter__(self) -> Iterator[str]:
        return (text for text in self._walks({}) if text is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True  # not by its length, which may take long to count

    def _told_count(self) -> str:
        listed = self._listed()
        return "many" if listed is None else f"{len(listed):,}"

    def _listed(self) -> list[str] | None:
        """All architectures; None if they may be many."""
        if (self.combinations or _SMALL + 1) > _SMALL:
            return None
        if not self._few:
            self._few = dict.fromkeys(self)
        return list(self._few)

    def _check_several(self) -> None:
        """Raises ValueError unless there are at least two architectures."""
        listed = self._listed()
        if listed is None:
            rng = random.Random(0)
            try:
                first = self.sample(rng)
            except NothingAccepted as error:
                raise ValueError(f"no architecture was found: {error}") from error
            found = any(self.sample(rng) != first for _ in range(100))
            listed = [first, ""] if found else [first]
        if len(listed) < 2:
            has = f"a single architecture, {listed[0]}" if listed else "no architecture"
            raise ValueError(f"the space has {has}: there is nothing to search; give more options")

    # ---- random choices

    def sample(self, rng: random.Random) -> str:
        """A random architecture: each decision is uniform over its options.

        Raises:
            RuntimeError: ten thousand in a row are refused.
        """
        for _ in range(_DRAWS):
            text = self._text(lambda name, options: _drawn(options, rng))
            if text is not None:
                return text
        listed = self._listed()
        if not listed:
            raise NothingAccepted(
                f"{self._refusal()}: {_DRAWS:,} random ones in a row; allow more, or leave out options that can't be"
            )
        return rng.choice(listed)

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """The architecture with one decision changed. Decisions that come up only then are random. Where every single
        change is refused, another random architecture."""
        before = self._decisions(architecture)
        open_ones = [decision for decision in before if len(decision.options) > 1]
        texts = {decision.name: decision.text for decision in before}

        def changed(decision: Decision, index: int) -> dict[str, str]:
            return {**texts, decision.name: decision.options.texts[index]}

        for _ in range(_CHANGES):
            decision = rng.choice(open_ones)
            index = rng.randrange(len(decision.options) - 1)
            wanted = changed(decision, index + (index >= decision.taken))
            text = self._text(lambda name, options, w=wanted: _kept(w, name, options, rng))  # type: ignore[misc]
            if text is not None:
                return text
        changes = [(d, i) for d in open_ones for i in range(len(d.options)) if i != d.taken]
        rng.shuffle(changes)
        for decision, index in changes:
            for text in islice(self._walks(changed(decision, index)), _COMPLETIONS):
                if text is not None:
                    return text
        return self._another(architecture, rng)

    def _another(self, architecture: str, rng: random.Random) -> str:
        listed = self._listed()
        if listed is not None:
            return rng.choice([text for text in listed if text != architecture])
        for _ in range(_DRAWS):
            text = self.sample(rng)
            if text != architecture:
                return text
        raise RuntimeError(f"{self._refusal()}: nothing else was found than {architecture}")

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """An architecture that takes each decision from one of the parents at random; one of them, where their
        mixtures are refused."""
        parents = [
            {decision.name: decision.text for decision in self._decisions(text)}
            for text in (first, second)
        ]

        def choose(name: str, options: Options) -> int:
            found = [options.find(parent[name]) for parent in parents if name in parent]
            indices = [index for index in found if index is not None]
            return rng.choice(indices) if indices else _drawn(options, rng)

        for _ in range(_CHANGES):
            text = self._text(choose)
            if text is not None:
                return text
        return rng.choice((first, second))

    # ---- drawings

    def graphs(self, architecture: str) -> list[Graph]:
        """The decisions as a tree."""
        return [_tree(self.parse(architecture))]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_known": {}, "_few": {}}


def _drawn(options: Options, rng: random.Random) -> int:
    return rng.randrange(len(options)) if len(options) > 1 else 0


def _kept(texts: Mapping[str, str], name: str, options: Options, rng: random.Random) -> int:
    index = options.find(texts[name]) if name in texts else None
    return _drawn(options, rng) if index is None else index


def _problem(scanner: Scanner, problem: str) -> ArchitectureError:
    return ArchitectureError(
        scanner.text, scanner.position, f"{problem}, found {scanner.next_part}"
    )


def _tree(made: Any) -> Graph:
    nodes = ["network"]
    edges: list[tuple[int, int, str]] = []

    def add(value: Any, parent: int, name: str) -> None:
        parts: Sequence[tuple[str, Any]] = ()
        label = name
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict):
            label, parts = f"{name}={value[0]}", list(value[1].items())
        elif isinstance(value, dict):
            parts = list(value.items())
        elif isinstance(value, list):
            parts = [(name, part) for part in value]
        else:
            label = f"{name}={value_text(value)}"
        nodes.append(label)
        edges.append((parent, place := len(nodes) - 1, ""))
        for below, part in parts:
            add(part, place, below)

    for name, value in made.items():
        add(value, 0, name)
    return Graph("choices", tuple(nodes), tuple(edges))
