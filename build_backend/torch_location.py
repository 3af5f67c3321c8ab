"""Where the torch is whose headers the extension is built with; torch itself is not imported."""

import os
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

MINIMUM = (2, 10)
TORCH_REQUIREMENT = "torch>=2.10"


def installed_torch():
    """The folder of torch >= 2.10 that SWAPNAS_TORCH_DIR names, on the path, or in the environment installed into;
    or None. The headers are the same for every Python, so that the named one may be another Python's."""
    if named := os.environ.get("SWAPNAS_TORCH_DIR"):
        folder = Path(named).absolute()
        if not (folder / "include/torch/csrc/stable").is_dir():
            raise RuntimeError(
                f"SWAPNAS_TORCH_DIR={named} holds no headers of {TORCH_REQUIREMENT}; expected the folder of an "
                "installed torch, such as .venv/lib/python3.12/site-packages/torch"
            )
        return folder
    paths = [*sys.path, sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]
    for distribution in metadata.distributions(name="torch", path=paths):
        version = tuple(int(part) for part in distribution.version.split(".")[:2])
        folder = Path(distribution.locate_file("torch"))
        if version >= MINIMUM and (folder / "include").is_dir():
            return folder
    return None
