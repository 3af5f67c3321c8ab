// Registers the kernels of swapnas::* with torch, for each device that this binary supports.
#include "torch/cpu_backend.h"
#include "torch/forward_operators.h"
#include "torch/operators.h"
#include "torch/relu_log.h"
#if defined(SWAPNAS_WITH_CUDA)
#include "torch/cuda_backend.h"
#endif

STABLE_TORCH_LIBRARY_IMPL(swapnas, CPU, m) {
    swapnas::Operators<swapnas::CpuBackend>::register_all(m);
    swapnas::ForwardOperators::register_all(m);
    m.impl("start_relus", TORCH_BOX(&swapnas::relus::start));
}
#if defined(SWAPNAS_WITH_CUDA)
STABLE_TORCH_LIBRARY_IMPL(swapnas, CUDA, m) {
    swapnas::Operators<swapnas::CudaBackend>::register_all(m);
    m.impl("start_relus", TORCH_BOX(&swapnas::relus::start));
}
#endif
