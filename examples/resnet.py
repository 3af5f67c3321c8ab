"""A ResNet generator as a space. From the shell: swapnas search --space examples.resnet:build --max-params 1.5M"""

from itertools import pairwise
from typing import Annotated, Literal

from torch import nn

import swapnas_ext as swap


class Block(nn.Module):
    def __init__(self, before, width, kernel):
        super().__init__()
        self.skip = nn.Conv2d(before, width, 1, width // before)  # a wider image is half as large
        first = nn.Conv2d(before, width, kernel, width // before, kernel // 2, bias=False)
        second = nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)
        parts = (first, nn.BatchNorm2d(width), nn.ReLU(), second, nn.BatchNorm2d(width))
        self.residual, self.relu = nn.Sequential(*parts), nn.ReLU()

    def forward(self, x):
        return self.relu(self.skip(x) + self.residual(x))


def build(depth: Literal[1, 2, 3], width: Annotated[int, range(8, 65, 8)], kernel: Literal[3, 5]):
    widths = [width, *(width * 2**stage for stage in range(3) for _ in range(depth))]
    blocks = [Block(before, after, kernel) for before, after in pairwise(widths)]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), *blocks, *head)


if __name__ == "__main__":
    space = swap.spaces.Choices(build)
    settings = swap.search.SearchSettings(candidates=40, max_params=1.5e6)
    for row in swap.search.search(space, settings=settings).ranked()[:3]:
        print(f"{row.score:10.4g}  {row.parameters:9,} parameters  {row.architecture}")
