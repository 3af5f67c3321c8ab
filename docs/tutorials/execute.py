"""Executes the tutorials and writes their outputs into them: ``python docs/tutorials/execute.py [NAME ...]``.

No times of execution and no versions of Python are kept, so that the same outputs give the same file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbclient
import nbformat

HERE = Path(__file__).parent


def execute(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, timeout=600, record_timing=False, resources={"metadata": {"path": folder}}
        )
        client.execute()
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:] or [path.stem for path in sorted(HERE.glob("*.ipynb"))]:
        execute(HERE / f"{name}.ipynb")
