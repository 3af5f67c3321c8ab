"""Distinguishes one-dimensional signals, ``[S, C, length]``, from tokens, ``[S, tokens, C]``."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelsFirst:
    """Makes images of the signals in a model, so that dimension 1 has their channels.

    A tensor of three dimensions is a signal if its second dimension has as many elements as a one-dimensional
    convolution of the model has channels, and its last one is no number of features of tokens.
    """

    def __init__(self, model: nn.Module) -> None:
        self._channels: set[int] = set()
        self._features: set[int] = set()
        for module in model.modules():
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                self._channels.add(module.out_channels)
            elif isinstance(module, nn.Linear):
                self._features |= {module.in_features, module.out_features}
            elif isinstance(module, nn.LayerNorm):
                self._features.add(module.normalized_shape[-1])
            elif isinstance(module, nn.Embedding):
                self._features.add(module.embedding_dim)

    def as_image(self, x: Tensor) -> Tensor:
        """``[S, C, 1, length]`` of a signal; other tensors as they are."""
        if x.dim() == 3 and x.shape[1] in self._channels and x.shape[2] not in self._features:
            return x.unsqueeze(2)
        return x
