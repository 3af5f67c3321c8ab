"""Seeds the random numbers of torch, Python and NumPy, and puts back the caller's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_random_state(device: torch.device) -> Iterator[Callable[[int], None]]:
    """A context with a function that seeds the random numbers of torch, Python and NumPy. Afterwards the state is
    the caller's again. All threads share this state, so only one of them may be in such a context."""
    callers = RandomState(device)
    generators = _generators(device)

    def seed(value: int) -> None:
        random.seed(value)
        np.random.seed(value % 2**32)
        for generator in generators:
            generator.manual_seed(value)

    try:
        yield seed
    finally:
        callers.put_back()


class RandomState:
    """The present state of the random numbers of torch, Python and NumPy."""

    def __init__(self, device: torch.device) -> None:
        self._of_torch = [(generator, generator.get_state()) for generator in _generators(device)]
        self._of_python = random.getstate()
        self._of_numpy = np.random.get_state()

    def put_back(self) -> None:
        """Makes this the present state again."""
        random.setstate(self._of_python)
        np.random.set_state(self._of_numpy)
        for generator, state in self._of_torch:
            generator.set_state(state)

    def is_now(self) -> bool:
        """Whether this is the present state."""
        kind, keys, *rest = self._of_numpy
        kind_now, keys_now, *rest_now = np.random.get_state()
        return (
            self._of_python == random.getstate()
            and (kind, rest) == (kind_now, rest_now)
            and np.array_equal(keys, keys_now)
            and all(torch.equal(state, owner.get_state()) for owner, state in self._of_torch)
        )


def _generators(device: torch.device) -> list[torch.Generator]:
    """The generators of torch that a model on the device draws from."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index])
    return generators
