// The emulator itself: a correct kernel passes under every schedule, and the emulator notices each
// kind of mistake that it covers, even if the result is right.
#include <vector>

#include "check.h"
#include "cuda/simt.cuh"

using namespace swapnas::cuda;

namespace {

struct Arguments {
    const uint32_t* input;
    uint32_t* output;
    int64_t count;
    bool stray = false;  // makes the mistake under test
};

constexpr int kThreads = 64;

void run(void (*kernel)(Arguments), const Arguments& arguments, uint64_t seed, int64_t blocks = 2) {
    simt::settings() = {.seed = seed};
    launch("test", kernel, {.blocks = blocks, .threads = kThreads, .shared_bytes = 4 * kThreads},
           nullptr, arguments);
}

// The error of the launch; empty if none.
std::string error_of(void (*kernel)(Arguments), const Arguments& arguments, uint64_t seed) {
    try {
        run(kernel, arguments, seed);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

// Sums the input: a tree in shared memory, then one atomic operation a block.
__global__ void sum_kernel(const Arguments a) {
    const SharedPointer<uint32_t> sums = shared_memory<uint32_t>();
    uint32_t sum = 0;
    for (int64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < a.count;
         i += gridDim.x * blockDim.x)
        sum += load_stream(a.input + i);
    sums[threadIdx.x] = sum;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (!a.stray) __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] = sums[threadIdx.x] + sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) {
        uint32_t before = load_relaxed(a.output), expected;
        do {
            expected = before;
            before = atomic_cas(a.output, expected, expected + sums[0]);
        } while (before != expected);
    }
}

// The same by warps, with shuffles; `stray` forgets that other blocks add too.
__global__ void warp_sum_kernel(const Arguments a) {
    uint32_t sum = 0;
    for (int64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < a.count;
         i += gridDim.x * blockDim.x)
        sum += load_stream(a.input + i);
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xFFFFFFFF, sum, offset);
    if (threadIdx.x % 32 != 0) return;
    if (a.stray) {
        store_stream(a.output, load_stream(a.output) + sum);
        return;
    }
    uint32_t before = load_relaxed(a.output), expected;
    do {
        expected = before;
        before = atomic_cas(a.output, expected, expected + sum);
    } while (before != expected);
}

// Tells all lanes which of them have an odd input.
__global__ void ballot_kernel(const Arguments a) {
    const unsigned odd = __ballot_sync(0xFFFFFFFF, load_stream(a.input + threadIdx.x) % 2 == 1);
    const uint32_t third = __shfl_sync(0xFFFFFFFF, threadIdx.x, 3);
    store_stream(a.output + blockIdx.x * blockDim.x + threadIdx.x, odd ^ third);
}

__global__ void divergent_barrier_kernel(const Arguments) {
    if (threadIdx.x < 40) __syncthreads();
}

__global__ void two_barriers_kernel(const Arguments) {
    if (threadIdx.x < 32) __syncthreads();
    else __syncthreads();
}

__global__ void divergent_shuffle_kernel(const Arguments) {
    if (threadIdx.x % 32 < 9) __any_sync(0xFFFFFFFF, true);
}

// Half a warp at a barrier, half of it at a warp operation.
__global__ void deadlock_kernel(const Arguments) {
    if (threadIdx.x % 32 < 16) __syncthreads();
    __any_sync(0xFFFFFFFF, true);
    if (threadIdx.x % 32 >= 16) __syncthreads();
}

__global__ void beyond_shared_memory_kernel(const Arguments) {
    shared_memory<uint32_t>()[threadIdx.x + 1] = 1;
}

__global__ void misaligned_kernel(const Arguments a) {
    load_stream(reinterpret_cast<const uint4*>(a.input + 1));
}

// Every thread adds to a counter without atomics: right under some schedules, a race under all.
__global__ void lost_update_kernel(const Arguments a) {
    store_stream(a.output, load_stream(a.output) + 1);
}

// Relies on cleared shared memory.
__global__ void garbage_kernel(const Arguments a) {
    if (shared_memory<uint32_t>()[threadIdx.x] == 0) atomic_or(a.output, 1);
}

void check_results() {
    std::vector<uint32_t> input(1000);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < input.size(); ++i) expected += input[i] = i * i % 17;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        for (const auto kernel : {sum_kernel, warp_sum_kernel}) {
            uint32_t sum = 0;
            run(kernel, {input.data(), &sum, 1000}, seed, 1 + seed % 7);
            CHECK(sum == expected);
        }
        std::vector<uint32_t> output(2 * kThreads);
        run(ballot_kernel, {input.data(), output.data(), 0}, seed);
        for (int thread = 0; thread < 2 * kThreads; ++thread) {
            unsigned odd = 0;
            for (int lane = 0; lane < 32; ++lane)
                odd |= (input[thread % kThreads / 32 * 32 + lane] % 2) << lane;
            CHECK(output[thread] == (odd ^ static_cast<unsigned>(thread % kThreads / 32 * 32 + 3)));
        }
    }
}

void check_mistakes() {
    std::vector<uint32_t> input(1000, 1);
    const auto has = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    for (uint64_t seed = 0; seed < 20; ++seed) {
        uint32_t output = 0;
        const Arguments plain{input.data(), &output, 1000};
        const Arguments stray{input.data(), &output, 1000, true};
        CHECK(error_of(sum_kernel, plain, seed).empty());
        const std::string missing = error_of(sum_kernel, stray, seed);
        CHECK(has(missing, "race between test_emulator.cpp:"));
        CHECK(has(missing, "the kernel test"));
        CHECK(has(error_of(warp_sum_kernel, stray, seed), "race"));
        CHECK(has(error_of(lost_update_kernel, plain, seed), "race"));
        CHECK(has(error_of(divergent_barrier_kernel, plain, seed), "barrier"));
        CHECK(has(error_of(two_barriers_kernel, plain, seed), "different barriers"));
        CHECK(has(error_of(divergent_shuffle_kernel, plain, seed), "a lane ends"));
        CHECK(has(error_of(deadlock_kernel, plain, seed), "deadlock"));
        CHECK(has(error_of(beyond_shared_memory_kernel, plain, seed), "outside of the block"));
        CHECK(has(error_of(misaligned_kernel, plain, seed), "misaligned"));
        output = 0;
        CHECK(error_of(garbage_kernel, plain, seed).empty());
        CHECK(output == 0);
    }
}

// The same seed gives the same schedule; another seed gives another.
void check_schedules() {
    std::vector<uint32_t> input(1000, 1);
    std::set<std::string> errors;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        uint32_t output = 0;
        const Arguments stray{input.data(), &output, 1000, true};
        const std::string error = error_of(warp_sum_kernel, stray, seed);
        const uint32_t reached = output;
        output = 0;
        CHECK(error_of(warp_sum_kernel, stray, seed) == error && output == reached);
        errors.insert(error + std::to_string(reached));
    }
    CHECK(errors.size() > 1);
}

}  // namespace

int main() {
    check_results();
    check_mistakes();
    check_schedules();
    return 0;
}
