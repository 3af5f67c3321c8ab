"""The code of "Results you can hold" in docs/search.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.searches import SMALL, MadeUpWorker, small_scorer, small_space

from swapnas_ext.search import SearchSettings, search

PAGE = Path(__file__).parents[2] / "docs/search.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_results_you_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    section = PAGE.read_text().partition("## Results you can hold\n")[2].partition("\n## ")[0]
    blocks = _BLOCK.findall(section)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    made = SearchSettings(candidates=20, **SMALL)
    found = search(small_space(), small_scorer(), made, workers=MadeUpWorker(), history="run.db")
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{found.best.score} {found.best.parameters} ")
    assert printed[1].endswith(found.best.architecture)
    assert printed[-2].startswith("wide ") and printed[-1].startswith("narrow ")
    assert sum(one.numel() for one in names["network"].parameters()) == found.best.parameters
