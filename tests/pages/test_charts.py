"""Charts keep to the schema of Vega-Lite, and the library that draws them is the one that is named."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from support import vega_bundle
from support.page_elements import PageElements


@pytest.mark.slow
def test_charts_keep_to_the_schema(pages: dict[str, Path]) -> None:
    altair = pytest.importorskip("altair")
    charts = 0
    for path in pages.values():
        for spec in PageElements(path.read_text(encoding="utf-8")).specs.values():
            altair.Chart.from_dict(spec)  # validates
            charts += 1
    assert charts > 15


def test_pages_are_small(pages: dict[str, Path]) -> None:
    library = vega_bundle.FILE.stat().st_size
    assert library < 950_000
    for path in pages.values():
        assert path.stat().st_size - library < 150_000


@pytest.mark.slow
def test_the_library_is_what_it_says(pages: dict[str, Path]) -> None:
    try:
        version = metadata.version("vl-convert-python")
    except metadata.PackageNotFoundError:
        pytest.skip("the library is made with vl-convert-python, which is not installed")
    if version != vega_bundle.VL_CONVERT:
        pytest.skip(f"the library is made with vl-convert-python {vega_bundle.VL_CONVERT}")
    written = vega_bundle.FILE.read_text(encoding="utf-8")
    made = vega_bundle.bundle()
    assert made.splitlines()[0] == written.splitlines()[0]
    assert abs(len(made) - len(written)) < 100  # names in it differ from time to time
