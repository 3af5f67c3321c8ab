"""Scores every architecture of a search space into a CSV file, in several processes; resumes."""

from __future__ import annotations

import csv
import io
import json
import math
import multiprocessing
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from swapnas_ext import spaces
from swapnas_ext._util import ctrl_c_ignored, ctrl_c_later, parsed_json, quoted, read_text, unquoted
from swapnas_ext.scoring import Scorer, ScoreWarning, regularization
from swapnas_ext.search.description import describe_scorer
from swapnas_ext.search.evaluation import prepare_process
from swapnas_ext.search.workers.crew import end_now, first_ended
from swapnas_ext.search.workers.travel import check_main_script, no_main_script_but_files
from swapnas_ext.spaces import SearchSpace
from swapnas_ext.version import __version__

COLUMNS = (
    "architecture",
    "scored_as",
    "score",
    "log_score",
    "patterns_mean",
    "patterns_std",
    "neurons",
    "saturation",
    "parameters",
    "seconds",
)
_TASK = 16  # networks a worker scores before it reports


@dataclass(frozen=True)
class Survey:
    """What to score, and where the scores go.

    Architectures of one canonical form are scored once: the one with the fewest parameters, which is
    ``scored_as`` of them all. Each has its own number of parameters, and so its own regularised score.

    Args:
        space_name, options: as for `spaces.get`; the space has to be one that can be iterated over.
        scorer: sent to every worker.
        output: a CSV file. Where it exists, the architectures that are in it are not scored again;
            beside it, ``.settings.json`` says what it was made with.
        initialized: whether the networks have to be built with weights of their own.
    """

    space_name: str
    options: dict[str, Any]
    scorer: Scorer
    output: Path
    initialized: bool = False

    @property
    def settings_file(self) -> Path:
        return self.output.with_name(self.output.name + ".settings.json")

    def groups(self) -> list[list[str]]:
        """The architectures of each canonical form, the one to score first."""
        space = spaces.get(self.space_name, **self.options)
        if not hasattr(space, "__iter__"):
            raise ValueError(
                f"the space {self.space_name} is too large to list all of its architectures; give some "
                "with --arch or --arch-file"
            )
        by_form: dict[str, list[str]] = {}
        for architecture in space:
            by_form.setdefault(space.canonical(architecture), []).append(architecture)
        for group in by_form.values():
            group.sort(key=space.size)  # stable: of equals, the first
        return list(by_form.values())

    def settings(self) -> dict[str, Any]:
        """What the scores depend on."""
        return {
            "version": __version__,
            "space": self.space_name,
            "options": self.options,
            **describe_scorer(self.scorer),
        }

    def open(self, groups: list[list[str]]) -> int:
        """Makes or continues the output; returns how many groups it has already.

        Raises:
            ValueError: the file was made otherwise, or by something else.
        """
        if not self.output.exists():
            self.settings_file.write_text(json.dumps(self.settings(), indent=2) + "\n")
            self.output.write_text(",".join(COLUMNS) + "\n")
            return 0
        wanted = json.loads(json.dumps(self.settings()))
        try:
            made_with = parsed_json(read_text(self.settings_file), self.settings_file)
            differing = [name for name in wanted if made_with.get(name) != wanted[name]]
        except (OSError, ValueError, AttributeError):
            raise ValueError(
                f"{self.output} exists, and no readable {self.settings_file.name} beside it says that it "
                "can be continued; choose another --output"
            ) from None
        if differing:
            name = differing[0]
            raise ValueError(
                f"{self.output} was made with {name}={made_with.get(name)}, not {wanted[name]}; choose "
                "another --output, or the same settings to continue it"
            )
        return _complete_groups(self.output, groups)

    def run(self, groups: list[list[str]], workers: int) -> Iterator[list[dict[str, Any]]]:
        """Scores the groups that the output has not, and yields the rows of each when they are in it.

        Raises:
            RuntimeError: a worker died; what was scored is in the output. Or workers can't start from the main
                script.
        """
        check_main_script()
        done = self.open(groups)
        left = groups[done:]
        tasks = [left[start : start + _TASK] for start in range(0, len(left), _TASK)]
        executor = ProcessPoolExecutor(
            min(workers, max(1, len(tasks))),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self.space_name, self.options, self.scorer, self.initialized),
        )
        try:
            with open(self.output, "a", newline="", encoding="utf-8") as file:
                for results in _in_order(executor, tasks, 2 * workers):
                    for rows in results:
                        file.write(
                            _csv_lines(rows)
                        )  # one write a group: it is whole, or cut at the end
                        file.flush()
                        yield rows
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process died, perhaps for want of memory; run the same command again to "
                f"continue from {self.output}, with fewer --workers"
            ) from error
        finally:
            with ctrl_c_ignored():
                end_now(executor)


def _in_order(
    executor: ProcessPoolExecutor, tasks: list[list[list[str]]], ahead: int
) -> Iterator[list[list[dict[str, Any]]]]:
    """Results in the order of the tasks, of which only so many are handed out at a time."""
    pending: list[Future[list[list[dict[str, Any]]]]] = []
    for task in tasks:
        with ctrl_c_later(), no_main_script_but_files():
            pending.append(executor.submit(_score_groups, task))
        if len(pending) >= ahead:
            yield _result(pending.pop(0))
    for future in pending:
        yield _result(future)


def _result(future: Future[list[list[dict[str, Any]]]]) -> list[list[dict[str, Any]]]:
    first_ended([future])
    return future.result()


def _csv_lines(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(
        [quoted(row[name]) for name in COLUMNS] for row in rows
    )
    return buffer.getvalue()


def _complete_groups(output: Path, groups: list[list[str]]) -> int:
    """How many groups are in the file, which is cut after the last whole one."""
    expected = [(number, text) for number, group in enumerate(groups) for text in group]
    done = whole = 0
    with open(output, "rb+") as file:
        header = file.readline()
        if header != (",".join(COLUMNS) + "\n").encode():
            raise ValueError(
                f"{output} does not begin with the columns of a survey; choose another --output, or remove "
                "it to start over"
            )
        end = len(header)
        for (number, text), line in zip(expected, file, strict=False):
            fields = next(csv.reader([line.decode(errors="replace")]), [])
            if not line.endswith(b"\n") or len(fields) != len(COLUMNS) or fields[0] != quoted(text):
                break
            done += len(line)
            if text == groups[number][-1]:
                whole, end, done = number + 1, end + done, 0
        file.truncate(end)
    return whole


def read(output: Path) -> list[dict[str, str]]:
    """The rows of a survey's file."""
    with open(output, newline="", encoding="utf-8") as file:
        return [
            {name: unquoted(cell) for name, cell in row.items()} for row in csv.DictReader(file)
        ]


# ---- in a worker -----------------------------------------------------------------------------------

_worker: tuple[SearchSpace, Scorer, bool]


def _start_worker(
    space_name: str, options: dict[str, Any], scorer: Scorer, initialized: bool
) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare_process()
    warnings.simplefilter("ignore", ScoreWarning)  # the command sums them up
    _worker = spaces.get(space_name, **options), scorer, initialized


def _score_groups(groups: list[list[str]]) -> list[list[dict[str, Any]]]:
    return [_score_group(group) for group in groups]


def _score_group(group: list[str]) -> list[dict[str, Any]]:
    space, scorer, initialized = _worker
    torch.manual_seed(scorer.options.seed)  # for networks that keep their own weights
    try:
        score = scorer(lambda: space.build(group[0], initialized=initialized))
    except Exception as error:
        raise RuntimeError(f"{group[0]}: {error}") from error
    rows = []
    for architecture in group:
        parameters = space.size(architecture)
        log_factor = 0.0
        if scorer.mu is not None and scorer.sigma is not None:
            log_factor = regularization.log_factor(parameters / 1e3, scorer.mu, scorer.sigma)
        rows.append(
            {
                "architecture": architecture,
                "scored_as": group[0],
                "score": score.measured * math.exp(log_factor),
                "log_score": math.log(score.measured) + log_factor,
                "patterns_mean": score.mean,
                "patterns_std": score.std if len(score.patterns) > 1 else None,
                "neurons": score.neurons,
                "saturation": round(score.saturation, 6),
                "parameters": parameters,
                "seconds": round(score.timing.total, 6),
            }
        )
    return rows
