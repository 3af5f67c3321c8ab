// Copies planes of x to where a convolution reads them: see ConvolutionPlan.
#pragma once

#include "cpu/forward/convolution_plan.h"
#include "cpu/forward/lanes.h"

namespace swapnas::cpu {
namespace {

// Rows of `count` floats, at least one vector.
template <int lanes>
SWAPNAS_INLINE inline void copy_row(const float* source, int64_t count, float* target) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store<lanes>(target + i, load<lanes>(source + i));
    if (i < count) store<lanes>(target + count - lanes, load<lanes>(source + count - lanes));
}

template <int lanes>
SWAPNAS_INLINE inline void copy_rows(int64_t rows, int64_t count, const float* source,
                                     int64_t source_step, float* target, int64_t target_step) {
    const auto each_row = [&](const auto& copy) SWAPNAS_INLINE {
        for (int64_t row = 0; row < rows; ++row)
            copy(source + row * source_step, target + row * target_step);
    };
    if (count == lanes) {
        each_row([](const float* from, float* to)
                     SWAPNAS_INLINE { store<lanes>(to, load<lanes>(from)); });
    } else if (count > lanes) {
        each_row([&](const float* from, float* to)
                     SWAPNAS_INLINE { copy_row<lanes>(from, count, to); });
    } else if constexpr (lanes > 4) {
        copy_rows<lanes / 2>(rows, count, source, source_step, target, target_step);
    } else {
        each_row([&](const float* from, float* to) SWAPNAS_INLINE {
            for (int64_t i = 0; i < count; ++i) to[i] = from[i];
        });
    }
}

// Of rows of `count` floats, at least two vectors: those of even number to `evens`, and, if wanted,
// the others to `odds`.
template <int lanes, bool with_odds>
SWAPNAS_INLINE inline void split_row(const float* source, int64_t count, float* evens,
                                     float* odds) {
    if (count % 2 == 1) {
        evens[count / 2] = source[count - 1];
        --count;
    }
    for (int64_t i = 0; i < count; i += 2 * lanes) {
        const int64_t at = smaller(i, count - 2 * lanes);
        const auto a = load<lanes>(source + at), b = load<lanes>(source + at + lanes);
        store<lanes>(evens + at / 2, even_lanes<lanes>(a, b));
        if constexpr (with_odds) store<lanes>(odds + at / 2, odd_lanes<lanes>(a, b));
    }
}

template <int lanes, bool with_odds>
SWAPNAS_INLINE inline void split_rows(int64_t rows, int64_t count, const float* source,
                                      int64_t source_step, float* evens, float* odds,
                                      int64_t target_step) {
    const auto each_row = [&](const auto& split) SWAPNAS_INLINE {
        for (int64_t row = 0; row < rows; ++row)
            split(source + row * source_step, evens + row * target_step,
                  with_odds ? odds + row * target_step : nullptr);
    };
    if (count == 2 * lanes) {
        each_row([](const float* from, float* even, float* odd)
                     SWAPNAS_INLINE { split_row<lanes, with_odds>(from, 2 * lanes, even, odd); });
    } else if (count > 2 * lanes) {
        each_row([&](const float* from, float* even, float* odd)
                     SWAPNAS_INLINE { split_row<lanes, with_odds>(from, count, even, odd); });
    } else if constexpr (lanes > 4) {
        split_rows<lanes / 2, with_odds>(rows, count, source, source_step, evens, odds,
                                         target_step);
    } else {
        each_row([&](const float* from, float* even, float* odd) SWAPNAS_INLINE {
            for (int64_t i = 0; i < count; i += 2) even[i / 2] = from[i];
            for (int64_t i = 1; i < count && with_odds; i += 2) odd[i / 2] = from[i];
        });
    }
}

// What is not written stays zero.
template <int lanes>
void copy_to_padded_plane(const ConvolutionPlan& plan, const float* x, float* plane) {
    const Convolution& c = plan.convolution;
    if (c.stride_w == 1) {
        copy_rows<lanes>(plan.copied_rows, c.width, x, c.width, plane + plan.first_even,
                         plan.row_step);
    } else if (c.stride_w == 2) {
        split_rows<lanes, true>(plan.copied_rows, c.width, x, c.width, plane + plan.first_even,
                                plane + plan.first_odd, plan.row_step);
    } else {
        float* target = plane + c.padding_h * plan.row_step + plan.lead;
        for (int64_t column = 0; column < c.width; ++column) {
            const int64_t padded = column + c.padding_w;
            const int64_t at = padded % c.stride_w * plan.pitch + padded / c.stride_w;
            for (int64_t row = 0; row < plan.copied_rows; ++row)
                target[row * plan.row_step + at] = x[row * c.width + column];
        }
    }
}

// The pixels that a pointwise convolution reads, without gaps.
template <int lanes>
void copy_read_pixels(const ConvolutionPlan& plan, const float* x, float* plane) {
    const Convolution& c = plan.convolution;
    const int64_t step = c.stride_h * c.width;
    if (c.stride_w == 1) {
        copy_rows<lanes>(c.out_height, c.out_width, x, step, plane, c.out_width);
    } else if (c.stride_w == 2) {
        split_rows<lanes, false>(c.out_height, 2 * c.out_width - 1, x, step, plane, nullptr,
                                 c.out_width);
    } else {
        for (int64_t row = 0; row < c.out_height; ++row)
            for (int64_t column = 0; column < c.out_width; ++column)
                plane[row * c.out_width + column] = x[row * step + column * c.stride_w];
    }
}

}  // namespace
}  // namespace swapnas::cpu
