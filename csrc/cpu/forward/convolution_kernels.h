// Convolutions of few channels.
#pragma once

#include "cpu/forward/forward.h"
#include "cpu/forward/vector.h"

namespace swapnas::cpu {
namespace {}  // namespace
}  // namespace swapnas::cpu
