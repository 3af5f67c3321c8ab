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

inline constexpr int kMaxThreads = 256;

struct Grid {
    int64_t blocks;      // along x, at most 2^31 - 1
    int64_t groups = 1;  // along y, at most kMaxGridY
    int threads;         // of a block, at most kMaxThreads
    int64_t shared_bytes = 0;
};

// What kernels need to run on this machine.
struct Availability {
    int driver_cuda;    // the newest CUDA that the driver knows, such as 12080; 0: no driver
    int runtime_cuda;   // the CUDA that is linked in
    std::string error;  // CUDA's own words; empty where there is a GPU that can be used
};
Availability availability();

// Streaming multiprocessors of the current device.
int multiprocessors();

// Blocks of the kernel that a multiprocessor of the current device runs at a time.
int resident_blocks(const void* kernel, int threads, int64_t shared_bytes);

// Fills memory with zeros, in the order of the stream.
void clear(void* memory, int64_t bytes, Stream stream);

void launch_kernel(const char* name, const void* kernel, const Grid& grid, Stream stream,
                   void** arguments);

}  // namespace swapnas::cuda
