// A pattern is the bit word of one neuron over the samples. This file also defines its hash.
// Shared by host and device code: no standard library types beyond fixed-width integers.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define SWAPNAS_HD __host__ __device__
#else
#define SWAPNAS_HD
#endif

namespace swapnas {

// Bit s of a pattern is 1 if the neuron is positive on sample s. A ternary pattern has a second
// plane: bit samples + s is 1 if the neuron is negative on sample s. Bit b of a pattern is in
// 64-bit word b / 64, at position b % 64.
struct PatternShape {
    int64_t samples;
    bool ternary;

    SWAPNAS_HD constexpr int64_t bits() const { return ternary ? 2 * samples : samples; }
    SWAPNAS_HD constexpr int64_t words() const { return (bits() + 63) / 64; }
};

// How the set of patterns of a given width is stored.
enum class SetKind {
    Direct,  // one flag for each possible pattern
    Key32,   // open addressing, 32-bit keys
    Key64,   // open addressing, 64-bit keys
    Wide,    // open addressing, keys of several 64-bit words, compared whole
};

// Above this width a flag for each possible pattern no longer fits a core's cache.
inline constexpr int64_t kMaxDirectBits = 20;

SWAPNAS_HD constexpr SetKind set_kind(int64_t bits) {
    if (bits <= kMaxDirectBits) return SetKind::Direct;
    if (bits <= 32) return SetKind::Key32;
    return bits <= 64 ? SetKind::Key64 : SetKind::Wide;
}

// Multiplicative hashing (Knuth, TAOCP 6.4) by 2^64 / golden ratio. The good bits are the high
// ones.
SWAPNAS_HD constexpr uint64_t mix(uint64_t key) {
    return (key ^ (key >> 32)) * 0x9E3779B97F4A7C15ull;
}

SWAPNAS_HD constexpr uint64_t mix(const uint64_t* words, int64_t count) {
    uint64_t hash = 0;
    for (int64_t i = 0; i < count; ++i) {
        hash = mix(hash ^ words[i]);
        hash ^= hash >> 29;
    }
    return mix(hash);
}

}  // namespace swapnas
