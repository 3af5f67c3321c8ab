"""What a release needs: versions that agree, a changelog in its form, workflows that call targets that exist."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest
import release_notes
import yaml

ROOT = Path(__file__).parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the files that name the version."""
    for name in ("swapnas_ext/version.py", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_versions_agree() -> None:
    assert release_notes.problems(ROOT) == []


@pytest.mark.parametrize("tag", ["v9.9.9", "0.2.0"])
def test_a_tag_of_another_version_is_refused(tag: str) -> None:
    assert any("the tag is" in sentence for sentence in release_notes.problems(ROOT, tag))


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("swapnas_ext/version.py", r'"[\d.]+"', '"9.9.9"', "CITATION.cff is of"),
        ("CITATION.cff", r"(?m)^version: .*", "version: 9.9.9", "CITATION.cff is of 9.9.9"),
        ("CITATION.cff", r"(?m)^date-released: .*", "date-released: 2001-01-01", "2001-01-01"),
        ("CHANGELOG.md", r"## \[\d+\.\d+\.\d+\]", "## [9.9.9]", "CHANGELOG.md is of 9.9.9"),
    ],
)
def test_a_forgotten_file_is_told(root: Path, name: str, old: str, new: str, told: str) -> None:
    file = root / name
    file.write_text(re.sub(old, new, file.read_text(), count=1))
    assert any(told in sentence for sentence in release_notes.problems(root))


def test_the_changelog_has_its_form() -> None:
    """Keep a Changelog 1.1: newest first, ISO dates, and no other kinds of changes than the six."""
    unreleased, *released = release_notes.sections(CHANGELOG)
    assert unreleased.version == "Unreleased" and unreleased.date is None
    assert len(released) == CHANGELOG.count("\n## ") - 1
    versions = [tuple(map(int, section.version.split("."))) for section in released]
    dates = [date.fromisoformat(section.date or "") for section in released]
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)
    for section in released:
        kinds = re.findall(r"^### (.*)$", section.text, re.MULTILINE)
        assert kinds and set(kinds) <= KINDS and len(kinds) == len(set(kinds))


def commands(workflow: Path) -> list[str]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job.get("steps", []) if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_targets_that_exist(workflow: Path) -> None:
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    called = [
        target for run in commands(workflow) for target in re.findall(r"\bmake ([\w-]+)", run)
    ]
    assert called
    assert set(called) <= set(rules)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_workflows_that_can_be_called(workflow: Path) -> None:
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        if "uses" in job:
            called = yaml.safe_load((ROOT / job["uses"]).read_text())
            assert "workflow_call" in called[True]  # YAML 1.1 reads "on" as true


def test_workflows_install_the_same_versions() -> None:
    """The tools that a workflow installs itself have the versions of pyproject.toml."""
    project = (ROOT / "pyproject.toml").read_text()
    pinned = [
        one for path in WORKFLOWS for one in re.findall(r"\b[\w-]+==[\d.]+", path.read_text())
    ]
    assert pinned
    assert all(f'"{one}"' in project for one in pinned if not one.startswith("torch=="))
