"""Messages from a child process to `gpu_runner`: lines of its output that begin with a mark."""

from __future__ import annotations

import json
from typing import Any, Literal

Kind = Literal["row", "machine"]
_MARK = "@swapnas-"


def tell(kind: Kind, content: dict[str, Any]) -> None:
    print(f"{_MARK}{kind} {json.dumps(content)}", flush=True)


def read(line: str) -> tuple[Kind, dict[str, Any]] | None:
    """None for an ordinary line or a truncated one."""
    if not line.startswith(_MARK):
        return None
    kind, _, text = line.removeprefix(_MARK).partition(" ")
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return (kind, content) if kind in ("row", "machine") and isinstance(content, dict) else None
