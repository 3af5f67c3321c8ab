"""The code in docs/hardware.md runs as it stands there, but for that which needs a device."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs/hardware.md"
_BLOCK = re.compile(r"(<!-- needs[^\n]*\n)?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    names: dict[str, Any] = {}
    ran = 0
    for needs, block in _BLOCK.findall(PAGE.read_text()):
        if not needs:
            exec(block, names)
            ran += 1
    assert ran == 2
    result, measured = names["result"], names["measured"]
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(result.front) + 2
    assert (
        float(printed[-1]) == measured.best.latency == pytest.approx(measured.best.parameters / 1e6)
    )
    assert list(names["frame"]["memory_bytes"].dropna()) == [
        row.memory for row in sorted(result.ranked(), key=lambda row: row.candidate.number)
    ]
