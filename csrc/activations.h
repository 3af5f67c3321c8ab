// Inputs of the kernels: activations in place, and packed patterns.
#pragma once

#include <cstdint>

namespace swapnas {

enum class DType { Float32, Float64, Float16, BFloat16 };
inline constexpr int kDTypes = 4;

constexpr int64_t element_size(DType dtype) {
    return dtype == DType::Float64 ? 8 : dtype == DType::Float32 ? 4 : 2;
}

// Activations of `groups` x `samples` x (`outer` x `inner`) neurons: element (g, s, o, i) lies at
// g * group_stride + s * sample_stride + o * outer_stride + i, counted in elements. The order of
// the neurons does not matter to a set, so this form can describe any dense layout.
struct Activations {
    const void* data;
    void* relu_output;  // same layout as data, may equal data; null for no ReLU
    DType dtype;
    int64_t groups, group_stride;
    int64_t samples, sample_stride;
    int64_t outer, outer_stride;
    int64_t inner;

    int64_t neurons() const { return outer * inner; }
};

// Packed patterns, each (bits + 63) / 64 words of 64 bits, or one word of 32 bits if bits <= 32.
struct PackedPatterns {
    const void* data;
    int64_t count;
    int64_t bits;

    int64_t words() const { return (bits + 63) / 64; }
};

}  // namespace swapnas
