"""User code that `make check` type-checks against the package; it is not run."""

import torch
from torch import nn
from typing_extensions import assert_type

import swapnas_ext as swap


class Net(nn.Sequential):
    width = 8


images = swap.data.photograph(16, 32)
score = swap.score(Net(nn.Linear(3, 4), nn.ReLU()), images, init="gaussian", repeats=8, seed=1)
scorer = swap.Scorer(images, repeats=4, init="kaiming", autocast=torch.bfloat16)
best_score, best = scorer.rank([Net(nn.Linear(3, 4), nn.ReLU()), Net()])[0]
assert_type(best, Net)
assert_type(best_score, swap.SwapScore)
named = {"small": Net(nn.Linear(3, 4), nn.ReLU()), "large": Net(nn.Linear(3, 9), nn.ReLU())}
assert_type(scorer.rank(named), list[tuple[swap.SwapScore, str]])
assert_type(scorer.rank(named.items()), list[tuple[swap.SwapScore, str]])
assert_type(scorer.rank([lambda: Net()])[0][0], swap.SwapScore)
assert_type(best_score.patterns, tuple[int, ...])
counter = swap.PatternCounter(samples=16)
assert_type(counter.relu(torch.randn(16, 8)), torch.Tensor)
assert_type(swap.count_patterns(torch.randn(16, 8), ternary=True), int)
space = swap.spaces.get("darts")
result = swap.search.evolve(space, scorer, population=16, cycles=10, workers=2)
loaded = swap.search.load("run.db", space="darts")
assert_type(loaded, swap.search.SearchResult)
assert_type(loaded.best.build(), nn.Module)
assert_type(loaded.best.flops, int)
assert_type(loaded.best.latency, float)
assert_type([group.ranked.score for group in loaded.distinct(top=3)], list[float])
print(result.best.score, result.best.architecture, float(score), best.width)
