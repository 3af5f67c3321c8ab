#include "cpu/pack.h"

namespace swapnas::cpu {

const Packer& packer(Isa isa) {
    switch (isa) {
#if defined(SWAPNAS_HAS_X86)
        case Isa::Avx2: return kAvx2Packer;
        case Isa::Avx512: return kAvx512Packer;
#elif defined(SWAPNAS_HAS_NEON)
        case Isa::Neon: return kNeonPacker;
#endif
        default: return kScalarPacker;
    }
}

}  // namespace swapnas::cpu
