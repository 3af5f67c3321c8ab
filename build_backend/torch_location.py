"""Where the torch is whose headers the extension is built with; torch itself is not imported."""

import sys
import sysconfig
from importlib import metadata
from pathlib import Path

MINIMUM = (2, 10)
TORCH_REQUIREMENT = "torch>=2.10"


def installed_torch():
    """The folder of torch >= 2.10 on the path, or in the environment installed into, or None."""
    paths = [*sys.path, sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]
    for distribution in metadata.distributions(name="torch", path=paths):
        version = tuple(int(part) for part in distribution.version.split(".")[:2])
        folder = Path(distribution.locate_file("torch"))
        if version >= MINIMUM and (folder / "include").is_dir():
            return folder
    return None
