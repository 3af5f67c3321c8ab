"""The `swapnas` command of this checkout, for the pages, with the options that ``<!-- run with: ... -->`` adds."""

from __future__ import annotations

import os
import shlex
import sys

from swapnas_ext.cli import main


def with_more(words: list[str], more: str) -> list[str]:
    """The arguments and the options for their command in ``more``: of options given twice, the last one counts."""
    for part in more.split(";"):
        command, *options = shlex.split(part) or [""]
        if words[:1] == [command]:
            words = [*words, *options]
    return words


if __name__ == "__main__":
    sys.argv[1:] = with_more(sys.argv[1:], os.environ.get("SWAPNAS_DOCS_MORE", ""))
    main(prog_name="swapnas")
