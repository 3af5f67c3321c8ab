"""Finds normalisation that can't be switched to the statistics of the mini-batch, as in a model that was exported,
traced or scripted in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal
from weakref import ref

import torch
from torch import nn

from swapnas_ext._torch_private import BATCH_NORMS, INSTANCE_NORMS, buffers_of
from swapnas_ext._util import ByClass
from swapnas_ext.models.inventory import Inventory

_BUFFERS = ("running_mean", "running_var")
_ADVICE = "score the original model, not what was made of it"


def note(inventory: Inventory) -> str | None:
    """The note for the score of a model with normalisation that uses running statistics; None where all
    normalisation uses the statistics of the mini-batch."""
    reasons: dict[str, None] = {}
    of_graphs: set[int] = set()  # modules in graphs of torch.fx
    for module in inventory.everything:
        kind = _kind_of[ref(type(module))]
        if kind is None:
            continue
        if kind == "script":
            reason = _of_script(module)
        elif kind == "graph" and (graph := _graph_of(module)) is not None:
            of_graphs.update(map(id, module.modules()))
            reason = _of_graph(module, graph)
        elif id(module) in of_graphs:
            continue
        else:
            reason = _of_buffers(module)
        if reason is not None:
            reasons[reason] = None
    if not reasons:
        return None
    return (
        "normalisation uses running statistics (running_mean, running_var) instead of the mini-batch's, so "
        f"this score does not compare with others: {'; '.join(reasons)}"
    )


@ByClass
def _kind_of(kind: type[nn.Module]) -> Literal["script", "graph", "other"] | None:
    """None for classes without statistics, and for those that can be switched to the mini-batch's."""
    if issubclass(kind, torch.jit.ScriptModule):
        return "script"
    if kind.__module__.startswith(("torch.fx", "torch.export")):
        return "graph"
    if issubclass(kind, BATCH_NORMS + INSTANCE_NORMS):
        return None
    return "other" if kind is nn.Module or not kind.__module__.startswith("torch.nn.") else None


def _of_buffers(module: nn.Module) -> str | None:
    buffers = buffers_of(module)
    if not buffers or any(buffers.get(name) is None for name in _BUFFERS):
        return None
    kind = type(module).__name__
    return f"{kind} is not one of torch's batch normalisations; replace it with nn.BatchNorm and score that model"


# ---- TorchScript -------------------------------------------------------------------------------------


def _of_script(script: nn.Module) -> str | None:
    try:
        graph = script.inlined_graph
    except RuntimeError:  # without a forward
        return None
    name = getattr(script, "original_name", type(script).__name__)
    fixed = [_constant(node.inputsAt(5)) for node in _normalisations(graph)]
    by_mode = None in fixed and any(_is_evaluating(part) for part in script.modules())
    if False in fixed or by_mode:
        return f"the TorchScript of {name} is of evaluation mode; {_ADVICE}"
    if not hasattr(script, "training"):
        return f"the TorchScript of {name} is frozen, and any it had are constants of it; {_ADVICE}"
    return None


def _normalisations(graph: Any) -> Iterator[Any]:
    for name in ("aten::batch_norm", "aten::instance_norm"):
        yield from graph.findAllNodes(name)


def _constant(value: Any) -> Any:
    """The constant value of a node's input; None where only a run of the graph determines it."""
    return value.toIValue()


def _is_evaluating(part: nn.Module) -> bool:
    has_statistics = all(getattr(part, name, None) is not None for name in _BUFFERS)
    return has_statistics and not getattr(part, "training", False)


# ---- graphs of torch.fx and torch.export -------------------------------------------------------------


def _graph_of(module: nn.Module) -> torch.fx.Graph | None:
    graph = getattr(module, "graph", None)
    return graph if isinstance(graph, torch.fx.Graph) else None


def _of_graph(module: nn.Module, graph: torch.fx.Graph) -> str | None:
    calls = list(_calls_of_normalisation(graph))
    is_decomposed = not calls and any(
        type(part) is nn.Module and _of_buffers(part) is not None for part in module.modules()
    )
    if is_decomposed or any(map(_takes_running_statistics, calls)):
        return f"the graph of torch.fx or torch.export was made in evaluation mode; {_ADVICE}"
    return None


def _calls_of_normalisation(graph: torch.fx.Graph) -> Iterable[torch.fx.Node]:
    for node in graph.nodes:
        if node.op == "call_function" and any(
            kind in _name(node) for kind in ("batch_norm", "instance_norm")
        ):
            yield node


def _name(call: torch.fx.Node) -> str:
    return getattr(call.target, "__name__", str(call.target))


def _takes_running_statistics(call: torch.fx.Node) -> bool:
    name = _name(call)
    if "no_training" in name or "no_update" in name:
        return True
    if "no_stats" in name:
        return False
    is_batch_norm = "batch_norm" in name
    option, default = ("training", False) if is_batch_norm else ("use_input_stats", True)
    takes_batch = call.args[5] if len(call.args) > 5 else call.kwargs.get(option, default)
    return takes_batch is False
