// The instruction set of the packing kernels, chosen once at run time.
#pragma once

#include <string>
#include <vector>

namespace swapnas::cpu {

enum class Isa { Scalar, Avx2, Avx512, Neon };

const char* isa_name(Isa isa);

// The instruction sets that this binary contains and this machine can run, best last.
std::vector<Isa> available_isas();

// The best available one, unless the environment variable SWAPNAS_CPU_ISA names another.
// Throws std::invalid_argument if that variable names one that is not available.
Isa active_isa();

// Switches at run time (tests compare the implementations in one process). Throws as above.
void set_active_isa(const std::string& name);

}  // namespace swapnas::cpu
