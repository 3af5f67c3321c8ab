"""Builds versions of the package, each in a folder of its own, with the same Python, torch and compiler options."""

from __future__ import annotations

import compileall
import io
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILDS = ROOT / "build" / "versions"
_LOG_LINES = 25


class BuildError(RuntimeError):
    """A version is unknown, or does not build."""


@dataclass(frozen=True)
class Build:
    """A version that is built.

    Args:
        name: a short commit, or ``"here"``.
        commit: that it was made from. Of the working tree: its HEAD.
        date: of the commit, as ``YYYY-MM-DD``.
        tree: the folder of its sources.
        changed: whether files differ from the commit.
    """

    name: str
    commit: str
    date: str
    tree: Path
    changed: bool = False


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit_of(ref: str) -> str:
    """The whole name of a commit.

    Raises:
        BuildError: git does not know it.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except subprocess.CalledProcessError:
        raise BuildError(
            f"git knows no commit {ref!r}; give a commit, branch or tag: git log shows them"
        ) from None


def default_ref() -> tuple[str, str]:
    """What the working tree is compared with unless something is said, and why."""
    try:
        return git(
            "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD"
        ), "the last release"
    except subprocess.CalledProcessError:
        pass
    if _changed():
        return "HEAD", "no release has a tag, and files are changed"
    return "HEAD~1", "no release has a tag, and no file is changed"


def build_commit(ref: str) -> Build:
    """Builds a commit, unless that is done.

    Raises:
        BuildError: git does not know it, or it does not build.
    """
    commit = commit_of(ref)
    tree = BUILDS / f"{commit[:12]}-{sys.implementation.cache_tag}"
    if not tree.exists():
        unfinished = tree.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "archive", commit], cwd=ROOT, capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(unfinished, filter="data")
        unfinished.rename(tree)
    _compile(tree)
    return Build(commit[:7], commit, _date(commit), tree)


def build_here() -> Build:
    """Builds a copy of the working tree: what git tracks, and what it would add.

    Raises:
        BuildError: it does not build.
    """
    tree = BUILDS / f"here-{sys.implementation.cache_tag}"
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for name in wanted:
        _copy(ROOT / name, tree / name)
    for path in (tree / "swapnas_ext").rglob("*.py"):
        if str(path.relative_to(tree)) not in wanted:
            path.unlink()
    _compile(tree)
    commit = commit_of("HEAD")
    return Build("here", commit, _date(commit), tree, _changed())


def _changed() -> bool:
    return bool(git("status", "--porcelain"))


def _date(commit: str) -> str:
    return git("show", "-s", "--format=%cs", commit)


def _copy(source: Path, target: Path) -> None:
    """Leaves what has not changed as it is, so that it is not compiled again."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _compile(tree: Path) -> None:
    """Compiles in place, Python too, as an installation does; what is compiled already takes a second."""
    built_with = tree / ".built-with"
    versions = f"{sys.version} {metadata.version('torch')} {os.environ.get('CMAKE_ARGS', '')}"
    if built_with.exists() and built_with.read_text() != versions:
        shutil.rmtree(tree / "build", ignore_errors=True)
    log = tree / "build.log"
    with log.open("w") as file:
        done = subprocess.run(
            [sys.executable, "setup.py", "build_ext", "--inplace"],
            cwd=tree,
            env={**os.environ, "SWAPNAS_CUDA": os.environ.get("SWAPNAS_CUDA", "0")},
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        raise BuildError(f"{tree.name} does not build; the end of {log}:\n{last}")
    compileall.compile_dir(tree / "swapnas_ext", quiet=2)
    built_with.write_text(versions)
