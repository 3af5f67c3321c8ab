"""Numbers that the kernels and Python agree on: the header of a table, and the flags of a count.

``csrc/pattern_table.h`` defines them.
"""

from __future__ import annotations

from swapnas_ext.patterns.native import _C

HEADER_WORDS: int = _C.header_words
# Places in the header: the number of patterns is the sum of the first two.
OCCUPIED_WORD: int = _C.occupied_word
ZERO_PATTERN_WORD: int = _C.zero_pattern_word
NAN_WORD: int = _C.nan_word
# Flags of a count.
SAW_NAN: int = _C.saw_nan
OVERFLOWED: int = _C.overflowed
STRAY_BITS: int = _C.stray_bits
