"""The random numbers of a process while a model is scored."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class _Global:
    """The random numbers of a library, which all threads share: the first user saves their state, and the
    last one puts it back."""

    def __init__(self, save: Callable[[], Any], put_back: Callable[[Any], object]) -> None:
        self._save = save
        self._put_back = put_back
        self._users = 0
        self._state: Any = None

    def enter(self) -> None:
        if self._users == 0:
            self._state = self._save()
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._put_back(self._state)
            self._state = None


_lock = threading.Lock()
_python = _Global(random.getstate, random.setstate)
_numpy = _Global(np.random.get_state, np.random.set_state)
_torch: dict[torch.Generator, _Global] = {}


@contextmanager
def own_random_state(device: torch.device) -> Iterator[Callable[[int], None]]:
    """Gives a function that seeds the random numbers of torch, Python and NumPy; the caller's come back."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index])
    with _lock:
        used = [_python, _numpy]
        for generator in generators:
            if generator not in _torch:
                _torch[generator] = _Global(generator.get_state, generator.set_state)
            used.append(_torch[generator])
        for state in used:
            state.enter()

    def seed(value: int) -> None:
        random.seed(value)
        np.random.seed(value % 2**32)
        for generator in generators:
            generator.manual_seed(value)

    try:
        yield seed
    finally:
        with _lock:
            for state in used:
                state.leave()
