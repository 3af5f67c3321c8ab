// The kernels of a forward pass, one table for each instruction set. Each kernel works on one
// thread; batch_norm.cpp, pool.cpp and convolution.cpp share the work among threads.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace swapnas::cpu {

// Of one channel over the mini-batch; the variance is the biased one.
struct Moments {
    double mean;
    double variance;
};

// Segments of contiguous floats, of the input and of the output alike.
struct Segments {
    int64_t count, length, stride;
};

struct PoolPlan;         // pool_plan.h
struct ConvolutionPlan;  // convolution_plan.h

struct ForwardKernels {
    int lanes;  // floats in a vector

    // Of all the floats of the segments, which are at least one.
    Moments (*moments)(const float* x, const Segments& segments);

    // y = x * scale + shift, rounded once; of segment s with scale[s * step] and shift[s * step].
    void (*normalise)(const float* x, float* y, const Segments& segments, const float* scale,
                      const float* shift, int64_t step);
    // The same, and max(y, 0).
    void (*normalise_relu)(const float* x, float* y, const Segments& segments, const float* scale,
                           const float* shift, int64_t step);

    // `scratch`: plan.scratch() floats, which the caller has filled with the value of the padding.
    void (*pool_planes)(const PoolPlan& plan, float* scratch, const float* x, float* y,
                        int64_t planes);
    // Convolves the units begin ... end - 1. `scratch` are plan.scratch_floats zeros that begin a
    // cache line; y is the whole output.
    void (*convolve)(const ConvolutionPlan& plan, float* y, int64_t begin, int64_t end,
                     float* scratch);
};

const ForwardKernels& forward_kernels(Isa isa);

extern const ForwardKernels kScalarForward;
#if defined(SWAPNAS_HAS_X86)
extern const ForwardKernels kAvx2Forward;
extern const ForwardKernels kAvx512Forward;
#elif defined(SWAPNAS_HAS_NEON)
extern const ForwardKernels kNeonForward;
#endif

}  // namespace swapnas::cpu
