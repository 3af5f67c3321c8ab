// The insert kernel: one loop over the neurons for every dtype, layout, source and kind of set. A
// thread takes all samples of one neuron, or of a run of 16 bytes (N neurons). Where that is too
// few threads to hide the latency of memory, split_insert.cuh divides the samples too. Where rows
// of samples don't begin at lines of memory, lines_insert.cuh shifts signs instead of reads.
#pragma once

#include <cstdint>

#include "cuda/pack.cuh"
#include "cuda/pattern_set.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {

struct InsertArguments {
    SetArguments set;
    const void* data;  // activations, or packed patterns
    void* relu_output;
    int64_t groups, group_stride;
    int64_t outer, outer_stride;
    int64_t inner;
    int64_t sample_stride;
    int64_t samples;
    uint32_t infinity;  // for a 16-bit dtype
    int bits;           // for packed patterns
    int chunks;         // for wide patterns
    bool ternary;       // for packed wide patterns
    int lanes;          // threads of a block that process neurons
    int parts;          // into which the samples are divided (split_insert.cuh)
};

// Blocks that have to fit a multiprocessor, which limits the registers of a thread.
template <class T, bool Ternary, int N, bool Wide>
inline constexpr int kResidentBlocks =
    N == 1 ? (Wide ? 3 : 4) - (Ternary || (!Wide && sizeof(T) == 2))
           : (Ternary || sizeof(T) == 2 || (Wide && sizeof(T) == 8) ? 2 : 3);

// Activations with patterns of one word.
template <class T, bool Ternary, class Set, int N>
class NarrowInserter {
public:
    static constexpr int kNeurons = N;
    static constexpr int kBlocks = kResidentBlocks<T, Ternary, N, false>;

    __device__ NarrowInserter(const InsertArguments& a, const Table& table, int64_t group)
        : a_(a),
          set_(table),
          input_(static_cast<const T*>(a.data) + group * a.group_stride),
          output_(a.relu_output == nullptr
                      ? nullptr
                      : static_cast<T*>(a.relu_output) + group * a.group_stride) {}
    __device__ void begin() { set_.begin(); }
    __device__ void end() { set_.end(); }

    __device__ void insert(int64_t offset, Tally& tally) {
        using Word = typename Set::Word;
        SignPlanes<Word, N> planes;
        const int samples = static_cast<int>(a_.samples);
        tally.nan |= sign_planes<T, N, Ternary>(input_ + offset,
                                                output_ == nullptr ? nullptr : output_ + offset,
                                                a_.sample_stride, samples, a_.infinity, planes);
        Word patterns[N];
#pragma unroll
        for (int n = 0; n < N; ++n) patterns[n] = narrow_pattern<Ternary>(planes, n, samples);
        set_.insert(patterns, tally);
    }

private:
    const InsertArguments& a_;
    Set set_;
    const T* input_;
    T* output_;
};

// Activations with patterns of several chunks, which each thread keeps in shared memory.
template <class T, bool Ternary, int N>
class WideInserter {
public:
    static constexpr int kNeurons = N;
    static constexpr int kBlocks = kResidentBlocks<T, Ternary, N, true>;

    __device__ WideInserter(const InsertArguments& a, const Table& table, int64_t group)
        : a_(a),
          set_(table, a.chunks),
          chunks_(shared_memory<uint64_t>() + threadIdx.x),
          input_(static_cast<const T*>(a.data) + group * a.group_stride),
          output_(a.relu_output == nullptr
                      ? nullptr
                      : static_cast<T*>(a.relu_output) + group * a.group_stride) {}
    __device__ void begin() {}
    __device__ void end() {}

    __device__ void insert(int64_t offset, Tally& tally) {
        constexpr int kInChunk = samples_in_chunk(Ternary);
        uint64_t hash[N] = {};
        for (int c = 0; c < a_.chunks; ++c) {
            const int64_t first = int64_t{c} * kInChunk;
            const int64_t at = offset + first * a_.sample_stride;
            const int samples =
                static_cast<int>(a_.samples - first < kInChunk ? a_.samples - first : kInChunk);
            SignPlanes<uint64_t, N> planes;
            tally.nan |=
                sign_planes<T, N, Ternary>(input_ + at, output_ == nullptr ? nullptr : output_ + at,
                                           a_.sample_stride, samples, a_.infinity, planes);
#pragma unroll
            for (int n = 0; n < N; ++n) {
                const uint64_t word = chunk(planes.positive[n], planes.negative[n]);
                chunks_[(c * N + n) * a_.lanes] = word;
                hash[n] = WideSlots::hash(hash[n], word);
            }
        }
#pragma unroll
        for (int n = 0; n < N; ++n) {
            const auto pattern = [&](int c) -> uint64_t { return chunks_[(c * N + n) * a_.lanes]; };
            set_.insert(pattern, hash[n], tally);
        }
    }

private:
    const InsertArguments& a_;
    WideSlots set_;
    SharedPointer<uint64_t> chunks_;
    const T* input_;
    T* output_;
};

// Packed patterns of one word.
template <class Set>
class PackedInserter {
public:
    using Word = typename Set::Word;
    static constexpr int kNeurons = 1;
    static constexpr int kBlocks = 4;

    __device__ PackedInserter(const InsertArguments& a, const Table& table, int64_t)
        : a_(a), set_(table), packed_(static_cast<const Word*>(a.data)) {}
    __device__ void begin() { set_.begin(); }
    __device__ void end() { set_.end(); }

    __device__ void insert(int64_t offset, Tally& tally) {
        const Word pattern[1] = {load_stream(packed_ + offset)};
        const bool stray = a_.bits < static_cast<int>(8 * sizeof(Word)) && pattern[0] >> a_.bits;
        tally.stray_bits |= stray;
        if (!stray) set_.insert(pattern, tally);
    }

private:
    const InsertArguments& a_;
    Set set_;
    const Word* packed_;
};

// Packed patterns of several words, split into chunks while being read.
class PackedWideInserter {
public:
    static constexpr int kNeurons = 1;
    static constexpr int kBlocks = 4;

    __device__ PackedWideInserter(const InsertArguments& a, const Table& table, int64_t)
        : a_(a), set_(table, a.chunks), packed_(static_cast<const uint64_t*>(a.data)) {}
    __device__ void begin() {}
    __device__ void end() {}

    __device__ void insert(int64_t offset, Tally& tally) {
        const int64_t words = (a_.bits + 63) / 64;
        const uint64_t* packed = packed_ + offset * words;
        if (a_.bits % 64 != 0 && load_stream(packed + words - 1) >> (a_.bits % 64) != 0) {
            tally.stray_bits = true;
            return;
        }
        const auto pattern = [&](int c) -> uint64_t {
            return chunk_of_packed(packed, c, a_.samples, a_.ternary);
        };
        uint64_t hash = 0;
        for (int c = 0; c < a_.chunks; ++c) hash = WideSlots::hash(hash, pattern(c));
        set_.insert(pattern, hash, tally);
    }

private:
    const InsertArguments& a_;
    WideSlots set_;
    const uint64_t* packed_;
};

// Blocks along y divide the groups, blocks along x the neurons of a group. Rows are whole runs.
template <class Inserter>
__global__ void __launch_bounds__(kMaxThreads, Inserter::kBlocks)
    insert_kernel(const InsertArguments a) {
    const int64_t items_per_row = a.inner / Inserter::kNeurons;
    const int64_t items = a.outer * items_per_row;

    for (int64_t group = blockIdx.y; group < a.groups; group += gridDim.y) {
        const Table table = a.set.table(group);
        Inserter inserter(a, table, group);
        Tally tally;
        inserter.begin();
        const int64_t stride = int64_t{gridDim.x} * a.lanes;
        int64_t item = int64_t{blockIdx.x} * a.lanes + threadIdx.x;
        if (static_cast<int>(threadIdx.x) >= a.lanes) item = items;
        for (; item < items; item += stride) {
            const int64_t row = a.outer == 1 ? 0 : item / items_per_row;
            const int64_t column = (item - row * items_per_row) * Inserter::kNeurons;
            inserter.insert(row * a.outer_stride + column, tally);
        }
        inserter.end();
        tally.add_to(table);
    }
}

}  // namespace swapnas::cuda
