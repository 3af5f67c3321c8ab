"""The ``SWAP`` class of the published code (github.com/pym1024/SWAP), with the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext import regularization
from swapnas_ext.counter import PatternCounter
from swapnas_ext.model_walk import walk
from swapnas_ext.untouched import Untouched

_KINDS: dict[bool, tuple[type[nn.Module], ...]] = {
    False: (nn.ReLU,),
    True: (nn.ReLU, nn.GELU, nn.SiLU),
}


class SWAP:
    """Use it where the published class was used; the loop around it stays as it is::

        swap = SWAP(model=network, inputs=inputs, device=device, seed=seed)
        for _ in range(repeats):
            network.apply(network_weight_gaussian_init)
            swap.reinit()
            scores.append(swap.forward())
            swap.clear()

    Args:
        model: the network. It runs in the mode it is in, as published; its buffers are put back.
        inputs: the mini-batch, a tensor, or a mapping of keyword arguments if ``transformers``.
        device: where the inputs are moved to.
        seed: kept; `reinit` with another one seeds torch, as published.
        regular, mu, sigma: regularise by size, in thousands of parameters, where all are given.
        transformers: the later form, for Transformers: GELU and SiLU too (ternary patterns),
            activations of any rank, and mappings. The first form sees the ReLUs whose input has
            four dimensions.

    Unlike the published class it leaves no hooks on the model and keeps no activations; patterns are
    taken when a layer runs, so a later in-place change of its output is not seen.
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        inputs: Tensor | Mapping[str, Any] | None = None,
        device: torch.device | str = "cuda",
        seed: int = 0,
        regular: bool = False,
        mu: float | None = None,
        sigma: float | None = None,
        *,
        transformers: bool = False,
    ) -> None:
        self.model = model
        self.inputs = inputs
        self.device = device
        self.seed = seed
        self.transformers = transformers
        self.regular_factor: float = 1
        if regular and mu is not None and sigma is not None:
            regularization.check_mu_sigma(mu, sigma)
            theta = regularization.parameters_in_thousands(self._model())
            self.regular_factor = regularization.factor(theta, mu, sigma)

    def reinit(self, model: nn.Module | None = None, seed: int | None = None) -> None:
        """Takes another model, and seeds torch if the seed is another one."""
        if model is not None:
            self.model = model
        if seed is not None and seed != self.seed:
            self.seed = seed
            torch.manual_seed(seed)

    def clear(self) -> None:
        """Nothing is kept between calls; here because the published loop calls it."""

    @torch.no_grad()
    def forward(self) -> int | float | None:
        """The score of the model as it is; None if no activation was seen."""
        model = self._model()
        if self.inputs is None:
            raise ValueError("SWAP needs inputs; pass SWAP(model, inputs, ...)")
        mapping = isinstance(self.inputs, Mapping)
        if mapping and not self.transformers:
            raise TypeError("inputs is a mapping; pass transformers=True for such models")
        values = list(self.inputs.values()) if mapping else [self.inputs]
        samples = next(value.shape[0] for value in values if isinstance(value, Tensor))
        counter = PatternCounter(
            samples, device=self.device, ternary=self.transformers, nan_policy="ignore"
        )
        seen = False

        def observe(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            nonlocal seen
            if self.transformers or (inputs and inputs[0].dim() == 4):
                seen = True
                counter.update(output)

        def watch(_: list[nn.Module]) -> None:
            for module in model.modules():
                if isinstance(module, _KINDS[self.transformers]):
                    module.register_forward_hook(observe)

        with Untouched(model, walk(model), watch) as untouched:  # the hooks go with all else
            if mapping:
                moved = {name: _move(value, self.device) for name, value in self.inputs.items()}
                untouched.model(**moved)
            else:
                untouched.model(_move(self.inputs, self.device))
        return counter.count() * self.regular_factor if seen else None

    def _model(self) -> nn.Module:
        if self.model is None:
            raise ValueError("SWAP has no model; pass SWAP(model, ...) or reinit(model)")
        return self.model


def _move(value: Any, device: torch.device | str) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value
