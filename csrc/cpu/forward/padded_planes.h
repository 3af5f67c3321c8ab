// Copies planes of x to where a convolution reads them: see ConvolutionPlan.
#pragma once

#include "cpu/forward/convolution_plan.h"
#include "cpu/forward/lanes.h"

namespace swapnas::cpu {
namespace {

template <int lanes>
SWAPNAS_INLINE inline void copy_row(const float* source, int64_t count, float* target) {
    if (count < lanes) {
        if constexpr (lanes > 4) copy_row<lanes / 2>(source, count, target);
        else
            for (int64_t i = 0; i < count; ++i) target[i] = source[i];
        return;
    }
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store<lanes>(target + i, load<lanes>(source + i));
    if (i < count) store<lanes>(target + count - lanes, load<lanes>(source + count - lanes));
}

// The floats of even number to `evens`, and, if wanted, the others to `odds`.
template <int lanes, bool with_odds>
SWAPNAS_INLINE inline void split_row(const float* source, int64_t count, float* evens,
                                     float* odds) {
    if (count < 2 * lanes) {
        if constexpr (lanes > 4) split_row<lanes / 2, with_odds>(source, count, evens, odds);
        else {
            for (int64_t i = 0; i < count; i += 2) evens[i / 2] = source[i];
            for (int64_t i = 1; i < count && with_odds; i += 2) odds[i / 2] = source[i];
        }
        return;
    }
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

// What is not written stays zero.
template <int lanes>
void copy_to_padded_plane(const ConvolutionPlan& plan, const float* x, float* plane) {
    const Convolution& c = plan.convolution;
    const auto place = [&](int64_t column) {
        return column % c.stride_w * plan.pitch + column / c.stride_w + plan.lead;
    };
    const int64_t count = smaller(c.height, plan.rows - c.padding_h);
    float* target = plane + c.padding_h * plan.row_step;
    if (c.stride_w == 1) {
        target += place(c.padding_w);
        for (int64_t row = 0; row < count; ++row)
            copy_row<lanes>(x + row * c.width, c.width, target + row * plan.row_step);
    } else if (c.stride_w == 2) {
        float* evens = target + place(c.padding_w);
        float* odds = target + place(c.padding_w + 1);
        for (int64_t row = 0; row < count; ++row)
            split_row<lanes, true>(x + row * c.width, c.width, evens + row * plan.row_step,
                                   odds + row * plan.row_step);
    } else {
        for (int64_t row = 0; row < count; ++row)
            for (int64_t column = 0; column < c.width; ++column)
                target[row * plan.row_step + place(c.padding_w + column)] =
                    x[row * c.width + column];
    }
}

// The pixels that a pointwise convolution reads, without gaps.
template <int lanes>
void copy_read_pixels(const ConvolutionPlan& plan, const float* x, float* plane) {
    const Convolution& c = plan.convolution;
    for (int64_t row = 0; row < c.out_height; ++row) {
        const float* source = x + row * c.stride_h * c.width;
        float* target = plane + row * c.out_width;
        if (c.stride_w == 1) copy_row<lanes>(source, c.out_width, target);
        else if (c.stride_w == 2)
            split_row<lanes, false>(source, 2 * c.out_width - 1, target, nullptr);
        else
            for (int64_t column = 0; column < c.out_width; ++column)
                target[column] = source[column * c.stride_w];
    }
}

}  // namespace
}  // namespace swapnas::cpu
