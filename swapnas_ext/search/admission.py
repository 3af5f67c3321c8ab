"""Which architectures a search may propose: of forms that are new, and within the limit of size."""

from __future__ import annotations

import time
from collections.abc import Callable

from swapnas_ext.spaces import SearchSpace

_TELL_EVERY = 0.5  # seconds


class Admission:
    """Says of each architecture that a strategy draws whether it may be proposed. What is known of one is not
    worked out again: to learn its size, a network is built.

    Args:
        space: of the architectures; `SearchSpace.final` are those whose size counts.
        max_params: the most parameters that they may have.
        looking: is called with the number of draws since the last new one, every half second without any.
    """

    def __init__(
        self, space: SearchSpace, max_params: float | None, looking: Callable[[int], None]
    ) -> None:
        self._space = space
        self._final = space.final()
        self._max_params = max_params
        self._looking = looking
        # By architecture: of those of one form, some may be too large and others not.
        self._form: dict[str, str] = {}
        self._parameters: dict[str, int] = {}
        self._admitted: set[str] = set()  # forms
        self._in_vain = 0
        self._last = time.monotonic()
        self.smallest_refused: int | None = None
        """Parameters, where some were too large."""

    def new_phase(self) -> None:
        """No form was proposed."""
        self._admitted.clear()

    @property
    def count(self) -> int:
        """Forms that were admitted in this phase."""
        return len(self._admitted)

    def form(self, architecture: str) -> str:
        if architecture not in self._form:
            self._form[architecture] = self._space.canonical(architecture)
        return self._form[architecture]

    def parameters(self, architecture: str) -> int:
        """Of its final network."""
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
        self._in_vain = 0
        self._last = time.monotonic()
        return True

    def _small_enough(self, parameters: int) -> bool:
        if self._max_params is None or parameters <= self._max_params:
            return True
        self.smallest_refused = min(parameters, self.smallest_refused or parameters)
        return False
