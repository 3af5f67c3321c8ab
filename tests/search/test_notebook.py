"""Bars that searches show by themselves in a notebook, in a real kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]

SETUP = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import swapnas_ext as swap
from support.searches import MadeUpWorker, small_scorer, small_space
from swapnas_ext._util import notebook_bar
from swapnas_ext.search import SearchSettings

notebook_bar._REDRAWN = 0.0  # each step of a short search is drawn
space, scorer = small_space(), small_scorer()
settings = SearchSettings(candidates=20, strategy="random", ahead=1)

class Ending(MadeUpWorker):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def submit(self, architectures):
        if len(self.seen) >= 10:
            raise self.error
        return super().submit(architectures)
"""
CELLS = {
    "setup": SETUP,
    "search": "found = swap.search.search(space, scorer, settings, workers=MadeUpWorker())",
    "quiet": "found = swap.search.search(space, scorer, settings, workers=MadeUpWorker(), "
    "on_progress=lambda progress: None)",
    "failing": "swap.search.search(space, scorer, settings, workers=Ending(RuntimeError('broken')))",
    "interrupted": "found = swap.search.search(space, scorer, settings, workers=Ending(KeyboardInterrupt()))",
    "calibrate": "control, found = swap.search.calibrate(space, scorer, samples=20, workers=MadeUpWorker())",
    "evolve": "found = swap.search.evolve(space, scorer, population=6, cycles=2, children=2, tournament=3, "
    "workers=MadeUpWorker())",
    "listed": "found = swap.search.score_listed(space, scorer, [one.architecture for one in found.candidates], "
    "workers=MadeUpWorker())",
}


@pytest.fixture(scope="module")
def cells() -> dict[str, tuple[list[Any], list[str]]]:
    """By the names of the cells: what each shows at the end, and the HTML of what it showed meanwhile."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    meanwhile: list[list[str]] = [[] for _ in CELLS]

    class Client(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, message: Any, cell: Any, place: int) -> Any:
            if message["msg_type"] in ("display_data", "update_display_data"):
                meanwhile[place].append(message["content"]["data"]["text/html"])
            return super().process_message(message, cell, place)

    root = str(TESTS.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (root, before := os.environ.get("PYTHONPATH", "")))
    )
    try:
        Client(notebook, timeout=120, allow_errors=True, kernel_name="python3").execute()
    finally:
        os.environ["PYTHONPATH"] = before
    shown = [cell.outputs for cell in notebook.cells]
    return dict(zip(CELLS, zip(shown, meanwhile, strict=True), strict=True))


def html(outputs: list[Any]) -> str:
    """That of the only thing that a cell shows."""
    (shown,) = outputs
    text: str = shown["data"]["text/html"]
    return text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["search", "calibrate", "evolve", "listed"])
def test_the_result_takes_the_place_of_the_bar(cells: Any, name: str) -> None:
    outputs, meanwhile = cells[name]
    assert "SearchResult" in html(outputs) and "<progress" not in html(outputs)
    assert "<progress" in meanwhile[0] and "starting" in meanwhile[0]
    drawn = [text for text in meanwhile if "<progress" in text and "candidates/s" in text]
    assert drawn
    if name == "search":
        assert any('max="20" value="' in text and "best " in text for text in drawn)


@pytest.mark.slow
def test_a_callback_shows_no_bar(cells: Any) -> None:
    assert cells["setup"] == ([], [])
    assert cells["quiet"] == ([], [])


@pytest.mark.slow
def test_a_search_that_fails_leaves_no_running_bar(cells: Any) -> None:
    shown, error = cells["failing"][0]
    assert error["output_type"] == "error" and "broken" in error["evalue"]
    assert "<progress" not in shown["data"]["text/html"]
    assert "of 20" in shown["data"]["text/plain"] and "RuntimeError" in shown["data"]["text/plain"]


@pytest.mark.slow
def test_an_interrupted_search_shows_what_it_has(cells: Any) -> None:
    assert "interrupted" in html(cells["interrupted"][0])


@pytest.mark.slow
def test_nothing_of_notebooks_is_imported_elsewhere() -> None:
    script = "import sys, swapnas_ext.search; print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
