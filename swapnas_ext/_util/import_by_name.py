"""Imports an object by its name, ``MODULE:NAME``."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any


def named(text: str) -> Any:
    """The object that ``MODULE:NAME`` names; None where the module has no such name.

    The module may be in the current folder. That holds in worker processes too.

    Raises:
        ValueError: not of the form ``MODULE:NAME``.
        ImportError: there is no such module, or its import fails.
    """
    module_name, colon, name = text.partition(":")
    if not module_name or not colon or not name:
        raise ValueError(f"expected MODULE:NAME, such as my_package.models:make_net, got {text!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, since installed packages come first
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0] and error.name != module_name:
            raise  # the module is there, and imports another that is not
        raise ModuleNotFoundError(
            f"{error}, neither in this folder nor installed", name=error.name
        ) from error
    except ImportError:
        raise
    except (Exception, SystemExit) as error:  # a module may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ImportError(
            f"{module_name} fails where it is imported, with {type(error).__name__}: {error} "
            f"({place.filename}, line {place.lineno})"
        ) from error
    return getattr(module, name, None)
