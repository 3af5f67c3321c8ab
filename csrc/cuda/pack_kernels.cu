// Packs activations to patterns that are kept instead of inserted.
#include <stdexcept>
#include <string>
#include <type_traits>

#include "cuda/dispatch.cuh"
#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {
namespace {

struct PackArguments {
    const void* data;
    int64_t outer, outer_stride;
    int64_t inner;
    int64_t sample_stride;
    int64_t samples;
    uint32_t infinity;
    bool vectorized;
    void* patterns;
    int64_t* nan;
};

__device__ void report_nan(bool nan, int64_t* flag) {
    if (nan) store_relaxed(reinterpret_cast<uint64_t*>(flag), 1);
}

// Patterns of one word. The neurons lie in one row, or are a stride apart (outer).
template <class T, bool Ternary, class Word>
__global__ void __launch_bounds__(kMaxThreads, 1) pack_kernel(const PackArguments a) {
    constexpr int kRun = cuda::kRun<T>;
    const T* input = static_cast<const T*>(a.data);
    Word* patterns = static_cast<Word*>(a.patterns);
    const int samples = static_cast<int>(a.samples);
    bool nan = false;
    const auto pack_run = [&]<int N>(std::integral_constant<int, N>, int64_t offset, int64_t to) {
        SignPlanes<Word, N> planes;
        nan |= sign_planes<T, N, Ternary>(input + offset, static_cast<T*>(nullptr), a.sample_stride,
                                          samples, a.infinity, planes);
#pragma unroll
        for (int n = 0; n < N; ++n)
            store_stream(patterns + to + n, narrow_pattern<Ternary>(planes, n, samples));
    };
    const int width = a.vectorized ? kRun : 1;
    const int64_t items_per_row = (a.inner + width - 1) / width;
    const int64_t items = a.outer * items_per_row;
    const int64_t stride = int64_t{gridDim.x} * blockDim.x;
    for (int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; item < items;
         item += stride) {
        const int64_t row = a.outer == 1 ? 0 : item / items_per_row;
        const int64_t column = (item - row * items_per_row) * width;
        const int64_t offset = row * a.outer_stride + column, to = row * a.inner + column;
        const int64_t left = a.inner - column;
        if (a.vectorized && left >= kRun) {
            pack_run(std::integral_constant<int, kRun>{}, offset, to);
        } else {
            const int run = left < width ? static_cast<int>(left) : width;
            for (int i = 0; i < run; ++i)
                pack_run(std::integral_constant<int, 1>{}, offset + i, to + i);
        }
    }
    report_nan(nan, a.nan);
}

// Patterns of several words: a thread makes that of one neuron, word by word and plane by plane.
template <class T, bool Ternary>
__global__ void __launch_bounds__(kMaxThreads, 1) pack_wide_kernel(const PackArguments a) {
    const T* input = static_cast<const T*>(a.data);
    uint64_t* patterns = static_cast<uint64_t*>(a.patterns);
    const int64_t bits = Ternary ? 2 * a.samples : a.samples;
    const int64_t words = (bits + 63) / 64;
    const int64_t neurons = a.outer * a.inner;
    const int64_t stride = int64_t{gridDim.x} * blockDim.x;
    bool nan = false;
    for (int64_t neuron = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; neuron < neurons;
         neuron += stride) {
        const int64_t row = a.outer == 1 ? 0 : neuron / a.inner;
        const int64_t offset = row * a.outer_stride + neuron - row * a.inner;
        // Samples first .. first + count of one plane.
        const auto plane = [&](int64_t first, int64_t count, bool negative) -> uint64_t {
            if (count <= 0) return 0;
            SignPlanes<uint64_t, 1> planes;
            nan |= sign_planes<T, 1, Ternary>(input + offset + first * a.sample_stride,
                                              static_cast<T*>(nullptr), a.sample_stride,
                                              static_cast<int>(count), a.infinity, planes);
            return negative ? planes.negative[0] : planes.positive[0];
        };
        for (int64_t word = 0; word < words; ++word) {
            const int64_t begin = 64 * word, end = begin + 64;
            uint64_t pattern = 0;
            if (begin < a.samples)
                pattern = plane(begin, (end < a.samples ? end : a.samples) - begin, false);
            if (Ternary && end > a.samples) {
                const int64_t from = begin > a.samples ? begin : a.samples;
                const int64_t to = end < bits ? end : bits;
                pattern |= plane(from - a.samples, to - from, true) << (from - begin);
            }
            store_stream(patterns + neuron * words + word, pattern);
        }
    }
    report_nan(nan, a.nan);
}

}  // namespace

void pack(const Activations& x, PatternShape shape, void* patterns, int64_t* nan, Stream stream) {
    if (x.samples != shape.samples || x.groups != 1 || x.relu_output != nullptr)
        throw std::invalid_argument("swapnas: only activations of one group can be packed");
    clear(nan, sizeof *nan, stream);
    const bool wide = shape.words() > 1;
    const int run_length = run_of(element_size(x.dtype));
    const PackArguments a{.data = x.data,
                          .outer = x.outer,
                          .outer_stride = x.outer_stride,
                          .inner = x.inner,
                          .sample_stride = x.sample_stride,
                          .samples = x.samples,
                          .infinity = infinity_of(x.dtype),
                          .vectorized = !wide && all_aligned(x, run_length),
                          .patterns = patterns,
                          .nan = nan};
    const int run = a.vectorized ? run_length : 1;
    const Grid grid = grid_over(x.outer * ceil_div(x.inner, run), 1);
    const auto launch_with = [&]<class T, bool Ternary>(TypeTag<T>, std::bool_constant<Ternary>,
                                                        const char* dtype) {
        const std::string name = std::string("pack (") + dtype + ")";
        if (wide) launch(name.c_str(), pack_wide_kernel<T, Ternary>, grid, stream, a);
        else if (shape.bits() <= 32)
            launch(name.c_str(), pack_kernel<T, Ternary, uint32_t>, grid, stream, a);
        else launch(name.c_str(), pack_kernel<T, Ternary, uint64_t>, grid, stream, a);
    };
    with_element(x.dtype, [&]<class T>(TypeTag<T> element, const char* dtype) {
        if (shape.ternary) launch_with(element, std::true_type{}, dtype);
        else launch_with(element, std::false_type{}, dtype);
    });
}

}  // namespace swapnas::cuda
