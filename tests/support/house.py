"""Reads the rooms of the package and their imports from the sources, for the test and the drawing.

``python tests/support/house.py`` rewrites the generated parts of docs/architecture.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOMS = (  # from the ground up
    "_C",
    "version",
    "_torch_private",
    "_util",
    "examples",
    "data",
    "text",
    "patterns",
    "forward",
    "models",
    "capture",
    "measures",
    "scoring",
    "regularization",
    "spaces",
    "search",
    "correlation",
    "validation",
    "export",
    "report",
    "compat",
    "testing",
    "cli",
)
NOT_DRAWN = ("_C", "version", "text", "regularization")  # single files
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "swapnas_ext"
PAGE = ROOT / "docs" / "architecture.md"


def files() -> list[Path]:
    """All files in a room."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def imports(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(module of this package, names) of each import in a file, those for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("swapnas_ext"):
            yield node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("swapnas_ext"):
                    yield alias.name, []


def imported(path: Path) -> Iterator[tuple[str, set[str]]]:
    """(other room, imported names) of each import in a file; no names if it imports the whole room."""
    for module, names in imports(path):
        parts = module.split(".")[1:]
        if parts:
            yield parts[0], set(parts[1:2]) or set(names)
        else:
            yield from ((name, set()) for name in names)


def file_of(room: str) -> Path:
    folder = PACKAGE / room
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def offered(room: str) -> set[str] | None:
    """The ``__all__`` of a room; None for a single file, which offers all its names."""
    if file_of(room).name != "__init__.py":
        return None
    for node in ast.parse(file_of(room).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def purpose(room: str) -> str:
    """The first sentence of its docstring."""
    docstring = ast.get_docstring(ast.parse(file_of(room).read_text())) or ""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return paragraph.rstrip(":").replace("``", "`")


def lower_rooms() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for path in files():
        found[room_of(path)] |= {other for other, _ in imported(path)} - {room_of(path)}
    return found


def parts() -> dict[str, str]:
    """The generated parts of the page, by their names."""
    drawn = [room for room in ROOMS if room not in NOT_DRAWN]
    direct = {
        room: {other for other in others if other in drawn}
        for room, others in lower_rooms().items()
    }
    reachable: dict[str, set[str]] = {}
    for room in drawn:  # from the ground up, so that lower rooms are known
        reachable[room] = direct[room].union(*(reachable[other] for other in direct[room]))
    lines = ["```mermaid", "graph TD"]
    for room in reversed(drawn):
        implied = set().union(*(reachable[other] for other in direct[room]))
        lines += [
            f"  {room} --> {other}" for other in reversed(drawn) if other in direct[room] - implied
        ]
    rows = [f"| `{room}` | {purpose(room)} |" for room in drawn]
    table = ["| room | purpose |", "|---|---|", *rows]
    return {"rooms": "\n".join(table), "drawing": "\n".join([*lines, "```"])}


def written(page: str) -> str:
    """The text of the page with up-to-date generated parts."""
    for name, part in parts().items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        page, count = re.subn(
            pattern, lambda m, part=part: f"{m[1]}{part}\n{m[2]}", page, flags=re.DOTALL
        )
        assert count == 1, f"{PAGE} has no part {name}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
