// The insert kernel for few neurons: the warps of a block divide the samples of its 32 neurons.
// Each thread has one part of the samples, all in flight at once; then the first warp puts the
// parts together, and inserts a pattern a thread.
#pragma once

#include <cstdint>

#include "cuda/insert.cuh"
#include "cuda/insert_form.h"
#include "cuda/pack.cuh"
#include "cuda/pattern_set.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {

inline constexpr int kInPart = 16;  // samples: half of a word for each plane

// No part has samples of two chunks. A pattern of one word counts as one chunk.
struct Parts {
    int in_chunk;
    int per_chunk;

    SWAPNAS_HD constexpr Parts(bool wide, bool ternary)
        : in_chunk(wide ? samples_in_chunk(ternary) : 64),
          per_chunk((in_chunk + kInPart - 1) / kInPart) {}

    SWAPNAS_HD constexpr int64_t first(int64_t part) const {
        return part / per_chunk * in_chunk + part % per_chunk * kInPart;
    }
    SWAPNAS_HD constexpr int count(int64_t part, int64_t samples) const {
        const int64_t of_chunk = (part / per_chunk + 1) * in_chunk;
        const int64_t left = (of_chunk < samples ? of_chunk : samples) - first(part);
        return static_cast<int>(left < kInPart ? left : kInPart);
    }
    SWAPNAS_HD constexpr int64_t of(int64_t samples) const {
        const int64_t whole = (samples - 1) / in_chunk;
        return whole * per_chunk + (samples - whole * in_chunk + kInPart - 1) / kInPart;
    }
};

// The part of a pattern: the positive plane in the low half, the negative one in the high half.
template <bool Ternary>
__device__ uint32_t part_of(const SignPlanes<uint32_t, 1>& planes) {
    return planes.positive[0] | (Ternary ? planes.negative[0] << 16 : 0);
}

// A neuron's pattern from its parts, which lie kSplitNeurons apart.
template <bool Ternary, class Word>
__device__ Word narrow_pattern(const SharedPointer<uint32_t>& parts, int count, int samples) {
    Word pattern = 0;
    for (int p = 0; p < count; ++p) {
        const uint32_t part = parts[p * kSplitNeurons];
        pattern |= static_cast<Word>(part & 0xFFFF) << (kInPart * p);
        if (Ternary) pattern |= static_cast<Word>(part >> 16) << (samples + kInPart * p);
    }
    return pattern;
}

// Chunk `index` of it.
template <bool Ternary>
__device__ uint64_t chunk_of_parts(const SharedPointer<uint32_t>& parts, int count, int index) {
    constexpr int kPerChunk = Parts(true, Ternary).per_chunk;
    uint64_t positive = 0, negative = 0;
#pragma unroll
    for (int i = 0; i < kPerChunk; ++i) {
        const int p = index * kPerChunk + i;
        if (p >= count) break;
        const uint32_t part = parts[p * kSplitNeurons];
        positive |= uint64_t{part & 0xFFFF} << (kInPart * i);
        if (Ternary) negative |= uint64_t{part >> 16} << (kInPart * i);
    }
    return chunk(positive, negative);
}

template <bool Ternary, class Set>
__device__ void insert_parts(const InsertArguments& a, const Table& table,
                             const SharedPointer<uint32_t>& parts, Tally& tally) {
    if constexpr (Set::kWide) {
        Set set(table, a.chunks);
        const auto pattern = [&](int c) { return chunk_of_parts<Ternary>(parts, a.parts, c); };
        uint64_t hash = 0;
        for (int c = 0; c < a.chunks; ++c) hash = Set::hash(hash, pattern(c));
        set.insert(pattern, hash, tally);
    } else {
        using Word = typename Set::Word;
        Set set(table);
        const Word pattern[1] = {
            narrow_pattern<Ternary, Word>(parts, a.parts, static_cast<int>(a.samples))};
        set.insert(pattern, tally);
    }
}

// Blocks that have to fit a multiprocessor. One of Turing has room for 1024 threads.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
inline constexpr int kMostSplitBlocks = 3;
#else
inline constexpr int kMostSplitBlocks = 4;
#endif
template <class T, bool Ternary, class Set>
inline constexpr int kSplitBlocks = !Set::kWide                 ? 2
                                    : Ternary || sizeof(T) == 2 ? 3
                                                                : kMostSplitBlocks;

// Blocks along y divide the groups, blocks along x the neurons of a group.
template <class T, bool Ternary, class Set>
__global__ void __launch_bounds__(kMaxSplitWarps* kSplitNeurons, kSplitBlocks<T, Ternary, Set>)
    split_insert_kernel(const InsertArguments a) {
    constexpr Parts kParts(Set::kWide, Ternary);
    constexpr int kNeurons = kSplitNeurons;
    const int lane = static_cast<int>(threadIdx.x) % kNeurons;
    const int warp = static_cast<int>(threadIdx.x) / kNeurons;
    const int warps = static_cast<int>(blockDim.x) / kNeurons;
    const SharedPointer<uint32_t> parts = shared_memory<uint32_t>() + lane;
    const int64_t neurons = a.outer * a.inner;

    for (int64_t group = blockIdx.y; group < a.groups; group += gridDim.y) {
        const Table table = a.set.table(group);
        const T* input = static_cast<const T*>(a.data) + group * a.group_stride;
        T* output = static_cast<T*>(a.relu_output);
        if (output != nullptr) output += group * a.group_stride;
        Tally tally;
        for (int64_t first = int64_t{blockIdx.x} * kSplitNeurons; first < neurons;
             first += int64_t{gridDim.x} * kSplitNeurons) {
            const int64_t neuron = first + lane;
            const bool valid = neuron < neurons;
            const int64_t row = a.outer == 1 ? 0 : neuron / a.inner;
            const int64_t offset = row * a.outer_stride + neuron - row * a.inner;
            for (int p = warp; valid && p < a.parts; p += warps) {
                const int64_t at = offset + kParts.first(p) * a.sample_stride;
                SignPlanes<uint32_t, 1> planes;
                tally.nan |= sign_planes<T, 1, Ternary>(
                    input + at, output == nullptr ? nullptr : output + at, a.sample_stride,
                    kParts.count(p, a.samples), a.infinity, planes);
                parts[p * kSplitNeurons] = part_of<Ternary>(planes);
            }
            __syncthreads();
            if (warp == 0 && valid) insert_parts<Ternary, Set>(a, table, parts, tally);
            __syncthreads();  // the next neurons overwrite the parts
        }
        tally.add_to(table);
    }
}

}  // namespace swapnas::cuda
