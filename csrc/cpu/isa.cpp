#include "cpu/isa.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace swapnas::cpu {
namespace {

constexpr int kUndecided = -1;
std::atomic<int> active{kUndecided};

Isa find_isa(const std::string& name, const std::string& given_by) {
    std::string known;
    for (Isa isa : available_isas()) {
        if (name == isa_name(isa)) return isa;
        known += (known.empty() ? "" : ", ") + std::string(isa_name(isa));
    }
    throw std::invalid_argument(given_by + " asks for the CPU instruction set '" + name +
                                "', which this machine or this build lacks; available here: " +
                                known + ". Unset it to use the best one.");
}

}  // namespace

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::Scalar: return "scalar";
        case Isa::Avx2: return "avx2";
        case Isa::Avx512: return "avx512";
        case Isa::Neon: return "neon";
    }
    return "unknown";
}

std::vector<Isa> available_isas() {
    std::vector<Isa> isas{Isa::Scalar};
#if defined(SWAPNAS_HAS_X86)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi2");
    if (avx2) isas.push_back(Isa::Avx2);
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        isas.push_back(Isa::Avx512);
#elif defined(SWAPNAS_HAS_NEON)
    isas.push_back(Isa::Neon);
#endif
    return isas;
}

Isa active_isa() {
    int current = active.load(std::memory_order_relaxed);
    if (current == kUndecided) {
        const char* wanted = std::getenv("SWAPNAS_CPU_ISA");
        const Isa isa = wanted != nullptr && *wanted != '\0' ? find_isa(wanted, "SWAPNAS_CPU_ISA")
                                                             : available_isas().back();
        current = static_cast<int>(isa);
        active.store(current, std::memory_order_relaxed);
    }
    return static_cast<Isa>(current);
}

void set_active_isa(const std::string& name) {
    active.store(static_cast<int>(find_isa(name, "set_active_isa")), std::memory_order_relaxed);
}

}  // namespace swapnas::cpu
