"""The names that users type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import swapnas_ext as swap


def test_all_public_names_are_there() -> None:
    for name in swap.__all__:
        assert getattr(swap, name) is not None
        assert name in dir(swap)
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        swap.serach  # noqa: B018


@pytest.mark.slow
def test_modules_need_no_import_of_their_own() -> None:
    script = "import swapnas_ext as s; print(s.search, s.correlation, s.text, s.compat.optuna)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.count("<module 'swapnas_ext.") == 4, done.stderr


def test_adapters_are_modules() -> None:
    folder = Path(swap.compat.__file__).parent
    for name in swap.compat._ADAPTERS:
        assert (folder / f"{name}.py").is_file()
        if name not in ("archai", "naslib"):  # these import their code base where it is
            assert isinstance(getattr(swap.compat, name), ModuleType)
    with pytest.raises(AttributeError, match="has no attribute 'none'"):
        swap.compat.none  # noqa: B018
