// The parts of CUDA that kernels use beyond its built-in variables, __syncthreads and warp
// intrinsics: memory accesses with explicit meaning, so that the emulator of tests/simt can check
// them. A host compiler, which has none of this, gets that emulator instead.
#pragma once

#if !defined(__CUDACC__)
#include "emulator.h"
#else

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/device.h"

namespace swapnas::cuda {

template <class T>
using SharedPointer = T*;

// The block's dynamic shared memory.
template <class T>
__device__ SharedPointer<T> shared_memory() {
    extern __shared__ __align__(16) unsigned char memory[];
    return reinterpret_cast<T*>(memory);
}

// Makes the compiler forget how the address was computed.
template <class T>
__device__ void hide_from_compiler(T*& address) {
    asm("" : "+l"(address));
}

// Reads of activations and writes of ReLUs: used once, so they leave the caches to the set.
template <class T>
__device__ T load_stream(const T* address) {
    return __ldcs(address);
}
template <class T>
__device__ void store_stream(T* address, T value) {
    __stcs(address, value);
}

// Reads and writes of global memory that other threads change concurrently.
__device__ inline uint32_t load_relaxed(const uint32_t* address) {
    uint32_t value;
    asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
                 : "=r"(value)
                 : "l"(__cvta_generic_to_global(address)));
    return value;
}
__device__ inline uint64_t load_relaxed(const uint64_t* address) {
    uint64_t value;
    asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];"
                 : "=l"(value)
                 : "l"(__cvta_generic_to_global(address)));
    return value;
}
// The same for 16 aligned bytes; each word is read whole, in no particular order.
__device__ inline void load_relaxed_run(const uint32_t* address, uint32_t (&words)[4]) {
    asm volatile("ld.relaxed.gpu.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "l"(__cvta_generic_to_global(address)));
}
__device__ inline void load_relaxed_run(const uint64_t* address, uint64_t (&words)[2]) {
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(words[0]), "=l"(words[1])
                 : "l"(__cvta_generic_to_global(address)));
}
__device__ inline void store_relaxed(uint64_t* address, uint64_t value) {
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(__cvta_generic_to_global(address)),
                 "l"(value)
                 : "memory");
}
__device__ inline uint32_t load_relaxed_shared(SharedPointer<const uint32_t> address) {
    return *static_cast<const volatile uint32_t*>(address);
}

__device__ inline void atomic_or(uint32_t* address, uint32_t bits) { atomicOr(address, bits); }
__device__ inline void atomic_or_shared(SharedPointer<uint32_t> address, uint32_t bits) {
    atomicOr(address, bits);
}
__device__ inline void atomic_add_shared(SharedPointer<uint32_t> address, uint32_t value) {
    atomicAdd(address, value);
}
__device__ inline void atomic_add(uint64_t* address, uint64_t value) {
    atomicAdd(reinterpret_cast<unsigned long long*>(address), value);
}
// These return the previous value.
__device__ inline uint32_t atomic_cas(uint32_t* address, uint32_t expected, uint32_t desired) {
    return atomicCAS(address, expected, desired);
}
__device__ inline uint64_t atomic_cas(uint64_t* address, uint64_t expected, uint64_t desired) {
    return atomicCAS(reinterpret_cast<unsigned long long*>(address), expected, desired);
}

// Throws std::runtime_error with the kernel's name if the launch fails.
template <class Arguments>
void launch(const char* name, void (*kernel)(Arguments), const Grid& grid, Stream stream,
            const Arguments& arguments) {
    Arguments copy = arguments;
    void* pointers[] = {&copy};
    launch_kernel(name, reinterpret_cast<const void*>(kernel), grid, stream, pointers);
}

}  // namespace swapnas::cuda
#endif
