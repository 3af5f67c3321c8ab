"""A process that runs the rows of one version when it is asked: `versions_session` starts it.

It reads a line of JSON for each thing to do, and answers with a line. What the work prints goes to stderr.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

WARM_UP = 0.02
"""Works that take less, in seconds, are run once before they are timed: the other version had the caches."""


class Rows:
    """The row that is ready, of all rows."""

    def __init__(self) -> None:
        import torch
        import versions_rows

        import swapnas_ext as swap

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        if hasattr(swap, "keep_freed_memory"):
            swap.keep_freed_memory()
        self._makers = versions_rows.ROWS
        self.about = {**swap.build_info(), "file": swap.__file__}
        gc.freeze()

    def prepare(self, row: str) -> dict[str, Any]:
        """Makes a row ready, in the place of the one before."""
        self._row = None
        gc.collect()
        try:
            self._row = self._makers[row]()
        except Exception as error:
            traceback.print_exc()
            return {"skipped": f"{type(error).__name__}: {error}"}
        return {"result": self._row.result, "yardstick": self._row.yardstick_name}

    def time(self, what: str, calls: int) -> dict[str, Any]:
        """Seconds of one of several calls in a row. ``what`` is ours or yardstick."""
        clock = getattr(self._row, what)
        gc.disable()
        first = clock()
        warm = calls == 1 and first > WARM_UP
        seconds = first if warm else sum(clock() for _ in range(calls)) / calls
        gc.enable()
        return {"seconds": seconds}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.append(str(Path(__file__).parent))
    rows = Rows()
    print(json.dumps(rows.about), file=answers, flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        answer = getattr(rows, task.pop("do"))(**task)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
