"""The ``SWAP`` class of the published code (github.com/pym1024/SWAP). It gives the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.capture import Capture, Plan, find_activations
from swapnas_ext.models import MiniBatch, Restoring, take_inventory
from swapnas_ext.patterns import PatternCounter
from swapnas_ext.scoring import regularization


class SWAP:
    """Takes the place of the published class. The loop around it stays the same::

        swap = SWAP(model=network, inputs=inputs, device=device, seed=seed)
        for _ in range(repeats):
            network.apply(network_weight_gaussian_init)
            swap.reinit()
            scores.append(swap.forward())
            swap.clear()

    Args:
        model: the network. As published, it runs in its current mode. Its buffers are restored afterwards.
        inputs: the mini-batch: a tensor, or with ``transformers`` also a mapping of keyword arguments.
        device: the device that the inputs are moved to.
        seed: the current seed. As published, `reinit` seeds torch only where it gets another one.
        regular, mu, sigma: regularise by size, in thousands of parameters, where all three are given.
        transformers: use the later published form, which is for Transformers. It sees every activation that `score`
            sees: modules and functions, of any rank. Signed activations (GELU, SiLU) have ternary patterns. The
            first form sees only ``nn.ReLU`` modules whose input has four dimensions.

    Unlike the published class, this one leaves no hooks on the model and keeps no activations. It reads patterns when
    a layer runs, so it does not see a later in-place change of the layer's output.
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
        """Takes another model. Seeds torch where ``seed`` is a new one."""
        if model is not None:
            self.model = model
        if seed is not None and seed != self.seed:
            self.seed = seed
            torch.manual_seed(seed)

    def clear(self) -> None:
        """Does nothing, since nothing is kept between calls. The published loop calls it."""

    @torch.no_grad()
    def forward(self) -> int | float | None:
        """The score of the model with its current weights; None where no activation was seen."""
        model = self._model()
        if self.inputs is None:
            raise ValueError("SWAP needs inputs; pass SWAP(model, inputs, ...)")
        if isinstance(self.inputs, Mapping) and not self.transformers:
            raise TypeError("inputs is a mapping; pass transformers=True for such models")
        batch = MiniBatch(self.inputs)
        counter = PatternCounter(
            batch.samples, device=self.device, ternary=self.transformers, nan_policy="ignore"
        )
        count = self._all_activations if self.transformers else self._relus_of_images
        args, kwargs = batch.on(torch.device(self.device))
        seen = count(model, counter, args, kwargs)
        if not seen:
            return None
        patterns = counter.count()
        assert isinstance(patterns, int)  # a counter without groups
        return patterns * self.regular_factor

    def _relus_of_images(
        self,
        model: nn.Module,
        counter: PatternCounter,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> bool:
        seen = False

        def observe(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            nonlocal seen
            if inputs and inputs[0].dim() == 4:
                seen = True
                counter.update(output)

        def watch(_: list[nn.Module]) -> None:
            for module in model.modules():
                if isinstance(module, nn.ReLU):
                    module.register_forward_hook(observe)

        with Restoring(model, take_inventory(model), watch) as untouched:  # removes the hooks too
            untouched.model(*args, **kwargs)
        return seen

    def _all_activations(
        self,
        model: nn.Module,
        counter: PatternCounter,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> bool:
        found, plan = take_inventory(model), Plan()
        capture = Capture(counter, plan)
        with (
            Restoring(model, found, _as_it_is) as untouched,
            capture.running(find_activations(found, plan)),
        ):
            untouched.model(*args, **kwargs)
        return capture.captured > 0

    def _model(self) -> nn.Module:
        if self.model is None:
            raise ValueError("SWAP has no model; pass SWAP(model, ...) or reinit(model)")
        return self.model


def _as_it_is(_: list[nn.Module]) -> None:
    """Prepares nothing: the model runs in its current mode."""
