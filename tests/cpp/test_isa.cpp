// SWAPNAS_CPU_ISA takes effect, and an unavailable instruction set is refused.
#include <cstdlib>

#include "check.h"
#include "cpu/isa.h"

using namespace swapnas::cpu;

int main() {
    setenv("SWAPNAS_CPU_ISA", "nonsense", 1);
    CHECK_THROWS(active_isa());
    setenv("SWAPNAS_CPU_ISA", "scalar", 1);
    CHECK(active_isa() == Isa::Scalar);
    for (Isa isa : available_isas()) {
        set_active_isa(isa_name(isa));
        CHECK(active_isa() == isa);
    }
    CHECK_THROWS(set_active_isa("sse9"));
    return 0;
}
