"""Numbers that the kernels and Python agree on: the header of a table, and the flags of a count."""

from __future__ import annotations

HEADER_WORDS = 8
SAW_NAN, OVERFLOWED, STRAY_BITS = 1, 2, 4
