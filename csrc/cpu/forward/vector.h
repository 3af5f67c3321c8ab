// Vectors of floats, the same source for every instruction set: the vector extensions of GCC and
// Clang, and intrinsics where those have no word for it. An including file, forward_<isa>.cpp,
// defines SWAPNAS_VECTOR_AVX512, SWAPNAS_VECTOR_AVX2, SWAPNAS_VECTOR_NEON or none of them first.
//
// Everything here and in the kernels is in an unnamed namespace, and the kernels call no template
// of the standard library: the linker could keep a copy that was built for AVX-512.
//
// These files are compiled without contraction: a * b + c rounds twice, fma(a, b, c) once.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(SWAPNAS_VECTOR_AVX512) || defined(SWAPNAS_VECTOR_AVX2)
#include <immintrin.h>
#elif defined(SWAPNAS_VECTOR_NEON)
#include <arm_neon.h>
#endif

namespace swapnas::cpu {
namespace {

#if defined(SWAPNAS_VECTOR_AVX512)
constexpr int kLanes = 16;
#elif defined(SWAPNAS_VECTOR_AVX2)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));  // masks: 0 or -1

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

inline Floats load(const float* from) {
    Floats x;
    std::memcpy(&x, from, sizeof(x));
    return x;
}

inline void store(float* to, Floats x) { std::memcpy(to, &x, sizeof(x)); }

inline Floats broadcast(float x) { return x - Floats{}; }  // -0.0 - 0.0 is -0.0

inline Floats select(Ints mask, Floats a, Floats b) { return mask ? a : b; }

// a where it is larger, else b: also where one of them is NaN, and for zeros of both signs.
inline Floats larger_or_second(Floats a, Floats b) {
#if defined(SWAPNAS_VECTOR_AVX512)
    return reinterpret_cast<Floats>(_mm512_maskz_max_ps(0xFFFF, a, b));
#elif defined(SWAPNAS_VECTOR_AVX2)
    return reinterpret_cast<Floats>(_mm256_max_ps(a, b));
#else
    return select(a > b, a, b);
#endif
}

inline Floats fma(Floats a, Floats b, Floats c) {
#if defined(SWAPNAS_VECTOR_AVX512)
    return reinterpret_cast<Floats>(_mm512_fmadd_ps(a, b, c));
#elif defined(SWAPNAS_VECTOR_AVX2)
    return reinterpret_cast<Floats>(_mm256_fmadd_ps(a, b, c));
#elif defined(SWAPNAS_VECTOR_NEON)
    return vfmaq_f32(c, a, b);
#else
    return a * b + c;
#endif
}

#if defined(SWAPNAS_VECTOR_AVX2)
// The first `count` lanes are set.
inline __m256i first_lanes(int64_t count) {
    return reinterpret_cast<__m256i>(Ints{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(count));
}
#endif

// The first `count` lanes, at most kLanes, from memory, and the others from `rest`.
inline Floats load_first(const float* from, int64_t count, Floats rest = Floats{}) {
#if defined(SWAPNAS_VECTOR_AVX512)
    const auto mask = static_cast<__mmask16>((1u << count) - 1);
    return reinterpret_cast<Floats>(_mm512_mask_loadu_ps(rest, mask, from));
#elif defined(SWAPNAS_VECTOR_AVX2)
    const __m256i mask = first_lanes(count);
    return select(reinterpret_cast<Ints>(mask),
                  reinterpret_cast<Floats>(_mm256_maskload_ps(from, mask)), rest);
#else
    for (int lane = 0; lane < kLanes; ++lane)
        if (lane < count) rest[lane] = from[lane];
    return rest;
#endif
}

inline void store_first(float* to, int64_t count, Floats x) {
#if defined(SWAPNAS_VECTOR_AVX512)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), x);
#elif defined(SWAPNAS_VECTOR_AVX2)
    _mm256_maskstore_ps(to, first_lanes(count), x);
#else
    for (int lane = 0; lane < kLanes; ++lane)
        if (lane < count) to[lane] = x[lane];
#endif
}

// Of `count` lanes or more, the first ones.
inline void store_at_most(float* to, int64_t count, Floats x) {
    if (count >= kLanes) store(to, x);
    else store_first(to, count, x);
}

// Which lanes are read; memory at the others may be anything, or nothing at all.
#if defined(SWAPNAS_VECTOR_AVX512)
using LaneMask = __mmask16;
constexpr bool kHasMaskedLoads = true;
inline void add_lanes(LaneMask& lanes, int64_t first, int64_t count) {
    lanes = static_cast<LaneMask>(lanes | ((1u << count) - 1) << first);
}
inline Floats load_lanes(const float* from, LaneMask lanes, Floats rest) {
    return reinterpret_cast<Floats>(_mm512_mask_loadu_ps(rest, lanes, from));
}
#elif defined(SWAPNAS_VECTOR_AVX2)
using LaneMask = Ints;
constexpr bool kHasMaskedLoads = true;
inline void add_lanes(LaneMask& lanes, int64_t first, int64_t count) {
    const Ints lane{0, 1, 2, 3, 4, 5, 6, 7};
    lanes |= (lane >= static_cast<int32_t>(first)) & (lane < static_cast<int32_t>(first + count));
}
inline Floats load_lanes(const float* from, LaneMask lanes, Floats rest) {
    return select(
        lanes, reinterpret_cast<Floats>(_mm256_maskload_ps(from, reinterpret_cast<__m256i>(lanes))),
        rest);
}
#else
using LaneMask = Ints;
constexpr bool kHasMaskedLoads = false;
#endif

// The lanes of even, or of odd, number of a and b, read one after the other.
#if defined(SWAPNAS_VECTOR_AVX512)
inline Floats even_lanes(Floats a, Floats b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
inline Floats odd_lanes(Floats a, Floats b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
#elif defined(SWAPNAS_VECTOR_AVX2)
inline Floats even_lanes(Floats a, Floats b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
inline Floats odd_lanes(Floats a, Floats b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
#else
inline Floats even_lanes(Floats a, Floats b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6); }
inline Floats odd_lanes(Floats a, Floats b) { return __builtin_shufflevector(a, b, 1, 3, 5, 7); }
#endif

inline bool any(Ints mask) {
#if defined(SWAPNAS_VECTOR_AVX512)
    return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(SWAPNAS_VECTOR_AVX2)
    return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) != 0;
#else
    return (mask[0] | mask[1] | mask[2] | mask[3]) != 0;
#endif
}

// Sums in double precision, of which each lane takes two floats.
struct DoubleSums {
    using Half = float __attribute__((vector_size(kLanes / 2 * sizeof(float))));
    using Doubles = double __attribute__((vector_size(kLanes / 2 * sizeof(double))));

    Doubles lanes{};

    void add(Floats x) {
        Half low, high;
        std::memcpy(&low, &x, sizeof(low));
        std::memcpy(&high, reinterpret_cast<const char*>(&x) + sizeof(low), sizeof(high));
        lanes += __builtin_convertvector(low, Doubles) + __builtin_convertvector(high, Doubles);
    }
    double total() const {
        double sum = 0;
        for (int lane = 0; lane < kLanes / 2; ++lane) sum += lanes[lane];
        return sum;
    }
};

}  // namespace
}  // namespace swapnas::cpu
