"""Runs a block of a model twice from the same state: its arguments, and all that its modules hold."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.models.containers import set_item
from swapnas_ext.models.random_state import RandomState
from swapnas_ext.models.saved_state import SavedState
from swapnas_ext.models.tensor_copies import copy_of_storage, tensor_like, view_like

Arguments = dict[int | str, Any]
"""Arguments of a call, by position or name."""


class BlockState:
    """Lets a block run once more from the same state, and leaves no trace of the second run.

    The state is made of parameters, buffers, attributes, caches that the block is given, lists that it appends
    to, and random numbers. It lacks what only closures or the internals of other libraries hold.

    Make it before the first run, and call `again` after it.

    Args:
        draws_on: the device on which the block may draw random numbers; None where it draws none.
    """

    def __init__(
        self, block: nn.Module, arguments: Arguments, draws_on: torch.device | None
    ) -> None:
        self._arguments = arguments
        self._draws_on = draws_on
        self._random_state = None if draws_on is None else RandomState(draws_on)
        self._saved = saved = SavedState()
        saved.save_container(arguments)
        saved.modules.append(block)
        seen: set[int] = set()
        for module in saved.modules:  # save_module appends to this list
            if id(module) not in seen:
                seen.add(id(module))
                saved.save_module(module)
        self._copies = _copies([tensor for _, _, tensor in saved.tensors])
        self._scripts = {id(script): script for _, _, script in saved.scripts}
        self._scripts = {known: copy.deepcopy(script) for known, script in self._scripts.items()}

    @contextmanager
    def again(self) -> Iterator[Arguments]:
        """A context in which the state is that before the first run, with copies of the tensors. Yields the
        arguments of that time. Afterwards the state is that after the first run."""
        random_state = None if self._draws_on is None else RandomState(self._draws_on)
        self._saved.note_working()
        try:
            self._saved.put_back()
            for container, key, tensor in self._saved.tensors:
                set_item(container, key, self._copies[id(tensor)])
            for container, key, script in self._saved.scripts:
                set_item(container, key, self._scripts[id(script)])
            self._saved.renew_tuples()
            if self._random_state is not None:
                self._random_state.put_back()
            yield self._arguments
        finally:
            self._saved.restore_working()
            if random_state is not None:
                random_state.put_back()


def _copies(tensors: list[Tensor]) -> dict[int, Tensor]:
    """Copies by the identity of their originals; copies share memory where their originals do."""
    originals = {id(tensor): tensor for tensor in tensors}
    memories = {known: _memory_of(tensor) for known, tensor in originals.items()}
    users = Counter(memories.values())
    shared: dict[tuple[torch.device, int], torch.UntypedStorage] = {}
    copies = {}
    for known, original in originals.items():
        values, memory = original.detach(), memories[known]
        if memory is None or users[memory] == 1:
            values = values.clone()
        else:
            if memory not in shared:
                shared[memory] = copy_of_storage(values)
            values = view_like(values, shared[memory])
        copies[known] = tensor_like(original, values)
    return copies


def _memory_of(tensor: Tensor) -> tuple[torch.device, int] | None:
    """The device and address of a tensor's memory; None for tensors without one, such as sparse or empty ones."""
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided:
        return None
    if tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.numel() == 0:
        return None
    return tensor.device, tensor.untyped_storage().data_ptr()
