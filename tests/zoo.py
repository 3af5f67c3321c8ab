"""Models that do what models do: each leaves something behind in its forward pass, or is put together in a way
that is easy to get wrong. All take ``[12, 8]``, or images ``[12, 3, 8, 8]`` where their name says so."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

VECTORS = torch.randn(12, 8, generator=torch.Generator().manual_seed(1))
IMAGES = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(2))

ZOO: dict[str, Callable[[], nn.Module]] = {}


def member(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    ZOO[make.__name__] = make
    return make


class Base(nn.Module):
    """Two layers; `between` is what each of them does besides."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 24), nn.Linear(24, 24)
        self.prepare()

    def prepare(self) -> None: ...

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.between(torch.relu(self.first(x)))))


def images_net(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *layers, nn.Conv2d(6, 6, 3), nn.ReLU())


# ---- sharing -------------------------------------------------------------------------------------


@member
def shared_convolution_on_images() -> nn.Module:
    shared = nn.Conv2d(3, 3, 3, padding=1)
    return nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU())


@member
def shared_batch_norm_on_images() -> nn.Module:
    norm = nn.BatchNorm2d(6)
    return images_net(norm, nn.ReLU(), nn.Conv2d(6, 6, 1), norm, nn.ReLU())


@member
def shared_block() -> nn.Module:
    block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
    return nn.Sequential(
        OrderedDict(a=block, b=nn.Sequential(block), c=nn.Linear(8, 30), d=nn.ReLU())
    )


@member
def tied_weights() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    model[2].weight = model[0].weight
    return model


@member
def weights_of_one_storage() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    model[2].weight.data = model[0].weight.data
    return model


@member
def child_under_two_names() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.alias = self.first

    return Net()


@member
def shared_buffer() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            scale = torch.ones(24)
            self.first.register_buffer("scale", scale)
            self.second.register_buffer("scale", scale)

        def between(self, x: Tensor) -> Tensor:
            self.first.scale.mul_(1.5)
            return x * self.second.scale

    return Net()


# ---- buffers and attributes ----------------------------------------------------------------------


@member
def registers_a_buffer() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            if "cache" not in dict(self.named_buffers()):
                self.register_buffer("cache", self.first.weight.mean() * torch.ones(3))
            return x

    return Net()


@member
def registers_a_parameter() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            if not hasattr(self, "late"):
                self.late = nn.Parameter(torch.ones(24))
            return x * self.late

    return Net()


@member
def adds_a_child() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.add_module("extra", nn.Linear(24, 24))
            return self.extra(x)

    return Net()


@member
def replaces_a_child() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.second = nn.Linear(24, 24)
            return x

    return Net()


@member
def replaces_a_childs_parameter() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.second.weight = nn.Parameter(self.second.weight * 0.5)
            return x

    return Net()


@member
def deletes_a_parameter() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            if "bias" in dict(self.second.named_parameters()) and self.second.bias is not None:
                del self.second.bias
                self.second.register_parameter("bias", None)
            return x

    return Net()


@member
def counts_its_calls() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("calls", torch.zeros((), dtype=torch.long))
            self.register_buffer("unset", None)
            self.number = 0

        def between(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.number += 1
            self.unset = x.mean()
            self.last = x
            return x

    return Net()


@member
def resizes_a_buffer() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("memory", torch.zeros(3))

        def between(self, x: Tensor) -> Tensor:
            self.memory.resize_(x.shape).copy_(x)
            return x

    return Net()


@member
def buffer_changed_past_torch() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("memory", torch.zeros(24))

        def between(self, x: Tensor) -> Tensor:
            self.memory.data.add_(1)
            self.memory.numpy()[0] = 7
            return x

    return Net()


@member
def plain_tensor_attribute() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.total = torch.zeros(24)

        def between(self, x: Tensor) -> Tensor:
            self.total.add_(x.mean(0))
            return x

    return Net()


@member
def appends_to_lists() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.outputs: list[Any] = []
            self.some = [1, [2, 3]]
            self.table = {"a": [1]}
            self.recent: deque[float] = deque([0.0, 1.0], maxlen=2)
            self.kinds = {"x"}
            self.counts: defaultdict[str, int] = defaultdict(int, z=1)
            self.ordered = OrderedDict(a=1, b=[])

        def between(self, x: Tensor) -> Tensor:
            self.outputs.append(x)
            self.some[1].append(4)
            self.table["a"].append(2)
            self.table["b"] = []
            self.recent.append(2.0)
            self.kinds.add("y")
            self.counts["z"] += 1
            self.counts["w"] += 1
            self.ordered["b"].append(1)
            self.ordered["c"] = 1
            return x

    return Net()


@member
def tensors_in_containers() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.states = [torch.zeros(24), {"deep": torch.zeros(24)}, (torch.zeros(24), "x")]

        def between(self, x: Tensor) -> Tensor:
            self.states[0].add_(1)
            self.states[1]["deep"].add_(1)
            self.states[2][0].add_(1)
            return x + self.states[0]

    return Net()


@dataclass
class State:
    calls: int = 0
    seen: Any = None


@member
def plain_objects() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.state, self.space = State(), SimpleNamespace(calls=0, log=[])

        def between(self, x: Tensor) -> Tensor:
            self.state.calls += 1
            self.state.seen = x
            self.space.calls += 1
            self.space.log.append(x)
            return x

    return Net()


@member
def arrays() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.array, self.bytes = np.zeros(3), bytearray(b"abc")

        def between(self, x: Tensor) -> Tensor:
            self.array += 1
            self.bytes[0] = 0
            return x

    return Net()


class Slotted(Base):
    __slots__ = ("__hidden", "last", "total")

    def prepare(self) -> None:
        self.total = torch.zeros(24)
        self.__hidden = 1

    def between(self, x: Tensor) -> Tensor:
        self.last = x
        self.total.add_(1)
        self.__hidden += 1
        return x


@member
def slots() -> nn.Module:
    return Slotted()


@member
def changes_its_class() -> nn.Module:
    class Other(Base): ...

    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.__class__ = Other
            return x

    return Net()


@member
def sets_attributes_of_torchs_modules() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.first.last = x
            self.second.in_features = 25
            return x

    return Net()


# ---- hooks ---------------------------------------------------------------------------------------


@member
def hook_that_sets_an_attribute() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU())
    model[0].register_forward_hook(lambda module, _, output: setattr(module, "last", output))
    return model


@member
def hook_that_removes_itself() -> nn.Module:
    model = Base()
    handle = model.first.register_forward_hook(lambda *_: handle.remove())
    return model


@member
def adds_hooks() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.first.register_forward_hook(lambda *_: None)
            self.second.register_forward_pre_hook(lambda *_: None)
            self.second.register_full_backward_hook(lambda *_: None)
            self.register_state_dict_pre_hook(lambda *_: None)
            return x

    return Net()


@member
def own_forward_attribute() -> nn.Module:
    model = Base()
    original = model.first.forward
    model.first.forward = lambda x: original(x) * 2
    return model


# ---- norms and wrappers of weights ---------------------------------------------------------------


@member
def batch_norms_on_images() -> nn.Module:
    return images_net(
        nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm2d(6, affine=False)
    )


@member
def batch_norm_without_statistics_on_images() -> nn.Module:
    return images_net(nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU()).eval()


@member
def batch_norm_with_own_forward_on_images() -> nn.Module:
    class Norm(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            self.running_mean.add_(1)
            return torch.relu(super().forward(x))

    return images_net(Norm(6))


@member
def instance_norm_on_images() -> nn.Module:
    return images_net(nn.InstanceNorm2d(6, affine=True, track_running_stats=True), nn.ReLU())


@member
def group_norm_on_images() -> nn.Module:
    return images_net(nn.GroupNorm(2, 6), nn.ReLU())


@member
def batch_norm_in_a_list() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.norms = [nn.BatchNorm1d(24)]
            self.by_name = {"a": (nn.BatchNorm1d(24),)}

        def between(self, x: Tensor) -> Tensor:
            return self.by_name["a"][0](self.norms[0](x))

    return Net()


@member
def old_weight_norm() -> nn.Module:
    return nn.Sequential(nn.utils.weight_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def old_spectral_norm() -> nn.Module:
    return nn.Sequential(nn.utils.spectral_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def pruned() -> nn.Module:
    model = Base()
    prune.random_unstructured(model.first, "weight", amount=0.3)
    prune.l1_unstructured(model.second, "bias", amount=0.3)
    return model


@member
def weight_norm() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def spectral_norm() -> nn.Module:
    return nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def orthogonal() -> nn.Module:
    return nn.Sequential(
        parametrizations.orthogonal(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 24), nn.ReLU()
    )


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T


@member
def own_parametrization() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 24), nn.ReLU())
    parametrize.register_parametrization(model[0], "weight", Symmetric())
    return model


# ---- modes, gradients ----------------------------------------------------------------------------


@member
def sets_modes() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.drop = nn.Dropout(0.5)

        def between(self, x: Tensor) -> Tensor:
            self.eval()
            self.first.train()
            return self.drop(x)

    return Net()


@member
def sets_requires_grad() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.requires_grad_(False)
            self.first.weight.requires_grad_(True)
            return x

    return Net()


@member
def goes_backward() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                y = self.second(x.detach())
                y.sum().backward()
            return x - 0.01 * self.second.weight.grad.mean()

    return Net()


@member
def with_gradients() -> nn.Module:
    model = Base()
    model(VECTORS).sum().backward()
    return model


@member
def frozen_in_part() -> nn.Module:
    model = Base()
    model.first.requires_grad_(False)
    return model


@member
def changes_its_weights() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                self.second.weight.mul_(0.9)
                self.first.bias.data.add_(0.1)
            return x

    return Net()


@member
def swaps_its_weights_data() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.second.weight.data = self.second.weight.data * 0.5
            return x

    return Net()


@member
def attributes_of_parameters() -> nn.Module:
    model = Base()
    model.first.weight.is_special = True
    return model


# ---- random numbers ------------------------------------------------------------------------------


@member
def draws_random_numbers() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            noise = random.random() + np.random.rand() + torch.rand(())
            return x * float(noise)

    return Net()


@member
def seeds_random_numbers() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            random.seed(1)
            np.random.seed(1)
            torch.manual_seed(1)
            return x

    return Net()


@member
def own_generators() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.of_torch = torch.Generator().manual_seed(1)
            self.others = [np.random.default_rng(1), random.Random(1), np.random.RandomState(1)]

        def between(self, x: Tensor) -> Tensor:
            new, plain, old = self.others
            noise = new.random() + plain.random() + old.rand()
            return x + noise * torch.rand(24, generator=self.of_torch)

    return Net()


# ---- kinds of modules ----------------------------------------------------------------------------


@member
def recurrent() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.cell = nn.LSTM(24, 24, batch_first=True)

        def between(self, x: Tensor) -> Tensor:
            return self.cell(x[:, None])[0][:, 0]

    return Net()


@member
def parameter_containers() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.scales = nn.ParameterList([nn.Parameter(torch.ones(24)) for _ in range(2)])
            self.named = nn.ParameterDict({"a": nn.Parameter(torch.ones(24))})

        def between(self, x: Tensor) -> Tensor:
            return x * self.scales[0] * self.scales[1] + self.named["a"]

    return Net()


@member
def attention() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.layer = nn.TransformerEncoderLayer(24, 2, 32, batch_first=True)

        def between(self, x: Tensor) -> Tensor:
            return self.layer(x[:, None])[:, 0]

    return Net()


@member
def scripted_part() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.part = torch.jit.trace(
                nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24)), torch.ones(3, 24)
            )

        def between(self, x: Tensor) -> Tensor:
            return self.part(x)

    return Net()


@member
def scripted() -> nn.Module:
    return torch.jit.trace(nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU()), VECTORS)


@member
def symbolically_traced() -> nn.Module:
    return torch.fx.symbolic_trace(nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU()))


@member
def made_in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU())


@member
def double_precision() -> nn.Module:
    class Net(Base):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.double())

    return Net().double()


@member
def wrapped_in_data_parallel() -> nn.Module:
    return nn.DataParallel(Base())


@member
def refers_to_itself() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.me = [self]
            self.__dict__["parent"] = self

    return Net()


@member
def module_that_is_no_child() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            object.__setattr__(self, "hidden", nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24)))

        def between(self, x: Tensor) -> Tensor:
            return self.hidden(x)

    return Net()


@member
def functional_only() -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(24, 8))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(F.linear(x, self.weight))

    return Net()


# ---- modules that torch does not know of, wherever they are --------------------------------------


class Holder(Base):
    """Uses a batch normalisation that is no child."""

    def prepare(self) -> None:
        norm = nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24))
        self.__dict__["held"] = self.hold(norm)

    def hold(self, module: nn.Module) -> Any:
        raise AssertionError

    def taken(self) -> nn.Module:
        raise AssertionError

    def between(self, x: Tensor) -> Tensor:
        return self.taken()(x)


def holder(hold: Callable[[nn.Module], Any], take: Callable[[Any], nn.Module]) -> nn.Module:
    class Net(Holder):
        def hold(self, module: nn.Module) -> Any:
            return hold(module)

        def taken(self) -> nn.Module:
            return take(self.held)

    return Net()


@member
def module_in_a_dataclass() -> nn.Module:
    return holder(lambda module: State(seen=module), lambda held: held.seen)


@member
def module_in_a_namespace() -> nn.Module:
    return holder(lambda module: SimpleNamespace(a=module), lambda held: held.a)


class OwnList(list):  # type: ignore[type-arg]
    """That says it is empty, and shows other things than it has."""

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Any:
        return (item for item in range(3))


@member
def module_in_an_own_list() -> nn.Module:
    return holder(lambda module: OwnList([module, None]), lambda held: list.__getitem__(held, 0))


@member
def module_in_a_defaultdict() -> nn.Module:
    return holder(lambda module: defaultdict(list, a=module), lambda held: held["a"])


Pair = namedtuple("Pair", "first second")


@member
def module_in_a_named_tuple() -> nn.Module:
    return holder(lambda module: Pair(module, 1), lambda held: held.first)


@member
def module_in_a_partial() -> nn.Module:
    return holder(lambda module: partial(F.relu, module), lambda held: held.args[0])


@member
def module_in_a_method() -> nn.Module:
    return holder(lambda module: module.forward, lambda held: held.__self__)


class Counting(OrderedDict):  # type: ignore[type-arg]
    """Whose methods do more than those of its base."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        self.reads += 1
        return super().__getitem__(key)


class Frozen(dict):  # type: ignore[type-arg]
    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("frozen")


@member
def containers_with_own_methods() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.counting, self.frozen = Counting(a=[1]), Frozen(a=torch.zeros(24))
            self.list = OwnList([1, [2]])

        def between(self, x: Tensor) -> Tensor:
            self.counting["a"].append(2)
            list.__getitem__(self.list, 1).append(3)
            self.list.append(4)
            return x + self.frozen["a"].add_(1)

    return Net()


# ---- memory that several tensors share -----------------------------------------------------------


@member
def view_of_a_buffer() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("table", torch.zeros(2, 24))
            self.row = self.table[1]

        def between(self, x: Tensor) -> Tensor:
            self.row.add_(1)
            return x + self.table.sum(0)

    return Net()


@member
def weight_that_is_a_part_of_another() -> nn.Module:
    model = Base()
    model.second.weight = nn.Parameter(model.second.weight.data[:, :24])
    model.register_buffer("part", model.second.weight.data[0])
    return model


@member
def attributes_of_parameters_with_contents() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.second.weight.log, self.second.weight.average = [], torch.zeros(24)

        def between(self, x: Tensor) -> Tensor:
            self.second.weight.log.append(1)
            self.second.weight.average.add_(x.mean(0))
            return x

    return Net()


@member
def trains_itself() -> nn.Module:
    """As in test-time adaptation."""

    class Net(Base):
        def prepare(self) -> None:
            self.optimizer = torch.optim.Adam(self.second.parameters(), lr=0.1)

        def between(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                self.optimizer.zero_grad()
                self.second(x.detach()).pow(2).mean().backward()
                self.optimizer.step()
            return x

    return Net()
