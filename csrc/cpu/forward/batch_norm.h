// Batch normalisation with the statistics of the mini-batch, alone or with the ReLU and the
// patterns after it.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/workers.h"

namespace swapnas::cpu {

// x is [rows, channels, plane], contiguous. weight and bias are [channels], or null: 1 and 0.
struct BatchNorm {
    const float* x;
    int64_t rows, channels, plane;
    const float* weight;
    const float* bias;
    double eps;
};

void batch_norm(const BatchNorm& norm, float* y, const Workers& workers);

}  // namespace swapnas::cpu
