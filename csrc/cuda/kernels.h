// The CUDA kernels, on the current device: each reads the activations once, and keeps only the set
// of patterns. They only enqueue work on the stream, without allocation, copies to the host or
// synchronisation, so a CUDA graph can capture them.
//
// Compile: nvcc -std=c++20 -O3 -Icsrc -arch=sm_90 -c csrc/cuda/set_kernels.cu (CUDA >= 12.8; CMake
// compiles each .cu for all architectures).
//
// Cost of an insert of V neurons over S samples: V * S elements read (and, with the ReLU, written),
// and for each neuron one slot of the table. The floor is the bytes read and written over the
// memory bandwidth: for 1 GiB of float32 with the ReLU 0.50 ms at the 4.3 TB/s of an H200. The
// machine code for sm_90 has about 8.5 instructions an element (float32, binary); an H200 can issue
// about 50 in that time. The slot of each neuron costs 32 bytes of L2 traffic: 25 % more at S = 32,
// if the table stays in the L2 cache (some tens of MB).
//
// Measured on an H200: benchmarks/results/gpu-nvidia-h200.json, and csrc/README.md.
//
// All throw std::runtime_error with the kernel's name if a launch fails, and
// std::invalid_argument, before enqueuing anything, if the arguments don't fit each other.
#pragma once

#include <cstdint>

#include "activations.h"
#include "cuda/device.h"
#include "pattern_table.h"

namespace swapnas::cuda {

// The functions of pattern_table.h for the slots of the GPU.
int64_t table_words(PatternShape shape, int64_t patterns);
int64_t table_limit(PatternShape shape, int64_t words);

// The sets of all groups, `words_per_group` words apart.
struct GroupTables {
    uint64_t* memory;
    int64_t words_per_group;
    int64_t groups;
    PatternShape shape;
};

// Inserts the patterns of the activations, each group into its own set, and writes max(x, 0) if
// there is a relu_output, in one launch. The caller makes room. A set that still fills up sets a
// flag in its header.
void insert(const Activations& activations, const GroupTables& tables, Stream stream);

// The same for packed patterns and one group. A pattern with a bit beyond its width is left out,
// and sets a flag in the header.
void insert_packed(const PackedPatterns& patterns, const GroupTables& table, Stream stream);

// Adds the patterns of `from` to `into` (same shape and groups; the capacities may differ).
void merge(const GroupTables& into, const GroupTables& from, Stream stream);

// For each group, the number of patterns, and flags: kSawNan + kOverflowed + kStrayBits.
void count(const GroupTables& tables, int64_t* counts, Stream stream);

// Packs the patterns of one group, in the order (outer, inner), as PackedPatterns. Sets *nan to 1
// if a NaN was seen, else to 0.
void pack(const Activations& activations, PatternShape shape, void* patterns, int64_t* nan,
          Stream stream);

// Adds to agreements[s * samples + t] on how many neurons samples s and t agree: both are positive,
// or neither is. For activations of one group.
//
// Cost: V * S elements read (for more than 128 samples once for each 64 or 128 others), and
// V / 32 * S * S / 2 words of 32 bits compared: for S = 128 a GPU of 132 multiprocessors at 1.7 GHz
// takes 0.6 of the time of reading them.
void add_agreements(const Activations& activations, int64_t* agreements, Stream stream);

}  // namespace swapnas::cuda
