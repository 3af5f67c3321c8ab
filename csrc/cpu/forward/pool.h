// Average and maximum pooling of planes.
#pragma once

#include <cstdint>

#include "cpu/workers.h"

namespace swapnas::cpu {

// Along one dimension. Output o reads input o * stride - padding + k * dilation, for each k below
// kernel that lies inside. An average includes what lies up to `padding` outside, or not.
struct PoolAxis {
    int64_t size, kernel, stride, padding, dilation, output;

    int64_t reach() const { return (kernel - 1) * dilation + 1; }
};

// Of planes [rows.size, columns.size], contiguous.
struct Pool {
    PoolAxis rows, columns;
    bool average;
    bool include_padding;
};

// The number of outputs along a dimension, as torch has it: with ceil_mode, a last window may reach
// beyond the padding if it starts before it. Zero or less where no window fits.
int64_t pool_outputs(const PoolAxis& axis, bool ceil_mode);

// NaN and zeros of both signs come out as from torch.
void pool(const Pool& pool, const float* x, float* y, int64_t planes, const Workers& workers);

}  // namespace swapnas::cpu
