"""The rooms of the house: imports only run downwards, and only through what a room offers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import house


def test_every_room_is_listed() -> None:
    folders = {path.name for path in house.PACKAGE.iterdir() if (path / "__init__.py").exists()}
    files = {path.stem for path in house.PACKAGE.glob("*.py")} - {"__init__"}
    assert folders | files | {"_C"} == set(house.ROOMS)


@pytest.mark.parametrize("room", house.ROOMS[1:])
def test_a_room_says_what_it_is_for(room: str) -> None:
    docstring = ast.get_docstring(ast.parse(house.file_of(room).read_text()))
    assert docstring and docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", house.files(), ids=lambda path: str(path.relative_to(house.PACKAGE))
)
def test_imports_run_downwards(path: Path) -> None:
    room = house.room_of(path)
    for other, wanted in house.imported(path):
        if other == room:
            continue
        assert other in house.ROOMS, f"{path} imports {other}, which is not a room"
        assert house.ROOMS.index(other) < house.ROOMS.index(room), (
            f"{path}: {room} imports {other}, which is above it"
        )
        everything = house.offered(other)
        assert everything is None or wanted <= everything, (
            f"{path}: {other} does not offer {sorted(wanted - everything)}; import what its __all__ has"
        )


def test_reports_do_not_need_the_scorer() -> None:
    for path in (path for path in house.files() if house.room_of(path) == "report"):
        for node in ast.parse(path.read_text()).body:  # not those under TYPE_CHECKING
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("swapnas_ext.scoring"), path


@pytest.mark.slow
def test_no_room_but_measures_knows_which_measure_it_is() -> None:
    """Documentation may name them, and run files of format 2 have one of them in a column."""
    for path in house.files():
        if house.room_of(path) == "measures" or path.name == "run_file_of_format_2.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Constant) and node.value == "composite"), path


@pytest.mark.slow
def test_the_drawing_shows_the_house() -> None:
    page = house.PAGE.read_text()
    assert house.written(page) == page, "run: python tests/support/house.py"
