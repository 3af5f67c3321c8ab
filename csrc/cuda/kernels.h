// The CUDA kernels, on the current device: each reads the activations once, and keeps nothing but
// the set of patterns. All of them only enqueue work on the stream: no allocation, no copy to the
// host, no synchronisation, so they can be captured in a CUDA graph.
//
// Compile: nvcc -std=c++20 -O3 -Icsrc -arch=sm_90 -c csrc/cuda/set_kernels.cu (CUDA >= 12.8; CMake
// compiles each .cu for all architectures).
//
// Cost of an insert of V neurons over S samples: V * S elements read (and, with the ReLU, written),
// one slot of the table looked at for each neuron. The floor is the bytes read and written over the
// memory bandwidth: for 1 GiB of float32 with the ReLU 0.50 ms at the 4.3 TB/s of an H200. Beside
// it, machine code for sm_90 has about 8.5 instructions an element (float32, binary), of the 50 or
// so that an H200 can issue meanwhile. Each neuron looks at one slot, of 32 bytes of L2 traffic:
// 25 % more at S = 32, as long as the table stays in the L2 cache (some tens of MB).
//
// Measured: nothing yet. These kernels have passed an emulator, and no hardware.
//
// All throw std::runtime_error with the kernel's name where a launch fails, and
// std::invalid_argument, before anything is enqueued, where the arguments don't fit each other.
#pragma once

#include <cstdint>

#include "activations.h"
#include "cuda/device.h"
#include "pattern_table.h"

namespace swapnas::cuda {

// As in pattern_table.h, for the slots of the GPU.
int64_t table_words(PatternShape shape, int64_t patterns);
int64_t table_limit(PatternShape shape, int64_t words);

// The sets of all groups, `words_per_group` words apart.
struct GroupTables {
    uint64_t* memory;
    int64_t words_per_group;
    int64_t groups;
    PatternShape shape;
};

// Inserts the patterns of the activations, each group into its own set, and writes max(x, 0) where
// there is a relu_output: one launch. The caller has made room. A set that is full nevertheless
// says so in its header.
void insert(const Activations& activations, const GroupTables& tables, Stream stream);

// The same of packed patterns, into one group. A pattern with a bit beyond its width is left out,
// and the header says so.
void insert_packed(const PackedPatterns& patterns, const GroupTables& table, Stream stream);

// Adds the patterns of `from` to `into` (same shape and groups; the capacities may differ).
void merge(const GroupTables& into, const GroupTables& from, Stream stream);

// For each group, the number of patterns, and flags: kSawNan + kOverflowed + kStrayBits.
void count(const GroupTables& tables, int64_t* counts, Stream stream);

// Packs the patterns of one group, in the order (outer, inner), in the form of PackedPatterns. Sets
// *nan to 1 if a NaN was seen, else to 0.
void pack(const Activations& activations, PatternShape shape, void* patterns, int64_t* nan,
          Stream stream);

}  // namespace swapnas::cuda
