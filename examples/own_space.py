"""Your own search space as a class: a stack of convolutions, searched with SWAP-NAS.

Most spaces need no class: see docs/own-spaces.md and resnet.py. A class is worth it for strings of your own form (those
of a table or another code base), for mutations that know the space, for several strings of one function, and for
networks whose scored form is smaller than the trained one.

An architecture is a line such as ``16k3-32k5s-64k3``: for each layer its channels, its kernel size, and ``s``
if it halves the image. Run it::

    python examples/own_space.py
    swapnas search --space examples.own_space:Stack --candidates 200      # the same from the shell
"""

import random
import re

from torch import nn

import swapnas_ext as swap
from swapnas_ext.spaces import ArchitectureError, SearchSpace

CHANNELS = (8, 16, 24, 32, 48)
KERNELS = (1, 3, 5)
DEPTHS = range(2, 7)

Layer = tuple[int, int, bool]


class Stack(SearchSpace):
    """Two to six convolutions with batch normalisation and ReLU, then a linear classifier."""

    input_size = (3, 32, 32)

    def parse(self, text: str) -> list[Layer]:
        layers, position = [], 0
        for part in text.split("-"):
            match = re.fullmatch(r"(\d+)k(\d)(s?)", part)
            if not match or int(match[1]) not in CHANNELS or int(match[2]) not in KERNELS:
                raise ArchitectureError(
                    text, position, f"{part!r} is no layer such as 16k3 or 16k3s"
                )
            layers.append((int(match[1]), int(match[2]), bool(match[3])))
            position += len(part) + 1
        if len(layers) not in DEPTHS:
            raise ArchitectureError(text, 0, f"{len(layers)} layers, expected 2 to 6")
        return layers

    def format(self, parsed: list[Layer]) -> str:
        return "-".join(f"{channels}k{kernel}{'s' * half}" for channels, kernel, half in parsed)

    def canonical(self, architecture: str) -> str:
        return self.format(self.parse(architecture))  # each line is a different network

    def _build(self, architecture: str) -> nn.Module:
        layers, before = [], 3
        for channels, kernel, half in self.parse(architecture):
            stride = 2 if half else 1
            layers += [
                nn.Conv2d(before, channels, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
            before = channels
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))

    def sample(self, rng: random.Random) -> str:
        return self.format([_layer(rng) for _ in range(rng.choice(DEPTHS))])

    def mutate(self, architecture: str, rng: random.Random) -> str:
        layers = self.parse(architecture)
        place = rng.randrange(len(layers))
        before = layers[place]
        while layers[place] == before:
            layers[place] = _layer(rng)
        return self.format(layers)

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Joins the beginning of one parent to the end of the other."""
        one, other = self.parse(first), self.parse(second)
        cut = rng.randrange(1, min(len(one), len(other)))
        return self.format(one[:cut] + other[cut:])


def _layer(rng: random.Random) -> Layer:
    return rng.choice(CHANNELS), rng.choice(KERNELS), rng.random() < 0.3


def main() -> None:
    space = Stack()
    scorer = swap.Scorer(space.inputs(samples=16), init="gaussian")
    result = swap.search.evolve(space, scorer, population=24, cycles=15, max_params=20_000)
    print(f"{len(result.candidates)} networks of at most 20,000 parameters; the best:")
    for row in result.ranked()[:3]:
        print(f"  {row.score:6.0f} patterns, {row.parameters:6,} parameters: {row.architecture}")


if __name__ == "__main__":
    main()
