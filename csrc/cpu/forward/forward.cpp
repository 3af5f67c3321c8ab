#include "cpu/forward/forward.h"

namespace swapnas::cpu {

const ForwardKernels& forward_kernels(Isa isa) {
    switch (isa) {
#if defined(SWAPNAS_HAS_X86)
        case Isa::Avx2: return kAvx2Forward;
        case Isa::Avx512: return kAvx512Forward;
#elif defined(SWAPNAS_HAS_NEON)
        case Isa::Neon: return kNeonForward;
#endif
        default: return kScalarForward;
    }
}

}  // namespace swapnas::cpu
