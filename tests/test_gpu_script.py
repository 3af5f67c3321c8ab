"""``benchmarks/gpu.py`` without a GPU: its dry run, and that whatever happens to a step, nothing is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def benchmarks_on_the_path() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


# ---- the dry run ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_dry_run_goes_through_everything(tmp_path: Path) -> None:
    import gpu_figures
    import gpu_plan

    from swapnas_ext import _C

    command = [sys.executable, BENCHMARKS / "gpu.py", "--dry-run", "--out", tmp_path / "out"]
    command += ["--budget", "1800"]  # for any machine
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["gpu-dry-run.json", "gpu-tests.txt", "gpu.log"]
    assert os.listdir(tmp_path) == ["out"]
    results = json.loads((tmp_path / "out/gpu-dry-run.json").read_text())
    assert results["machine"]["ended"] == "complete"
    assert results["machine"]["binary"] == Path(_C.__file__).name
    assert results["machine"]["binary"] in done.stdout
    assert results["machine"]["packages"]["torch"]
    states = {step["name"]: step["state"] for step in results["steps"]}
    planned = {step.name: step for step in gpu_plan.steps(tmp_path, dry_run=True)}
    assert planned.keys() <= states.keys()
    for name, step in planned.items():
        assert states[name] == ("left out" if step.only_on_gpu else "passed")
        if step.only_on_gpu:
            assert re.search(rf"{re.escape(name)}: left out.*{step.command[0]}", done.stdout)
    works = [row["work"] for row in results["rows"]]
    assert len(set(works)) == len(works)
    for part in (
        *(f"ReLU + insert S={samples} float32" for samples in (16, 32, 64, 128)),
        "ReLU + insert S=32 bfloat16",
        "no power of two",
        "count S=32",
        "ReLU + insert of a map, S=128",
        "agreements S=128",
        *(f"scored forward, {network[0]}" for network in gpu_figures.NETWORKS.values()),
        "as a graph",
        "DARTS workload",
        "DARTS search",
    ):
        assert any(part in work for work in works), part
    assert all(work in done.stdout for work in works)


def test_the_plan_has_every_figure_in_a_process_of_its_own(tmp_path: Path) -> None:
    import gpu_figures
    import gpu_plan

    named = [name for name, _, _ in gpu_plan.FIGURES]
    profiled = [name for names in gpu_plan.PROFILED for name in names]
    assert sorted([*named, *profiled]) == sorted(gpu_figures.MEASURES)
    steps = gpu_plan.steps(tmp_path, dry_run=False)
    assert [step.name for step in steps if step.waits] == named
    for step in steps:
        assert step.limit >= step.least
        assert "--dry-run" not in step.command
        assert "cpu" not in step.command
        assert not [part for part in step.command if part.endswith(".py") and not find(part)]
    expected = sum(step.least for step in steps)
    assert expected < 330, "all of them have to fit the default budget, if each takes the least"


def find(script: str) -> bool:
    return Path(script).exists() or (BENCHMARKS.parent / "tests" / script).exists()


@pytest.mark.slow
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    command = [sys.executable, BENCHMARKS / "gpu.py", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "finds no GPU here; --dry-run" in done.stdout
    results = json.loads((tmp_path / "gpu-unknown.json").read_text())
    assert [step["state"] for step in results["steps"]] == ["failed"]


# ---- the runner ----------------------------------------------------------------------------------


class Recording:
    """A runner whose results are read again from their file whenever they change."""

    def __init__(self, folder: Path, budget: float = 60, *, dry: bool = False) -> None:
        from gpu_results import Results
        from gpu_runner import Outcome, Runner

        self.folder = folder
        self.results = Results(folder, "NVIDIA H100 80GB HBM3", {})
        self.counts: list[tuple[int, int]] = []

        def told(kind: str, content: dict[str, object]) -> None:
            assert kind == "row"
            self.results.add_row(content)
            self.count()

        def done(outcome: Outcome) -> None:
            self.results.add_step(outcome.as_json())
            self.count()

        self.runner = Runner(budget, folder / "gpu.log", told, done, dry=dry)

    def count(self) -> None:
        content = json.loads((self.folder / "gpu-nvidia-h100-80gb-hbm3.json").read_text())
        self.counts.append((len(content["rows"]), len(content["steps"])))

    @property
    def log(self) -> str:
        return (self.folder / "gpu.log").read_text()


def step(name: str, program: str, **settings: object) -> object:
    from gpu_runner import Step

    program = f"import sys; sys.path.append({str(BENCHMARKS)!r})\nfrom gpu_messages import tell\n{program}"
    given = {"limit": 30.0, "least": 0.0, **settings}
    return Step(name, [sys.executable, "-c", program], BENCHMARKS, **given)


def states(outcomes: Sequence[object]) -> list[tuple[str, str]]:
    return [(outcome.step.name, outcome.state) for outcome in outcomes]


@pytest.mark.slow
def test_steps_that_fail_hang_or_die_lose_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    hangs = "tell('row', {'work': 'b'}); print('here'); import time; time.sleep(99)"
    outcomes = recording.runner.run(
        [
            step("raises", "tell('row', {'work': 'a'}); raise RuntimeError('sticky')"),
            step("hangs", hangs, limit=5.0),
            step("dies", "tell('row', {'work': 'c'}); import ctypes; ctypes.string_at(0)"),
            step("is cut off", "print('@swapnas-row {\"work\": ')"),
            replace(step("is not there", ""), command=["/no/such/program"]),
            step("passes", "tell('row', {'work': 'd'}); print('the end')"),
        ]
    )
    assert states(outcomes) == [
        ("raises", "failed"),
        ("hangs", "timed out"),
        ("dies", "failed"),
        ("is cut off", "passed"),
        ("is not there", "failed"),
        ("passes", "passed"),
    ]
    assert [row["work"] for row in recording.results.rows] == ["a", "b", "c", "d"]
    # The file was whole after every row and every step.
    assert recording.counts == [
        *((1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (3, 4), (3, 5), (4, 5), (4, 6))
    ]
    assert outcomes[0].reason == "exit status 1"
    assert "SIGSEGV" in outcomes[2].reason
    assert outcomes[-1].last_line == "the end"
    for line in (
        "[raises] RuntimeError: sticky",
        "[hangs] here",
        "[hangs] Fatal Python error: Aborted",  # and where it was
        "[dies] Fatal Python error: Segmentation fault",
        "[passes] the end",
    ):
        assert line in recording.log
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "gpu-nvidia-h100-80gb-hbm3.json",
        "gpu.log",
    ]


def test_what_no_longer_fits_is_skipped(tmp_path: Path) -> None:
    recording = Recording(tmp_path, budget=5)
    outcomes = recording.runner.run(
        [
            step("valuable", "print('done')", least=1.0),
            step("too long", "print('never')", least=100.0),
            step("short", "print('done')", least=1.0),
        ]
    )
    assert states(outcomes) == [
        ("valuable", "passed"),
        ("too long", "skipped"),
        ("short", "passed"),
    ]
    assert "too long: skipped after 0.0 s: needs 100 s, and " in recording.log
    assert "never" not in recording.log


def test_a_limit_is_never_beyond_the_budget(tmp_path: Path) -> None:
    recording = Recording(tmp_path, budget=2)
    (outcome,) = recording.runner.run([step("long", "import time; time.sleep(99)", limit=60.0)])
    assert outcome.state == "timed out"
    assert outcome.seconds < 60
    assert recording.runner.left < 0


def test_what_a_step_has_started_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']);"
        "tell('row', {'pid': child.pid})"
    )
    recording = Recording(tmp_path)
    hangs = f"{program}\nimport time; time.sleep(99)"
    outcomes = recording.runner.run([step("ends", program), step("hangs", hangs, limit=3.0)])
    assert states(outcomes) == [("ends", "passed"), ("hangs", "timed out")]
    assert len(recording.results.rows) == 2
    for row in recording.results.rows:
        assert has_ended(row["pid"])


def has_ended(pid: int) -> bool:
    """Or will, once whoever inherited it looks after it."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_steps_of_a_group_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for what the other one does first."""
    meet = (
        "import time, pathlib; pathlib.Path({mine!r}).touch()\n"
        "while not pathlib.Path({other!r}).exists(): time.sleep(0.01)"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    recording = Recording(tmp_path)
    outcomes = recording.runner.run(
        [
            step("a", meet.format(mine=a, other=b), group="both", limit=20.0),
            step("b", meet.format(mine=b, other=a), group="both", limit=20.0),
        ]
    )
    assert sorted(states(outcomes)) == [("a", "passed"), ("b", "passed")]


def test_a_step_that_waits_is_started_early_and_told_its_seconds(tmp_path: Path) -> None:
    started = tmp_path / "started"
    recording = Recording(tmp_path)
    waits = (
        f"import pathlib; pathlib.Path({str(started)!r}).touch(); print('got', sys.stdin.read())"
    )
    before = (
        f"import time, pathlib\nwhile not pathlib.Path({str(started)!r}).exists(): time.sleep(0.01)"
    )
    dies = step("dies early", "sys.exit(3)", waits=True)
    outcomes = recording.runner.run(
        [
            step("before", before),
            step("waits", waits, waits=True, limit=7.0),
            dies,
            step("too long", "print('never')", waits=True, least=1000.0),
            step("after", "print(repr(sys.stdin.read()))"),
        ]
    )
    assert [state for _, state in states(outcomes)] == [
        *("passed", "passed", "failed", "skipped", "passed")
    ]
    assert "[waits] got 7.0" in recording.log
    assert "[after] ''" in recording.log
    assert "never" not in recording.log


def test_a_dry_run_shows_what_it_leaves_out(tmp_path: Path) -> None:
    recording = Recording(tmp_path, dry=True)
    only = step("ncu", "print('never')", only_on_gpu=True, environment={"A": "b c"})
    (outcome,) = recording.runner.run([only])
    assert outcome.state == "left out"
    assert f"needs a GPU: A='b c' {sys.executable} -c" in recording.log


def test_long_output_goes_to_its_own_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.runner.run([step("ncu", "print('a report')", file=tmp_path / "ncu.txt")])
    assert (tmp_path / "ncu.txt").read_text() == "a report\n"
    assert "a report" not in recording.log


def interrupted(folder: Path, number: signal.Signals, at: str) -> dict[str, object]:
    """The results of a dry run that gets a signal at a line of its output."""
    command = [sys.executable, BENCHMARKS / "gpu.py", "--dry-run", "--out", folder]
    process = subprocess.Popen(
        [*command, "--only", "figures", "--budget", "1800"],
        stdout=subprocess.PIPE,
        text=True,
        # Shells start what runs in the background with this signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(at):
            process.send_signal(number)
            break
    output, _ = process.communicate()
    assert process.returncode == 130, "".join(lines) + output
    (file,) = folder.glob("gpu-*.json")
    results = json.loads(file.read_text())
    assert results["machine"]["ended"] == "interrupted"
    assert results["steps"][-1]["state"] == "interrupted"
    return results


@pytest.mark.slow
def test_ctrl_c_ends_with_what_there_is(tmp_path: Path) -> None:
    results = interrupted(tmp_path, signal.SIGINT, "[figures] ReLU + insert")
    assert results["rows"]
    assert results["machine"]["gpu"] == "dry run"


def test_so_does_a_machine_that_ends_it(tmp_path: Path) -> None:
    results = interrupted(tmp_path, signal.SIGTERM, "=== versions")
    assert results["machine"]["gpu"] == "unknown"


# ---- which binary --------------------------------------------------------------------------------


def test_the_checkout_does_not_shadow_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has no binary for this Python, and something else that works is installed."""
    import gpu

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(gpu.ROOT), str(tmp_path)]))
    assert gpu.python_path() == str(tmp_path)
    assert gpu.python_path(gpu.ROOT) == os.pathsep.join([str(gpu.ROOT), str(tmp_path)])
    run = gpu.Run(60, tmp_path, [], dry_run=True)
    monkeypatch.setattr(gpu, "binary_of_checkout", lambda: None)
    asked = []

    class Passed:
        passed = True

    def ask(what: str, environment: dict[str, str], **_: object) -> Passed:
        asked.append(environment["PYTHONPATH"])
        return Passed()

    monkeypatch.setattr(run, "_ask", ask)
    assert run._package() == {"PYTHONPATH": str(tmp_path)}
    assert asked == [str(tmp_path)]
    assert "installed, not the checkout" in (tmp_path / "gpu.log").read_text()
