// AVX-512 (F, BW, VL, DQ): vectors of sixteen, partial ones by mask registers.
#define SWAPNAS_VECTOR_AVX512
#include "cpu/forward/forward_common.h"

namespace swapnas::cpu {

constinit const ForwardKernels kAvx512Forward = make_forward_kernels();

}  // namespace swapnas::cpu
