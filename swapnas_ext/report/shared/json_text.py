"""Writes JSON that every program can read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(content: Any) -> str:
    """The content as indented JSON. NaN and infinities, which JSON does not have, become null."""
    return json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n"


def _without_nan(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return content
