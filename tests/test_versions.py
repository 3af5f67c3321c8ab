"""The parts of ``make test-versions`` that need no network."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import versions
import versions_commands as commands
import versions_results as results
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from versions_results import Outcome, Report

OUTCOME = Outcome(
    torch="2.11.0+cpu",
    python="3.12.1",
    system="Linux x86_64",
    date="2026-01-31",
    numpy="2.4.6",
    built_with="2.10.0",
    report=Report(passed=900, skipped=80),
)
FAILED = replace(
    OUTCOME,
    torch="2.15.1",
    report=Report(
        passed=897,
        skipped=80,
        failures={
            "test_ops::test_bad[1]": "ValueError: `one`",
            "test_ops::test_bad[a\nb]": "ValueError: two",
            "test_data::test_read": "OSError",
        },
    ),
)


def names(versions: list[Version]) -> list[str]:
    return [str(one) for one in versions]


def torches_of(index: list[str]) -> list[str]:
    def newest(requirement: str) -> Version | None:
        specifiers = SpecifierSet(requirement.removeprefix("torch"), prereleases=False)
        return max(map(Version, specifiers.filter(index)), default=None)

    return names(commands.served_torches(newest))


def test_newest_patch_of_each_minor_version() -> None:
    index = ["2.9.1", "2.10.0", "2.10.1", "2.11.0", "2.13.2", "2.13.10", "3.0.0"]
    assert torches_of(index) == ["2.10.1", "2.11.0", "2.13.10", "3.0.0"]


def test_prereleases_are_left_out() -> None:
    assert torches_of(["2.10.0rc1", "2.10.0", "2.11.0rc2", "2.11.1.dev1"]) == ["2.10.0"]
    assert torches_of(["2.9.1", "2.10.0rc1"]) == []


def test_builds_of_torch_without_cuda() -> None:
    assert torches_of(["2.10.0+cpu", "2.11.0+cpu"]) == ["2.10.0+cpu", "2.11.0+cpu"]


def test_chosen_torches() -> None:
    served = {Version("2.9"), Version("2.10"), Version("2.11")}
    assert names(versions.chosen(served, [])) == ["2.9", "2.10", "2.11"]
    assert names(versions.chosen(served, [Version("2.11"), Version("2.9")])) == ["2.9", "2.11"]
    with pytest.raises(ValueError, match=r"torch 2\.12 is not served .* choose from 2\.9, 2\.10,"):
        versions.chosen(served, [Version("2.12")])


def test_a_failing_command_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(commands.CommandFailed) as caught:
        commands.run(sys.executable, "-c", "import sys; print('words'); sys.exit(3)", log=log)
    assert caught.value.status == 3
    assert log.read_text().splitlines()[1] == "words"


def test_folders_are_removed_even_after_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt), commands.removed_afterwards(folder):
        (folder / "torch").touch()
        raise KeyboardInterrupt
    assert not folder.exists()


CASES = """
import pytest

@pytest.mark.parametrize("n", [1, 2, 3])
def test_some(n):
    assert n != 2, "two"

@pytest.mark.skip
def test_skipped(): ...

@pytest.fixture
def broken():
    yield
    raise OSError("first line\\nsecond line")

def test_teardown(broken): ...
"""


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Of the real pytest."""
    (tmp_path / "test_cases.py").write_text(CASES)
    (tmp_path / "test_broken.py").write_text("import no_such_module")
    command = [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors"]
    junit = tmp_path / "report.xml"
    subprocess.run([*command, f"--junitxml={junit}"], cwd=tmp_path, capture_output=True)
    return results.read_report(junit)


@pytest.mark.slow
def test_report_of_pytest(report: Report) -> None:
    assert (report.passed, report.skipped) == (2, 1)
    failures = dict(report.failures)
    assert failures.pop("test_cases::test_some[2]").startswith("AssertionError: two")
    assert "first line" in failures["test_cases::test_teardown"]
    assert "second line" not in failures.pop("test_cases::test_teardown")
    assert list(failures) == ["test_broken"]


def test_results_are_kept(tmp_path: Path) -> None:
    file, table = tmp_path / "versions.json", tmp_path / "versions.md"
    assert results.read(file) == []
    results.write([OUTCOME, FAILED], file, table)
    assert results.read(file) == [OUTCOME, FAILED]
    assert table.read_text() == results.to_markdown([OUTCOME, FAILED])


def test_a_narrowed_run_replaces_its_own_rows() -> None:
    other_python = replace(OUTCOME, python="3.9.20")
    again = replace(OUTCOME, torch="2.11.3", date="2026-02-01")
    assert results.merged([FAILED, OUTCOME, other_python], [again]) == [other_python, again, FAILED]


def test_the_table() -> None:
    rows = results.to_markdown([OUTCOME, FAILED]).splitlines()
    titles, _, passing, failing = (row for row in rows if row.startswith("|"))
    assert titles.count("|") == passing.count("|") == failing.count("|")
    assert (
        passing
        == "| 2.11.0+cpu | 3.12.1 | 2.4.6 | 900 | 0 | 80 | 2.10.0 | Linux x86_64 | 2026-01-31 |"
    )
    assert failing.startswith("| 2.15.1 | 3.12.1 | 2.4.6 | 897 | 3 | 80 |")
    assert [row for row in rows if row.startswith("- ")] == [
        "- torch 2.15.1, Python 3.12.1: `test_ops::test_bad` (2 cases): `ValueError: 'one'`",
        "- torch 2.15.1, Python 3.12.1: `test_data::test_read`: `OSError`",
    ]
    assert "What failed" not in results.to_markdown([OUTCOME])


def test_a_torch_that_is_not_served_has_not_failed() -> None:
    absent = replace(OUTCOME, numpy="", built_with="", report=Report(), no_wheel=True)
    assert not absent.failed
    assert "| 2.11.0+cpu | 3.12.1 |  | no wheel |" in results.to_markdown([absent])


def test_what_does_not_load_is_told() -> None:
    broken = replace(OUTCOME, report=Report(), problem="does not load: undefined symbol")
    assert broken.failed
    table = results.to_markdown([broken])
    assert "| 2.11.0+cpu | 3.12.1 | 2.4.6 | | see below | |" in table.replace("|  |", "| |")
    assert "- torch 2.11.0+cpu, Python 3.12.1: does not load: undefined symbol" in table


def test_help_has_an_example() -> None:
    script = str(Path(versions.__file__))
    shown = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True
    ).stdout
    assert "--torch 2.15 --python 3.12" in shown


def test_core_tests_exist() -> None:
    folder = Path(versions.__file__).parent
    for name in versions.CORE_TESTS:
        assert (folder / name).exists(), name
    for file, test in (one.split("::") for one in versions.NOT_CORE):
        assert f"def {test}(" in (folder / file).read_text(), (file, test)
