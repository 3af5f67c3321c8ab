"""Where the code bases are that these tests run."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

IMAGES = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(64) % 10


def loader(batch_size: int = 32) -> DataLoader[tuple[torch.Tensor, ...]]:
    return DataLoader(TensorDataset(IMAGES, LABELS), batch_size=batch_size)


def package(module: str, install: str) -> ModuleType:
    """A module of a package, or a skip that says what to install."""
    return _module(module, f"pip install {install}")


def checkout(variable: str, module: str, repository: str) -> ModuleType:
    """A module of a repository that is no package: from the checkout that an environment variable names, or as
    it is installed; or a skip that says so."""
    path = os.environ.get(variable)
    if path is not None and path not in sys.path:
        sys.path.insert(0, path)
    return _module(module, f"set {variable} to a checkout of {repository}")


def _module(name: str, remedy: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} can't be imported ({error}): {remedy}", allow_module_level=True)


def small_net(width: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 28 * 28, 10),
    )
