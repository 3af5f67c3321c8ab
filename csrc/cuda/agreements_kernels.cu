// Counts on how many neurons two samples agree.
#include <stdexcept>
#include <string>

#include "cuda/dispatch.cuh"
#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {
namespace {

constexpr int kLanes = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFF;

struct AgreementsArguments {
    const void* data;
    int64_t outer, outer_stride;
    int64_t inner;
    int64_t sample_stride;
    int64_t samples;
    uint32_t infinity;
    uint64_t* agreements;
};

// The bits of the warp's 32 neurons on sample `first` + lane; 0 beyond the last sample.
template <class T>
__device__ uint32_t bits_of_sample(const AgreementsArguments& a, int64_t offset, bool valid,
                                   int64_t first, int lane) {
    const T* input = static_cast<const T*>(a.data);
    uint32_t mine = 0;
    for (int s = 0; s < kLanes && first + s < a.samples; ++s) {
        bool positive = false;
        if (valid)
            positive = Element<T>::positive(
                load_stream(input + offset + (first + s) * a.sample_stride), a.infinity);
        const uint32_t bits = __ballot_sync(kAllLanes, positive);
        if (s == lane) mine = bits;
    }
    return mine;
}

// A warp takes 32 neurons at a time. blockIdx.y: 32 samples against 32 others; a lane counts the
// agreements of one of the latter with each of the former.
template <class T>
__global__ void __launch_bounds__(kMaxThreads, 1) agreements_kernel(const AgreementsArguments a) {
    const int lane = static_cast<int>(threadIdx.x) % kLanes;
    const int64_t tiles = (a.samples + kLanes - 1) / kLanes;
    const int64_t warps_per_row = (a.inner + kLanes - 1) / kLanes;
    const int64_t items = a.outer * warps_per_row;
    const int64_t first_item = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kLanes;
    const int64_t stride = int64_t{gridDim.x} * blockDim.x / kLanes;
    for (int64_t pair = blockIdx.y; pair < tiles * tiles; pair += gridDim.y) {
        const int64_t these = pair / tiles * kLanes, others = pair % tiles * kLanes;
        if (others < these) continue;  // the same counts as of the pair the other way round
        uint32_t counts[kLanes] = {};
        for (int64_t item = first_item; item < items; item += stride) {
            const int64_t row = item / warps_per_row;
            const int64_t column = (item - row * warps_per_row) * kLanes + lane;
            const bool valid = column < a.inner;
            const int64_t offset = row * a.outer_stride + column;
            const uint32_t valid_bits = __ballot_sync(kAllLanes, valid);
            const uint32_t other = bits_of_sample<T>(a, offset, valid, others, lane);
            const uint32_t own =
                these == others ? other : bits_of_sample<T>(a, offset, valid, these, lane);
#pragma unroll
            for (int s = 0; s < kLanes; ++s) {
                const uint32_t differing = __shfl_sync(kAllLanes, own, s) ^ other;
                counts[s] += static_cast<uint32_t>(__popcll(uint64_t{~differing & valid_bits}));
            }
        }
        const int64_t t = others + lane;
#pragma unroll
        for (int i = 0; i < kLanes; ++i) {
            const int64_t s = these + i;
            if (s >= a.samples || t >= a.samples || counts[i] == 0) continue;
            atomic_add(a.agreements + s * a.samples + t, counts[i]);
            if (these != others) atomic_add(a.agreements + t * a.samples + s, counts[i]);
        }
    }
}

}  // namespace

void add_agreements(const Activations& x, int64_t* agreements, Stream stream) {
    if (x.groups != 1 || x.relu_output != nullptr)
        throw std::invalid_argument("swapnas: only activations of one group have agreements");
    const AgreementsArguments a{.data = x.data,
                                .outer = x.outer,
                                .outer_stride = x.outer_stride,
                                .inner = x.inner,
                                .sample_stride = x.sample_stride,
                                .samples = x.samples,
                                .infinity = infinity_of(x.dtype),
                                .agreements = reinterpret_cast<uint64_t*>(agreements)};
    const int64_t tiles = ceil_div(x.samples, kLanes);
    const Grid grid = grid_over(x.outer * ceil_div(x.inner, kLanes) * kLanes, tiles * tiles);
    with_element(x.dtype, [&]<class T>(TypeTag<T>, const char* dtype) {
        const std::string name = std::string("agreements (") + dtype + ")";
        launch(name.c_str(), agreements_kernel<T>, grid, stream, a);
    });
}

}  // namespace swapnas::cuda
