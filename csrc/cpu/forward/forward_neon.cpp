// NEON: vectors of four.
#define SWAPNAS_VECTOR_NEON
#include "cpu/forward/forward_common.h"

namespace swapnas::cpu {

constinit const ForwardKernels kNeonForward = make_forward_kernels();

}  // namespace swapnas::cpu
