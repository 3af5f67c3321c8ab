"""The benchmark tables, their published figures, and the settings for scoring them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from variants import Variant

from swapnas_ext import measures, spaces
from swapnas_ext.spaces import SearchSpace

SOURCES = {"cifar10": "cifar10_train_256.npz", "imagenet": "imagenet_256px_16.npz"}
COMPOSITE = "composite"
CAPACITY = "capacity"
_VOCABULARY = 30_522
_SOURCES_TRIED = {True: ("cifar10", "default", "noise"), False: ("default", "noise")}
_UNCHANGED = {"activation": None, "batch_statistics": True, "channels": None}


@dataclass(frozen=True)
class Setting:
    """The settings of a scoring run, for JSON.

    Attributes:
        source: the mini-batch: cifar10, imagenet, default (the bundled photograph, or text), or noise.
        size: pixels; by default the input size of the networks.
        activation, batch_statistics, channels: see `Variant`.
    """

    space: str
    options: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 16
    repeats: int = 1
    init: str = "gaussian"
    source: str = "cifar10"
    size: int | None = None
    activation: str | None = None
    batch_statistics: bool = True
    channels: int | None = None
    measure: str = "patterns"
    seed: int = 0

    def of(self, measure: str) -> Setting:
        """The same for another measure, with the weights that it asks for."""
        return replace(self, measure=measure, init=measures.get(measure).default_init)

    def get_space(self) -> SearchSpace:
        changes = {
            "activation": self.activation,
            "batch_statistics": self.batch_statistics,
            "channels": self.channels,
        }
        if changes == _UNCHANGED:
            return spaces.get(self.space, **self.options)
        return Variant(self.space, self.options, **changes)

    def inputs(self, data: Path) -> Tensor:
        space = spaces.get(self.space, **self.options)
        if self.source == "noise":
            like = space.inputs(self.samples, None, self.size)
            generator = torch.Generator().manual_seed(self.seed)
            if like.is_floating_point():
                return torch.randn(like.shape, generator=generator)
            return torch.randint(1, _VOCABULARY, like.shape, generator=generator)
        path = SOURCES.get(self.source)
        return space.inputs(self.samples, data / path if path else None, self.size)


@dataclass(frozen=True)
class Table:
    """A benchmark table.

    Attributes:
        accuracy: its column; by default the one that `read_table` finds.
        baselines: columns with the values of published proxies.
        published: published values of Spearman's rho, by author.
        aim: this project's aims for the plain score and the size-regularised one; None means no aim.
        unlisted: entries of the file without an accuracy, between those with one.
        most: the number of rows, of those in the order of `studied_rows.shuffled`; by default all.
        rows: the number of rows of each ablation; 0 for none.
        sizes: pixels to try.
    """

    file: str
    setting: Setting
    published: Mapping[str, float]
    accuracy: str | None = None
    baselines: Sequence[str] = ()
    aim: tuple[float | None, float | None] = (None, None)
    most: int | None = None
    rows: int = 100
    unlisted: int = 0
    sizes: Sequence[int] = (16, 32, 64)


_SMALL = {"image_size": 64}

TABLES = {
    "DARTS": Table(
        "darts_cifar10.csv",
        Setting("darts", source="default", repeats=8),
        {"SWAP, regularised (Peng et al. 2024)": 0.93},
        aim=(0.91, 0.93),
        rows=300,
    ),
    "NAS-Bench-201": Table(
        "nasbench201_cifar10.csv",
        Setting("nasbench201"),
        {
            "SWAP, regularised, CIFAR-100 (Peng et al. 2024)": 0.90,
            "AZ-NAS (2024)": 0.913,
            "jacov": 0.82,
            "NWOT, 9,445 valid networks": 0.79,
            "parameters": 0.75,
            "synflow": 0.73,
        },
        aim=(0.80, 0.89),
        rows=150,
    ),
    "NAS-Bench-101": Table(
        "nasbench101_500.csv",
        Setting("nasbench101", {"channels": 32, "cells": 3}),
        {"FLOPs": 0.72, "synflow": 0.65},
        baselines=("synflow", "jacov"),
        rows=40,
    ),
    "NAS-Bench-301": Table(
        "nasbench301_surrogate.csv",
        Setting("darts", {"network": "cifar10", "channels": 16, "layers": 8}),
        {"NWOT": 0.555, "parameters": 0.523},
        baselines=("nwot",),
        aim=(0.555, 0.60),
        rows=40,
        sizes=(16, 32),
    ),
    "TransNAS micro": Table(
        "transnas101_micro_class_scene.csv",
        Setting("transnas-micro", _SMALL, source="imagenet", channels=8),
        {},
        sizes=(32, 64, 128),
        rows=100,
    ),
    "TransNAS macro": Table(
        "transnas101_macro_class_scene.csv",
        Setting("transnas-macro", _SMALL, source="imagenet", channels=8),
        {},
        sizes=(32, 64, 128),
        rows=60,
    ),
    "FlexiBERT": Table(
        "flexibert.json",
        Setting("flexibert", source="default"),
        {
            "SWAP (Peng et al. 2026)": 0.71,
            "head confidence": 0.716,
            "parameters": 0.652,
        },
        accuracy="scores.glue",
        aim=(0.70, None),
        rows=150,
        unlisted=1,
        sizes=(),
    ),
    "NAS-Bench-Macro": Table(
        "nasbench_macro_3280.csv",
        Setting("nasbench-macro"),
        {},
        accuracy="test_cifar10",
        most=750,
        rows=0,
    ),
    "Accel-NASBench": Table(
        "accel_nasbench_imagenet.csv",
        Setting("efficientnet", {"resolution": 96}, source="imagenet"),
        {},
        accuracy="val_top1",
        most=600,
        rows=0,
    ),
    # At half the image size: 49 tokens instead of 196, in a third of the time.
    "AutoFormer": Table(
        "vitbench101_autoformer_100.csv",
        Setting("autoformer", {"resolution": 112, "classes": 100}, source="imagenet"),
        {},
        accuracy="c100_kd_acc",
        rows=0,
    ),
}


def ablations(table: Table) -> dict[str, dict[str, Setting]]:
    """One change at a time: its name, and its values with their settings."""
    base = replace(table.setting, repeats=1)
    of_images = base.space != "flexibert"
    many = "default" if base.source == "imagenet" else base.source  # of those there are 16
    settings: dict[str, dict[str, Setting]] = {
        "samples": {
            str(count): replace(base, samples=count, source=many) for count in (4, 8, 16, 32, 64)
        },
        "repeats": {str(count): replace(base, repeats=count) for count in (1, 4)},
        "initialisation": {
            name: replace(base, init=name) for name in ("gaussian", "kaiming", "keep")
        },
        "inputs": {
            name: replace(base, source=name)
            for name in dict.fromkeys([base.source, *_SOURCES_TRIED[of_images]])
        },
        "activation": {
            name: replace(base, activation=name, init="kaiming")
            for name in ("relu", "leaky_relu", "gelu", "silu", "tanh")
        },
    }
    if of_images:
        settings["size"] = {str(size): replace(base, size=size) for size in table.sizes}
        settings["batch normalisation"] = {
            name: replace(base, init="kaiming", batch_statistics=name == "batch statistics")
            for name in ("batch statistics", "as in evaluation")
        }
    return settings
