// Portable: vectors of four, which every processor has or imitates.
#include "cpu/forward/forward_common.h"

namespace swapnas::cpu {

constinit const ForwardKernels kScalarForward = make_forward_kernels();

}  // namespace swapnas::cpu
