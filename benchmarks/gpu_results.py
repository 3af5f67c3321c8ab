"""The results file of a GPU run: rewritten after every result, so that nothing is lost."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any


class Results:
    """The results so far, in ``<folder>/gpu-<name>.json``."""

    def __init__(self, folder: Path, name: str, machine: dict[str, Any]) -> None:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        self.path = folder / f"gpu-{slug or 'unknown'}.json"
        self.machine = machine
        self.steps: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self._write()

    def add_row(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self._write()

    def add_step(self, step: dict[str, Any]) -> None:
        self.steps.append(step)
        self._write()

    def describe(self, **machine: Any) -> None:
        self.machine |= machine
        self._write()

    def _write(self) -> None:
        """Replaces the file atomically: readers and crashes leave the old file or the new one."""
        content = {"machine": self.machine, "steps": self.steps, "rows": self.rows}
        temporary = self.path.with_name(self.path.name + ".tmp")
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(temporary, self.path)

    def summary(self) -> str:
        """Steps, then figures, one per line."""
        lines = [
            f"{step['state']:>10} {step['seconds']:6.1f} s  {step['name']}: "
            f"{(step.get('reason') or step.get('last_line', ''))[:100]}"
            for step in self.steps
        ]
        lines += [summary_of_row(row) for row in self.rows]
        return "\n".join(lines)


def summary_of_row(row: dict[str, Any]) -> str:
    if "ours_ms" in row:
        against = row["against"]
        text = f"{row['ours_ms']:.4g} ms, {against} {row['others_ms'][against]:.4g} ms, ratio {row['ratio']:.3f}"
        ways = {name: ms for name, ms in row["others_ms"].items() if name.startswith("as ")}
        text += "".join(f", {name} {ms:.4g}" for name, ms in ways.items())
    elif "candidates_per_second" in row:
        text = f"{row['candidates_per_second']:.1f} candidates/s, {row['seconds']:.1f} s"
    else:
        text = ", ".join(f"{name} {value}" for name, value in row.items() if name != "work")
    aim = (
        f" (aim {row['bound']}: {'kept' if row['kept'] else 'MISSED'})" if row.get("bound") else ""
    )
    return f"{row['work']}: {text}{aim}"
