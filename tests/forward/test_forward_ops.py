"""The operators as torch sees them: their schemas, tracing, and compiling."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from swapnas_ext.forward import ops
from swapnas_ext.patterns import tables


def arguments() -> dict[str, tuple[object, ...]]:
    """Arguments of every operator."""
    x = torch.randn(8, 6, 9, 9, generator=torch.Generator().manual_seed(0))
    table = tables.new_table(4, False, patterns=1000, groups=2, device=x.device)
    return {
        "batch_norm": (x, torch.ones(6), None, 1e-5),
        "batch_norm_relu_insert": (table, x, torch.ones(6), torch.zeros(6), 1e-5, 4, False),
        "convolve": (x, torch.ones(4, 3, 3, 3), torch.ones(4), 2, 1, 1, 0, 1, 2, 2),
        "avg_pool2d": (x, 3, 3, 2, 1, 1, 0, True, False),
        "max_pool2d": (x, 3, 2, 2, 1, 1, 0, 2, 1, False),
    }


@pytest.mark.parametrize("name", sorted(arguments()))
def test_opcheck(name: str) -> None:
    checks = ["test_schema", "test_autograd_registration", "test_faketensor"]
    torch.library.opcheck(
        getattr(torch.ops.swapnas, name).default, arguments()[name], test_utils=checks
    )


def test_every_operator_is_checked() -> None:
    assert {schema.partition("(")[0] for schema in ops.SCHEMAS} == set(arguments())


@pytest.mark.slow
def test_compiled_without_graph_breaks() -> None:
    @torch.compile(fullgraph=True, backend="aot_eager")
    def run(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.swapnas.batch_norm(x * 2, None, None, 1e-5)
        return torch.ops.swapnas.max_pool2d(y, 3, 3, 2, 2, 1, 1, 1, 1, False) + 1

    x = torch.randn(4, 3, 8, 8)
    y = torch.ops.swapnas.batch_norm(x * 2, None, None, 1e-5)
    assert torch.equal(run(x), torch.ops.swapnas.max_pool2d(y, 3, 3, 2, 2, 1, 1, 1, 1, False) + 1)
