// Vectors of 4, 8, ... kLanes floats: short rows take short vectors.
#pragma once

#include <type_traits>
#include <utility>

#include "cpu/forward/vector.h"

#define SWAPNAS_INLINE __attribute__((always_inline))

namespace swapnas::cpu {
namespace {

template <int lanes>
struct LanesOf {
    typedef float type __attribute__((vector_size(lanes * sizeof(float))));  // GCC: not `using`
};
template <int lanes>
using Lanes = typename LanesOf<lanes>::type;

template <int lanes>
SWAPNAS_INLINE inline Lanes<lanes> load(const float* from) {
    Lanes<lanes> x;
    std::memcpy(&x, from, sizeof(x));
    return x;
}

template <int lanes>
SWAPNAS_INLINE inline void store(float* to, Lanes<lanes> x) {
    std::memcpy(to, &x, sizeof(x));
}

template <int lanes>
SWAPNAS_INLINE inline Lanes<lanes> broadcast(float x) {
    return x - Lanes<lanes>{};
}

template <int lanes>
SWAPNAS_INLINE inline Lanes<lanes> fma(Lanes<lanes> a, Lanes<lanes> b, Lanes<lanes> c) {
    if constexpr (lanes == kLanes) return fma(a, b, c);
#if defined(SWAPNAS_VECTOR_AVX512) || defined(SWAPNAS_VECTOR_AVX2)
    else if constexpr (lanes == 8) return reinterpret_cast<Lanes<8>>(_mm256_fmadd_ps(a, b, c));
    else if constexpr (lanes == 4) return reinterpret_cast<Lanes<4>>(_mm_fmadd_ps(a, b, c));
#endif
    else return a * b + c;
}

template <int lanes>
SWAPNAS_INLINE inline void store_first(float* to, int64_t count, Lanes<lanes> x) {
    if (count == lanes) return store<lanes>(to, x);
    if constexpr (lanes == kLanes) return store_first(to, count, x);
    else std::memcpy(to, &x, static_cast<size_t>(count) * sizeof(float));
}

// Keeps a value in a register: GCC would load it again for each use, and loads are what a
// convolution runs out of.
template <class Vector>
SWAPNAS_INLINE inline Vector in_register(Vector x) {
#if defined(SWAPNAS_VECTOR_AVX512)
    asm("" : "+v"(x));
#elif defined(SWAPNAS_VECTOR_NEON)
    asm("" : "+w"(x));
#elif defined(__SSE2__)
    asm("" : "+x"(x));
#endif
    return x;
}

// The lanes of even, or of odd, number of a and b, read one after the other.
template <int lanes>
SWAPNAS_INLINE inline Lanes<lanes> even_lanes(Lanes<lanes> a, Lanes<lanes> b) {
    if constexpr (lanes == kLanes) return even_lanes(a, b);
    else if constexpr (lanes == 8) return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    else return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
template <int lanes>
SWAPNAS_INLINE inline Lanes<lanes> odd_lanes(Lanes<lanes> a, Lanes<lanes> b) {
    if constexpr (lanes == kLanes) return odd_lanes(a, b);
    else if constexpr (lanes == 8) return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
    else return __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

template <int... index, class F>
SWAPNAS_INLINE inline void for_each_index(std::integer_sequence<int, index...>, const F& body) {
    (body(std::integral_constant<int, index>{}), ...);
}

// body(0) ... body(count - 1), each index a constant: so arrays of vectors become registers.
template <int count, class F>
SWAPNAS_INLINE inline void unrolled(const F& body) {
    for_each_index(std::make_integer_sequence<int, count>{}, body);
}

}  // namespace
}  // namespace swapnas::cpu
