// Decisions of every launch on the host: the type for a dtype, whether runs of neurons can be
// read, and the grid.
#pragma once

#include <algorithm>
#include <cstdint>

#include "activations.h"
#include "cuda/device.h"

namespace swapnas::cuda {

inline constexpr int64_t kMaxBlocks = (int64_t{1} << 31) - 1;

// Blocks that keep a GPU busy to the end: a few for each that runs at once.
inline constexpr int64_t kBlocksPerMultiprocessor = 16;

inline bool aligned(const void* pointer, int64_t bytes = 16) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

template <class T>
struct TypeTag {
    using Type = T;
};

// Calls use(TypeTag<T>, name) with the type whose bits the dtype has.
template <class Use>
void with_element(DType dtype, const Use& use) {
    switch (dtype) {
        case DType::Float32: return use(TypeTag<float>{}, "float32");
        case DType::Float64: return use(TypeTag<double>{}, "float64");
        case DType::Float16: return use(TypeTag<uint16_t>{}, "float16");
        case DType::BFloat16: return use(TypeTag<uint16_t>{}, "bfloat16");
    }
}

inline uint32_t infinity_of(DType dtype) { return dtype == DType::Float16 ? 0x7C00 : 0x7F80; }

// Whether every run of `run` neurons of every row is aligned.
inline bool all_aligned(const Activations& a, int64_t run) {
    const int64_t bytes = run * element_size(a.dtype);
    const auto steps = [&](int64_t count, int64_t stride) {
        return count == 1 || stride % run == 0;
    };
    return a.inner >= run && aligned(a.data, bytes) && aligned(a.relu_output, bytes) &&
           steps(a.groups, a.group_stride) && steps(a.samples, a.sample_stride) &&
           steps(a.outer, a.outer_stride);
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A grid over `items` for each group; small work gets more, smaller blocks.
inline Grid grid_over(int64_t items, int64_t groups) {
    const int64_t busy = multiprocessors();
    const int threads = items * groups >= busy * kMaxThreads * 2 ? kMaxThreads : 64;
    return {.blocks = std::clamp<int64_t>(ceil_div(items, threads), 1,
                                          std::min(kMaxBlocks, busy * kBlocksPerMultiprocessor)),
            .groups = std::min(groups, kMaxGridY),
            .threads = threads};
}

}  // namespace swapnas::cuda
