// The CUDA half as torch operators swapnas_simt::*, on an emulated GPU whose memory is the host's,
// and helper functions for Python.
#include <dlfcn.h>

#include "cuda/kernels.h"
#include "emulator.h"
#include "torch/cuda_backend.h"
#include "torch/operators.h"

STABLE_TORCH_LIBRARY_IMPL(swapnas_simt, CPU, m) {
    swapnas::Operators<swapnas::CudaBackend>::register_all(m);
}

extern "C" {

int64_t simt_table_words(int64_t samples, bool ternary, int64_t patterns) {
    return swapnas::cuda::table_words({samples, ternary}, patterns);
}

void simt_settings(uint64_t seed, int multiprocessors) {
    simt::settings() = {.seed = seed, .multiprocessors = multiprocessors};
}

// Writes the positions in this library of the launched kernels, at most `room` of them; returns
// how many there are.
int64_t simt_launched_kernels(int64_t* offsets, int64_t room) {
    Dl_info library{};
    dladdr(reinterpret_cast<const void*>(&simt_table_words), &library);
    const auto& kernels = simt::launched_kernels();
    for (const void* kernel : kernels)
        if (room-- > 0)
            *offsets++ =
                static_cast<const char*>(kernel) - static_cast<const char*>(library.dli_fbase);
    return static_cast<int64_t>(kernels.size());
}
}
