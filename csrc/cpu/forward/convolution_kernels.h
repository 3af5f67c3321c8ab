// Convolutions from padded planes, or from x itself. Two kernels do the arithmetic, both with all
// sums in registers: `add_taps` for blocks of output channels x vectors of pixels, and `add_rows`
// for several rows of one channel, in depthwise convolutions.
//
// Cost: two vectors are multiplied and added each cycle, if no more than two are loaded. A block of
// 6 channels x 4 vectors loads 10 for 24 products; 8 rows of a 3x3 kernel load 39 for 72.
#pragma once

#include "cpu/forward/convolution_plan.h"
#include "cpu/forward/lanes.h"
#include "cpu/forward/padded_planes.h"

namespace swapnas::cpu {
namespace {

#if defined(SWAPNAS_VECTOR_AVX512) || defined(SWAPNAS_VECTOR_NEON)  // 32 registers
constexpr int kBlockVectors = 4;
#else  // 16
constexpr int kBlockVectors = 2;
#endif
constexpr int kBlockChannels = 6;
constexpr int kChannelVectors = 8;  // of a single channel

struct TapsBlock {
    const float* source;
    const int64_t* offsets;
    int64_t taps;
    const float* weight;
    const float* bias;  // or null
    float* target;
    int64_t target_plane;
    int64_t valid;
    int64_t prefetched;  // floats after those that are read; 0: none
};

template <int lanes, int channels, int vectors>
void add_taps(const TapsBlock& block, const Position* positions) {
    using Vector = Lanes<lanes>;
    Vector sums[channels][vectors];
    unrolled<channels>([&](auto channel) SWAPNAS_INLINE {
        const Vector bias = broadcast<lanes>(block.bias != nullptr ? block.bias[channel] : 0.0f);
        unrolled<vectors>([&](auto v) SWAPNAS_INLINE { sums[channel][v] = bias; });
    });
    const float* sources[vectors];
    unrolled<vectors>([&](auto v)
                          SWAPNAS_INLINE { sources[v] = block.source + positions[v].source; });
    const int64_t taps = block.taps;
    for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t offset = block.offsets[tap];
        if (block.prefetched != 0)
            unrolled<vectors>([&](auto v) SWAPNAS_INLINE {
                __builtin_prefetch(sources[v] + offset + block.prefetched, 0, 2);
            });
        Vector x[vectors];
        unrolled<vectors>(
            [&](auto v) SWAPNAS_INLINE { x[v] = in_register(load<lanes>(sources[v] + offset)); });
        unrolled<channels>([&](auto channel) SWAPNAS_INLINE {
            const Vector weight = broadcast<lanes>(block.weight[channel * taps + tap]);
            unrolled<vectors>([&](auto v) SWAPNAS_INLINE {
                sums[channel][v] = fma<lanes>(weight, x[v], sums[channel][v]);
            });
        });
    }
    unrolled<channels>([&](auto channel) SWAPNAS_INLINE {
        unrolled<vectors>([&](auto v) SWAPNAS_INLINE {
            store_first<lanes>(block.target + channel * block.target_plane + positions[v].target,
                               block.valid, sums[channel][v]);
        });
    });
}

using AddTaps = void (*)(const TapsBlock&, const Position*);

template <int lanes, int channels, int... vectors>
constexpr AddTaps add_taps_of(int wanted, std::integer_sequence<int, vectors...>) {
    constexpr AddTaps kernels[] = {add_taps<lanes, channels, vectors + 1>...};
    return kernels[wanted - 1];
}

template <int lanes>
AddTaps add_taps_for(int64_t channels, int64_t vectors) {
    constexpr auto wide = std::make_integer_sequence<int, kBlockVectors>{};
    const int count = static_cast<int>(vectors);
    switch (channels) {
        case 1:
            return add_taps_of<lanes, 1>(count, std::make_integer_sequence<int, kChannelVectors>{});
        case 2: return add_taps_of<lanes, 2>(count, wide);
        case 3: return add_taps_of<lanes, 3>(count, wide);
        case 4: return add_taps_of<lanes, 4>(count, wide);
        case 5: return add_taps_of<lanes, 5>(count, wide);
        default: return add_taps_of<lanes, kBlockChannels>(count, wide);
    }
}

// All the outputs of one unit.
template <int lanes>
void convolve_taps(const ConvolutionPlan& plan, TapsBlock unit) {
    const int64_t channels = plan.convolution.out_channels;
    const int64_t blocks = (channels + kBlockChannels - 1) / kBlockChannels;
    const int64_t vectors = channels == 1 ? kChannelVectors : kBlockVectors;
    for (int64_t i = 0; i < plan.position_count; i += vectors) {
        const int64_t count = smaller(vectors, plan.position_count - i);
        TapsBlock block = unit;
        for (int64_t rest = channels, left = blocks; rest > 0; --left) {
            const int64_t size = (rest + left - 1) / left;
            add_taps_for<lanes>(size, count)(block, plan.positions + i);
            block.prefetched = 0;
            block.weight += size * unit.taps;
            if (unit.bias != nullptr) block.bias += size;
            block.target += size * unit.target_plane;
            rest -= size;
        }
    }
}

// Sums of one vector in each of `rows` rows of outputs, the sources of which are `shift` rows
// apart.
template <int lanes, int kernel, int rows, int shift>
SWAPNAS_INLINE inline void add_rows(const ConvolutionPlan& plan, const float* source,
                                    int64_t source_step, const float* weight, float bias,
                                    float* target, int64_t target_step) {
    using Vector = Lanes<lanes>;
    Vector sums[rows];
    const Vector start = broadcast<lanes>(bias);
    unrolled<rows>([&](auto row) SWAPNAS_INLINE { sums[row] = start; });
    unrolled<kernel>([&](auto column) SWAPNAS_INLINE {
        const float* from = source + plan.column_offsets[column];
        Vector weights[kernel];
        unrolled<kernel>([&](auto tap) SWAPNAS_INLINE {
            weights[tap] = broadcast<lanes>(weight[tap * kernel + column]);
        });
        unrolled<(rows - 1) * shift + kernel>([&](auto read) SWAPNAS_INLINE {
            const Vector x = in_register(load<lanes>(from + read * source_step));
            unrolled<rows>([&](auto row) SWAPNAS_INLINE {
                constexpr int tap = read - row * shift;
                if constexpr (tap >= 0 && tap < kernel)
                    sums[row] = fma<lanes>(weights[tap], x, sums[row]);
            });
        });
    });
    unrolled<rows>([&](auto row) SWAPNAS_INLINE {
        store_first<lanes>(target + row * target_step, plan.valid, sums[row]);
    });
}

// Of `count` rows, in blocks; the last block overlaps the one before it.
template <int lanes, int kernel, int rows, int shift>
SWAPNAS_INLINE inline void add_blocks_of_rows(const ConvolutionPlan& plan, int64_t count,
                                              const float* source, const float* weight, float bias,
                                              float* target) {
    const int64_t source_step = plan.convolution.dilation_h * plan.row_step;
    const int64_t target_step = plan.classes * plan.convolution.out_width;
    for (int64_t row = 0; row < count; row += rows) {
        const int64_t at = smaller(row, count - rows);
        add_rows<lanes, kernel, rows, shift>(plan, source + at * shift * source_step, source_step,
                                             weight, bias, target + at * target_step, target_step);
    }
}

template <int lanes, int kernel, int shift>
void convolve_rows(const ConvolutionPlan& plan, const float* plane, const float* weight, float bias,
                   float* y) {
    const Convolution& c = plan.convolution;
    for (int64_t i = 0; i < c.out_width; i += lanes) {
        const int64_t at = larger(smaller(i, c.out_width - lanes), 0);
        for (int64_t first = 0; first < plan.classes; ++first) {
            const int64_t count = plan.rows_of_class + (first < plan.longer_classes ? 1 : 0);
            const float* source = plane + first * c.stride_h * plan.row_step + plan.lead + at;
            float* target = y + first * c.out_width + at;
            const auto run = [&](auto rows) SWAPNAS_INLINE {
                add_blocks_of_rows<lanes, kernel, rows, shift>(plan, count, source, weight, bias,
                                                               target);
            };
            if (count >= 8) run(std::integral_constant<int, 8>{});
            else if (count >= 4) run(std::integral_constant<int, 4>{});
            else if (count >= 2) run(std::integral_constant<int, 2>{});
            else if (count == 1) run(std::integral_constant<int, 1>{});
        }
    }
}

template <int lanes>
auto convolve_rows_for(const ConvolutionPlan& plan) {
    if (plan.convolution.kernel_h == 3)
        return plan.row_shift == 1 ? convolve_rows<lanes, 3, 1> : convolve_rows<lanes, 3, 2>;
    return plan.row_shift == 1 ? convolve_rows<lanes, 5, 1> : convolve_rows<lanes, 5, 2>;
}

template <int lanes>
void convolve_units_of(const ConvolutionPlan& plan, float* y, int64_t begin, int64_t end,
                       float* scratch) {
    using Way = ConvolutionPlan::Way;
    const Convolution& c = plan.convolution;
    const int64_t in_unit = c.in_channels * c.in_pixels();
    const int64_t out_unit = c.out_channels * c.out_pixels();
    const int64_t copied_unit = c.in_channels * plan.plane;
    const auto copy =
        plan.way == Way::PointwiseOfCopies ? copy_read_pixels<lanes> : copy_to_padded_plane<lanes>;
    int64_t group = begin % c.groups;
    for (int64_t first = begin; first < end; first += plan.batch) {
        const int64_t units = smaller(plan.batch, end - first);
        const float* sources = c.x + first * in_unit;
        if (plan.way != Way::Pointwise) {
            for (int64_t plane = 0; plane < units * c.in_channels; ++plane)
                copy(plan, sources + plane * c.in_pixels(), scratch + plane * plan.plane);
            sources = scratch;
        }
        for (int64_t unit = 0; unit < units; ++unit) {
            const float* source =
                sources + unit * (plan.way == Way::Pointwise ? in_unit : copied_unit);
            const float* weight = c.weight + group * c.out_channels * c.taps();
            const float* bias = c.bias != nullptr ? c.bias + group * c.out_channels : nullptr;
            float* target = y + (first + unit) * out_unit;
            if (plan.way == Way::Rows) {
                const auto rows = convolve_rows_for<lanes>(plan);
                for (int64_t channel = 0; channel < c.out_channels; ++channel)
                    rows(plan, source, weight + channel * c.taps(),
                         bias != nullptr ? bias[channel] : 0.0f, target + channel * c.out_pixels());
            } else {
                convolve_taps<lanes>(plan, {.source = source,
                                            .offsets = plan.offsets,
                                            .taps = c.taps(),
                                            .weight = weight,
                                            .bias = bias,
                                            .target = target,
                                            .target_plane = c.out_pixels(),
                                            .valid = plan.valid,
                                            .prefetched = first + 1 < end ? plan.prefetched : 0});
            }
            if (++group == c.groups) group = 0;
        }
    }
}

void convolve_units(const ConvolutionPlan& plan, float* y, int64_t begin, int64_t end,
                    float* scratch) {
    if constexpr (kLanes >= 16)
        if (plan.lanes == 16) return convolve_units_of<16>(plan, y, begin, end, scratch);
    if constexpr (kLanes >= 8)
        if (plan.lanes == 8) return convolve_units_of<8>(plan, y, begin, end, scratch);
    convolve_units_of<4>(plan, y, begin, end, scratch);
}

}  // namespace
}  // namespace swapnas::cpu
