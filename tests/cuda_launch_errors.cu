// A launch that must fail, with or without a GPU, and be reported at once with the kernel's name.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "cuda/device.h"

namespace {
void no_kernel() {}
}  // namespace

int main() {
    try {
        swapnas::cuda::launch_kernel("insert (float32, wide)",
                                     reinterpret_cast<const void*>(&no_kernel),
                                     {.blocks = 1, .threads = 32}, nullptr, nullptr);
    } catch (const std::runtime_error& error) {
        std::printf("a failing launch says: %s\n", error.what());
        const std::string message = error.what();
        return message.find("swapnas: the kernel insert (float32, wide) failed: ") == 0 ? 0 : 1;
    }
    std::printf("a launch that has to fail did not\n");
    return 1;
}
