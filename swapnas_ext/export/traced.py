"""Traces a network to a program of torch.export."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from swapnas_ext.export.blame import place_of

BATCH = "batch"
_SAMPLES = 2
"""Of the inputs to trace with. torch.export takes a batch of one for a constant."""


@dataclass(frozen=True)
class Traced:
    """A program. ``batch`` is the number of samples that it takes, or None if it takes any number; ``fixed_by`` then
    says what allows no other."""

    program: ExportedProgram
    example: Tensor
    batch: int | None
    fixed_by: str = ""

    @property
    def shape(self) -> tuple[int | str, ...]:
        """The shape of the inputs."""
        return (BATCH if self.batch is None else self.batch, *self.example.shape[1:])

    @property
    def samples(self) -> tuple[int, ...]:
        """Numbers of samples to compare the program with the network on."""
        return (_SAMPLES + 1, 1) if self.batch is None else (self.batch,)


def traced(network: nn.Module, inputs: Tensor) -> Traced:
    """The network, in evaluation mode, as a program for any number of samples; if it allows only one number, for a
    single sample.

    Raises:
        RuntimeError: it can't be traced. Says in which layer.
    """
    several = torch.cat([inputs[:1]] * _SAMPLES)
    try:
        program = _program(network, several, any_batch=True)
        return Traced(program, several, None)
    except Exception as error:  # the network's code may raise anything
        first = error
    fixed_by = place_of(first, network) or type(network).__name__
    return traced_for_one(network, inputs, fixed_by)


def traced_for_one(network: nn.Module, inputs: Tensor, fixed_by: str = "") -> Traced:
    """The network, in evaluation mode, as a program for a single sample. Raises RuntimeError as `traced` does."""
    try:
        program = _program(network, inputs[:1], any_batch=False)
        return Traced(program, inputs[:1], 1, fixed_by)
    except Exception as error:
        place = place_of(error, network) or type(network).__name__
        raise RuntimeError(
            f"torch.export can't trace the network: {place}: {first_line(error)}"
        ) from error


def _program(network: nn.Module, inputs: Tensor, *, any_batch: bool) -> ExportedProgram:
    shapes = ({0: Dim(BATCH)},) if any_batch else None
    with quiet():
        return torch.export.export(network, (inputs,), dynamic_shapes=shapes, strict=False)


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what torch logs and warns of while it exports: its errors say the same."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """A context in which all modules of the network are in evaluation mode. Each gets its own mode back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
