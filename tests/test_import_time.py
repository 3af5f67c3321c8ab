"""What `import swapnas_ext` leaves to those who use it."""

from __future__ import annotations

import subprocess
import sys

LEFT_OUT = (
    "click",
    "concurrent.futures.process",
    "email",
    "http",
    "jinja2",
    "matplotlib",
    "numpy.random",
    "numpy.typing",
    "pandas",
    "PIL",
    "ray",
    "rich",
    "scipy",
    "sklearn",
    "sqlite3",
    "swapnas_ext.cli",
    "swapnas_ext.report",
    "swapnas_ext.search",
    "torchvision",
    "transformers",
)
"""Modules that take long to import, and that a score does not need. Some torch versions import some of them."""

_SCRIPT = f"""
import gc, sys
import numpy, torch
before = set(sys.modules)
passes = gc.get_stats()[2]["collections"]
import swapnas_ext
for name in {LEFT_OUT}:
    if name in sys.modules and name not in before:
        print("imports", name)
if gc.get_stats()[2]["collections"] != passes:
    print("looks for garbage among all objects")
if not gc.isenabled():
    print("leaves the collector off")
"""


def test_an_import_leaves_out_what_a_score_does_not_need() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True)
    assert done.stdout == "", done.stderr
    assert done.returncode == 0, done.stderr
