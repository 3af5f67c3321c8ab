// The current CUDA device, for host code without CUDA.
#pragma once

#include <cstdint>
#include <string>

namespace swapnas::cuda {

using Stream = void*;  // a cudaStream_t

#if defined(SWAPNAS_SIMT)
inline constexpr int64_t kMaxGridY = 3;  // small, so that the emulator tests the limit
#else
inline constexpr int64_t kMaxGridY = 65535;
#endif

inline constexpr int kMaxThreads = 256;

struct Grid {
    int64_t blocks;      // along x, at most 2^31 - 1
    int64_t groups = 1;  // along y, at most kMaxGridY
    int threads;         // per block, at most kMaxThreads
    int64_t shared_bytes = 0;
};

// The state of CUDA on this machine.
struct Availability {
    int driver_cuda;    // the newest CUDA of the driver, such as 12080; 0: no driver
    int runtime_cuda;   // the CUDA that is linked in
    std::string error;  // CUDA's own message; empty if a GPU can be used
};
Availability availability();

// Streaming multiprocessors of the current device.
int multiprocessors();

// Blocks of the kernel that a multiprocessor of the current device runs at once.
int resident_blocks(const void* kernel, int threads, int64_t shared_bytes);

// Fills memory with zeros, in the order of the stream.
void clear(void* memory, int64_t bytes, Stream stream);

void launch_kernel(const char* name, const void* kernel, const Grid& grid, Stream stream,
                   void** arguments);

}  // namespace swapnas::cuda
