// Counting distinct patterns of up to 32 bits of which there are too many for a table in the L2
// cache. A table beyond it costs two random accesses to memory for each pattern; here the patterns
// are streamed a few times instead, and every random access is to shared memory:
//
//   1. histogram: how many patterns fall into each of 4,096 buckets, by their hash;
//   2. scatter:   into 64 groups of buckets, then
//   3. scatter:   into the buckets (twice, so that neighbours are written together);
//   4. count:     each bucket in a bitmap of all the patterns that it can have.
//
// Floor for n patterns: 24 n bytes (read 3 times + once more in 4, written twice) over the memory
// bandwidth: 0.56 ms for 100 M patterns at the 4.3 TB/s of an H200. Not yet run on hardware.
#pragma once

#include <cstdint>

#include "activations.h"
#include "cuda/device.h"

namespace swapnas::cuda {

// Whether there are that many, and so few bits.
bool distinct_pays(const PackedPatterns& patterns);

// 64-bit words of scratch memory that count_distinct needs.
int64_t distinct_scratch_words(const PackedPatterns& patterns);

// counts[0]: the number of distinct patterns; counts[1]: flags, as of count() in kernels.h.
void count_distinct(const PackedPatterns& patterns, uint64_t* scratch, int64_t* counts,
                    Stream stream);

}  // namespace swapnas::cuda
