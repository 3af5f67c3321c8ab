"""Commands that measure latency elsewhere: here, small Python scripts."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.export import LatencyCommand
from swapnas_ext.export.for_measuring import write_onnx, write_torch
from swapnas_ext.export.guarded_command import run

PYTHON = shlex.quote(sys.executable)
SAMPLE = torch.ones(1, 4)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()


def command(script: str, name: str = "phone", timeout: float = 30.0) -> LatencyCommand:
    return LatencyCommand(f"{PYTHON} -c {shlex.quote(script)} {{onnx}}", name, timeout)


def test_several_times_have_an_interval(network: nn.Module) -> None:
    found = command("print('warming up'); print(*range(1, 16))").measure(network, SAMPLE)
    assert found.median == 0.008
    assert found.low is not None and found.high is not None
    assert 0.001 < found.low < 0.008 < found.high < 0.015
    commas = command("print('3,1, 2\\n\\n')").measure(network, SAMPLE)
    assert (commas.median, commas.low, commas.high) == (0.002, 0.001, 0.003)


def test_one_time_has_none(network: nn.Module) -> None:
    found = command("print(2.5)").measure(network, SAMPLE)
    assert (found.median, found.low, found.high) == (0.0025, None, None)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("print('fast')", "'fast': expected milliseconds"),
        ("print('4 ms')", "'4 ms': expected milliseconds"),
        ("print(5); print('done')", "'done'"),
        ("print('nan')", "'nan'"),
        ("print('1 inf')", "'1 inf'"),
        ("print(-3)", "'-3'"),
        ("print(0)", "'0'"),
        ("pass", "printed nothing"),
        ("import sys; sys.exit(3)", "exit code 3$"),
        ("1 / 0", "exit code 1: ZeroDivisionError: division by zero\n(.|\n)*Traceback"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
    ],
)
def test_what_goes_wrong_is_told(network: nn.Module, script: str, reason: str) -> None:
    with pytest.raises(RuntimeError, match=f"phone: (.|\n)*{reason}"):
        command(script).measure(network, SAMPLE)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def ends(process: int) -> bool:
    """Whether a process ends soon."""
    deadline = time.monotonic() + 20
    while is_running(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_one_that_hangs_ends_with_all_that_it_started(network: nn.Module, tmp_path: Path) -> None:
    started = tmp_path / "pid"
    script = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '600']);"
        f"open({str(started)!r}, 'w').write(str(child.pid)); print('started', flush=True); time.sleep(600)"
    )
    with pytest.raises(RuntimeError, match=r"took longer than 1.5 s, and was ended"):
        command(script, timeout=1.5).measure(network, SAMPLE)
    assert ends(int(started.read_text()))


def test_any_time_may_be_given(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run([sys.executable, "-c", "print(3)"], 1e300, tmp_path).output == "3\n"
    assert capfd.readouterr().err == ""


def test_one_that_leaves_something_running_ends_with_it(network: nn.Module, tmp_path: Path) -> None:
    started = tmp_path / "pid"
    script = (
        "import subprocess; child = subprocess.Popen(['sleep', '600']);"
        f"open({str(started)!r}, 'w').write(str(child.pid)); print(7)"
    )
    assert command(script).measure(network, SAMPLE).median == 0.007
    assert ends(int(started.read_text()))


@pytest.mark.slow
def test_the_command_does_not_outlive_a_killed_worker(tmp_path: Path) -> None:
    """The worker is ended in a way that leaves it no time to clean up."""
    started = tmp_path / "pid"
    worker = f"""
import pathlib, sys
sys.path[:0] = {sys.path!r}
from swapnas_ext.export.guarded_command import run
line = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
run([sys.executable, "-c", line], 600, pathlib.Path({str(tmp_path)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", worker])
    deadline = time.monotonic() + 60
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert ends(int(started.read_text()))


def test_no_shell_sees_the_command(tmp_path: Path) -> None:
    ended = run(["echo", "$HOME; touch made", "`id`"], 10, tmp_path)
    assert ended.output == "$HOME; touch made `id`\n"
    with pytest.raises(OSError, match="can't be started: Permission denied"):
        run([str(tmp_path / "output")], 10, tmp_path)


def test_a_missing_program_is_known_before_the_export() -> None:
    with pytest.raises(RuntimeError, match="nowhere: there is no program 'nowhere'"):
        LatencyCommand("nowhere {torch}").measure(nn.Identity(), SAMPLE)


def test_the_files_are_the_network(network: nn.Module, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    x = torch.randn(1, 4)
    write_onnx(network, x, tmp_path / "n.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 4]
    (found,) = session.run(["output"], {"input": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), network(x).detach())
    write_torch(network, x, tmp_path / "n.pt2")
    program = torch.export.load(tmp_path / "n.pt2").module()
    torch.testing.assert_close(program(x), network(x))


def test_both_placeholders_are_replaced(network: nn.Module) -> None:
    script = (
        "import os, sys; print(*(os.path.getsize(path.partition('=')[2]) for path in sys.argv[1:]))"
    )
    both = LatencyCommand(f"{PYTHON} -c {shlex.quote(script)} --a={{onnx}} --b={{torch}}")
    found = both.measure(network, SAMPLE)
    assert found.low is not None and found.high is not None and found.low < found.high


class Whitening(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigh(x.T @ x)[1]


@pytest.mark.slow
def test_a_network_that_cannot_be_exported_names_the_layer() -> None:
    network = nn.Sequential(nn.Linear(4, 4), Whitening()).eval()
    with pytest.raises(RuntimeError, match=r"linalg_eigh.*the layer '1' \(Whitening\)"):
        command("print(1)").measure(network, SAMPLE)


def test_the_example_measures(network: nn.Module) -> None:
    pytest.importorskip("onnxruntime")
    script = Path(__file__).parents[2] / "examples" / "measure_latency.py"
    meter = swap.export.LatencyCommand(f"{PYTHON} {shlex.quote(str(script))} {{onnx}}")
    assert meter.name == "measure_latency"
    found = meter.measure(network, SAMPLE)
    assert found.low is not None and found.high is not None
    assert 0 < found.low <= found.median <= found.high


def test_bad_commands() -> None:
    with pytest.raises(ValueError, match=r"gets no network: write \{onnx\} or \{torch\}"):
        LatencyCommand("python measure.py")
    with pytest.raises(ValueError, match="can't be read: No closing quotation"):
        LatencyCommand("python 'measure.py {onnx}")
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds, got 0"):
        LatencyCommand("a {onnx}", timeout=0)
    for timeout in (True, "3"):
        with pytest.raises(TypeError, match="timeout must be a number of seconds, got"):
            LatencyCommand("a {onnx}", timeout=timeout)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 40 printable characters"):
        LatencyCommand("a {onnx}", "phone\n")
    with pytest.raises(TypeError, match="command must be a text, got list"):
        LatencyCommand(["a", "{onnx}"])  # type: ignore[arg-type]
    assert LatencyCommand("/usr/bin/bench --model={onnx}").name == "bench"
