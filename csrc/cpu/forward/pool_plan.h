// How a plane lies in a thread's scratch memory while it is pooled. Small planes need no such copy
// where there are masked loads (small_pool_kernels.h).
//
// The plane is copied once, inside a border of zeros (or -inf) for the padding. Columns are
// separated by their remainder modulo the stride, and rows likewise: each such part is a `phase`.
// Then each input of a window (a `tap`) lies at a constant offset from the window's place, for
// every output, and consecutive outputs read consecutive floats: any kernel, stride, padding and
// dilation becomes sums, or maxima, of shifted vectors.
#pragma once

#include "cpu/forward/pool.h"

namespace swapnas::cpu {

struct PoolPlan {
    Pool pool;
    // Distances in floats: between the rows of a phase, between phases, between planes.
    int64_t pitch, phase, plane;
    // Output (row, column) has the place row * pitch + column, below `places`. Where rows are
    // shorter than a vector (`flat`), vectors run through the places, over the ends of rows.
    int64_t places;
    bool flat;
    const int64_t* taps;  // rows.kernel * columns.kernel, in this order
    // An average's divisor: that of each place, or the same for all if null.
    const float* divisors;
    float divisor;
    int64_t batch;  // planes that are copied before they are pooled, together

    int64_t scratch() const { return batch * plane + (flat ? batch * plane : 0); }
};

}  // namespace swapnas::cpu
