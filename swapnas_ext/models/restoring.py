"""Runs a model without leaving a trace: forward passes write to copies, and then the original objects come back.

No tensor of the caller is written to. Copies take the places of the tensors in the modules, under every name
that leads to them, and in the containers that modules hold. A copy for a frequent module shares the memory of its
original until a pass writes to it, which few do; not all operators can take such tensors, but those of these modules
can. Attributes, hooks, contents of containers and
states of random generators are saved and put back.
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import (
    buffers_of,
    copies_lazily,
    is_lazy,
    lazy_copy,
    memory_of,
    move_if_shared,
    version_of,
)
from swapnas_ext._util import to_the_end
from swapnas_ext.models.containers import set_item
from swapnas_ext.models.disposable import OF_A_VARIABLE
from swapnas_ext.models.frequent_modules import NORMS
from swapnas_ext.models.inventory import Inventory
from swapnas_ext.models.saved_state import SavedState
from swapnas_ext.models.scoring_mode import put_back_modes
from swapnas_ext.models.tensor_copies import copy_of_storage, tensor_like, view_like


class Restoring:
    """A context in which a model holds copies of its tensors, which we call ours; the originals are theirs.

    Args:
        inventory: of the model.
        prepare: called with all modules once our tensors are in place, to set modes; what it sets is undone.
        overwritten: identities of weights that are overwritten before they are read; their values are not
            copied.
        of_weights: identities of buffers that are initialised along with weights.

    Attributes:
        model: the model to run. For TorchScript, which keeps its parts elsewhere, this is a copy.
        weights: our weights, by the identity of theirs.

    Raises:
        ValueError: a parameter is not held anywhere that a copy could be put.
    """

    def __init__(
        self,
        model: nn.Module,
        inventory: Inventory,
        prepare: Callable[[list[nn.Module]], object],
        overwritten: frozenset[int] = frozenset(),
        of_weights: frozenset[int] = frozenset(),
    ) -> None:
        self.model = model
        self.weights: dict[int, Tensor] = {}
        self._of_weights = of_weights
        self._overwritten = overwritten
        self._inventory = inventory
        self._prepare = prepare
        self._theirs: dict[int, Tensor] = {}  # by identity, which no other tensor can get meanwhile
        self._ours: dict[int, Tensor] = {}  # by the identity of theirs
        self._scripts: dict[int, tuple[nn.Module, nn.Module]] = {}
        self._lazy: dict[int, tuple[Tensor, Tensor, int]] = {}
        """Theirs, the lazy copy, and its memory; by the identity of theirs."""
        self._sharing: Counter[int] = (
            Counter()
        )  # number of their tensors, by address of the storage
        self._storages: dict[int, torch.UntypedStorage] = {}  # copies, by address of the original
        self._versions: list[int | None] = []
        self._working_is_noted = False
        self._modules = list(inventory.everything)
        self._saved = SavedState()

    @property
    def modules(self) -> Sequence[nn.Module]:
        """All modules, also those that are no children, such as of a list. TorchScript is not `model`'s copy."""
        return self._modules

    def __enter__(self) -> Restoring:
        with torch.no_grad():
            try:
                self._take_places()
                self._prepare(self._modules)
            except BaseException:  # such as too little memory for the copies
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._saved.put_back()
        self._end_sharing()

    def _end_sharing(self) -> None:
        """Makes tensors of which there are lazy copies ordinary ones again, where they were."""
        lazy = list(self._lazy.values())
        self._saved = SavedState()
        self._lazy.clear()
        self._ours.clear()
        self.weights = {}
        while lazy:
            theirs, ours, _ = lazy.pop()
            move_if_shared(ours, has_users=sys.getrefcount(ours) > OF_A_VARIABLE)
            del ours
            theirs.untyped_storage().data_ptr()  # nobody shares its memory now, so it keeps it

    def _take_places(self) -> None:
        known = set(map(id, self._modules))
        met = 0
        for module in self._modules:  # grows by modules that are not children
            if not isinstance(module, torch.jit.ScriptModule):
                self._saved.save_module(module)
            for other in self._saved.modules[met:]:
                if id(other) not in known:
                    known.add(id(other))
                    self._modules.append(other)
            met = len(self._saved.modules)
        for _, _, value in self._saved.tensors:  # grows too
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
        self._make_ours(distinct)
        self._fill_places()
        for identity, ours in self._ours.items():
            if attributes := self._theirs[identity].__dict__:
                ours.__dict__.update(attributes)
        if isinstance(self.model, torch.jit.ScriptModule):
            self.model = self._our_script(self.model)
        self._check_all_have_places()

    def _fill_places(self) -> None:
        for container, key, value in self._saved.tensors:
            if type(container) is dict:
                container[key] = self._ours[id(value)]
            else:
                set_item(container, key, self._ours[id(value)])
        for container, key, script in self._saved.scripts:
            set_item(container, key, self._our_script(script))
        self._saved.renew_tuples()

    @cached_property
    def _places_of_weights(self) -> dict[int, list[tuple[Any, Any]]]:
        """By the identity of ours."""
        places: dict[int, list[tuple[Any, Any]]] = {}
        for container, key, value in self._saved.tensors:
            if id(value) in self.weights:
                places.setdefault(id(self._ours[id(value)]), []).append((container, key))
        return places

    def _take_places_of_norms(self, distinct: Mapping[int, Tensor]) -> None:
        """Copies those buffers of batch normalisation together that can't be copied lazily, as parts of a few tensors:
        many small copies take longer than a layer."""
        by_kind: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        for module in self._modules:
            if type(module) in NORMS:
                for buffer in buffers_of(module).values():
                    if (
                        buffer is not None
                        and not copies_lazily(buffer)
                        and self._is_alone(buffer)
                        and id(buffer) not in self._ours
                        and buffer.is_contiguous()
                    ):
                        by_kind.setdefault((buffer.dtype, buffer.device), []).append(buffer)
        for buffers in by_kind.values():
            together = torch.cat([buffer.reshape(-1) for buffer in buffers])
            sizes = [buffer.numel() for buffer in buffers]
            parts = together.split(sizes)  # type: ignore[no-untyped-call] # torch
            for theirs, part in zip(buffers, parts, strict=True):
                self._ours[id(theirs)] = part.view(theirs.shape)

    def _check_all_have_places(self) -> None:
        scripted = {
            id(parameter)
            for theirs, _ in self._scripts.values()
            for parameter in theirs.parameters()
        }
        for identity in self._inventory.parameters.keys() - self.weights.keys() - scripted:
            named = self.model.named_parameters()
            name = next((name for name, p in named if id(p) == identity), "of one of its modules")
            raise ValueError(
                f"the parameter '{name}' of {type(self.model).__name__} can't be kept from changes: its "
                "module does not hold it where torch's own modules do; put it there with register_parameter"
            )

    def _make_ours(self, distinct: Mapping[int, Tensor]) -> None:
        """Makes our tensors for theirs; ``distinct`` is by identity."""
        may_be_lazy = self._saved.of_frequent - self._overwritten
        weights = self._inventory.parameters.keys() | self._of_weights
        for identity, theirs in distinct.items():
            self._theirs[identity] = theirs
            ours = self._ours.get(identity)  # already there, where it was copied with others
            if ours is None:
                lazy = None
                if identity in may_be_lazy and self._is_alone(theirs):
                    lazy = lazy_copy(theirs)
                ours = tensor_like(theirs, self._values_of(theirs) if lazy is None else lazy)
                if lazy is not None:
                    self._lazy[identity] = theirs, ours, memory_of(ours)
                self._ours[identity] = ours
                if identity in weights:
                    self.weights[identity] = ours

    def _is_alone(self, theirs: Tensor) -> bool:
        """Whether it is a plain tensor with values, whose memory no other tensor has."""
        address = self._addresses.get(id(theirs), 0)  # 0: another kind of tensor, or an empty one
        return address != 0 and self._sharing[address] == 1

    def _is_unwritten(self, identity: int) -> bool:
        """Whether our tensor is a lazy copy that shares the memory of theirs still."""
        known = self._lazy.get(identity)
        if known is None:
            return False
        theirs, ours, memory = known
        return is_lazy(ours) and memory_of(ours) == memory and _is_laid_out_alike(ours, theirs)

    def _values_of(self, theirs: Tensor) -> Tensor:
        """A copy of a tensor, which shares memory with other copies where the original does."""
        address = self._addresses.get(id(theirs), 0)
        if address and self._sharing[address] > 1:
            copied = self._storages.get(address)
            if copied is None:
                copied = self._storages[address] = copy_of_storage(theirs)
            return view_like(theirs, copied)
        if id(theirs) in self._overwritten:
            return torch.empty_like(theirs.detach())
        return theirs.detach().clone()

    def _our_script(self, theirs: nn.Module) -> nn.Module:
        if id(theirs) not in self._scripts:
            self._scripts[id(theirs)] = theirs, copy.deepcopy(theirs)
        return self._scripts[id(theirs)][1]

    @contextmanager
    def holding(self, weights: Mapping[int, Tensor]) -> Iterator[None]:
        """A context in which other tensors take the places of our weights; ``weights`` is by identity of ours."""
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

    @cached_property
    def weights_overlap(self) -> bool:
        """Whether a weight has elements of another tensor of the model, as a view of it: what is written to one of them
        changes the other."""
        spans: dict[int, list[tuple[int, int, bool]]] = {}
        for identity, theirs in self._theirs.items():
            address = self._addresses.get(identity, 0)
            if address and self._sharing[address] > 1:
                is_weight = identity in self.weights
                spans.setdefault(address, []).append((*_span(theirs), is_weight))
        return any(map(_any_overlap, spans.values()))

    def lay_out(self, memory_format: torch.memory_format) -> None:
        _lay_out(self.weights.values(), memory_format)

    def note(self) -> None:
        """Notes that the weights are ready for the next forward pass."""
        self._versions = [version_of(ours) for ours in self.weights.values()]

    def changed_weight(self, *, by_value: bool) -> Tensor | None:
        """One of their parameters whose copy was changed since the last `note`; None where there is none.

        Args:
            by_value: also compare the values of our weights and theirs, since some changes leave no version.
        """
        for (identity, ours), version in zip(self.weights.items(), self._versions, strict=True):
            theirs = self._theirs[identity]
            if version is None or version_of(ours) != version:
                return theirs
            if not by_value or self._is_unwritten(identity) or theirs.layout is not torch.strided:
                continue
            if not torch.equal(ours, theirs):
                return theirs
        return None

    @torch.no_grad()
    def again(self, *, weights: bool = False) -> None:
        """Undoes what the last forward pass left behind, so that the next one begins from the same state. The
        values of weights are put back only with ``weights``."""
        if self._working_is_noted:
            self._saved.restore_working()
        else:  # most models run once
            self._saved.put_back()
            self._fill_places()
            self._prepare(self._modules)
            self._saved.note_working()
            self._working_is_noted = True
        for identity, ours in self._ours.items():
            theirs = self._theirs[identity]
            if identity not in self.weights:
                if ours.grad_fn is not None:  # autograd recorded what the pass wrote to it
                    with suppress(RuntimeError):  # of views, which it can't forget
                        ours.detach_()
                if not self._is_unwritten(identity):
                    _assign(ours, theirs)
                continue
            if weights and not self._is_unwritten(identity):
                _assign(ours, theirs)
            ours.requires_grad_(theirs.requires_grad)
            ours.grad = None
        for theirs_, ours_ in self._scripts.values():
            ours_.load_state_dict(theirs_.state_dict())
        self.note()


class NothingToRestore:
    """Replaces `Restoring` for one forward pass of a model that nobody uses afterwards: puts nothing back."""

    def __init__(
        self, model: nn.Module, inventory: Inventory, prepare: Callable[[list[nn.Module]], object]
    ) -> None:
        self.model = model
        self.weights: Mapping[int, Tensor] = inventory.parameters
        self._inventory = inventory
        self._prepare = prepare

    @property
    def modules(self) -> Sequence[nn.Module]:
        return self._inventory.everything

    def __enter__(self) -> NothingToRestore:
        self._prepare(self._inventory.everything)
        return self

    def __exit__(self, *_: object) -> None: ...

    def lay_out(self, memory_format: torch.memory_format) -> None:
        _lay_out(self.weights.values(), memory_format)

    def note(self) -> None: ...

    def changed_weight(self, *, by_value: bool) -> Tensor | None:
        return None

    def again(self, *, weights: bool = False) -> None: ...

    @property
    def weights_overlap(self) -> bool:
        return False

    def holding(self, weights: Mapping[int, Tensor]) -> Any:
        raise RuntimeError("one forward pass has no replicates")


class ModesToRestore(NothingToRestore):
    """Replaces `Restoring` for one forward pass of a model of which `only_computes` is true: puts back what ``prepare``
    changed."""

    def __init__(
        self,
        model: nn.Module,
        inventory: Inventory,
        prepare: Callable[[list[nn.Module]], Iterable[tuple[dict[str, Any], str, Any]]],
    ) -> None:
        super().__init__(model, inventory, self._noted)
        self._set = prepare
        self._changed: Iterable[tuple[dict[str, Any], str, Any]] = ()

    def _noted(self, modules: list[nn.Module]) -> None:
        self._changed = self._set(modules)

    def __exit__(self, *_: object) -> None:
        to_the_end(lambda: put_back_modes(self._changed))


def _assign(ours: Tensor, theirs: Tensor) -> None:
    """Gives a copy the values of its original again, even if its shape, dtype or device was changed."""
    if (ours.shape, ours.dtype, ours.device) == (theirs.shape, theirs.dtype, theirs.device):
        ours.detach().copy_(theirs)
    else:
        ours.data = theirs.detach().clone()


def _is_laid_out_alike(a: Tensor, b: Tensor) -> bool:
    return (a.shape, a.stride(), a.storage_offset(), a.dtype) == (
        *(b.shape, b.stride(), b.storage_offset(), b.dtype),
    )


def _span(tensor: Tensor) -> tuple[int, int]:
    """First byte in its storage, and the one after the last."""
    start = int(tensor.storage_offset())
    steps = sum(int((n - 1) * step) for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return start * tensor.itemsize, (start + steps + 1) * tensor.itemsize


def _any_overlap(spans: list[tuple[int, int, bool]]) -> bool:
    """Whether two spans of one storage, one of them of a weight, have common bytes."""
    end = end_of_weights = 0
    for first, after_last, is_weight in sorted(spans):
        if first < (end if is_weight else end_of_weights):
            return True
        end = max(end, after_last)
        if is_weight:
            end_of_weights = max(end_of_weights, after_last)
    return False


def _is_plain_tensor(tensor: Tensor) -> bool:
    """Whether a tensor is dense, and of one of torch's own classes."""
    return type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided


def _lay_out(weights: Iterable[Tensor], memory_format: torch.memory_format) -> None:
    """Stores the weights of four dimensions, as of convolutions, in a memory format."""
    for weight in weights:
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=memory_format)
