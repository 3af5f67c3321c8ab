// Describes a tensor's memory in place for the kernels: as Activations, or as PackedPatterns.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "activations.h"
#include "pattern.h"

namespace swapnas {

// Reads a tensor [groups, samples * chunks, ...] (without the first dimension if groups == 1) as
// Activations, in memory order and without a copy. Returns none if its neurons are too scattered:
// in runs shorter than `shortest_run`, or several runs deep.
std::optional<Activations> activations_view(const torch::stable::Tensor& x, int64_t samples,
                                            int64_t groups, bool logical_order,
                                            int64_t shortest_run);

// A tensor of the same shape, strides, dtype and device, without values.
torch::stable::Tensor empty_like(const torch::stable::Tensor& x);

// For a tensor that has no such view.
torch::stable::Tensor contiguous_copy(const torch::stable::Tensor& x);

// Reads the result of `pack`.
PackedPatterns packed_patterns_view(const torch::stable::Tensor& patterns, PatternShape shape);

}  // namespace swapnas
