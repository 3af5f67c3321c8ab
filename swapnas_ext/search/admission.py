"""Decides which architectures a search may propose: those of new forms, within the limit of size.

A search ends where nothing new is left, or where it has drawn so long in vain that little can be left.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from swapnas_ext.search.strategies import TRIES
from swapnas_ext.spaces import SearchSpace, listed_count

_TOO_LARGE = 1_000
"""As many architectures in a row that were never seen, and are too large, end the search, where the size of each takes
a network to be built."""
_ALL_SIZED = 2_000  # architectures of a space that are all built, if need be
_LISTED = 20_000  # architectures of a space that are counted
_TELL_EVERY = 0.5  # seconds


class Admission:
    """Decides for each architecture that a strategy draws whether it may be proposed. It remembers forms and sizes,
    since a size takes a network to be built.

    Args:
        space: the space of the architectures. Sizes are those of its `SearchSpace.final` networks.
        max_params: the largest size that is admitted.
        looking: called with the number of draws since the last new architecture, every half second without one.
    """

    def __init__(
        self, space: SearchSpace, max_params: float | None, looking: Callable[[int], None]
    ) -> None:
        self._space = space
        self._final = space.final()
        self._max_params = max_params
        self._looking = looking
        # By architecture, since architectures of one form may differ in size.
        self._form: dict[str, str] = {}
        self._parameters: dict[str, int] = {}
        self._admitted: set[str] = set()  # forms
        self._count = listed_count(space, _LISTED)
        self._asked: set[str] = set()  # architectures, in this phase
        self._to_be_proposed: set[str] = set()  # architectures
        self._in_vain = self._too_large = 0
        self._last = time.monotonic()
        self.smallest_refused: int | None = None
        """Parameters of the smallest architecture that is too large; None if none is."""

    def new_phase(self) -> None:
        """Forgets what was admitted and proposed."""
        self._admitted.clear()
        self._to_be_proposed.clear()
        self._asked.clear()
        self._in_vain = self._too_large = 0

    @property
    def count(self) -> int:
        """The number of forms admitted in this phase."""
        return len(self._admitted)

    @property
    def all_asked(self) -> bool:
        """Whether all architectures of the space were asked about in this phase; False if they are too many to list."""
        return len(self._asked) == self._count

    @property
    def nothing_left(self) -> bool:
        """Whether drawing on is in vain: all architectures were asked about, or very many in a row not admitted."""
        if self.all_asked or self._in_vain >= TRIES:
            return True
        is_slow = type(self._final).size is SearchSpace.size
        are_few = self._count is not None and self._count <= _ALL_SIZED
        return is_slow and not are_few and self._too_large >= _TOO_LARGE

    @property
    def sizes_by_building(self) -> bool:
        """Whether a size takes a network to be built, and no limit asks for it: then the scored network tells it."""
        return (
            self._max_params is None
            and self._final is self._space
            and type(self._space).size is SearchSpace.size
        )

    def form(self, architecture: str) -> str:
        if architecture not in self._form:
            self._form[architecture] = self._space.canonical(architecture)
        return self._form[architecture]

    def parameters(self, architecture: str) -> int:
        """The number of parameters of its final network; 0 if it can't be built: scoring then tells why."""
        if architecture not in self._parameters:
            try:
                size = int(self._final.size(architecture))
            except Exception:  # a user's code may raise anything
                size = 0
            self._parameters[architecture] = size
        return self._parameters[architecture]

    def __call__(self, architecture: str) -> bool:
        form = self.form(architecture)
        seen = architecture in self._asked
        self._asked.add(architecture)
        if form in self._admitted or not self._is_small_enough(architecture):
            self._in_vain += 1
            self._too_large += not seen and form not in self._admitted
            if time.monotonic() - self._last > _TELL_EVERY:
                self._last = time.monotonic()
                self._looking(self._in_vain)
            return False
        self._admitted.add(form)
        self._to_be_proposed.add(architecture)
        self._in_vain = self._too_large = 0
        self._last = time.monotonic()
        return True

    def propose(self, architecture: str) -> bool:
        """Records a proposal. Returns False if it was not admitted, or was proposed before."""
        if architecture not in self._to_be_proposed:
            return False
        self._to_be_proposed.remove(architecture)
        return True

    def _is_small_enough(self, architecture: str) -> bool:
        if self._max_params is None:
            return True
        parameters = self.parameters(architecture)
        if parameters <= self._max_params:
            return True
        self.smallest_refused = min(parameters, self.smallest_refused or parameters)
        return False
