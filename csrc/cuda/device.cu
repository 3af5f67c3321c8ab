#include <cuda_runtime.h>

#include <stdexcept>

#include "cuda/device.h"

namespace swapnas::cuda {
namespace {

// Reports at once. Clears the error, so that unrelated code does not find it again.
void check(cudaError_t error, const std::string& what) {
    if (error == cudaSuccess) return;
    (void)cudaGetLastError();
    std::string message = "swapnas: " + what + " failed: " + cudaGetErrorString(error);
    if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction ||
        error == cudaErrorUnsupportedPtxVersion) {
        int device = 0, major = 0, minor = 0;
        cudaGetDevice(&device);
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
        message += "; this GPU is of architecture " + std::to_string(10 * major + minor) +
                   ", the binary has " SWAPNAS_CUDA_ARCHITECTURES
                   ". Rebuild with CMAKE_ARGS=-DCMAKE_CUDA_ARCHITECTURES=" +
                   std::to_string(10 * major + minor);
    }
    throw std::runtime_error(message);
}

int attribute(cudaDeviceAttr which) {
    int device = 0, value = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
    return value;
}

constexpr int64_t kSharedBytesUnasked = 48 * 1024;

}  // namespace

Availability availability() {
    Availability found{};
    int devices = 0;
    (void)cudaDriverGetVersion(&found.driver_cuda);
    (void)cudaRuntimeGetVersion(&found.runtime_cuda);
    cudaError_t error = cudaGetDeviceCount(&devices);
    if (error == cudaSuccess && devices == 0) error = cudaErrorNoDevice;
    if (error != cudaSuccess) {
        (void)cudaGetLastError();
        found.error = cudaGetErrorString(error);
    }
    return found;
}

int multiprocessors() { return attribute(cudaDevAttrMultiProcessorCount); }

int resident_blocks(const void* kernel, int threads, int64_t shared_bytes) {
    int blocks = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads,
                                                        static_cast<size_t>(shared_bytes)),
          "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
    return blocks;
}

void clear(void* memory, int64_t bytes, Stream stream) {
    check(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), static_cast<cudaStream_t>(stream)),
          "cudaMemsetAsync");
}

void launch_kernel(const char* name, const void* kernel, const Grid& grid, Stream stream,
                   void** arguments) {
    if (grid.shared_bytes > kSharedBytesUnasked)
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(grid.shared_bytes)),
              "shared memory for the kernel " + std::string(name));
    const dim3 blocks(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.groups));
    check(
        cudaLaunchKernel(kernel, blocks, dim3(static_cast<unsigned>(grid.threads)), arguments,
                         static_cast<size_t>(grid.shared_bytes), static_cast<cudaStream_t>(stream)),
        "the kernel " + std::string(name));
}

}  // namespace swapnas::cuda
