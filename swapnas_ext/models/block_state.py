"""What a block's run begins with, and leaves behind: its arguments, and what its modules hold."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.models.random_state import RandomState
from swapnas_ext.models.saved_state import SavedState, set_item, tensor_like

Arguments = dict[int | str, Any]
"""By place or name."""


class BlockState:
    """Lets a block run from the same beginning once more, without a trace: parameters, buffers, attributes,
    caches that it is given and lists that it appends to, and random numbers.

    Made before the first run; `again` is for after it. Not seen is what only closures and the insides of
    other libraries hold.

    Args:
        draws_on: the device that the block may draw random numbers on; None where it draws none.
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
        for module in saved.modules:  # grows while it is gone through
            if id(module) not in seen:
                seen.add(id(module))
                saved.save_module(module)
        self._copies = _copies([tensor for _, _, tensor in saved.tensors])
        self._scripts = {id(script): script for _, _, script in saved.scripts}
        self._scripts = {known: copy.deepcopy(script) for known, script in self._scripts.items()}

    @contextmanager
    def again(self) -> Iterator[Arguments]:
        """While it lasts, all is as it was before the first run, with copies of the tensors in their places;
        gives the arguments of then. Afterwards all is as the first run left it."""
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
    """By the identity of the originals; what shares memory shares it again."""
    originals = {id(tensor): tensor for tensor in tensors}
    memories = {known: _memory_of(tensor) for known, tensor in originals.items()}
    users = Counter(memories.values())
    shared: dict[Any, Any] = {}
    copies = {}
    for known, original in originals.items():
        values, memory = original.detach(), memories[known]
        if memory is None or users[memory] == 1:
            values = values.clone()
        else:
            if memory not in shared:
                shared[memory] = values.untyped_storage().clone()
            values = torch.empty(0, dtype=values.dtype, device=values.device).set_(
                shared[memory], values.storage_offset(), values.shape, values.stride()
            )
        copies[known] = tensor_like(original, values)
    return copies


def _memory_of(tensor: Tensor) -> tuple[torch.device, int] | None:
    """Where it is; None for those that have no such place, as sparse ones, or no elements."""
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided:
        return None
    if tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.numel() == 0:
        return None
    return tensor.device, tensor.untyped_storage().data_ptr()
