"""Memory that a forward pass frees, kept for the next one."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_LARGEST_IN_HEAP = 32 << 20  # glibc takes no larger threshold


def keep_freed_memory(megabytes: int = 512) -> bool:
    """Tells the C library to keep up to so much freed memory, instead of handing it back to the system.

    On Linux, every activation of more than 128 KiB may come as fresh pages, which the system has to clear
    first: up to a third of the time of a small network's forward pass. This is a setting of the whole
    process, so nothing here makes it unasked; the ``swapnas`` command does. Returns whether the C library
    (glibc) could do it; others are left as they are.

    Raises:
        ValueError: fewer than 1 or more than 2,047 megabytes.
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
