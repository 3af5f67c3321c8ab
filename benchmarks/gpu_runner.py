"""Runs steps as separate processes within a budget. Each has its own time limit, and the next one runs
whatever happens to it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gpu_messages

_POLL = 0.02
_GRACE = 2.0  # seconds for an ended process to print its traceback


@dataclass(frozen=True)
class Step:
    """A command and its limits.

    Args:
        name: shown in the output.
        command, folder, environment: what to run, where, and additions to this process's environment.
        limit: seconds after which the command is ended.
        least: seconds that must be left to start it.
        group: adjacent steps with the same group run at the same time.
        waits: after its imports the command reads its time limit in seconds from standard input; so it
            starts while the previous step runs.
        only_on_gpu: needs a GPU: a dry run only shows the command.
        file: gets the output if it is too long to show.
    """

    name: str
    command: Sequence[str]
    folder: Path
    limit: float
    least: float
    environment: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    waits: bool = False
    only_on_gpu: bool = False
    file: Path | None = None

    @property
    def shown(self) -> str:
        assignments = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*assignments, shlex.join(self.command)])


@dataclass
class Outcome:
    """The outcome of a step: passed, failed, timed out, or skipped."""

    step: Step
    state: str
    seconds: float
    reason: str = ""
    last_line: str = ""
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.state == "passed"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.step.name,
            "state": self.state,
            "seconds": round(self.seconds, 1),
            **({"reason": self.reason} if self.reason else {}),
            **({"last_line": self.last_line} if self.last_line else {}),
        }


Told = Callable[[str, dict[str, Any]], None]
Say = Callable[[str], None]


class Process:
    """A running step, in its own process group."""

    def __init__(self, step: Step, say: Say, told: Told) -> None:
        self.step = step
        self.last_line = ""
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._say = say
        self._on_told = told
        self._went: float | None = None
        self._process = subprocess.Popen(
            step.command,
            cwd=step.folder,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "PYTHONFAULTHANDLER": "1",
                **step.environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)

    def go(self, limit: float) -> None:
        self._went = time.monotonic()
        self._reader.start()
        with suppress(BrokenPipeError):  # it has already ended
            if self.step.waits:
                self._process.stdin.write(f"{limit:.1f}".encode())
            self._process.stdin.close()

    @property
    def seconds(self) -> float:
        return 0.0 if self._went is None else time.monotonic() - self._went

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def why_it_failed(self) -> str:
        status = self._process.returncode
        if status == 0:
            return ""
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}"

    def end(self) -> None:
        """Sends SIGABRT first, so that Python prints its traceback."""
        self._process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self.clear_up()

    def clear_up(self) -> None:
        """Ends its child processes too, and reads the rest of the output."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._say("it can't be ended, and is left behind")
        with suppress(RuntimeError):  # it has not been started
            self._reader.join(_GRACE)

    def _read(self) -> None:
        for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            message = gpu_messages.read(line)
            if message is not None:
                self.told.append(message)
                self._on_told(*message)
                continue
            if line.strip():
                self.last_line = line.strip()[:300]
            if self.step.file is not None:
                with open(self.step.file, "a") as file:
                    file.write(line + "\n")
            else:
                self._say(line)


class Runner:
    """Runs steps and keeps a log.

    Args:
        budget: total seconds from now on.
        log: gets the whole output.
        told, done: called with each message and each outcome of a step, one at a time.
        dry: run without a GPU.
    """

    def __init__(
        self,
        budget: float,
        log: Path,
        told: Told,
        done: Callable[[Outcome], None],
        *,
        dry: bool = False,
    ) -> None:
        self._end = time.monotonic() + budget
        self._start = time.monotonic()
        self._lock = threading.RLock()
        self._log = open(log, "w")  # noqa: SIM115  # open as long as the run
        self._told = told
        self._done = done
        self._dry = dry
        self._running: list[Process] = []
        self._ahead: Process | None = None

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def say(self, text: str) -> None:
        with self._lock:
            print(text, flush=True)
            self._log.write(text + "\n")
            self._log.flush()

    def run(self, steps: Sequence[Step]) -> list[Outcome]:
        """Runs the steps in this order, the most valuable first, and skips those that no longer fit."""
        outcomes: list[Outcome] = []
        groups = in_groups(steps)
        try:
            for index, group in enumerate(groups):
                following = groups[index + 1][0] if index + 1 < len(groups) else None
                outcomes += self._run_group(group, following)
        finally:
            self.end()
        return outcomes

    def end(self) -> None:
        """Ends running steps, after Ctrl-C."""
        if self._ahead is not None:
            self._ahead.clear_up()
            self._ahead = None
        for process in self._running:
            process.clear_up()
            self._finish(Outcome(process.step, "interrupted", process.seconds))
        self._running.clear()

    def _run_group(self, group: Sequence[Step], following: Step | None) -> list[Outcome]:
        outcomes: list[Outcome] = []
        limits: dict[Process, float] = {}
        for step in group:
            if self._dry and step.only_on_gpu:
                outcomes.append(
                    self._finish(Outcome(step, "left out", 0.0, f"needs a GPU: {step.shown}"))
                )
            elif self.left < step.least:
                reason = f"needs {step.least:.0f} s, and {max(0.0, self.left):.0f} s are left"
                outcomes.append(self._finish(Outcome(step, "skipped", 0.0, reason)))
            else:
                limit = min(step.limit, self.left)
                try:
                    process = self._start_process(step)
                except OSError as error:
                    outcomes.append(self._finish(Outcome(step, "failed", 0.0, str(error))))
                    continue
                self._running.append(process)
                limits[process] = limit
                self.say(f"=== {step.name}: at most {limit:.0f} s of the {self.left:.0f} s left")
                process.go(limit)
        self._start_ahead(following)
        while self._running:
            for process in list(self._running):
                outcome = self._look_at(process, limits[process])
                if outcome is not None:
                    self._running.remove(process)
                    outcomes.append(self._finish(outcome))
            time.sleep(_POLL)
        return outcomes

    def _look_at(self, process: Process, limit: float) -> Outcome | None:
        seconds = process.seconds
        if process.ended:
            process.clear_up()
            reason = process.why_it_failed
            state = "failed" if reason else "passed"
        elif seconds > limit:
            process.end()
            state, reason = "timed out", f"ended after {limit:.0f} s"
        else:
            return None
        return Outcome(process.step, state, seconds, reason, process.last_line, process.told)

    def _finish(self, outcome: Outcome) -> Outcome:
        reason = f": {outcome.reason}" if outcome.reason else ""
        self.say(f"=== {outcome.step.name}: {outcome.state} after {outcome.seconds:.1f} s{reason}")
        with self._lock:
            self._done(outcome)
        return outcome

    def _start_ahead(self, step: Step | None) -> None:
        """Starts a process that waits for its turn, so that its imports take no extra time."""
        if step is None or not step.waits or self.left < step.least:
            return
        if not (self._dry and step.only_on_gpu):
            self._ahead = self._process(step)

    def _start_process(self, step: Step) -> Process:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.step is step:
            return ahead
        if ahead is not None:
            ahead.clear_up()
        return self._process(step)

    def _process(self, step: Step) -> Process:
        return Process(step, lambda line: self.say(f"[{step.name}] {line}"), self._tell)

    def _tell(self, kind: str, content: dict[str, Any]) -> None:
        with self._lock:
            self._told(kind, content)


def in_groups(steps: Sequence[Step]) -> list[list[Step]]:
    groups: list[list[Step]] = []
    for step in steps:
        if groups and step.group is not None and groups[-1][0].group == step.group:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups
