// Converts activations to sign bits in the registers of one thread. A thread takes one neuron, or a
// run of adjacent ones (16 bytes), so a warp reads 128 or 512 contiguous bytes at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "activations.h"
#include "cuda/simt.cuh"
#include "pattern.h"

namespace swapnas::cuda {

// Neurons of a run: 16 bytes, or 8 of the 16-bit types, whose patterns would not fit the registers.
constexpr int run_of(int64_t element_size) { return element_size == 8 ? 2 : 4; }
template <class T>
inline constexpr int kRun = run_of(sizeof(T));

// Samples with loads in flight before the first is used.
template <class T, int N>
inline constexpr int kRows = N == 1           ? (sizeof(T) == 8 ? 8 : 16)
                             : sizeof(T) == 2 ? 8
                                              : 4;

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
    using Bits = std::conditional_t<N * sizeof(T) == 16, uint4, uint2>;
    static_assert(N == 1 || N * sizeof(T) == sizeof(Bits));
    T values[N];

    static __device__ Run load(const T* address) {
        Run run;
        if constexpr (N == 1) {
            run.values[0] = load_stream(address);
        } else {
            const Bits bits = load_stream(reinterpret_cast<const Bits*>(address));
            memcpy(&run, &bits, sizeof bits);
        }
        return run;
    }
    __device__ void store(T* address) const {
        if constexpr (N == 1) {
            store_stream(address, values[0]);
        } else {
            Bits bits;
            memcpy(&bits, this, sizeof bits);
            store_stream(reinterpret_cast<Bits*>(address), bits);
        }
    }
};

// Bit s of a word is 1 if the neuron is positive (negative) on sample s of those read.
template <class Word, int N>
struct SignPlanes {
    Word positive[N];
    Word negative[N];  // only if ternary
};

// address + stride. Otherwise the compiler keeps the multiples of the stride for all rows in
// registers, in place of rows in flight.
template <class T>
__device__ T* step(T* address, int64_t stride) {
    address += stride;
    hide_from_compiler(address);
    return address;
}

// Reads `samples` samples of N neurons, at most as many as a Word has bits, and writes max(x, 0) to
// `output` unless it is null; the planes are then those of the output. Returns whether it saw a
// NaN.
template <class T, int N, bool Ternary, class Word>
__device__ bool sign_planes(const T* input, T* output, int64_t sample_stride, int samples,
                            uint32_t infinity, SignPlanes<Word, N>& planes) {
    using Of = Element<T>;
    constexpr int kRows = cuda::kRows<T, N>;
    bool nan = false;
    // One predicate a row, in place of a branch.
    const bool writes = output != nullptr;
    T* to = writes ? output : const_cast<T*>(input);
    for (int n = 0; n < N; ++n) planes.positive[n] = planes.negative[n] = 0;
#pragma unroll 1
    for (int first = 0; first < samples; first += kRows) {
        Run<T, N> rows[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            rows[r] = {};
            if (first + r < samples) rows[r] = Run<T, N>::load(input);
            input = step(input, sample_stride);
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
                rows[r].values[n] = Of::relu(x, infinity);
            }
            if (writes && first + r < samples) rows[r].store(to);
            to = step(to, sample_stride);
        }
#pragma unroll
        for (int n = 0; n < N; ++n) {
            planes.positive[n] |= static_cast<Word>(positive[n]) << first;
            if (Ternary && !writes) planes.negative[n] |= static_cast<Word>(negative[n]) << first;
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
