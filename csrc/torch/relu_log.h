// The operator swapnas::start_relus, which hands a table to relu_capture.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <cstdint>

namespace swapnas::relus {

// Starts a log on this thread. Until it is stopped, ReLUs insert into the table; those without a
// marked layer go to Python's handler unless `takes_unnamed`.
void start(torch::stable::Tensor table, int64_t samples, bool ternary, bool takes_unnamed);

}  // namespace swapnas::relus
