"""Searches with workers from wherever Python code can be: notebooks, standard input, scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.searches import SMALL, small_scorer, small_space

from swapnas_ext._util.import_by_name import named
from swapnas_ext.search import SearchSettings, search

SCRIPT = """
import swapnas_ext as swap
from swapnas_ext.spaces.nasbench201 import NASBench201

class Mine(NASBench201):
    def __init__(self):
        super().__init__(channels=2, cells=1)

scorer = swap.Scorer(swap.data.photograph(8, 16), init="gaussian")
settings = swap.search.SearchSettings(candidates=12, population=6)
print(len(swap.search.search(Mine(), scorer, settings, workers=1).scored), "scored")
"""


def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["-"], ["-c", SCRIPT]], ids=["stdin", "command"])
def test_classes_that_no_worker_could_import(arguments: list[str]) -> None:
    done = run(arguments, input=SCRIPT)
    assert (done.stdout, done.stderr) == ("12 scored\n", "")


@pytest.mark.slow
def test_a_script_that_would_start_itself_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = run([str(script)])
    assert done.stderr.count("Traceback") == 1  # its own: no worker was started
    assert f"{script} would start the search again in each of them" in done.stderr

    *above, last = SCRIPT.strip().splitlines()
    script.write_text("\n".join([*above, "if __name__ == '__main__':", f"    {last}"]))
    done = run([str(script)])
    assert (done.stdout, done.stderr) == ("12 scored\n", "")


@pytest.mark.slow
def test_workers_that_end_before_they_read_what_they_are_sent(tmp_path: Path) -> None:
    """More than a pipe holds. The guard is there, and does not guard."""
    script = tmp_path / "script.py"
    script.write_text(
        f"assert __name__\n{SCRIPT.replace('(8, 16)', '(16, 64)').replace('workers=1', 'workers=2')}"
    )
    done = run([str(script)])
    assert "workers die before they can work, 2 in a row" in done.stderr.splitlines()[-1]


def test_the_folder_of_the_sources_hides_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "wave.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "mine.py").write_text("import wave\nname = wave.__name__")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in ("wave", "mine"):
        monkeypatch.setitem(sys.modules, name, sys)  # so that the end of the test removes it
        del sys.modules[name]
    assert named("mine:name") == "wave"


@pytest.mark.slow
def test_a_module_that_runpy_made(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = run(["-c", "import runpy; runpy.run_path('script.py')"], cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("12 scored\n", "")


def test_what_is_bound_to_this_process(tmp_path: Path) -> None:
    space = small_space()
    settings = SearchSettings(candidates=4, **SMALL)
    with open(tmp_path / "log", "w") as file:
        space.log = file  # type: ignore[attr-defined]
        with pytest.raises(
            TypeError, match=r"have to travel to worker processes, and the .* can't"
        ):
            search(space, small_scorer(), settings, workers=2)
