"""The networks of the FlexiBERT space: embeddings, operations, encoder layers, the stack.

Layers are those of the benchmark (Serianni and Kalita, ACL 2023, arXiv 2306.00288), which puts FlexiBERT's
operations (Tuli et al., JAIR 2023, arXiv 2205.11656) into ELECTRA's small network. A linear layer projects the
embeddings of 128 to the hidden size. In an encoder layer, each operation is between linear layers, followed by
a residual connection and layer normalisation; so is the stack of feed-forward layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapnas_ext.spaces.part_copies import copied

EMBEDDING = 128
POSITIONS = 512
TOKEN_TYPES = 2
CLASSES = 2
_EPSILON = 1e-12

# Encoder layers differ too much to be copied as a whole: there would be many originals of many megabytes.
_linear = copied(nn.Linear)
_conv1d = copied(nn.Conv1d)
_EMBEDDING_STD = 0.02


@lru_cache(8)
def _drawn(rows: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, EMBEDDING, generator=generator, device="cpu", dtype=torch.float32)
    return values * _EMBEDDING_STD


def _embedding(rows: int, seed: int) -> nn.Embedding:
    """An embedding that always has the same values. Initialisers do not draw embeddings, and a score must depend
    only on its own seed."""
    embedding = nn.Embedding(rows, EMBEDDING, _weight=torch.empty(rows, EMBEDDING))
    embedding.weight.data.copy_(_drawn(rows, seed))
    return embedding


class Embeddings(nn.Module):
    """Words, positions and the first token type: ids ``[S, L] -> [S, L, hidden]``."""

    def __init__(self, vocabulary: int, hidden: int) -> None:
        super().__init__()
        self.word = _embedding(vocabulary, seed=0)
        self.position = _embedding(POSITIONS, seed=1)
        self.token_type = _embedding(TOKEN_TYPES, seed=2)
        self.norm = nn.LayerNorm(EMBEDDING, eps=_EPSILON)
        self.project = nn.Identity() if hidden == EMBEDDING else _linear(EMBEDDING, hidden)

    def forward(self, ids: Tensor) -> Tensor:
        # Not through `embedding`, which under vmap copies the whole table for each replicate.
        x = self.word.weight[ids] + self.position.weight[: ids.shape[1]] + self.token_type.weight[0]
        y: Tensor = self.project(self.norm(x))
        return y


def _split(x: Tensor, heads: int) -> Tensor:
    """[S, L, C] -> [S, heads, L, C / heads]."""
    by_head: Tensor = x.unflatten(2, (heads, -1))  # type: ignore[no-untyped-call] # torch
    return by_head.transpose(1, 2)


def _merged(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    query, key, value = (_split(x, heads) for x in (query, key, value))
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
    return _merged(scores.softmax(3) @ value)


class SelfAttention(nn.Module):
    """Scaled dot products. With ``weighted``, a matrix is between query and key: the general form of Luong et al.
    (EMNLP 2015)."""

    def __init__(self, hidden: int, heads: int, *, weighted: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = _linear(hidden, hidden)
        self.key = _linear(hidden, hidden)
        self.value = _linear(hidden, hidden)
        self.weight = _linear(hidden, hidden, bias=False) if weighted else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return _attention(self.weight(self.query(x)), self.key(x), self.value(x), self.heads)


def fourier(x: Tensor) -> Tensor:
    """The real part of the discrete Fourier transform over the last two dimensions."""
    real: Tensor = torch.fft.fft2(x).real
    return real


def cosine(x: Tensor) -> Tensor:
    """The discrete cosine transform (type II, not normalised) over the last two dimensions."""
    rows, columns = (_cosines(size, x) for size in x.shape[-2:])
    return rows @ x @ columns.T


def _cosines(size: int, like: Tensor) -> Tensor:
    places = torch.arange(size, device=like.device, dtype=like.dtype)
    return 2 * torch.cos(math.pi / size * places[:, None] * (places + 0.5))


class LinearTransform(nn.Module):
    """A transform over positions and channels of each head (FNet: Lee-Thorp et al., arXiv 2105.03824)."""

    def __init__(self, hidden: int, heads: int, *, name: str) -> None:
        super().__init__()
        self.heads = heads
        self.transform = {"DFT": fourier, "DCT": cosine}[name]
        self.input = _linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return _merged(self.transform(_split(self.input(x), self.heads)))


class DynamicSpanConvolution(nn.Module):
    """Half of the heads attend. The other half convolve with kernels computed from the neighbourhood of each token
    (ConvBERT: Jiang et al., NeurIPS 2020, arXiv 2008.02496)."""

    def __init__(self, hidden: int, heads: int, *, kernel: int) -> None:
        super().__init__()
        half, self.heads, self.kernel = hidden // 2, heads // 2, kernel
        self.query = _linear(hidden, half)
        self.key = _linear(hidden, half)
        self.value = _linear(hidden, half)
        self.span = nn.Sequential(
            _conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden, bias=False),
            _conv1d(hidden, half, 1),
        )
        self.kernels = _linear(half, self.heads * kernel)
        self.content = _linear(hidden, half)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x)
        attended = _attention(query, self.key(x), self.value(x), self.heads)
        span = self.span(x.transpose(1, 2)).transpose(1, 2)
        kernels = self.kernels(span * query).unflatten(2, (self.heads, self.kernel)).softmax(3)
        around = self.kernel // 2
        windows: Any = F.pad(self.content(x), (0, 0, around, around)).unfold(1, self.kernel, 1)
        convolved = windows.unflatten(2, (self.heads, -1)) @ kernels.unsqueeze(4)
        return torch.cat([attended, convolved.flatten(2)], dim=2)


def operation(hidden: int, kind: str, parameter: str | int, heads: int) -> nn.Module:
    if kind == "SA":
        return SelfAttention(hidden, heads, weighted=parameter == "WMA")
    if kind == "LT":
        return LinearTransform(hidden, heads, name=str(parameter))
    return DynamicSpanConvolution(hidden, heads, kernel=int(parameter))


def feed_forward(hidden: int, wide: int, count: int) -> nn.Sequential:
    """``count`` layers of ``wide`` channels, each with a GELU, and one layer back to the hidden size."""
    layers: list[nn.Module] = []
    for number in range(count):
        layers += [_linear(wide if number else hidden, wide), nn.GELU()]
    return nn.Sequential(*layers, _linear(wide, hidden))


class EncoderLayer(nn.Module):
    """An operation and a stack of feed-forward layers, both residual and normalised afterwards."""

    def __init__(
        self, hidden: int, kind: str, parameter: str | int, heads: int, wide: int, count: int
    ) -> None:
        super().__init__()
        self.operation = operation(hidden, kind, parameter, heads)
        self.output = _linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=_EPSILON)
        self.feed_forward = feed_forward(hidden, wide, count)
        self.feed_forward_norm = nn.LayerNorm(hidden, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x + self.output(self.operation(x)))
        y: Tensor = self.feed_forward_norm(x + self.feed_forward(x))
        return y


class Network(nn.Module):
    """Embeddings, encoder layers, and a classifier of the first token: ids ``[S, L] -> [S, 2]``.

    Args:
        layers: of each encoder layer: kind and parameter of the operation, its heads, width and number of
            the feed-forward layers.
    """

    def __init__(
        self,
        vocabulary: int,
        hidden: int,
        layers: Sequence[tuple[str, str | int, int, int, int]],
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocabulary, hidden)
        self.encoder = nn.Sequential(*(EncoderLayer(hidden, *layer) for layer in layers))
        self.head = nn.Sequential(_linear(hidden, hidden), nn.Tanh(), _linear(hidden, CLASSES))

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(self.embeddings(ids))[:, 0])
        return logits
