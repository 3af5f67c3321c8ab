"""Every code block of README.md and docs/ runs, page by page, and prints what the page says: `make test-docs`."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("sybil", reason="needs the extra docs")

from support.pages import PAGES, ROOT, Page, blocks, import_paths, make_programs, parse
from sybil import Document
from sybil.example import SybilFailure

pytestmark = pytest.mark.docs


def _with_code(path: Path) -> bool:
    return any(True for _ in blocks(Document(path.read_text(), str(path))))


@contextlib.contextmanager
def _as_a_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the folder, from where modules are found as well, without the modules of the pages before."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(make_programs(folder)), prepend=os.pathsep)
    for path in (*import_paths(), str(folder)):
        monkeypatch.syspath_prepend(path)
    known = set(sys.modules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()


@pytest.mark.parametrize(
    "path", list(filter(_with_code, PAGES)), ids=lambda path: str(path.relative_to(ROOT))
)
def test_page(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    page = Page(tmp_path)
    failures = []
    with _as_a_program(tmp_path, monkeypatch):
        for example in parse(path, page):
            try:
                example.evaluate()
            except SybilFailure as failure:
                failures.append(f"{path.name}:{example.line}: {failure.result}")
            except Exception as error:
                failures.append(f"{path.name}:{example.line}: {type(error).__name__}: {error}")
    record_property(
        "not_run",
        {f"{path.relative_to(ROOT)}:{line}": reason for line, reason in page.not_run.items()},
    )
    assert not failures, "\n\n".join(failures)
