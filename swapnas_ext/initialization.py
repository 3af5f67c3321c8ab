"""Weight initialisers: functions that overwrite the weights of a model in place.

Each draws from the generator that it is given and leaves the global random state alone. Parameters
of layers that it does not know keep their values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

Initializer = Callable[[nn.Module, torch.Generator], None]


def gaussian_(model: nn.Module, generator: torch.Generator) -> None:
    """The published initialisation: N(0, 1) for the weights of convolutions and linear layers, zero
    biases, normalisation layers weight 1 and bias 0.

    For one seed it gives the very weights of the published code after ``torch.manual_seed(seed)``.
    """
    _initialize(model, lambda weight: weight.normal_(generator=generator))


def kaiming_(model: nn.Module, generator: torch.Generator) -> None:
    """Kaiming normal (He et al., ICCV 2015, fan-in, ReLU gain) where `gaussian_` draws N(0, 1)."""
    _initialize(
        model,
        lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator),
    )


_BY_NAME: dict[str, Initializer] = {"gaussian": gaussian_, "kaiming": kaiming_}
NAMES = (*_BY_NAME, "keep")


def get(init: str | Initializer | None) -> Initializer | None:
    """The initialiser of a name; None for ``None`` and ``"keep"``, a function as it is."""
    if init is None or init == "keep":
        return None
    if callable(init):
        return init
    if init in _BY_NAME:
        return _BY_NAME[init]
    raise ValueError(f"init must be one of {', '.join(NAMES)}, or a function, got {init!r}")


@torch.no_grad()
def _initialize(model: nn.Module, draw_: Callable[[Tensor], object]) -> None:
    for module in model.modules():
        # A weight that is computed from others, as by spectral_norm, is no parameter.
        weight, bias = (module._parameters.get(name) for name in ("weight", "bias"))
        if isinstance(module, _ConvNd | nn.Linear):
            if weight is not None:
                draw_(weight)
            if bias is not None:
                bias.zero_()
        elif isinstance(module, _BatchNorm | nn.GroupNorm):
            if weight is not None:
                weight.fill_(1)
            if bias is not None:
                bias.zero_()
