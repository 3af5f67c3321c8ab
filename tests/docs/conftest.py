"""Lists the blocks that were not run, with the reasons."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    found = {
        place: reason
        for one in reports
        for name, value in one.user_properties
        if name == "not_run"
        for place, reason in value.items()
    }
    if found:
        terminalreporter.section("blocks that were not run")
        for place, reason in sorted(found.items()):
            terminalreporter.line(f"{place}: {reason}")
