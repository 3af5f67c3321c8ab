// AVX2 and FMA: vectors of eight.
#define SWAPNAS_VECTOR_AVX2
#include "cpu/forward/forward_common.h"

namespace swapnas::cpu {

constinit const ForwardKernels kAvx2Forward = make_forward_kernels();

}  // namespace swapnas::cpu
