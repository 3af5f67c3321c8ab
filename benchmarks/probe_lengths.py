"""Simulates how many consecutive loads a warp needs to look up its patterns in a table of keys on a GPU.
The result decided how the CUDA kernels probe (see ``csrc/cuda/pattern_set.cuh``).

    python benchmarks/probe_lengths.py

The simulation fills a table with linear probing with random keys, and warps look keys up. A thread holds the
patterns of a run of 16 bytes of activations: 4 of float32, 8 of bfloat16. Their first loads are in flight
together. For each pattern not found there, one after another, the warp probes as long as its slowest lane.
Up to 32 bytes of slots cost the same, since they are one sector of memory.
"""

from __future__ import annotations

import random

import numpy as np

SLOTS = 1 << 16
LANES = 32
WARPS = 2_000
WAYS = (  # keys a load, load factor
    (1, 0.72),
    (1, 0.50),
    (2, 0.72),
    (2, 0.50),
    (4, 0.72),
    (4, 0.50),
    (8, 0.50),
)


def filled(width: int, load: float, rng: random.Random) -> tuple[np.ndarray, list[int]]:
    """Which slots are in use, and how many loads after the first it takes to find each key."""
    used = np.zeros(SLOTS, dtype=bool)
    loads = []
    for _ in range(int(load * SLOTS)):
        home = slot = rng.randrange(SLOTS) // width * width
        while used[slot % SLOTS]:
            slot += 1
        used[slot % SLOTS] = True
        loads.append((slot - home) // width)
    return used, loads


def loads_of_new(used: np.ndarray, width: int, rng: random.Random) -> list[int]:
    """Loads after the first until a missing key meets a free slot."""
    loads = []
    for _ in range(20_000):
        home = slot = rng.randrange(SLOTS) // width * width
        while used[slot % SLOTS]:
            slot += 1
        loads.append((slot - home) // width)
    return loads


def in_a_row(loads: list[int], patterns: int, generator: np.random.Generator) -> float:
    """Consecutive loads that a warp waits for, on average."""
    drawn = generator.choice(loads, (WARPS, patterns, LANES))
    return float(drawn.max(axis=2).sum(axis=1).mean())


def main() -> None:
    print("loads in a row of a warp, after the first ones      stored keys   new keys")
    for width, load in WAYS:
        rng, generator = random.Random(0), np.random.default_rng(0)
        used, stored = filled(width, load, rng)
        new = loads_of_new(used, width, rng)
        for patterns in (4, 8):
            values = [in_a_row(loads, patterns, generator) for loads in (stored, new)]
            title = f"{width} key(s) a load, load {load:.2f}, {patterns} patterns a thread"
            print(f"{title:<52}{values[0]:>11.1f}{values[1]:>11.1f}")


if __name__ == "__main__":
    main()
