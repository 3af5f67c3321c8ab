"""The rooms of the house: imports only run downwards, and only through what a room offers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import swapnas_ext

ROOMS = (  # from the ground up
    "_C",
    "version",
    "_torch_private",
    "_util",
    "data",
    "patterns",
    "models",
    "capture",
    "measures",
    "scoring",
    "spaces",
    "search",
    "correlation",
    "report",
    "compat",
    "testing",
    "cli",
)
PACKAGE = Path(swapnas_ext.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def imports(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(module of this package, names) of each import in a file, those for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("swapnas_ext"):
            yield node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("swapnas_ext"):
                    yield alias.name, []


def offered(room: str) -> set[str] | None:
    """The ``__all__`` of a room; None of a single file, which offers all that it has."""
    init = PACKAGE / room / "__init__.py"
    if not init.exists():
        return None
    for node in ast.parse(init.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def test_every_room_is_listed() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert folders | files | {"_C"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS[1:])
def test_a_room_says_what_it_is_for(room: str) -> None:
    init = PACKAGE / room / "__init__.py"
    docstring = ast.get_docstring(
        ast.parse((init if init.exists() else init.parent.with_suffix(".py")).read_text())
    )
    assert docstring and docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    for module, names in imports(path):
        parts = module.split(".")[1:]
        for other, rest in [(parts[0], parts[1:])] if parts else [(name, []) for name in names]:
            if other == room:
                continue
            assert other in ROOMS, f"{path}: {module} is not a room"
            assert ROOMS.index(other) < ROOMS.index(room), (
                f"{path}: {room} imports {other}, which is above it"
            )
            everything = offered(other)
            if everything is None or not parts:
                continue
            wanted = set(rest[:1]) or set(names)
            assert wanted <= everything, (
                f"{path}: {other} does not offer {sorted(wanted - everything)}; import what its __all__ has"
            )
