// Counts on how many neurons two samples agree: both are positive, or neither is.
//
// Cost for V neurons over S samples: V * S elements read, and V / 64 * S * (S - 1) / 2 words
// compared, whose bits are in the first-level cache.
#pragma once

#include <cstdint>

#include "activations.h"
#include "cpu/workers.h"

namespace swapnas::cpu {

// Adds to agreements[s * samples + t], for all pairs of samples. A NaN is not positive.
// The activations have one group and no relu_output.
void add_agreements(const Activations& activations, int64_t* agreements, const Workers& workers);

}  // namespace swapnas::cpu
