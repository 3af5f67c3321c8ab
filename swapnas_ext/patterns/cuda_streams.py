"""What torch's current CUDA stream is, and whether a CUDA graph is captured on it."""

from __future__ import annotations

import torch


def current_stream(device: torch.device) -> torch.cuda.Stream | None:
    """None on other devices than CUDA's."""
    return torch.cuda.current_stream(device) if device.type == "cuda" else None


def is_capturing(device: torch.device) -> bool:
    """Whether a CUDA graph is captured on the current stream of the device."""
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return torch.cuda.is_current_stream_capturing()
