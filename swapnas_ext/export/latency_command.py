"""Measures latency with a command, such as one that runs a network on a phone."""

from __future__ import annotations

import math
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from swapnas_ext.export.for_measuring import write_onnx, write_torch
from swapnas_ext.export.guarded_command import Ended, run
from swapnas_ext.export.onnx_model import check_onnx
from swapnas_ext.search import Latency

_WRITERS = {
    "{onnx}": ("network.onnx", write_onnx),
    "{torch}": ("network.pt2", write_torch),
}
_LONGEST_NAME = 40
_SHOWN = 500
"""Characters of what a command wrote that an error shows."""


@dataclass(frozen=True)
class LatencyCommand:
    """Measures the latency of each candidate with a command, for `swapnas_ext.search.search`.

    The final network, for one sample, is written to a temporary file. The command runs without a shell, one at a time
    on each machine of the search, and prints milliseconds: the last line of its standard output is one number, or
    several, from which median and interval are worked out. A command that fails, prints anything else, or takes too
    long costs one candidate, whose error says why; it is killed with all processes of its group.

    Attributes:
        command: the program and its arguments, quoted as in a shell. ``{onnx}`` stands for the path of an ONNX model,
            ``{torch}`` for that of a program of torch.export; one of them has to be there.
        name: of the device, in tables. By default the program's, or that of the script if the program is Python.
        timeout: seconds that one run of the command may take.

    Raises:
        TypeError, ValueError: not such a command, or not such a time.
        ImportError: ``{onnx}`` is asked for, and onnx or onnxscript is missing.
    """

    command: str
    name: str = ""
    timeout: float = 60.0

    is_elsewhere = True

    def __post_init__(self) -> None:
        for attribute in ("command", "name"):
            value = getattr(self, attribute)
            if not isinstance(value, str):
                raise TypeError(f"{attribute} must be a text, got {type(value).__name__}")
        try:
            parts = shlex.split(self.command)
        except ValueError as error:
            raise ValueError(
                f"the latency command {self.command!r} can't be read: {error}"
            ) from error
        if not any(placeholder in part for part in parts for placeholder in _WRITERS):
            raise ValueError(
                f"the latency command {self.command!r} gets no network: write {' or '.join(_WRITERS)} where the path "
                "of its file belongs, as in python measure.py {onnx}"
            )
        if not self.name:
            object.__setattr__(self, "name", _name_of(parts))
        if len(self.name) > _LONGEST_NAME or not self.name.isprintable():
            raise ValueError(
                f"the name of a device has at most {_LONGEST_NAME} printable characters, got {self.name!r:.80}"
            )
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, int | float):
            raise TypeError(
                f"timeout must be a number of seconds, got {type(self.timeout).__name__}"
            )
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ValueError(f"timeout must be a positive number of seconds, got {self.timeout}")
        if "{onnx}" in self.command:
            check_onnx(runs=False)

    def measure(self, network: nn.Module, sample: Tensor) -> Latency:
        """The latency of a network, in evaluation mode, on one sample; both on the CPU.

        Raises:
            RuntimeError: the network can't be exported (with the layer), or the command does not measure it.
        """
        parts = shlex.split(self.command)
        if shutil.which(parts[0]) is None:  # known before the slow export
            raise RuntimeError(f"{self.name}: there is no program {parts[0]!r}")
        with tempfile.TemporaryDirectory(prefix="swapnas-") as folder:
            for placeholder, (file, write) in _WRITERS.items():
                if not any(placeholder in part for part in parts):
                    continue
                path = Path(folder) / file
                write(network, sample, path)
                parts = [part.replace(placeholder, str(path)) for part in parts]
            try:
                ended = run(parts, self.timeout, Path(folder))
            except OSError as error:
                raise RuntimeError(f"{self.name}: {error}") from error
        return Latency.of([ms / 1e3 for ms in self._milliseconds(ended)])

    def _milliseconds(self, ended: Ended) -> list[float]:
        """The times that the command printed. Raises RuntimeError if it did not."""
        if ended.code is None:
            raise self._error(
                f"the command took longer than {self.timeout:g} s, and was ended", ended
            )
        if ended.code:
            how = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
            raise self._error(f"the command ended with {how}", ended)
        lines = ended.output.split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if not last:
            raise self._error("the command printed nothing: expected milliseconds", ended)
        try:
            times = [float(part) for part in last.replace(",", " ").split()]
        except ValueError:
            times = []
        if not times or not all(0 < time < math.inf for time in times):
            raise self._error(
                f"the last line that the command printed is {last!r:.80}: expected milliseconds, one positive number "
                "or several",
                ended,
            )
        return times

    def _error(self, problem: str, ended: Ended) -> RuntimeError:
        """An error with the last line of what the command wrote to its standard error, and with more of it below."""
        written = ended.errors.strip()[-_SHOWN:]
        lines = written.splitlines()
        told = f"{self.name}: {problem}" + (f": {lines[-1].strip()}" if lines else "")
        return RuntimeError("\n".join([told, *lines]) if len(lines) > 1 else told)


def _name_of(parts: list[str]) -> str:
    """The name of the program, or of the script that Python runs."""
    program, *arguments = (Path(part).name for part in parts)
    if program.startswith("python"):
        scripts = [name for name in arguments if name.endswith(".py")]
        program = Path(scripts[0]).stem if scripts else program
    return program[:_LONGEST_NAME]
