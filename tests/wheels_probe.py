"""What ``tests/wheels.py`` runs beside an installed wheel, away from the checkout; prints JSON.

``python -I wheels_probe.py score`` scores a model, and compares the score with ``torch.unique``; it needs torch.
``python -I wheels_probe.py load TORCH_DIR`` only loads the compiled part, against the libraries of another Python's
torch: they are the same for every Python. ``python -I wheels_probe.py import`` times the import beyond that of torch.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

INSTALLED = Path(sysconfig.get_paths()["platlib"])


def score() -> dict[str, Any]:
    import torch
    from torch import nn

    import swapnas_ext as swap

    torch.manual_seed(0)
    first, last = nn.ReLU(), nn.ReLU()
    model = nn.Sequential(nn.Conv2d(3, 16, 3), first, nn.Conv2d(16, 32, 3), last).eval()
    images = swap.data.photograph(samples=16)
    result = swap.score(model, images)
    seen: list[torch.Tensor] = []
    for activation in (first, last):
        activation.register_forward_hook(lambda _module, _inputs, y: seen.append(y.flatten(1) > 0))
    with torch.no_grad():
        model(images)
    reference = torch.unique(torch.cat(seen, 1), dim=1).shape[1]
    if result != reference:
        sys.exit(f"the score is {float(result)}, and torch.unique counts {reference} patterns")
    return {
        "file": swap.__file__,
        "score": float(result),
        "torch": torch.__version__,
        **{name: swap.build_info()[name] for name in ("version", "binary_version", "cpu_isa")},
    }


def load(torch: Path) -> dict[str, Any]:
    for library in ("c10", "torch_cpu"):
        ctypes.CDLL(str(torch / "lib" / f"lib{library}.so"), mode=ctypes.RTLD_GLOBAL)
    (binary,) = (INSTALLED / "swapnas_ext").glob("_C.*.so")
    spec = importlib.util.spec_from_file_location("swapnas_ext._C", binary)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"file": str(binary), "binary_version": module.version, "cpu_isa": module.cpu_isa()}


def seconds_to_import() -> dict[str, Any]:
    import torch  # noqa: F401

    begin = time.perf_counter()
    import swapnas_ext  # noqa: F401

    return {"seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    if sys.argv[1] == "load":
        answer = load(Path(sys.argv[2]))
    else:
        answer = {"score": score, "import": seconds_to_import}[sys.argv[1]]()
    print(json.dumps(answer))
