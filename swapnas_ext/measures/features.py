"""Finds the features of a network that its global pooling gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from swapnas_ext.models import main_input


class FeatureWatch(TorchFunctionMode):
    """A context for one forward pass, which finds the features before global pooling.

    They are what enters the last call of a torch function that takes a tensor ``[S, C, ...]``, or ``[S, tokens, C]``,
    with several positions, and returns a tensor of S rows with one position: a pooling, a mean, the choice of one
    token, a flattening, or a convolution as large as its input. Where there is none, or the output still has several
    positions, as in segmentation, they are the output itself. What TorchScript calls is not seen.

    Args:
        samples: S.
    """

    def __init__(self, samples: int) -> None:
        super().__init__()
        self._samples = samples
        self._found: Tensor | None = None

    def features(self, output: Tensor) -> Tensor:
        """The features, after a pass with this output."""
        return output if self._found is None or _has_positions(output) else self._found

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        result = function(*args, **given)
        if isinstance(result, Tensor):
            entering = main_input(args, given)
            if isinstance(entering, Tensor) and self._pools(entering, result):
                self._found = entering.detach().clone()  # later calls may write to it
        return result

    def _pools(self, entering: Tensor, result: Tensor) -> bool:
        return (
            entering.is_floating_point()
            and _has_positions(entering)
            and result.dim() > 1
            and not _has_positions(result)
            and len(entering) == len(result) == self._samples
        )


def _has_positions(x: Tensor) -> bool:
    """Whether a sample has several positions. Of three dimensions, the second or the last are the channels, and both
    must be above one."""
    if x.dim() == 3:
        return min(x.shape[1:]) > 1
    return math.prod(x.shape[2:]) > 1
