// How a tensor's memory is read by the kernels: as Activations, or as PackedPatterns, where it
// lies.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "activations.h"
#include "pattern.h"

namespace swapnas {

// Reads a tensor [groups, samples * chunks, ...] (without the first dimension where groups == 1) as
// Activations, in memory order and without a copy. None where its neurons are too scattered for
// that: in runs shorter than `shortest_run`, or several runs deep.
std::optional<Activations> activations_view(const torch::stable::Tensor& x, int64_t samples,
                                            int64_t groups, bool logical_order,
                                            int64_t shortest_run);

// For a tensor that has no such view.
torch::stable::Tensor contiguous_copy(const torch::stable::Tensor& x);

// Reads what `pack` gave.
PackedPatterns packed_patterns_view(const torch::stable::Tensor& patterns, PatternShape shape);

}  // namespace swapnas
