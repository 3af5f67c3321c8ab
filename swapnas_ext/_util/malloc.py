"""Makes the C library keep the memory that a forward pass frees for the next one."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from <malloc.h>
_LARGEST_IN_HEAP = 32 << 20  # glibc takes no larger threshold


def keep_freed_memory(megabytes: int = 512) -> bool:
    """Tells the C library to keep up to ``megabytes`` of freed memory instead of returning it to the system.

    On Linux, every activation of more than 128 KiB may come as fresh pages, which the system has to clear
    first. That takes up to a third of the time of a small network's forward pass. The setting applies to the
    whole process. The ``swapnas`` command makes it; the Python package does not unless asked.

    Returns:
        True where the C library is glibc and took the setting; False otherwise, with nothing changed.

    Raises:
        ValueError: ``megabytes`` is below 1 or above 2,047.
    """
    if not 1 <= megabytes <= 2047:
        raise ValueError(f"megabytes must be from 1 to 2047, got {megabytes}")
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_IN_HEAP)
        and library.mallopt(_M_TRIM_THRESHOLD, megabytes << 20)
    )
