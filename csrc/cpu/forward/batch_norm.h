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

// y = relu(batch_norm(x)), and inserts the patterns of y. Of the channels, each group has as many,
// one group's after the other's; the rows are shape.samples times as many chunks, those of a sample
// one after the other. The caller makes room, as for `insert`.
void batch_norm_relu_insert(const BatchNorm& norm, float* y, PatternShape shape,
                            const GroupTables& tables, const Workers& workers);

}  // namespace swapnas::cpu
