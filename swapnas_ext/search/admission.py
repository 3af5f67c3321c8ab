"""Decides which architectures a search may propose: those of new forms, within the limit of size."""

from __future__ import annotations

import time
from collections.abc import Callable

from swapnas_ext.spaces import SearchSpace

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
        self._to_be_proposed: set[str] = set()  # architectures
        self._in_vain = 0
        self._last = time.monotonic()
        self.smallest_refused: int | None = None
        """Parameters of the smallest architecture that is too large; None if none is."""

    def new_phase(self) -> None:
        """Forgets what was admitted and proposed."""
        self._admitted.clear()
        self._to_be_proposed.clear()

    @property
    def count(self) -> int:
        """The number of forms admitted in this phase."""
        return len(self._admitted)

    def form(self, architecture: str) -> str:
        if architecture not in self._form:
            self._form[architecture] = self._space.canonical(architecture)
        return self._form[architecture]

    def parameters(self, architecture: str) -> int:
        """The number of parameters of its final network."""
        if architecture not in self._parameters:
            self._parameters[architecture] = int(self._final.size(architecture))
        return self._parameters[architecture]

    def __call__(self, architecture: str) -> bool:
        form = self.form(architecture)
        if form in self._admitted or not self._small_enough(self.parameters(architecture)):
            self._in_vain += 1
            if time.monotonic() - self._last > _TELL_EVERY:
                self._last = time.monotonic()
                self._looking(self._in_vain)
            return False
        self._admitted.add(form)
        self._to_be_proposed.add(architecture)
        self._in_vain = 0
        self._last = time.monotonic()
        return True

    def propose(self, architecture: str) -> bool:
        """Records a proposal. Returns False if it was not admitted, or was proposed before."""
        if architecture not in self._to_be_proposed:
            return False
        self._to_be_proposed.remove(architecture)
        return True

    def _small_enough(self, parameters: int) -> bool:
        if self._max_params is None or parameters <= self._max_params:
            return True
        self.smallest_refused = min(parameters, self.smallest_refused or parameters)
        return False
