"""Runs a model without a trace: what its forward passes write to is put in the place of what is the caller's,
and afterwards the very same objects are where they were.

No tensor of the caller's is written to: other tensors lie in the slots of the modules, whatever names they
are reached by, and in the containers that modules keep. All else that a forward pass can leave behind,
attributes, hooks, contents of lists, states of generators, is saved and put back.
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import buffers_of, is_shared, parameters_of, version_of
from swapnas_ext.models.inventory import OF_EVERY_MODULE, Inventory
from swapnas_ext.models.saved_state import FREQUENT, IMMUTABLE, SavedState, set_item, tensor_like


class Restoring:
    """While it is entered, the model has tensors of its own, and is in the modes that ``prepare`` sets.

    Args:
        found: the model.
        prepare: called with all modules once our tensors are in their places; what it sets is undone.
        overwritten: identities of weights that are overwritten before they are used.
        of_weights: identities of buffers that are initialised as weights are.

    Attributes:
        model: what to run: the model, or a copy of one of TorchScript, which keeps its parts elsewhere.
        weights: ours, by the identity of the caller's.

    Raises:
        ValueError: a parameter is nowhere where another could take its place.
    """

    def __init__(
        self,
        model: nn.Module,
        found: Inventory,
        prepare: Callable[[list[nn.Module]], None],
        overwritten: frozenset[int] = frozenset(),
        of_weights: frozenset[int] = frozenset(),
    ) -> None:
        self.model = model
        self.weights: dict[int, Tensor] = {}
        self._of_weights = of_weights
        self._overwritten = overwritten
        self._found = found
        self._prepare = prepare
        self._theirs: dict[int, Tensor] = {}  # by identity; what is known by it must not be freed
        self._ours: dict[int, Tensor] = {}  # by the identity of theirs
        self._scripts: dict[int, tuple[nn.Module, nn.Module]] = {}
        self._sharing: Counter[int] = (
            Counter()
        )  # tensors of the caller's, by the address of their storage
        self._storages: dict[int, torch.UntypedStorage] = {}  # copies of those of several tensors
        self._places_of_weights: dict[int, list[tuple[Any, Any]]] = {}  # by the identity of ours
        self._modules = list(found.everything)
        self._saved = SavedState()

    def __enter__(self) -> Restoring:
        with torch.no_grad():
            try:
                self._take_places()
                self._prepare(self._modules)
                self._saved.note_working()
                self.note()
            except BaseException:  # such as too little memory for the copies
                self._saved.put_back()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._saved.put_back()

    def _take_places(self) -> None:
        known = set(map(id, self._modules))
        met = 0
        for (
            module
        ) in self._modules:  # grows by modules that are no children, wherever they are held
            if not isinstance(module, torch.jit.ScriptModule):
                self._saved.save_module(module)
            for other in self._saved.modules[met:]:
                if id(other) not in known:
                    known.add(id(other))
                    self._modules.append(other)
            met = len(self._saved.modules)
        for _, _, value in self._saved.tensors:  # grows likewise
            if value.__dict__:
                self._saved.save_container(value.__dict__)
        distinct = {id(value): value for _, _, value in self._saved.tensors}
        self._addresses = {
            identity: value.untyped_storage().data_ptr()
            for identity, value in distinct.items()
            if _is_plain_tensor(value)
        }
        self._sharing.update(self._addresses.values())
        self._take_places_of_norms(distinct)
        for container, key, value in self._saved.tensors:
            ours = self._our(value)
            set_item(container, key, ours)
            if id(value) in self._found.parameters or id(value) in self._of_weights:
                self._places_of_weights.setdefault(id(ours), []).append((container, key))
        for container, key, script in self._saved.scripts:
            set_item(container, key, self._our_script(script))
        self._saved.renew_tuples()
        for identity, ours in self._ours.items():
            if attributes := self._theirs[identity].__dict__:
                ours.__dict__.update(attributes)
        if isinstance(self.model, torch.jit.ScriptModule):
            self.model = self._our_script(self.model)
        self._check_all_have_places()

    def _take_places_of_norms(self, distinct: Mapping[int, Tensor]) -> None:
        """The buffers of batch normalisation, several for each of many layers, as parts of a few tensors: many
        small copies take longer than a layer."""
        by_kind: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        for module in self._modules:
            if type(module) in _NORMS:
                for buffer in buffers_of(module).values():
                    known = buffer is not None and self._sharing[self._addresses.get(id(buffer), 0)]
                    if known == 1 and id(buffer) not in self._ours and buffer.is_contiguous():
                        by_kind.setdefault((buffer.dtype, buffer.device), []).append(buffer)
        for buffers in by_kind.values():
            together = torch.cat([buffer.reshape(-1) for buffer in buffers])
            parts = together.split([buffer.numel() for buffer in buffers])
            for theirs, part in zip(buffers, parts, strict=True):
                self._theirs[id(theirs)] = theirs
                self._ours[id(theirs)] = part.view(theirs.shape)

    def _check_all_have_places(self) -> None:
        scripted = {
            id(parameter)
            for theirs, _ in self._scripts.values()
            for parameter in theirs.parameters()
        }
        for identity in self._found.parameters.keys() - self.weights.keys() - scripted:
            named = self.model.named_parameters()
            name = next((name for name, p in named if id(p) == identity), "of one of its modules")
            raise ValueError(
                f"the parameter '{name}' of {type(self.model).__name__} can't be kept from changes: its "
                "module does not hold it where torch's own modules do; put it there with register_parameter"
            )

    def _our(self, theirs: Tensor) -> Tensor:
        """What takes the place of a tensor of the caller's."""
        known = self._ours.get(id(theirs))
        if known is not None:
            return known
        values = self._values_of(theirs)
        ours = tensor_like(theirs, values)
        self._theirs[id(theirs)] = theirs
        self._ours[id(theirs)] = ours
        if id(theirs) in self._found.parameters or id(theirs) in self._of_weights:
            self.weights[id(theirs)] = ours
        return ours

    def _values_of(self, theirs: Tensor) -> Tensor:
        """A copy of a tensor; of tensors that share memory, one that shares it with the copies of the others."""
        address = self._addresses.get(id(theirs), 0)  # 0: of another kind, or without elements
        if address and self._sharing[address] > 1:
            copied = self._storages.get(address)
            if copied is None:
                copied = self._storages[address] = theirs.untyped_storage().clone()
            like = torch.empty(0, dtype=theirs.dtype, device=theirs.device)
            return like.set_(copied, theirs.storage_offset(), theirs.shape, theirs.stride())
        if id(theirs) in self._overwritten:
            return torch.empty_like(theirs.detach())
        return theirs.detach().clone()

    def _our_script(self, theirs: nn.Module) -> nn.Module:
        if id(theirs) not in self._scripts:
            self._scripts[id(theirs)] = theirs, copy.deepcopy(theirs)
        return self._scripts[id(theirs)][1]

    @contextmanager
    def holding(self, weights: Mapping[int, Tensor]) -> Iterator[None]:
        """Has other tensors in the places of our weights, by the identity of ours."""
        try:
            for identity, other in weights.items():
                for container, key in self._places_of_weights[identity]:
                    set_item(container, key, other)
            self._saved.renew_tuples()
            yield
        finally:
            for ours in self.weights.values():
                for container, key in self._places_of_weights[id(ours)]:
                    set_item(container, key, ours)
            self._saved.renew_tuples()

    def lay_out(self, memory_format: torch.memory_format) -> None:
        """Of convolutions' weights."""
        for ours in self.weights.values():
            if ours.dim() == 4:
                ours.data = ours.data.contiguous(memory_format=memory_format)

    def note(self) -> None:
        """The weights are as they are to be for the next forward pass."""
        self._versions = [version_of(ours) for ours in self.weights.values()]

    def changed_weight(self, *, by_value: bool) -> Tensor | None:
        """One of the caller's parameters whose place-holder a forward pass changed since the last `note`;
        ``by_value`` tells of changes past torch's account too, where weights are the caller's values."""
        for (identity, ours), version in zip(self.weights.items(), self._versions, strict=True):
            theirs = self._theirs[identity]
            if version is None or version_of(ours) != version:
                return theirs
            if by_value and theirs.layout is torch.strided and not torch.equal(ours, theirs):
                return theirs
        return None

    @torch.no_grad()
    def again(self, *, weights: bool = False) -> None:
        """Undoes what the last forward pass left behind, for the next one to begin as it did; of the
        values of weights only where they are asked for."""
        self._saved.restore_working()
        for identity, ours in self._ours.items():
            theirs = self._theirs[identity]
            if identity not in self.weights:
                _assign(ours, theirs)
                continue
            if weights:
                _assign(ours, theirs)
            ours.requires_grad_(theirs.requires_grad)
            ours.grad = None
        for theirs_, ours_ in self._scripts.values():
            ours_.load_state_dict(theirs_.state_dict())
        self.note()


class NothingToRestore:
    """The same for one forward pass of a model that nobody will see again: nothing is put back."""

    def __init__(
        self, model: nn.Module, found: Inventory, prepare: Callable[[list[nn.Module]], None]
    ) -> None:
        self.model = model
        self.weights: Mapping[int, Tensor] = found.parameters
        self._found = found
        self._prepare = prepare

    def __enter__(self) -> NothingToRestore:
        self._prepare(self._found.everything)
        return self

    def __exit__(self, *_: object) -> None: ...

    lay_out = Restoring.lay_out

    def note(self) -> None: ...

    def changed_weight(self, *, by_value: bool) -> Tensor | None:
        return None

    def again(self, *, weights: bool = False) -> None: ...

    def holding(self, weights: Mapping[int, Tensor]) -> Any:
        raise RuntimeError("one forward pass has no replicates")


def _references_of_a_variable() -> int:
    """That sys.getrefcount tells of what one variable holds: 2, or 1 where Python 3.14 borrows it."""
    probe = object()
    return sys.getrefcount(probe)


OF_A_VARIABLE = _references_of_a_variable()


def is_disposable(found: Inventory) -> bool:
    """Whether nothing but ``found``, and whoever holds the model itself, refers to the modules, parameters and
    buffers of a model."""
    if found.held or not all(map(_is_plain, found.everything)):
        return False
    listed = {id(module) for module in found.modules}
    times_parameter: Counter[int] = Counter()
    for module in found.everything:
        if isinstance(module, torch.jit.ScriptModule):
            return False
        for parameter in parameters_of(module).values():
            times_parameter[id(parameter)] += 1
        known = type(module) in _NORMS  # which don't write to their buffers while they are scored
        for buffer in () if known else buffers_of(module).values():
            if buffer is not None and (
                sys.getrefcount(buffer) > 1 + OF_A_VARIABLE or is_shared(buffer)
            ):
                return False
    for module in islice(found.everything, 1, None):
        known = 1 + (id(module) in listed) + found.times_child[id(module)] + OF_A_VARIABLE
        if sys.getrefcount(module) > known:
            return False
    for parameter in found.parameters.values():
        if sys.getrefcount(parameter) > 1 + times_parameter[
            id(parameter)
        ] + OF_A_VARIABLE or is_shared(parameter):
            return False
    return True


def _is_plain(module: nn.Module) -> bool:
    """Whether all that a module has beside parameters, buffers, hooks and children can't be changed, or is a
    container of such things that nobody else has."""
    attributes = module.__dict__
    if len(attributes) == len(FREQUENT.get(type(module), ())):
        return True
    for name in attributes.keys() - OF_EVERY_MODULE:
        value = attributes[name]
        if type(value) in IMMUTABLE:
            continue
        own = type(value) is tuple or (
            type(value) in (list, set) and sys.getrefcount(value) <= 1 + OF_A_VARIABLE
        )
        if not own or any(type(item) not in IMMUTABLE for item in value):
            return False
    return True


def _assign(ours: Tensor, theirs: Tensor) -> None:
    """Gives a copy the values that it began with, whatever happened to it."""
    if (ours.shape, ours.dtype, ours.device) == (theirs.shape, theirs.dtype, theirs.device):
        ours.detach().copy_(theirs)
    else:
        ours.data = theirs.detach().clone()


_NORMS = frozenset({nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d})


def _is_plain_tensor(tensor: Tensor) -> bool:
    """Whether it is all in one storage, and of one of torch's own classes."""
    return type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
