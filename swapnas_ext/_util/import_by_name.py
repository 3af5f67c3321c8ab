"""Objects by name: ``MODULE:NAME``."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any


def named(text: str) -> Any:
    """What ``MODULE:NAME`` names; None where the module has no such name. Modules of the current folder
    are found too, here and in the worker processes that this one starts.

    Raises:
        ValueError: not of that form.
        ImportError: there is no such module, or it fails where it is imported.
    """
    module_name, colon, name = text.partition(":")
    if not module_name or not colon or not name:
        raise ValueError(f"expected MODULE:NAME, such as my_package.models:make_net, got {text!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # after what is installed: this may be the folder of the sources
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        raise
    except (Exception, SystemExit) as error:  # it may do anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ImportError(
            f"{module_name} fails where it is imported, with {type(error).__name__}: {error} "
            f"({place.filename}, line {place.lineno})"
        ) from error
    return getattr(module, name, None)
