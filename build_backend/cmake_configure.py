"""Configures a build folder, whatever was in it before."""

import shutil
import subprocess
from pathlib import Path


def configure(command: list[str], build: Path) -> bool:
    """Runs CMake in the folder, made where there is none; once more in an empty one where what an earlier run left
    there is in its way: of a checkout that was copied, or of a compiler that is gone. Whether it went well."""
    again = (build / "CMakeCache.txt").exists()
    build.mkdir(parents=True, exist_ok=True)
    if subprocess.run(command, cwd=build, check=False).returncode == 0:
        return True
    if not again:
        return False
    print(f"once more, without what was in {build}", flush=True)
    shutil.rmtree(build)
    build.mkdir()
    return subprocess.run(command, cwd=build, check=False).returncode == 0
