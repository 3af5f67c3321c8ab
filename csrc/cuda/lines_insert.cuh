// The insert kernel for rows of samples that don't all begin at a multiple of 128 bytes. Every
// access is of whole lines of 128 bytes all the same: a row is read from the line in which it
// begins, so the signs of a neuron's samples are found by different threads, and are shifted to the
// thread that has the neuron.
//
// A warp takes a strip of runs, one after another. Run i gives the signs of 32 * kRun elements of
// each row, up to a line short of the neurons of run i; those of run i - 1 are complete then. The
// signs in between are kept in shared memory. Behind the last run, a strip reads one more line of
// each row, which the next strip writes.
#pragma once

#include <cstdint>

#include "cuda/insert.cuh"
#include "cuda/pack.cuh"
#include "cuda/pattern_set.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {

inline constexpr int kLineBytes = 128;
inline constexpr int kLinesThreads = 256;
inline constexpr int kRowsOfWord = 8;  // of the signs that a thread keeps in one word

struct LinesArguments {
    InsertArguments insert;
    int strip;      // runs that a warp takes one after another
    int set_words;  // of 32 bits, that the set, or the chunks of the threads, have in shared memory
};

template <class Set>
__device__ Set lines_set(const InsertArguments& a, const Table& table) {
    if constexpr (Set::kWide) return Set(table, a.chunks);
    else return Set(table);
}

// Samples of a word; those of a thread's signs are kept in words of kRowsOfWord of them.
template <class Set>
inline constexpr int kLinesInWord = Set::kWide ? samples_in_chunk(false) : 64;
inline constexpr int kKeptOfWord = 64 / kRowsOfWord;

// Blocks that have to fit a multiprocessor. For the latest architectures the compiler needs more
// registers.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
inline constexpr int kMostLinesBlocks = 2;
#else
inline constexpr int kMostLinesBlocks = 3;
#endif
template <class T, class Word>
inline constexpr int kLinesBlocks = sizeof(T) == 2 || sizeof(Word) == 8 ? 2 : kMostLinesBlocks;

// Reads one row of samples of a group from lines of 128 bytes, and writes it.
template <class T>
class LineRows {
public:
    static constexpr int kNeurons = kRun<T>;
    static constexpr int kLine = kLineBytes / static_cast<int>(sizeof(T));
    static constexpr int kLanesOfLine = kLine / kNeurons;
    static constexpr int kWidth = 32 * kNeurons;  // of a run, in elements
    static constexpr int kRows = cuda::kRows<T, kNeurons>;
    static_assert(kRowsOfWord * kNeurons <= 32 && kRowsOfWord % kRows == 0);

    __device__ LineRows(const InsertArguments& a, int64_t group)
        : a_(a),
          input_(static_cast<const T*>(a.data) + group * a.group_stride),
          output_(a.relu_output == nullptr
                      ? nullptr
                      : static_cast<T*>(a.relu_output) + group * a.group_stride) {}

    // Elements from the beginning of its line to that of the row.
    __device__ int shift(int sample) const {
        const auto row = reinterpret_cast<uintptr_t>(input_ + sample * a_.sample_stride);
        return static_cast<int>(row / sizeof(T) % kLine);
    }

    // The signs of the lane's elements of at most kRowsOfWord of the `rows` rows from `first` on,
    // kNeurons bits each. `neuron` is the first of the run. Only the first `lanes` read. Writes
    // unless `reads_only`.
    __device__ uint32_t signs(int first, int rows, int64_t neuron, int lanes, bool reads_only,
                              bool& nan) const {
        const int64_t element = neuron + static_cast<int>(threadIdx.x) % 32 * kNeurons;
        if (static_cast<int>(threadIdx.x) % 32 >= lanes) rows = 0;
        // Whether all elements are of this row.
        const bool whole = neuron > 0 && neuron + lanes * kNeurons <= a_.inner;
        const bool writes = output_ != nullptr && !reads_only;
        uint32_t bits = 0;
#pragma unroll
        for (int half = 0; half < kRowsOfWord; half += kRows) {
            Run<T, kNeurons> runs[kRows];
#pragma unroll
            for (int r = 0; r < kRows; ++r) {
                const int sample = first + half + r;
                runs[r] = {};
                if (half + r >= rows) continue;
                const T* from = line(input_, sample) + element;
                if (whole) runs[r] = Run<T, kNeurons>::load(from);
                else
                    for_own(sample, element,
                            [&](int n) { runs[r].values[n] = load_stream(from + n); });
            }
#pragma unroll
            for (int r = 0; r < kRows; ++r) {
                const int sample = first + half + r;
#pragma unroll
                for (int n = 0; n < kNeurons; ++n) {
                    const T x = runs[r].values[n];
                    if (Of::positive(x, a_.infinity)) bits |= 1u << ((half + r) * kNeurons + n);
                    nan |= Of::nan(x, a_.infinity);
                    runs[r].values[n] = Of::relu(x, a_.infinity);
                }
                if (!writes || half + r >= rows) continue;
                T* to = line(output_, sample) + element;
                if (whole) runs[r].store(to);
                else
                    for_own(sample, element,
                            [&](int n) { store_stream(to + n, runs[r].values[n]); });
            }
        }
        return bits;
    }

private:
    using Of = Element<T>;

    // The line in which a row begins.
    template <class Pointer>
    __device__ Pointer line(Pointer data, int sample) const {
        const auto row = reinterpret_cast<uintptr_t>(data + sample * a_.sample_stride);
        return reinterpret_cast<Pointer>(row / kLineBytes * kLineBytes);
    }

    // Those of the lane's elements that are of the row.
    template <class Use>
    __device__ void for_own(int sample, int64_t element, const Use& use) const {
        const int64_t column = element - shift(sample);
#pragma unroll
        for (int n = 0; n < kNeurons; ++n)
            if (column + n >= 0 && column + n < a_.inner) use(n);
    }

    const InsertArguments& a_;
    const T* input_;
    T* output_;
};

// The signs of the lane's neurons of the run before, on one row, from the `before` and `now` signs
// of all lanes; `following` are those of the next lane. `row` is the place in these words.
template <int N>
__device__ uint32_t shifted_signs(int shift, int row, uint32_t before, uint32_t following_before,
                                  uint32_t now, uint32_t following_now) {
    constexpr uint32_t kMask = (1u << N) - 1;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int lanes = shift / N;
    // What this lane has for the lane that is `lanes` below it, or, round the warp, above it.
    const uint32_t low = (lane >= lanes ? before : now) >> (row * N) & kMask;
    const uint32_t high = (lane >= lanes ? following_before : following_now) >> (row * N) & kMask;
    return __shfl_sync(0xFFFFFFFF, (low | high << N) >> (shift % N) & kMask, (lane + lanes) % 32);
}

// Blocks along y divide the groups, blocks along x the strips of a group, which has one row of
// neurons a sample.
template <class T, class Set>
__global__ void __launch_bounds__(kLinesThreads, kLinesBlocks<T, typename Set::Word>)
    lines_insert_kernel(const LinesArguments lines) {
    const InsertArguments& a = lines.insert;
    using Rows = LineRows<T>;
    using Word = typename Set::Word;
    constexpr int kNeurons = Rows::kNeurons;
    constexpr unsigned kAllLanes = 0xFFFFFFFF;
    constexpr int kInWord = kLinesInWord<Set>;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int runs = static_cast<int>((a.inner + Rows::kWidth - 1) / Rows::kWidth);
    const int samples = static_cast<int>(a.samples);
    const SharedPointer<uint32_t> kept = shared_memory<uint32_t>() + lines.set_words + threadIdx.x;
    const SharedPointer<uint64_t> chunks = shared_memory<uint64_t>() + threadIdx.x;  // if wide

    for (int64_t group = blockIdx.y; group < a.groups; group += gridDim.y) {
        const Table table = a.set.table(group);
        const Rows rows(a, group);
        Set set = lines_set<Set>(a, table);
        Tally tally;
        set.begin();
        const int warps = static_cast<int>(gridDim.x) * (kLinesThreads / 32);
        int first =
            static_cast<int>(blockIdx.x * (kLinesThreads / 32) + threadIdx.x / 32) * lines.strip;
        for (; first < runs; first += warps * lines.strip) {
            const int count = runs - first < lines.strip ? runs - first : lines.strip;
#pragma unroll 1
            for (int i = 0; i <= count; ++i) {
                const int64_t neuron = int64_t{first + i} * Rows::kWidth;
                const bool last = i == count;
                uint64_t hashes[kNeurons] = {};  // if wide
                Word patterns[kNeurons];
#pragma unroll 1
                for (int c = 0; c * kInWord < samples; ++c) {
                    const int begin = c * kInWord;
                    const int left = samples - begin < kInWord ? samples - begin : kInWord;
#pragma unroll
                    for (int n = 0; n < kNeurons; ++n) patterns[n] = 0;
#pragma unroll 1
                    for (int s = 0; s < left; s += kRowsOfWord) {
                        // Behind the last run of a row is what nobody else writes.
                        const uint32_t now =
                            rows.signs(begin + s, left - s, neuron, last ? Rows::kLanesOfLine : 32,
                                       last && neuron < a.inner, tally.nan);
                        const SharedPointer<uint32_t> place =
                            kept + (c * kKeptOfWord + s / kRowsOfWord) * kLinesThreads;
                        const uint32_t before = i == 0 ? 0 : static_cast<uint32_t>(place[0]);
                        place[0] = now;
                        if (i == 0) continue;
                        const uint32_t following_before =
                            __shfl_sync(kAllLanes, lane == 0 ? now : before, (lane + 1) % 32);
                        const uint32_t following_now = __shfl_sync(kAllLanes, now, (lane + 1) % 32);
                        uint32_t planes[kNeurons] = {};
#pragma unroll
                        for (int r = 0; r < kRowsOfWord; ++r) {
                            const uint32_t signs =
                                shifted_signs<kNeurons>(rows.shift(begin + s + r), r, before,
                                                        following_before, now, following_now);
#pragma unroll
                            for (int n = 0; n < kNeurons; ++n) planes[n] |= (signs >> n & 1) << r;
                        }
#pragma unroll
                        for (int n = 0; n < kNeurons; ++n)
                            patterns[n] |= static_cast<Word>(planes[n]) << s;
                    }
                    if constexpr (Set::kWide) {
#pragma unroll
                        for (int n = 0; n < kNeurons; ++n) {
                            const uint64_t word = chunk(patterns[n], 0);
                            chunks[(c * kNeurons + n) * kLinesThreads] = word;
                            hashes[n] = Set::hash(hashes[n], word);
                        }
                    }
                }
                const int64_t left = a.inner - (neuron - Rows::kWidth) - lane * kNeurons;
                if (i == 0 || left <= 0) continue;
                if constexpr (Set::kWide) {
#pragma unroll
                    for (int n = 0; n < kNeurons; ++n) {
                        const auto pattern = [&](int c) -> uint64_t {
                            return chunks[(c * kNeurons + n) * kLinesThreads];
                        };
                        if (n < left) set.insert(pattern, hashes[n], tally);
                    }
                } else {
#pragma unroll
                    for (int n = 1; n < kNeurons; ++n)
                        if (n >= left) patterns[n] = patterns[0];
                    set.insert(patterns, tally);
                }
            }
        }
        set.end();
        tally.add_to(table);
    }
}

}  // namespace swapnas::cuda
