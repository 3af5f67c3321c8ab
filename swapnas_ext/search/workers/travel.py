"""Sends evaluators to worker processes, and checks that these can start."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import cloudpickle

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator


class Portable:
    """An evaluator that can be sent to any process. Classes and functions that another process could not import, such
    as those of a notebook, are sent along."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    @cached_property
    def content(self) -> bytes:
        """The bytes that are sent.

        Raises:
            TypeError: the space or the scorer can't be sent.
        """
        try:
            with _by_value(_nameless_modules()):
                content: bytes = cloudpickle.dumps(self._evaluator)
            unpacked(content)  # what can't be unpacked raises its error here, and once
        except Exception as error:  # code of the space and the scorer may raise anything
            raise TypeError(
                f"the space and the scorer have to travel to worker processes, and {self._culprit()} can't: {error}; "
                "leave out what is bound to this process (open files, locks, generators), or score in this process "
                "(workers=None)"
            ) from error
        return content

    def _culprit(self) -> str:
        """The one of the two that can't be sent."""
        try:
            cloudpickle.dumps(self._evaluator.scorer)
        except Exception:
            return "the scorer"
        space = self._evaluator.space
        return f"the space {getattr(space, 'name', type(space).__name__)}"

    def __call__(self, architectures: Sequence[str]) -> list[Outcome]:
        return self._evaluator(architectures)

    def __reduce__(self) -> tuple[Any, ...]:
        return unpacked, (self.content,)


def _nameless_modules() -> list[ModuleType]:
    """The modules that other processes can't import, such as the ``<run_path>`` of ``runpy``."""
    found = [module for name, module in sys.modules.items() if name.startswith("<")]
    return [module for module in found if sys.modules.get(module.__name__) is module]


@contextmanager
def _by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    """Makes cloudpickle send what these modules define, instead of its name."""
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def unpacked(content: bytes) -> Evaluator:
    evaluator: Evaluator = cloudpickle.loads(content)
    return evaluator


def check_main_script() -> None:
    """Raises RuntimeError if worker processes would start the search again, since they import the main script."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    name = getattr(getattr(main, "__spec__", None), "name", "")
    if path is None or not Path(path).is_file() or name.rpartition(".")[2] == "__main__":
        return  # a notebook, standard input or a package, which worker processes do not import
    if _is_being_run(main, path) and not _asks_for_its_name(Path(path)):
        raise RuntimeError(
            f"worker processes import the main script again, and {path} would start the search again in each "
            'of them: put what starts it under: if __name__ == "__main__":'
        )


@contextmanager
def no_main_script_but_files() -> Iterator[None]:
    """Processes that start in this context do not import a main script that is not a file, such as standard input.
    They do not need it: what it defines is sent to them."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or Path(path).is_file() or getattr(main, "__spec__", None) is not None:
        yield
        return
    main.__file__ = None
    try:
        yield
    finally:
        main.__file__ = path


def _is_being_run(main: ModuleType, path: str) -> bool:
    """Whether the main script runs now, rather than what a user types after it has run."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if frame.f_globals is vars(main) and (code.co_name, code.co_filename) == ("<module>", path):
            return True
        frame = frame.f_back
    return False


def _asks_for_its_name(script: Path) -> bool:
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True  # the script can't be read
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(tree))
