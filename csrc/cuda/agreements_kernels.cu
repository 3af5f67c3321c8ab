// Counts on how many neurons two samples agree.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "cuda/dispatch.cuh"
#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {
namespace {

constexpr int kLanes = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFF;

#if defined(SWAPNAS_SIMT)
constexpr int kThreads = 64;
constexpr int kBlockSamples = 32;
#else
constexpr int kThreads = 576;  // two for each tile of 128 samples
constexpr int kBlockSamples = 128;
#endif
constexpr int kOtherSamples = kBlockSamples / 2;

// Samples of a warp with loads in flight; their bits are at most one word a lane. With more, the
// compiler for the latest architectures spills registers.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
constexpr int kRunsAtOnce = 4;
#else
constexpr int kRunsAtOnce = 8;
#endif
template <class T, int N>
constexpr int kAtOnce = (N == 1 ? 16 : kRunsAtOnce) / (sizeof(T) == 8 ? 2 : 1);

// The pairs of samples of a thread. Its counts stay in registers.
constexpr int kTileRows = 8;
constexpr int kTileColumns = 4;
constexpr int kNoSlice = 1 << 30;
constexpr int kRowsOfPass = 32;  // of sums in shared memory, before they are added

constexpr int64_t kMostWords = 128;
constexpr int64_t kBufferWords = 4608;  // of 32 bits; two buffers fit every GPU's shared memory

struct AgreementsArguments {
    const void* data;
    int64_t outer, outer_stride;
    int64_t inner;
    int64_t sample_stride;
    int64_t samples;
    uint32_t infinity;
    uint64_t* agreements;
    int64_t chunks;  // of neurons
    int words;       // of each sample in a buffer, which holds one chunk
    int slots;       // of samples in a buffer
    int blocks;      // of samples
};

// Words of a buffer from one word of a sample to the next: stores of a warp reach all banks.
SWAPNAS_HD constexpr int stride_of(int slots) { return slots + 8; }

SWAPNAS_HD constexpr int round_up(int value, int step) { return (value + step - 1) / step * step; }

// The samples of a block: `rows` against `columns`, all pairs of them, or of the same samples.
struct SampleBlock {
    int first_row, first_column;
    int rows, columns;
    bool same;

    // Block `index` of all: kBlockSamples against themselves, or against kOtherSamples later ones.
    // Without rows if there is none.
    static __device__ SampleBlock at(int index, int64_t samples) {
        const int halves = 2 * static_cast<int>((samples + kBlockSamples - 1) / kBlockSamples);
        const int block = index / halves, half = index % halves;
        SampleBlock found{block * kBlockSamples, half * kOtherSamples, 0, 0, half == 2 * block};
        const int64_t left = samples - found.first_column;
        if (half < 2 * block || half == 2 * block + 1 || left <= 0) return found;
        const int most = found.same ? kBlockSamples : kOtherSamples;
        found.columns = left < most ? static_cast<int>(left) : most;
        found.rows = found.same ? found.columns : kBlockSamples;
        return found;
    }
    SWAPNAS_HD static constexpr int64_t number(int64_t samples) {
        const int64_t blocks = (samples + kBlockSamples - 1) / kBlockSamples;
        return blocks * 2 * blocks;
    }
    __device__ int sample(int slot) const {
        return slot < kBlockSamples ? first_row + slot : first_column + slot - kBlockSamples;
    }
};

// Tile `index` of a block: of the same samples only tiles with a pair (s, t >= s).
struct Tile {
    int row, column;  // the first of it

    static __device__ int number(const SampleBlock& block) {
        const int down = (block.rows + kTileRows - 1) / kTileRows;
        const int across = (block.columns + kTileColumns - 1) / kTileColumns;
        constexpr int kStep = kTileRows / kTileColumns;
        return block.same ? down * across - kStep * (down * (down - 1) / 2) : down * across;
    }
    static __device__ Tile at(int index, const SampleBlock& block) {
        const int across = (block.columns + kTileColumns - 1) / kTileColumns;
        constexpr int kStep = kTileRows / kTileColumns;
        int row = 0, first = 0;
        while (index >= across - first) {
            index -= across - first;
            ++row;
            if (block.same) first += kStep;
        }
        return {row * kTileRows, (first + index) * kTileColumns};
    }
};

// Packs a chunk of neurons: word w of the sample in slot i is buffer[w * stride + i]. Its bits are
// neurons in some order, the same for all samples; those beyond the last neuron are 0. A warp reads
// kRows samples of 32 * N neurons at a time.
template <class T, int N>
__device__ void pack_chunk(const AgreementsArguments& a, const SampleBlock& block, int64_t chunk,
                           const SharedPointer<uint32_t>& buffer) {
    constexpr int kRows = kAtOnce<T, N>;
    static_assert(kRows * N <= kLanes && kBlockSamples % kRows == 0);
    const T* data = static_cast<const T*>(a.data);
    const int lane = static_cast<int>(threadIdx.x) % kLanes;
    const int64_t items_per_row = a.inner / N;
    const int64_t items = a.outer * items_per_row;
    const int columns = a.words / N;
    const int slots = block.same ? block.rows : kBlockSamples + block.columns;
    const int units = columns * ((round_up(slots, kTileRows) + kRows - 1) / kRows);
#pragma unroll 1
    for (int unit = static_cast<int>(threadIdx.x) / kLanes; unit < units;
         unit += kThreads / kLanes) {
        const int column = unit % columns, first = unit / columns * kRows;
        const int64_t item = (chunk * columns + column) * kLanes + lane;
        const int64_t row = a.outer == 1 ? 0 : item / items_per_row;
        const T* input = data + row * a.outer_stride + (item - row * items_per_row) * N +
                         block.sample(first) * a.sample_stride;
        Run<T, N> rows[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            rows[r] = {};
            if (item < items && first + r < slots) rows[r] = Run<T, N>::load(input);
            input = step(input, a.sample_stride);
        }
        uint32_t mine = 0;
#pragma unroll
        for (int r = 0; r < kRows; ++r)
#pragma unroll
            for (int n = 0; n < N; ++n) {
                const uint32_t bits =
                    __ballot_sync(kAllLanes, Element<T>::positive(rows[r].values[n], a.infinity));
                if (lane == r * N + n) mine = bits;
            }
        const int slot = first + lane / N;
        if (lane < kRows * N && slot < a.slots)
            buffer[(column * N + lane % N) * stride_of(a.slots) + slot] = mine;
    }
}

using Differing = uint32_t[kTileRows][kTileColumns];

// Adds the neurons of words slice, slice + slices ... on which the samples of a tile differ.
__device__ inline void count_chunk(const AgreementsArguments& a, const SampleBlock& block,
                                   const Tile& tile, int slice, int slices,
                                   const SharedPointer<uint4>& buffer, Differing& differing) {
    const int stride = stride_of(a.slots) / 4;
    const int rows = tile.row / 4;
    const int columns = ((block.same ? 0 : kBlockSamples) + tile.column) / 4;
#pragma unroll 1
    for (int w = slice; w < a.words; w += slices) {
        const uint4 upper = buffer[w * stride + rows], lower = buffer[w * stride + rows + 1];
        const uint4 others = buffer[w * stride + columns];
        const uint32_t own[kTileRows] = {upper.x, upper.y, upper.z, upper.w,
                                         lower.x, lower.y, lower.z, lower.w};
        const uint32_t other[kTileColumns] = {others.x, others.y, others.z, others.w};
#pragma unroll
        for (int r = 0; r < kTileRows; ++r)
#pragma unroll
            for (int c = 0; c < kTileColumns; ++c)
                differing[r][c] += static_cast<uint32_t>(__popc(own[r] ^ other[c]));
    }
}

// Adds to the matrix what the threads of the block have counted for `neurons` neurons. The sums are
// put together in shared memory, so that a warp adds to adjacent words.
__device__ inline void add_counts(const AgreementsArguments& a, const SampleBlock& block,
                                  const Tile& tile, bool has_tile, int64_t neurons,
                                  const Differing& differing) {
    const SharedPointer<uint32_t> sums = shared_memory<uint32_t>();
    const int columns = round_up(block.columns, kTileColumns);
    const int pitch = columns + 1;
    // Of the same samples, those left of a tile are in the mirrored one.
    const auto add = [&](int row, int column, const SharedPointer<uint32_t>& sum, bool mirrored) {
        const int first = block.same ? row / kTileRows * kTileRows : 0;
        if (row >= block.rows || column >= block.columns || column < first) return;
        if (mirrored && block.same && column < first + kTileRows) return;
        const int64_t s = block.first_row + row, t = block.first_column + column;
        atomic_add(a.agreements + (mirrored ? t * a.samples + s : s * a.samples + t),
                   static_cast<uint64_t>(neurons) - sum[0]);
    };
    for (int first = 0; first < block.rows; first += kRowsOfPass) {
        for (int i = threadIdx.x; i < kRowsOfPass * pitch; i += kThreads) sums[i] = 0;
        __syncthreads();
        if (has_tile && tile.row / kRowsOfPass == first / kRowsOfPass) {
#pragma unroll
            for (int r = 0; r < kTileRows; ++r)
#pragma unroll
                for (int c = 0; c < kTileColumns; ++c)
                    atomic_add_shared(sums + ((tile.row - first + r) * pitch + tile.column + c),
                                      differing[r][c]);
        }
        __syncthreads();
        for (int i = threadIdx.x; i < kRowsOfPass * columns; i += kThreads) {
            const int row = i / columns, column = i - row * columns;
            add(first + row, column, sums + (row * pitch + column), false);
        }
        for (int i = threadIdx.x; i < kRowsOfPass * columns; i += kThreads) {
            const int column = i / kRowsOfPass, row = i % kRowsOfPass;
            add(first + row, column, sums + (row * pitch + column), true);
        }
        __syncthreads();  // the next pass overwrites the sums
    }
}

// How many the block has counted.
__device__ inline int64_t neurons_of_block(const AgreementsArguments& a) {
    const int64_t of_chunk = int64_t{a.words} * kLanes;
    const int64_t later = a.chunks - 1 - blockIdx.x;
    if (later < 0) return 0;
    const int64_t beyond = (later + blockIdx.x + 1) * of_chunk - a.outer * a.inner;
    return (later / gridDim.x + 1) * of_chunk - (later % gridDim.x == 0 ? beyond : 0);
}

// blockIdx.x takes chunks of neurons, blockIdx.y a block of samples. While some warps count the
// bits of a chunk, the others pack the next one.
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 1) agreements_kernel(const AgreementsArguments a) {
    const int buffer_words = a.words * stride_of(a.slots);
    for (int index = blockIdx.y; index < a.blocks; index += gridDim.y) {
        const SampleBlock block = SampleBlock::at(index, a.samples);
        if (block.rows == 0) continue;
        const int tiles = Tile::number(block);
        const int slices = kThreads / tiles;
        int slice = static_cast<int>(threadIdx.x) / tiles;
        if (slice >= slices) slice = kNoSlice;  // no tile is left
        const Tile tile = Tile::at(static_cast<int>(threadIdx.x) % tiles, block);
        Differing differing = {};
        int buffer = 0;
        // Packs chunk `next` and counts the one before it.
        for (int64_t next = blockIdx.x; next < a.chunks + gridDim.x; next += gridDim.x) {
#pragma unroll 1
            for (int half = 0; half < 2; ++half) {
                if ((threadIdx.x / kLanes + half) % 2 == 0) {
                    if (next < a.chunks)
                        pack_chunk<T, N>(a, block, next,
                                         shared_memory<uint32_t>() + buffer * buffer_words);
                } else if (next >= gridDim.x) {
                    count_chunk(a, block, tile, slice, slices,
                                shared_memory<uint4>() + (1 - buffer) * buffer_words / 4,
                                differing);
                }
            }
            __syncthreads();
            buffer = 1 - buffer;
        }
        add_counts(a, block, tile, slice < slices, neurons_of_block(a), differing);
    }
}

}  // namespace

void add_agreements(const Activations& x, int64_t* agreements, Stream stream) {
    if (x.groups != 1 || x.relu_output != nullptr)
        throw std::invalid_argument("swapnas: only activations of one group have agreements");
    const int most_slots = kBlockSamples + kOtherSamples;
    AgreementsArguments a{.data = x.data,
                          .outer = x.outer,
                          .outer_stride = x.outer_stride,
                          .inner = x.inner,
                          .sample_stride = x.sample_stride,
                          .samples = x.samples,
                          .infinity = infinity_of(x.dtype),
                          .agreements = reinterpret_cast<uint64_t*>(agreements),
                          .chunks = 0,
                          .words = 0,
                          .slots = x.samples > kBlockSamples
                                       ? most_slots
                                       : round_up(static_cast<int>(x.samples), kTileRows),
                          .blocks = static_cast<int>(SampleBlock::number(x.samples))};
    with_element(x.dtype, [&]<class T>(TypeTag<T>, const char* dtype) {
        const auto launch_with = [&]<int N>(std::integral_constant<int, N>, const char* form) {
            // Enough chunks for all multiprocessors, if there are enough neurons.
            const int64_t busy = multiprocessors();
            const int64_t words = ceil_div(x.outer * x.inner, int64_t{kLanes} * N) * N;
            const int64_t most = std::min(kMostWords, kBufferWords / stride_of(a.slots)) / N * N;
            a.words = static_cast<int>(std::min(most, ceil_div(ceil_div(words, busy), N) * N));
            a.chunks = ceil_div(words, a.words);
            // Half of several blocks of samples have no pair of their own.
            const int64_t across = a.blocks == 2 ? busy : ceil_div(busy * 4, a.blocks);
            const int64_t sums = kRowsOfPass * (std::min(a.slots, kBlockSamples) + 1);
            const Grid grid{
                .blocks = std::min(a.chunks, across),
                .groups = a.blocks == 2 ? 1 : std::min<int64_t>(a.blocks, kMaxGridY),
                .threads = kThreads,
                .shared_bytes =
                    4 * std::max<int64_t>(int64_t{2} * a.words * stride_of(a.slots), sums)};
            const std::string name = std::string("agreements (") + dtype + form + ")";
            launch(name.c_str(), agreements_kernel<T, N>, grid, stream, a);
        };
        if (all_aligned(x, kRun<T>) && x.inner % kRun<T> == 0)
            launch_with(std::integral_constant<int, kRun<T>>{}, ", runs");
        else launch_with(std::integral_constant<int, 1>{}, "");
    });
}

}  // namespace swapnas::cuda
