// Convolutions of few channels: depthwise, grouped and pointwise ones, where a general library
// spends its time on changing layouts.
#pragma once

#include <cstdint>

#include "cpu/workers.h"

namespace swapnas::cpu {

// x is [samples, groups * in_channels, height, width], contiguous. weight is
// [groups * out_channels, in_channels, kernel_h, kernel_w], and bias [groups * out_channels] or
// null. The result is [samples, groups * out_channels, out_height, out_width].
struct Convolution {
    const float* x;
    const float* weight;
    const float* bias;
    int64_t samples, groups;
    int64_t in_channels, out_channels;  // of one group
    int64_t height, width;
    int64_t out_height, out_width;
    int64_t kernel_h, kernel_w;
    int64_t stride_h, stride_w;
    int64_t padding_h, padding_w;
    int64_t dilation_h, dilation_w;

    int64_t taps() const { return in_channels * kernel_h * kernel_w; }
    int64_t in_pixels() const { return height * width; }
    int64_t out_pixels() const { return out_height * out_width; }
    // One group of one sample; all the units of a tensor lie one after the other.
    int64_t units() const { return samples * groups; }
};

void convolve(const Convolution& convolution, float* y, const Workers& workers);

}  // namespace swapnas::cpu
