"""Writes a network as an ONNX model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from swapnas_ext._util import replacing
from swapnas_ext.export.blame import place_of
from swapnas_ext.export.exported import NOTES, Exported, Phase, check_inputs, dtype_name
from swapnas_ext.export.probes import largest_difference, probe
from swapnas_ext.export.traced import BATCH, Traced, evaluating, first_line, quiet, traced

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_TOLERANCE = 1e-3
INPUT, _OUTPUT = "input", "output"


def check_onnx(*, runs: bool = True) -> None:
    """Raises ImportError, with what to install, unless the packages that write ONNX models are there, and that which
    ``runs`` them."""
    needed = [name for name in _PACKAGES if runs or name != "onnxruntime"]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"ONNX needs {', '.join(missing)}: pip install 'swapnas-ext[onnx]', or export to another format"
        )


def to_onnx(
    network: nn.Module,
    inputs: Tensor,
    path: str | Path,
    *,
    notes: str = "",
    on_phase: Phase = lambda phase: None,
) -> Exported:
    """Writes a network, in evaluation mode, as an ONNX model with its weights in one file.

    The model has the inputs ``input`` and the output ``output`` (of several: ``output_0``, ...). It takes any number of
    samples; where the network allows only one number, a single sample. onnxruntime runs it on random inputs, and
    its outputs are compared with the network's own, before the file is there. The network is left as it is.

    Equivalent to::

        torch.onnx.export(network.eval(), (inputs,), path, dynamo=True, dynamic_shapes=...)

    Args:
        network: takes one tensor, on the CPU.
        inputs: a sample or more, ``[samples, ...]``.
        path: the file; an existing one is replaced.
        notes: text to put into the file, as the metadata property ``swapnas.json``.
        on_phase: called with what is being done: ``"tracing"``, ``"translating"``, ``"checking"``.

    Raises:
        TypeError, ValueError: inputs that are not such a tensor.
        ImportError: onnx, onnxscript or onnxruntime is missing.
        RuntimeError: the network can't be traced, or an operator has no translation (with the operator and the layer),
            or the model does not do the same.
        OSError: the file can't be written.
    """
    check_inputs(inputs)
    check_onnx()
    path = Path(path)
    with evaluating(network), replacing(path) as file:
        on_phase("tracing")
        found = traced(network, inputs)
        probes = [probe(network, inputs, samples) for samples in found.samples]
        on_phase("translating")
        write_traced(network, found, file, notes, outputs=len(probes[0].outputs))
        on_phase("checking")
        difference = _checked(file, probes)
        size = file.stat().st_size
    return Exported(
        path, size, found.shape, dtype_name(inputs.dtype), difference, _TOLERANCE, found.fixed_by
    )


def output_names(outputs: int) -> list[str]:
    return [_OUTPUT] if outputs == 1 else [f"{_OUTPUT}_{k}" for k in range(outputs)]


def write_traced(
    network: nn.Module, found: Traced, file: Path, notes: str = "", *, outputs: int
) -> None:
    """Writes a traced network as an ONNX model. Raises RuntimeError if an operator has no translation, with the
    layer."""
    try:
        with quiet():
            model = torch.onnx.export(
                found.program,
                (),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=output_names(outputs),
                dynamic_shapes=({0: Dim(BATCH)},) if found.batch is None else None,
            )
    except Exception as error:
        place = place_of(error, network) or type(network).__name__
        raise RuntimeError(
            f"ONNX has no translation of {place}: {_reason(error)}; replace it, or export to torch"
        ) from error
    assert model is not None
    if notes:
        model.model.metadata_props[NOTES] = notes
    model.save(file, external_data=False)


def _reason(error: BaseException) -> str:
    """What the innermost of the causes says: the outer ones are pages long."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _checked(file: Path, probes: list) -> float:  # type: ignore[type-arg]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def run(inputs: Tensor) -> list[Tensor]:
        outputs = session.run(None, {INPUT: inputs.numpy()})
        return [torch.from_numpy(output) for output in outputs]

    return largest_difference(run, probes, _TOLERANCE)
