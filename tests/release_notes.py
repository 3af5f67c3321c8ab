"""Checks that a version can be released, and writes its notes.

    python tests/release_notes.py v1.2.3

The tag, the version of the package, CITATION.cff and the newest section of CHANGELOG.md must agree, in version and
date. The notes, which are that section, go to build/release-notes.md. Needs no package.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A version in the changelog: its date (ISO 8601; none where it is not released), and what is below."""

    version: str
    date: str | None
    text: str


def sections(changelog: str) -> list[Section]:
    """Newest first, as they stand in the file."""
    found = list(HEADING.finditer(changelog))
    ends = [heading.start() for heading in found[1:]] + [len(changelog)]
    return [
        Section(heading["version"], heading["date"], changelog[heading.end() : end].strip())
        for heading, end in zip(found, ends, strict=True)
    ]


def newest(changelog: str) -> Section:
    """The newest version, not what is unreleased."""
    return next(section for section in sections(changelog) if section.version != "Unreleased")


def field(text: str, name: str) -> str:
    """The value of ``name: value`` or ``name = "value"``, alone on a line that is not indented."""
    found = re.search(rf"^{name}\s*[:=]\s*[\"']?([^\"'\s]+)[\"']?$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"expected a line like '{name}: value'")
    return found[1]


def problems(root: Path, tag: str | None = None) -> list[str]:
    """Sentences about versions and dates that do not agree; none where this can be released."""
    version = field((root / "swapnas_ext/version.py").read_text(), "__version__")
    citation = (root / "CITATION.cff").read_text()
    section = newest((root / "CHANGELOG.md").read_text())
    told = {
        "the tag": (tag or f"v{version}").removeprefix("v"),
        "CITATION.cff": field(citation, "version"),
        "the newest section of CHANGELOG.md": section.version,
    }
    found = [f"{place} is of {other}" for place, other in told.items() if other != version]
    if tag is not None and not tag.startswith("v"):
        found.append(f"the tag is {tag!r}; expected v{version}")
    if section.date != field(citation, "date-released"):
        found.append(
            f"CHANGELOG.md dates {section.version} {section.date}, and CITATION.cff "
            f"{field(citation, 'date-released')}"
        )
    return [f"{sentence}; the package is version {version}" for sentence in found]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("expected a tag, as in: make release-notes TAG=v1.2.3")
    if found := problems(ROOT, sys.argv[1]):
        sys.exit("\n".join(found))
    notes = ROOT / "build/release-notes.md"
    notes.parent.mkdir(exist_ok=True)
    notes.write_text(newest((ROOT / "CHANGELOG.md").read_text()).text + "\n")
    print(notes.relative_to(ROOT))


if __name__ == "__main__":
    main()
