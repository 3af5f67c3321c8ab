"""Scoring whole models: the published workload against the published way, the cost over a bare forward
pass, other proxies, and memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import models
import proxies
import pytest
import torch
from interleaved import medians_of_interleaved
from published import published_way
from torch import Tensor, nn

import swapnas_ext as swap

swap.keep_freed_memory()  # for both sides alike

CELLS = {
    "convolutions": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "mixed": "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_1x1~0|avg_pool_3x3~1|skip_connect~2|",
    "small": "|nor_conv_1x1~0|+|skip_connect~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
}
REPEATS = 32


def genotype(*edges: tuple[str, int]) -> str:
    """Uses the same cell twice, as in the published table of accuracies."""
    cell, concat = list(edges), [2, 3, 4, 5]
    return f"Genotype(normal={cell}, normal_concat={concat}, reduce={cell}, reduce_concat={concat})"


# Rows of the published table: row 2, with the V of the project's other figures, and rows 1, 6 and 18.
GENOTYPES = {
    "A": genotype(
        *(("sep_conv_5x5", 0), ("sep_conv_3x3", 0), ("avg_pool_3x3", 2), ("sep_conv_3x3", 0)),
        *(("sep_conv_3x3", 3), ("avg_pool_3x3", 1), ("sep_conv_5x5", 0), ("sep_conv_5x5", 2)),
    ),
    "B": genotype(
        *(("none", 0), ("dil_conv_5x5", 0), ("sep_conv_5x5", 0), ("sep_conv_3x3", 1)),
        *(("sep_conv_3x3", 1), ("dil_conv_5x5", 2), ("sep_conv_5x5", 3), ("skip_connect", 4)),
    ),
    "C": genotype(
        *(("sep_conv_5x5", 0), ("sep_conv_5x5", 1), ("max_pool_3x3", 2), ("dil_conv_5x5", 2)),
        *(("dil_conv_3x3", 0), ("none", 0), ("skip_connect", 2), ("none", 4)),
    ),
    "D": genotype(
        *(("sep_conv_3x3", 0), ("skip_connect", 0), ("sep_conv_3x3", 2), ("skip_connect", 0)),
        *(("none", 2), ("sep_conv_5x5", 0), ("skip_connect", 4), ("dil_conv_5x5", 3)),
    ),
}


@pytest.mark.parametrize("name", GENOTYPES)
def test_published_workload(compare: Any, name: str) -> None:
    """DARTS cell network, 16 images, 32 repeats, including the build."""
    space, inputs = swap.spaces.get("darts"), swap.data.photograph(16)
    scorer = swap.Scorer(inputs, init="gaussian", repeats=REPEATS)
    build = partial(space.build, GENOTYPES[name], initialized=False)
    ours = scorer(build)
    exact = swap.Scorer(inputs, init="gaussian", repeats=3, fast_layers=False)(build)
    assert list(exact.patterns) == published_way(partial(space.build, GENOTYPES[name]), inputs, 3)
    compare(
        f"DARTS cell {name}, V={ours.neurons:,}, 32 repeats with build",
        lambda: scorer(build),
        {"published way": lambda: published_way(partial(space.build, GENOTYPES[name]), inputs, 32)},
        rounds=15,
        other_every=5,
        at_least=60,
        timing_ms={step: 1e3 * seconds for step, seconds in vars(scorer(build).timing).items()},
    )


@pytest.mark.parametrize("name", GENOTYPES)
def test_batched_repeats_against_the_loop(compare: Any, name: str) -> None:
    inputs = swap.data.photograph(16)
    model = swap.spaces.get("darts").build(GENOTYPES[name])
    batched = swap.Scorer(inputs, init="gaussian", repeats=REPEATS)
    loop = swap.Scorer(inputs, init="gaussian", repeats=REPEATS, max_memory=1)
    assert batched(model).patterns == loop(model).patterns
    compare(
        f"DARTS cell {name}, repeats at once",
        lambda: batched(model),
        {"one after another": lambda: loop(model)},
        rounds=15,
        at_least=2,
    )


def scored_against_forward(
    compare: Any, work: str, model: nn.Module, inputs: Tensor, rounds: int
) -> None:
    model.train()  # as in the published code: the statistics of the mini-batch
    bound = 1.01 if rounds < 20 else 1.03  # of larger models
    for suffix, options, within in (
        ("", {}, bound),
        (", layers of torch", {"fast_layers": False}, bound),
        (", all as operators", {"capture": "operators"}, 1.15),
    ):
        scorer = swap.Scorer(inputs, **options)

        def forward() -> None:
            with torch.no_grad():
                model(inputs)

        compare(
            f"score, {work}{suffix}",
            partial(scorer, model),
            {"bare forward": forward},
            rounds=rounds,
            within=within,
        )


@pytest.mark.parametrize("name", CELLS)
def test_nasbench201_against_forward(compare_several: Any, name: str) -> None:
    model = swap.spaces.get("nasbench201").build(CELLS[name])
    inputs = swap.data.photograph(16)
    scored_against_forward(compare_several, f"NAS-Bench-201 {name}", model, inputs, 61)


LARGE = {
    "ResNet-50 at 224": (models.resnet50, lambda: swap.data.photograph(16, 224)),
    "ViT-B/16 at 224": (models.ViT, lambda: swap.data.photograph(16, 224)),
    "encoder of BERT-base's size": (models.Encoder, lambda: torch.randint(30_000, (16, 128))),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_large_models_against_forward(compare_several: Any, name: str) -> None:
    build, batch = LARGE[name]
    torch.manual_seed(0)
    scored_against_forward(compare_several, name, build(), batch(), 9)


@pytest.mark.parametrize("name", CELLS)
def test_other_proxies(rows: list[dict[str, Any]], benchmark: Any, name: str) -> None:
    """Each against the bare forward pass of the same model and mini-batch, interleaved."""
    model = swap.spaces.get("nasbench201").build(CELLS[name]).train()
    inputs = swap.data.photograph(16)
    scorer = swap.Scorer(inputs)

    def forward() -> None:
        with torch.no_grad():
            model(inputs)

    works: dict[str, Callable[[], object]] = {
        "bare forward": forward,
        "SWAP": partial(scorer, model),
        "NWOT": partial(proxies.nwot, model, inputs),
        "jacov": partial(proxies.jacov, model, inputs),
        "synflow": partial(proxies.synflow, model, inputs, len(inputs)),
        "synflow, one input": partial(proxies.synflow, model, inputs),
    }
    medians = {
        key: 1e3 * median for key, median in medians_of_interleaved(works, rounds=11).items()
    }
    benchmark.pedantic(works["SWAP"], rounds=3)
    ratios = {key: value / medians["bare forward"] for key, value in medians.items()}
    print(f"\nproxies, NAS-Bench-201 {name}: {ratios}")
    rows.append(
        {
            "work": f"proxies, NAS-Bench-201 {name}",
            "medians_ms": medians,
            "against_forward": ratios,
            "kept": ratios["SWAP"] == min(v for k, v in ratios.items() if k != "bare forward"),
            "kept_on_the_batch": ratios["SWAP"] == min(ratios[k] for k in list(works)[1:5]),
        }
    )


MEMORY_PROGRAM = """
import torch
from torch import nn
import swapnas_ext as swap

model = swap.spaces.get("nasbench201").build({cell!r}).train()
torch.manual_seed(0)
inputs = torch.randn({samples}, 3, 32, 32)

def forward():
    with torch.no_grad():
        model(inputs)

def published():
    kept = []
    hooks = [m.register_forward_hook(lambda m, i, o: kept.append(o.detach()))
             for m in model.modules() if isinstance(m, nn.ReLU)]
    forward()
    for hook in hooks:
        hook.remove()
    rows = torch.cat([x.view({samples}, -1) for x in kept], dim=1)
    return torch.unique(torch.sign(rows).T, dim=0).size(0)

def peak_kib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

for _ in range(3):
    forward()
before = peak_kib()
{{"ours": lambda: swap.score(model, inputs), "published": published}}["{way}"]()
print(peak_kib() - before)
"""


@pytest.mark.parametrize("samples", [16, 32])
def test_peak_memory(rows: list[dict[str, Any]], benchmark: Any, samples: int) -> None:
    """Growth of the peak resident memory by one score, after a forward pass, in fresh processes."""

    def added_kib(way: str) -> int:
        program = MEMORY_PROGRAM.format(cell=CELLS["convolutions"], samples=samples, way=way)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    published = added_kib("published")
    ours = benchmark.pedantic(added_kib, args=("ours",), rounds=1)
    print(f"\npeak memory S={samples}: ours +{ours} KiB, published +{published} KiB")
    rows.append(
        {
            "work": f"peak memory of a score, S={samples}",
            "ours_kib": ours,
            "published_kib": published,
            "ratio": ours / published,
            "bound": "<= 0.05",
            "kept": ours <= published / 20,
        }
    )
