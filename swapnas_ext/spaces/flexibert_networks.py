"""The networks of the FlexiBERT space: embeddings, the operations of an encoder layer, the stack.

Layers are those of the benchmark (Serianni and Kalita, ACL 2023, arXiv 2306.00288), which puts FlexiBERT's
operations (Tuli et al., JAIR 2023, arXiv 2205.11656) into ELECTRA's small network: embeddings of 128, which
a linear layer takes to the hidden size; each operation between linear layers, then residual and layer
normalisation; one stack of feed-forward layers, then the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMBEDDING = 128
POSITIONS = 512
TOKEN_TYPES = 2
CLASSES = 2
_EPSILON = 1e-12
_EMBEDDING_STD = 0.02


@lru_cache(8)
def _drawn(rows: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, EMBEDDING, generator=generator, device="cpu", dtype=torch.float32)
    return values * _EMBEDDING_STD


def _embedding(rows: int, seed: int) -> nn.Embedding:
    """Always of the same values: initialisers leave embeddings as they are, and a score is to depend on
    its own seed alone."""
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
        self.project = nn.Identity() if hidden == EMBEDDING else nn.Linear(EMBEDDING, hidden)

    def forward(self, ids: Tensor) -> Tensor:
        # Indexing: under vmap, `embedding` copies the whole table for each replicate.
        x = self.word.weight[ids] + self.position.weight[: ids.shape[1]] + self.token_type.weight[0]
        return self.project(self.norm(x))


def _split(x: Tensor, heads: int) -> Tensor:
    """[S, L, C] -> [S, heads, L, C / heads]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _merged(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    query, key, value = (_split(x, heads) for x in (query, key, value))
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
    return _merged(scores.softmax(3) @ value)


class SelfAttention(nn.Module):
    """Scaled dot products; ``weighted``: with a matrix between query and key, the general form of Luong et
    al. (EMNLP 2015)."""

    def __init__(self, hidden: int, heads: int, *, weighted: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.weight = nn.Linear(hidden, hidden, bias=False) if weighted else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return _attention(self.weight(self.query(x)), self.key(x), self.value(x), self.heads)


def fourier(x: Tensor) -> Tensor:
    """The real part of the discrete Fourier transform over the last two dimensions."""
    return torch.fft.fft2(x).real


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
        self.input = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return _merged(self.transform(_split(self.input(x), self.heads)))


class DynamicSpanConvolution(nn.Module):
    """Half of the heads attend, the other half convolve with kernels made from what is around each token
    (ConvBERT: Jiang et al., NeurIPS 2020, arXiv 2008.02496)."""

    def __init__(self, hidden: int, heads: int, *, kernel: int) -> None:
        super().__init__()
        half, self.heads, self.kernel = hidden // 2, heads // 2, kernel
        self.query = nn.Linear(hidden, half)
        self.key = nn.Linear(hidden, half)
        self.value = nn.Linear(hidden, half)
        self.span = nn.Sequential(
            nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden, bias=False),
            nn.Conv1d(hidden, half, 1),
        )
        self.kernels = nn.Linear(half, self.heads * kernel)
        self.content = nn.Linear(hidden, half)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x)
        attended = _attention(query, self.key(x), self.value(x), self.heads)
        span = self.span(x.transpose(1, 2)).transpose(1, 2)
        kernels = self.kernels(span * query).unflatten(2, (self.heads, self.kernel)).softmax(3)
        around = self.kernel // 2
        windows = F.pad(self.content(x), (0, 0, around, around)).unfold(1, self.kernel, 1)
        convolved = windows.unflatten(2, (self.heads, -1)) @ kernels.unsqueeze(4)
        return torch.cat([attended, convolved.flatten(2)], dim=2)


def operation(hidden: int, kind: str, parameter: str | int, heads: int) -> nn.Module:
    if kind == "SA":
        return SelfAttention(hidden, heads, weighted=parameter == "WMA")
    if kind == "LT":
        return LinearTransform(hidden, heads, name=str(parameter))
    return DynamicSpanConvolution(hidden, heads, kernel=int(parameter))


def feed_forward(hidden: int, wide: int, count: int) -> nn.Sequential:
    """``count`` layers of ``wide`` channels, each with a GELU, and one back to the hidden size."""
    layers: list[nn.Module] = []
    for number in range(count):
        layers += [nn.Linear(wide if number else hidden, wide), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(wide, hidden))


class EncoderLayer(nn.Module):
    """An operation and a stack of feed-forward layers, both residual and normalised afterwards."""

    def __init__(
        self, hidden: int, kind: str, parameter: str | int, heads: int, wide: int, count: int
    ) -> None:
        super().__init__()
        self.operation = operation(hidden, kind, parameter, heads)
        self.output = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=_EPSILON)
        self.feed_forward = feed_forward(hidden, wide, count)
        self.feed_forward_norm = nn.LayerNorm(hidden, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x + self.output(self.operation(x)))
        return self.feed_forward_norm(x + self.feed_forward(x))


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
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, CLASSES))

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.encoder(self.embeddings(ids))[:, 0])
