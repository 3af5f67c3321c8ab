"""How much memory repeats may take, and the error text when there is too little."""

from __future__ import annotations

import torch


def default_limit(device: torch.device) -> int:
    """Bytes that repeats in one forward pass may take, unless the user says otherwise."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1] // 2
    return 1 << 30


# The last one is how torch reports a failed allocation by a kernel of this package.
_OUT_OF_MEMORY = ("not enough memory", "out of memory", "can't allocate memory", "aten::empty")


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(w in text for w in _OUT_OF_MEMORY)


def too_large(device: torch.device, error: Exception) -> str:
    return (
        f"{device} has too little memory for one forward pass of this model: {first_line(error)}. Use "
        "fewer samples, smaller inputs, or autocast=torch.bfloat16"
    )


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
