// Converts activations to sign bits in the registers of one thread. A thread takes a few adjacent
// neurons (16 bytes) and all their samples, so a warp reads 512 contiguous bytes at a time, and no
// pattern is spread across threads.
#pragma once

#include <cstdint>
#include <cstring>

#include "activations.h"
#include "cuda/simt.cuh"
#include "pattern.h"

namespace swapnas::cuda {

// Samples with loads in flight before the first is used: as many as leave registers for at least
// two blocks on each multiprocessor.
template <class T>
inline constexpr int kRows = sizeof(T) == 2 ? 4 : 8;

// The bits of IEEE half and bfloat16 are ordered like sign-magnitude integers, so one kernel serves
// both without conversion. `infinity` is that of the format (unused for other types).
template <class T>
struct Element {
    static __device__ bool positive(T x, uint32_t) { return x > 0; }
    static __device__ bool negative(T x, uint32_t) { return x < 0; }
    static __device__ bool nan(T x, uint32_t) { return x != x; }
    // NaN stays NaN, as in torch.relu.
    static __device__ T relu(T x, uint32_t) { return x <= 0 ? T{0} : x; }
};

template <>
struct Element<uint16_t> {
    static __device__ bool positive(uint16_t x, uint32_t infinity) {
        return uint32_t{x} - 1 < infinity;
    }
    static __device__ bool negative(uint16_t x, uint32_t infinity) {
        return (uint32_t{x} ^ 0x8000) - 1 < infinity;
    }
    static __device__ bool nan(uint16_t x, uint32_t infinity) {
        return (uint32_t{x} & 0x7FFF) > infinity;
    }
    static __device__ uint16_t relu(uint16_t x, uint32_t infinity) {
        return uint32_t{x} - 0x8000 <= infinity ? uint16_t{0} : x;
    }
};

// N adjacent elements, read and written at once.
template <class T, int N>
struct Run {
    static_assert(N == 1 || N * sizeof(T) == 16);
    T values[N];

    static __device__ Run load(const T* address) {
        Run run;
        if constexpr (N == 1) {
            run.values[0] = load_stream(address);
        } else {
            const uint4 bits = load_stream(reinterpret_cast<const uint4*>(address));
            memcpy(&run, &bits, sizeof bits);
        }
        return run;
    }
    __device__ void store(T* address) const {
        if constexpr (N == 1) {
            store_stream(address, values[0]);
        } else {
            uint4 bits;
            memcpy(&bits, this, sizeof bits);
            store_stream(reinterpret_cast<uint4*>(address), bits);
        }
    }
};

// Bit s of a word is 1 if the neuron is positive (negative) on sample s of those read.
template <class Word, int N>
struct SignPlanes {
    Word positive[N];
    Word negative[N];  // only if ternary
};

// Reads `samples` samples of N neurons, at most as many as a Word has bits, and writes max(x, 0) to
// `output` unless it is null; the planes are then those of the output. Returns whether it saw a
// NaN.
template <class T, int N, bool Ternary, class Word>
__device__ bool sign_planes(const T* input, T* output, int64_t sample_stride, int samples,
                            uint32_t infinity, SignPlanes<Word, N>& planes) {
    using Of = Element<T>;
    constexpr int kRows = cuda::kRows<T>;
    bool nan = false;
    for (int n = 0; n < N; ++n) planes.positive[n] = planes.negative[n] = 0;
    for (int first = 0; first < samples; first += kRows) {
        Run<T, N> rows[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            rows[r] = {};
            if (first + r < samples) rows[r] = Run<T, N>::load(input + (first + r) * sample_stride);
        }
        uint32_t positive[N] = {}, negative[N] = {};
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
#pragma unroll
            for (int n = 0; n < N; ++n) {
                const T x = rows[r].values[n];
                if (Of::positive(x, infinity)) positive[n] |= 1u << r;
                if (Ternary && Of::negative(x, infinity)) negative[n] |= 1u << r;
                nan |= Of::nan(x, infinity);
            }
        }
        if (output != nullptr) {
#pragma unroll
            for (int r = 0; r < kRows; ++r) {
#pragma unroll
                for (int n = 0; n < N; ++n)
                    rows[r].values[n] = Of::relu(rows[r].values[n], infinity);
                if (first + r < samples) rows[r].store(output);
                output += sample_stride;
            }
        }
#pragma unroll
        for (int n = 0; n < N; ++n) {
            planes.positive[n] |= static_cast<Word>(positive[n]) << first;
            if (Ternary && output == nullptr)
                planes.negative[n] |= static_cast<Word>(negative[n]) << first;
        }
    }
    return nan;
}

// A neuron's pattern if it fits a word: positive plane, then negative plane.
template <bool Ternary, class Word, int N>
__device__ Word narrow_pattern(const SignPlanes<Word, N>& planes, int n, int samples) {
    if constexpr (Ternary) return planes.positive[n] | planes.negative[n] << samples;
    return planes.positive[n];
}

// Patterns wider than a word are kept in chunks that are never zero, so that one compare-and-swap
// can claim a chunk of a slot (see WideSlots). The highest bit is always 1; the others hold some
// samples, with their negative plane 31 bits above the positive one.
inline constexpr uint64_t kChunkMark = uint64_t{1} << 63;

SWAPNAS_HD constexpr int samples_in_chunk(bool ternary) { return ternary ? 31 : 63; }
SWAPNAS_HD constexpr int64_t chunks(PatternShape shape) {
    const int in_chunk = samples_in_chunk(shape.ternary);
    return (shape.samples + in_chunk - 1) / in_chunk;
}

SWAPNAS_HD constexpr uint64_t chunk(uint64_t positive, uint64_t negative) {
    return kChunkMark | positive | negative << 31;
}

// `count` (at most 63) bits of a packed pattern, from bit `first` on.
__device__ inline uint64_t packed_bits(const uint64_t* words, int64_t first, int64_t count) {
    if (count <= 0) return 0;
    const int shift = static_cast<int>(first % 64);
    uint64_t bits = load_stream(words + first / 64) >> shift;
    if (shift + count > 64) bits |= load_stream(words + first / 64 + 1) << (64 - shift);
    return bits & ((uint64_t{1} << count) - 1);
}

// Chunk `index` of a packed pattern.
__device__ inline uint64_t chunk_of_packed(const uint64_t* words, int64_t index, int64_t samples,
                                           bool ternary) {
    const int64_t first = index * samples_in_chunk(ternary);
    const int64_t left = samples - first;
    const int64_t count = left < samples_in_chunk(ternary) ? left : samples_in_chunk(ternary);
    return chunk(packed_bits(words, first, count),
                 ternary ? packed_bits(words, samples + first, count) : 0);
}

}  // namespace swapnas::cuda
