"""Plain objects that models hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class State:
    calls: int = 0
    seen: Any = None


class OwnList(list):  # type: ignore[type-arg]
    """A container that claims to be empty, and shows other contents than it has."""

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Any:
        return (item for item in range(3))
