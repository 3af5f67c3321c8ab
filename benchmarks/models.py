"""Models to measure on, with random weights: ResNet-50, ViT-B/16, and an encoder of BERT-base's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        channels_out = 4 * width
        self.conv1 = nn.Conv2d(channels_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


def resnet50(blocks_of_stages: Sequence[int] = (3, 4, 6, 3)) -> nn.Module:
    """He et al., CVPR 2016; 25,557,032 parameters. Fewer blocks make it smaller."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    channels = 64
    for stage, blocks in enumerate(blocks_of_stages):
        width = 64 << stage
        for block in range(blocks):
            layers.append(Bottleneck(channels, width, 2 if stage > 0 and block == 0 else 1))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


class EncoderBlock(nn.Module):
    """Transformer encoder layer, with the activation as a module or as a function."""

    def __init__(self, width: int, heads: int, hidden: int, activation: Callable[[Tensor], Tensor]):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.activation = activation
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        samples, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(samples, tokens, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        x = x + self.projection(attended.reshape(samples, tokens, width))
        return x + self.down(self.activation(self.up(self.norm2(x))))


class ViT(nn.Module):
    """ViT-B/16 at 224 x 224 (Dosovitskiy et al., ICLR 2021); 86,567,656 parameters. A smaller size or fewer
    blocks make it smaller."""

    def __init__(self, size: int = 224, blocks: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 16, stride=16)
        self.token = nn.Parameter(torch.zeros(1, 1, 768))
        self.positions = nn.Parameter(torch.randn(1, (size // 16) ** 2 + 1, 768) * 0.02)
        self.blocks = nn.Sequential(
            *(EncoderBlock(768, 12, 3072, nn.GELU()) for _ in range(blocks))
        )
        self.norm = nn.LayerNorm(768)
        self.head = nn.Linear(768, 1000)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class Encoder(nn.Module):
    """An encoder of BERT-base's size (Devlin et al., NAACL 2019): 12 layers of width 768, 3072 hidden
    units; it calls its activations as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30_522, 768)
        self.positions = nn.Embedding(512, 768)
        self.blocks = nn.Sequential(*(EncoderBlock(768, 12, 3072, F.gelu) for _ in range(12)))

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        return self.blocks(self.words(tokens) + self.positions(places))
