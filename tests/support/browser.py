"""Debian's Chromium without a network, driven by Playwright. Tests that need it are skipped where it is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile. Skips the test, with the reason, where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pages are tested with playwright: pip install playwright"
    )
    path = os.environ.get("SWAPNAS_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("pages are tested in Debian's Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path,
            args=[*_FLAGS, f"--disk-cache-dir={profile}", f"--crash-dumps-dir={profile}"],
        )
        yield browser
        browser.close()


class Tab:
    """An open page.

    Args:
        address: of the page.

    Attributes:
        complaints: what the console and the scripts of the page complained of.
        asked_for_others: addresses that the page asked for, beside its own.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self._context = browser.new_context(color_scheme="light")
        self.page = self._context.new_page()
        self.show()
        self.complaints: list[str] = []
        self.asked_for_others: list[str] = []
        own = (address, f"{address}live")
        self.page.on(
            "console",
            lambda one: (
                self.complaints.append(one.text) if one.type in ("error", "warning") else None
            ),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request",
            lambda one: None if one.url in own else self.asked_for_others.append(one.url),
        )
        self.page.goto(address)
        # Not wait_for_function, which evaluates a text: the policy of the page forbids it.
        for chart in self.page.locator(".chart").all():
            chart.locator("svg").wait_for(state="attached")
        self._context.grant_permissions(["clipboard-read", "clipboard-write"])

    def show(self, width: int = 1280, scheme: Any = "light") -> None:
        """Makes the window so many pixels wide, in a light or a dark scheme."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)

    def unfold(self) -> None:
        """Opens everything that is folded away."""
        self.page.evaluate(
            "document.querySelectorAll('details').forEach(one => { one.open = true })"
        )

    def dots(self, chart: str) -> Locator:
        """The dots of a chart."""
        return self.page.locator(f"#chart-{chart} .mark-symbol.role-mark path")

    def close(self) -> None:
        self._context.close()
