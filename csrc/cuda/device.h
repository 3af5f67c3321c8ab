// The current CUDA device, for host code that knows nothing of CUDA.
#pragma once

#include <cstdint>
#include <string>

namespace swapnas::cuda {

using Stream = void*;  // a cudaStream_t

#if defined(SWAPNAS_SIMT)
inline constexpr int64_t kMaxGridY = 3;  // so that the emulator meets the limit soon
#else
inline constexpr int64_t kMaxGridY = 65535;
#endif

struct Grid {
    int64_t blocks;      // along x, at most 2^31 - 1
    int64_t groups = 1;  // along y, at most kMaxGridY
    int threads;
    int64_t shared_bytes = 0;
};

// Why no kernel can run on this machine, empty if one can: no driver, one that is too old, no GPU.
std::string unavailable();

// Streaming multiprocessors of the current device.
int multiprocessors();

// Bytes of the L2 cache of the current device.
int64_t l2_bytes();

// Bytes of shared memory that a block of the current device can have.
int64_t shared_limit();

// Fills memory with zeros, in the order of the stream.
void clear(void* memory, int64_t bytes, Stream stream);

void launch_kernel(const char* name, const void* kernel, const Grid& grid, Stream stream,
                   void** arguments);

}  // namespace swapnas::cuda
