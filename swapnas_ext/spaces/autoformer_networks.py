"""The networks of the AutoFormer space: patches, encoder layers, the stack.

Vision transformers (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929) in which each encoder layer has its own number
of heads and width of the feed-forward part. Heads have 64 channels, so that queries, keys and values need not be as
wide as the tokens (AutoFormer: Chen et al., ICCV 2021, arXiv 2107.00651).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapnas_ext.spaces.part_copies import copied

HEAD_WIDTH = 64
PATCH = 16  # pixels
_EPSILON = 1e-6
_STD = 0.02


@copied
def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with vision transformers' own initial weights."""
    linear = nn.Linear(inputs, outputs)
    nn.init.trunc_normal_(linear.weight, std=_STD)
    nn.init.zeros_(linear.bias)
    return linear


# Encoder layers differ too much to be copied as a whole: there would be many originals of many megabytes.
_patches = copied(nn.Conv2d)


def _table(rows: int, width: int, seed: int) -> nn.Parameter:
    """Learned tokens that always have the same initial values. Initialisers do not draw them, and a score must
    depend only on its own seed."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, width, generator=generator, device="cpu", dtype=torch.float32)
    table = nn.Parameter(torch.empty(rows, width))
    table.data.copy_(values * _STD)
    return table


class Tokens(nn.Module):
    """A class token and the patches, with their places: images ``[S, 3, R, R] -> [S, 1 + (R / 16)^2, width]``."""

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.patches = _patches(3, width, PATCH, stride=PATCH)
        self.first = _table(1, width, seed=0)
        self.places = _table(1 + (resolution // PATCH) ** 2, width, seed=1)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(x.shape[0], -1, -1), patches], dim=1)
        return tokens + self.places


class SelfAttention(nn.Module):
    """Scaled dot products, with heads of 64 channels whatever the width of the tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = _linear(width, 3 * heads * HEAD_WIDTH)
        self.output = _linear(heads * HEAD_WIDTH, width)

    def forward(self, x: Tensor) -> Tensor:
        by_head = self.inputs(x).unflatten(2, (3, self.heads, HEAD_WIDTH)).transpose(1, 3)
        query, key, value = by_head.unbind(2)
        attended = F.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return y


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward part, both residual and normalised before."""

    def __init__(self, width: int, ratio: float, heads: int) -> None:
        super().__init__()
        wide = feed_forward_width(width, ratio)
        self.attention_norm = nn.LayerNorm(width, eps=_EPSILON)
        self.attention = SelfAttention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width, eps=_EPSILON)
        self.feed_forward = nn.Sequential(_linear(width, wide), nn.GELU(), _linear(wide, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        y: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
        return y


def feed_forward_width(width: int, ratio: float) -> int:
    return int(width * ratio)


class Network(nn.Module):
    """Tokens, encoder layers, and a classifier of the class token: ``[S, 3, R, R] -> logits [S, classes]``.

    Args:
        layers: ratio of the feed-forward part and number of heads of each encoder layer.
        resolution: R, a multiple of 16.
    """

    def __init__(
        self, width: int, layers: Sequence[tuple[float, int]], classes: int, resolution: int
    ) -> None:
        super().__init__()
        self.tokens = Tokens(width, resolution)
        self.encoder = nn.Sequential(*(EncoderLayer(width, *layer) for layer in layers))
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.head = _linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.encoder(self.tokens(x)))[:, 0])
        return logits
