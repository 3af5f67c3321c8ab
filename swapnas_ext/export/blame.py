"""Finds the module and the operator at which an export failed."""

from __future__ import annotations

from collections.abc import Iterator

from torch import fx, nn


def place_of(error: BaseException, network: nn.Module) -> str:
    """Where the error arose: ``linalg_eigh, in the layer 'features.3' (Whitening)``; empty if that is not known."""
    operator, module = "", ""
    names = {id(one): name for name, one in network.named_modules()}
    for caller in _locals(error, "self"):
        if id(caller) in names:
            module = _described(names[id(caller)], type(caller).__name__)
    node = _failed_node(error)
    if node is not None:
        operator = str(node.target)
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        if stack:
            path, kind = stack[-1]
            module = _described(path, str(kind).rpartition(".")[2].strip("'>"))
    return ", in ".join(part for part in (operator, module) if part)


def _described(path: str, kind: str) -> str:
    return f"the layer {path!r} ({kind})" if path else f"the forward pass of the network ({kind})"


def _failed_node(error: BaseException) -> fx.Node | None:
    """The last node of the traced graph that was being worked on."""
    found = None
    for node in _locals(error, "node"):
        if isinstance(node, fx.Node) and node.op == "call_function":
            found = node
    return found


def _locals(error: BaseException, name: str) -> Iterator[object]:
    """A local variable of all functions that the error passed through, and of those of its causes, outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    for one in chain:
        trace = one.__traceback__
        while trace is not None:
            value = trace.tb_frame.f_locals.get(name)
            if value is not None:
                yield value
            trace = trace.tb_next
