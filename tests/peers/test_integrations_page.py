"""The code of ``docs/integrations.md`` runs as it stands there, section by section, where its code base is."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import swapnas_ext as swap

PAGE = Path(__file__).parents[2] / "docs/integrations.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"# (\w+\.py)\n")
_CHECKOUTS = ("ZERO_COST_NAS", "NASLIB", "AZ_NAS", "DEEPLITE")
_OF_EXTRAS = {"ray": {"pandas", "pyarrow", "tensorboardX"}}  # of ray[tune]
# NNI's web server listens to all networks: the sequential engine is tested instead, beside this page.
_BY_HAND = ("NNI",)


def sections() -> dict[str, list[str]]:
    titles_and_texts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    pairs = zip(titles_and_texts[::2], titles_and_texts[1::2], strict=True)
    found = {title: _BLOCK.findall(text) for title, text in pairs}
    return {title: blocks for title, blocks in found.items() if blocks}


def _paths() -> list[str]:
    checkouts = (os.environ.get(f"SWAPNAS_{name}") for name in _CHECKOUTS)
    return [str(Path(swap.__file__).parents[1]), *filter(None, checkouts)]


def _needs(block: str) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    packages = {module.partition(".")[0] for module in modules}
    return packages.union(*(_OF_EXTRAS.get(package, ()) for package in packages))


def _name(block: str, number: int) -> str:
    named = _NAME.match(block)
    return named.group(1) if named else f"block{number}.py"


@pytest.mark.slow
@pytest.mark.parametrize("title", sections())
def test_section(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if title in _BY_HAND:
        pytest.skip(f"the code for {title} is run by hand: it opens a port")
    blocks = sections()[title]
    for path in _paths():
        monkeypatch.syspath_prepend(path)
    files = {_name(block, number): block for number, block in enumerate(blocks)}
    needs = set().union(*map(_needs, blocks)) - {name.removesuffix(".py") for name in files}
    absent = {package for package in needs if not importlib.util.find_spec(package)}
    if absent:
        pytest.skip(f"{', '.join(sorted(absent))} can't be imported")
    for name, block in files.items():
        (tmp_path / name).write_text(block)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*_paths(), os.environ.get("PYTHONPATH", "")]),
        "SYNETUNE_FOLDER": str(tmp_path),
        "HOME": str(tmp_path),  # where Ray keeps results
    }
    for name, block in files.items():
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", name],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{name}:\n{block}\n{ran.stderr[-3000:]}"
