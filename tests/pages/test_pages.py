"""Pages in a browser: they complain of nothing, fetch nothing, tell which architecture a dot is, and can be used by
everyone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from support.browser import Tab

pytestmark = pytest.mark.slow  # a browser is started

_SERIOUS = ("serious", "critical")


def test_it_draws_everything_and_fits_a_narrow_screen(tab: Tab) -> None:
    page = tab.page
    assert page.locator("h1").count() == 1 and page.title()
    for width in (1280, 400):
        tab.show(width)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        for chart in page.locator(".chart").all():
            page.wait_for_timeout(20)  # it is drawn again where the width has changed
            box = chart.locator("svg").bounding_box()
            assert box is not None and box["height"] > 80 and 150 < box["width"] <= width
            assert chart.locator("svg text").count() > 3  # real text
            assert chart.get_attribute("role") == "graphics-document"
            assert len(chart.get_attribute("aria-label") or "") > 30


@pytest.mark.parametrize(("scheme", "paper"), [("light", "255, 255, 255"), ("dark", "20, 24, 29")])
def test_it_is_accessible_in_both_schemes(tab: Tab, scheme: str, paper: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab.show(scheme=scheme)
    tab.unfold()
    shown = "getComputedStyle(document.body).backgroundColor"
    assert tab.page.evaluate(shown) == f"rgb({paper})"
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in axe.run(tab.page).response["violations"]
        if one["impact"] in _SERIOUS
    ]
    assert serious == []


def test_buttons_copy_whole_architectures(tab: Tab) -> None:
    tab.show()
    tab.unfold()
    button = tab.page.locator("button.copy").last
    text = button.locator("xpath=..").locator("code").text_content()
    assert text and "|" in text  # a cell
    button.click()
    tab.page.locator("#status", has_text="copied").wait_for(state="attached")
    assert tab.page.evaluate("navigator.clipboard.readText()") == text


# ---- dots ------------------------------------------------------------------------------------------

CHARTS = {
    "search": ("curve", "front"),
    "front": ("front",),
    "analysis": ("sizes",),
    "correlation": ("scatter-0", "scatter-1"),
}


def _datum(tab: Tab, chart: str, number: int) -> dict[str, Any]:
    """What the dot of a chart stands for."""
    found: dict[str, Any] = tab.dots(chart).nth(number).evaluate("dot => dot.__data__.datum")
    return found


@pytest.mark.parametrize("kind", CHARTS, indirect=True)
def test_a_dot_tells_which_architecture_it_is_and_leads_to_its_row(tab: Tab, kind: str) -> None:
    tab.show()
    page = tab.page
    tip = page.locator("#tip:not([hidden])")
    for chart in CHARTS[kind]:
        dots = tab.dots(chart)
        count = dots.count()
        assert count > 60
        for number in (0, count - 1):
            dot = dots.nth(number)
            dot.hover(force=True)
            tip.wait_for()
            told = tip.locator("code, b").last.text_content()  # dots may lie on each other
            assert told and "|" in told and tip.locator("dd").count() >= 2
            dot.click(force=True)
            row = page.locator("tr:target")
            row.wait_for()
            assert row.locator("code").text_content() == told
        page.mouse.move(1, 1)
        page.locator("#tip[hidden]").wait_for(state="attached")
    for row in page.locator("#picked tbody tr").all():
        assert row.locator("td").count() == len(row.locator("xpath=../../thead//th").all()) - 1


@pytest.mark.parametrize("kind", ["search"], indirect=True)
def test_a_dot_in_the_table_leads_there(tab: Tab) -> None:
    tab.show()
    dots = tab.dots("front")
    listed = [place for place in range(dots.count()) if _datum(tab, "front", place)["row"]]
    assert len(listed) == 10
    datum = _datum(tab, "front", listed[-1])
    dots.nth(listed[-1]).click(force=True)
    row = tab.page.locator("tr:target")
    assert row.get_attribute("id") == datum["row"]
    assert row.locator("code").text_content() == datum["architecture"]


@pytest.mark.parametrize("kind", ["comparison"], indirect=True)
def test_dots_of_compared_fronts_lead_into_folded_tables(tab: Tab) -> None:
    tab.show()
    dots = tab.dots("front-parameters")
    listed = [
        place for place in range(dots.count()) if _datum(tab, "front-parameters", place)["row"]
    ]
    tab.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false })")
    dot = dots.nth(listed[-1])
    dot.hover(force=True)
    assert "run" in tab.page.locator("#tip").inner_text()
    dot.click(force=True)
    tab.page.locator("tr:target").wait_for()


@pytest.mark.parametrize("kind", ["live"], indirect=True)
def test_a_live_page_goes_on_and_keeps_what_is_open(tab: Tab) -> None:
    tab.show()
    page = tab.page
    best = page.locator("svg a").first
    name = best.get_attribute("aria-label")
    assert name and name.startswith("#1: |")
    best.click()
    row = page.locator("tr:target")
    assert row.locator("code").text_content() == name.removeprefix("#1: ")
    row.locator("summary").click()
    is_open = row.locator("details").evaluate("one => one.open")
    with page.expect_response("**/live"):
        pass
    page.wait_for_timeout(100)
    assert row.locator("details").evaluate("one => one.open") == is_open
    assert not page.locator("#lost").is_visible()


def test_without_scripts_the_tables_are_there(pages: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["search"].as_uri())
    assert page.locator("tr[id^=row-]").count() == 10
    assert page.locator("noscript p").count() == 1
    context.close()
