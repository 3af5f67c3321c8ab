// Tables: exact sets of patterns in caller-owned, zero-initialised memory, so that a set can be a
// tensor. The kernels of all devices share this definition.
//
// A table is kHeaderWords 64-bit words, then the payload of its SetKind: a bit for each possible
// pattern (Direct), or a power of two of slots with linear probing, where an all-zero slot is
// empty.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pattern.h"

namespace swapnas {

// One cache line. A table starts as zeros, so an empty set has zero in every word.
struct TableHeader {
    uint64_t occupied;      // slots in use; on the CPU, flags that are set too
    uint64_t zero_pattern;  // 1 if the all-zero pattern is in the set and has no own place
    uint64_t nan;           // kSawNan if a NaN activation was seen
    uint64_t overflow;      // 1 if a pattern found no free slot: the set is not complete
    uint64_t stray_bits;    // 1 if a packed pattern with a bit beyond its width was left out
    uint64_t reserved[3];
};
inline constexpr int64_t kHeaderWords = sizeof(TableHeader) / sizeof(uint64_t);

// Words of a CPU table that Python reads without calling an operator.
inline constexpr int64_t kOccupiedWord = offsetof(TableHeader, occupied) / sizeof(uint64_t);
inline constexpr int64_t kZeroPatternWord = offsetof(TableHeader, zero_pattern) / sizeof(uint64_t);
inline constexpr int64_t kNanWord = offsetof(TableHeader, nan) / sizeof(uint64_t);

// The flags that `count` returns with the number of patterns.
inline constexpr int64_t kSawNan = 1;
inline constexpr int64_t kOverflowed = 2;
inline constexpr int64_t kStrayBits = 4;
static_assert(kSawNan == 1, "kernels write 1 to TableHeader::nan, and Python reads it as flags");

// The slots of a device for patterns of one width.
struct SlotShape {
    int64_t bytes;
    int64_t max_load;  // slots out of four that may be in use, so that linear probing stays short
};

// The number of slots, a power of two, for up to `patterns` patterns at that load.
int64_t slots_for(int64_t patterns, int64_t max_load);

// 64-bit words of a table for up to `patterns` patterns of `bits` bits. Throws std::length_error
// if that can't be addressed.
int64_t table_words(int64_t bits, SlotShape slot, int64_t patterns);

// Slots (possible patterns if Direct) of a table of `words` words; -1 if no table has that size.
int64_t table_capacity(int64_t bits, SlotShape slot, int64_t words);

// How many patterns a table of `words` words holds without growing; negative as above.
int64_t table_limit(int64_t bits, SlotShape slot, int64_t words);

}  // namespace swapnas
