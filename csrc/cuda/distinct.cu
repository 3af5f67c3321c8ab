#include <algorithm>
#include <bit>

#include "cuda/distinct.h"
#include "cuda/kernels.h"
#include "cuda/pack.cuh"
#include "cuda/simt.cuh"

namespace swapnas::cuda {
namespace {

constexpr int kBucketBits = 12;
constexpr int kGroupBits = 6;  // of the first scatter
constexpr int kBuckets = 1 << kBucketBits;
constexpr int kThreads = 256;
constexpr int kPatternsPerThread = 16;
constexpr int kTile = kThreads * kPatternsPerThread;
constexpr int kMaxCountThreads = 1024;

// The memory of one count: 32-bit words, in this order, then two buffers of patterns.
struct Scratch {
    uint32_t* histogram;      // [kBuckets]
    uint32_t* group_cursors;  // [2^kGroupBits]: where the next pattern of a group goes
    uint32_t* cursors;        // [kBuckets]: the same of a bucket; in the end, where it ends
    uint32_t* total;          // [1]: patterns that are scattered
    uint32_t* zero_seen;      // [1]
    uint32_t* grouped;
    uint32_t* bucketed;

    static constexpr int64_t kHeadWords = 2 * kBuckets + (1 << kGroupBits) + 64;

    Scratch(uint64_t* memory, int64_t count)
        : histogram(reinterpret_cast<uint32_t*>(memory)),
          group_cursors(histogram + kBuckets),
          cursors(group_cursors + (1 << kGroupBits)),
          total(cursors + kBuckets),
          zero_seen(total + 1),
          grouped(histogram + kHeadWords),
          bucketed(grouped + (count + 3) / 4 * 4) {}
};

struct Arguments {
    Scratch scratch;
    const uint32_t* patterns;
    int64_t count;
    int bits;
    int rounds;  // of counting: the bitmap of a bucket holds one part of its patterns at a time
    int64_t* counts;
};

// A permutation of the patterns of `bits` bits whose high bits depend on all bits of the pattern.
__device__ uint32_t scrambled(uint32_t pattern, int bits) {
    const uint32_t mask = ~uint32_t{0} >> (32 - bits);
    pattern ^= pattern >> (bits / 2);
    pattern = pattern * 0x9E3779B1u & mask;
    pattern ^= pattern >> (bits / 2);
    return pattern * 0x85EBCA77u & mask;
}

__device__ bool is_stray(uint32_t pattern, int bits) { return bits < 32 && pattern >> bits != 0; }

// The zero pattern, of neurons that are never active, is by far the most frequent: it is noted, and
// left out of the buckets, one of which would be full of it.
__device__ bool is_scattered(uint32_t pattern, int bits) {
    return pattern != 0 && !is_stray(pattern, bits);
}

// Sum of the values of the threads before this one. `sums`: a word for each warp.
__device__ uint32_t exclusive_sum(uint32_t value, SharedPointer<uint32_t> sums) {
    constexpr unsigned kAllLanes = 0xFFFFFFFF;
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    uint32_t sum = value;
    for (int offset = 1; offset < 32; offset *= 2) {
        const uint32_t before = __shfl_up_sync(kAllLanes, sum, offset);
        if (lane >= offset) sum += before;
    }
    if (lane == 31) sums[warp] = sum;
    __syncthreads();
    sum -= value;
    for (int w = 0; w < warp; ++w) sum += sums[w];
    return sum;
}

__global__ void __launch_bounds__(kThreads, 1) histogram_kernel(const Arguments a) {
    const SharedPointer<uint32_t> counts = shared_memory<uint32_t>();
    for (int bucket = threadIdx.x; bucket < kBuckets; bucket += kThreads) counts[bucket] = 0;
    __syncthreads();
    bool stray = false, zero = false;
    const auto add = [&](uint32_t pattern) {
        zero |= pattern == 0;
        stray |= is_stray(pattern, a.bits);
        if (is_scattered(pattern, a.bits))
            atomic_add_shared(counts + (scrambled(pattern, a.bits) >> (a.bits - kBucketBits)), 1);
    };
    const int64_t runs = a.count / 4, stride = int64_t{gridDim.x} * kThreads;
    const int64_t thread = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    for (int64_t i = thread; i < runs; i += stride) {
        const auto run = Run<uint32_t, 4>::load(a.patterns + 4 * i);
#pragma unroll
        for (int n = 0; n < 4; ++n) add(run.values[n]);
    }
    if (4 * runs + thread < a.count) add(load_stream(a.patterns + 4 * runs + thread));
    __syncthreads();
    for (int bucket = threadIdx.x; bucket < kBuckets; bucket += kThreads)
        if (counts[bucket] != 0) atomic_add(a.scratch.histogram + bucket, counts[bucket]);
    if (zero && load_relaxed(a.scratch.zero_seen) == 0) atomic_or(a.scratch.zero_seen, 1);
    if (stray) store_relaxed(reinterpret_cast<uint64_t*>(a.counts + 1), uint64_t{kStrayBits});
}

// One block: where each bucket begins.
__global__ void __launch_bounds__(kThreads, 1) offsets_kernel(const Arguments a) {
    constexpr int kEach = kBuckets / kThreads;
    const int first = static_cast<int>(threadIdx.x) * kEach;
    uint32_t sum = 0;
    for (int i = 0; i < kEach; ++i) sum += load_stream(a.scratch.histogram + first + i);
    uint32_t begin = exclusive_sum(sum, shared_memory<uint32_t>());
    if (static_cast<int>(threadIdx.x) == kThreads - 1) store_stream(a.scratch.total, begin + sum);
    constexpr int kGroup = 1 << (kBucketBits - kGroupBits);
    for (int i = 0; i < kEach; ++i) {
        const int bucket = first + i;
        store_stream(a.scratch.cursors + bucket, begin);
        if (bucket % kGroup == 0) store_stream(a.scratch.group_cursors + bucket / kGroup, begin);
        begin += load_stream(a.scratch.histogram + bucket);
    }
}

// A block takes a tile of patterns, sorts it by the highest kBits bits in shared memory, and writes
// each bucket's part to where the bucket goes on.
//
// The tile lies behind the buckets' words. A bucket's word is in turn: its count, where it begins
// in the tile, and how far from there it goes in memory (modulo 2^32).
template <int kBits>
__global__ void __launch_bounds__(kThreads, 1) scatter_kernel(const Arguments a) {
    constexpr bool kFirst = kBits == kGroupBits;
    constexpr int kParts = 1 << kBits;
    constexpr int kEach = (kParts + kThreads - 1) / kThreads;
    const SharedPointer<uint32_t> parts = shared_memory<uint32_t>();
    const SharedPointer<uint32_t> tile = parts + kParts;
    const SharedPointer<uint32_t> sums = tile + kTile;
    const uint32_t* from = kFirst ? a.patterns : a.scratch.grouped;
    uint32_t* to = kFirst ? a.scratch.grouped : a.scratch.bucketed;
    uint32_t* cursors = kFirst ? a.scratch.group_cursors : a.scratch.cursors;
    const int64_t count = kFirst ? a.count : int64_t{load_stream(a.scratch.total)};
    const int shift = a.bits - kBits;

    for (int part = threadIdx.x; part < kParts; part += kThreads) parts[part] = 0;
    __syncthreads();
    uint32_t patterns[kPatternsPerThread];
    uint32_t rank[kPatternsPerThread];  // within its part of the tile
    uint32_t taken = 0;                 // a bit for each that is there
    const int64_t begin = int64_t{blockIdx.x} * kTile;
#pragma unroll
    for (int r = 0; r < kPatternsPerThread / 4; ++r) {
        const int64_t at = begin + 4 * (r * kThreads + static_cast<int64_t>(threadIdx.x));
        Run<uint32_t, 4> run{};
        if (at + 4 <= count) {
            run = Run<uint32_t, 4>::load(from + at);
        } else {
            for (int n = 0; n < 4; ++n)
                if (at + n < count) run.values[n] = load_stream(from + at + n);
        }
#pragma unroll
        for (int n = 0; n < 4; ++n) {
            const int i = 4 * r + n;
            patterns[i] = run.values[n];
            if (at + n >= count || (kFirst && !is_scattered(patterns[i], a.bits))) continue;
            if (kFirst) patterns[i] = scrambled(patterns[i], a.bits);
            rank[i] = atomic_add_shared(parts + (patterns[i] >> shift), 1);
            taken |= 1u << i;
        }
    }
    __syncthreads();

    const int first = static_cast<int>(threadIdx.x) * kEach;
    uint32_t counts[kEach];
    uint32_t sum = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
        counts[i] = first + i < kParts ? uint32_t{parts[first + i]} : 0;
        sum += counts[i];
    }
    const uint32_t before = exclusive_sum(sum, sums);
    uint32_t in_tile = before;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
        if (first + i < kParts) parts[first + i] = in_tile;
        in_tile += counts[i];
    }
    if (static_cast<int>(threadIdx.x) == kThreads - 1) sums[kThreads / 32] = in_tile;
    __syncthreads();
    const uint32_t in_all = sums[kThreads / 32];
#pragma unroll
    for (int i = 0; i < kPatternsPerThread; ++i)
        if (taken >> i & 1) tile[parts[patterns[i] >> shift] + rank[i]] = patterns[i];
    __syncthreads();

    in_tile = before;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
        if (counts[i] != 0) parts[first + i] = atomic_add(cursors + first + i, counts[i]) - in_tile;
        in_tile += counts[i];
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < in_all; i += kThreads) {
        const uint32_t pattern = tile[i];
        store_stream(to + (parts[pattern >> shift] + i), pattern);
    }
}

// Blocks take bucket after bucket.
__global__ void __launch_bounds__(kMaxCountThreads, 1) count_buckets_kernel(const Arguments a) {
    const SharedPointer<uint32_t> bits = shared_memory<uint32_t>();
    const int low_bits = a.bits - kBucketBits;  // those that a bucket's patterns don't share
    const uint32_t low_mask = (1u << low_bits) - 1;
    const int round_shift = low_bits - (31 - __clz(a.rounds));
    const int words = ((1 << round_shift) + 31) / 32;
    const bool first_thread = blockIdx.x == 0 && threadIdx.x == 0;
    uint64_t found = first_thread ? load_stream(a.scratch.zero_seen) : 0;
    for (int bucket = blockIdx.x; bucket < kBuckets; bucket += gridDim.x) {
        const uint32_t begin = bucket == 0 ? 0 : load_stream(a.scratch.cursors + bucket - 1);
        const uint32_t end = load_stream(a.scratch.cursors + bucket);
        if (begin == end) continue;
        for (int round = 0; round < a.rounds; ++round) {
            for (int word = threadIdx.x; word < words; word += blockDim.x) bits[word] = 0;
            __syncthreads();
            for (uint32_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
                const uint32_t low = load_stream(a.scratch.bucketed + i) & low_mask;
                if (static_cast<int>(low >> round_shift) != round) continue;
                const uint32_t place = low & ((1u << round_shift) - 1), bit = 1u << (place % 32);
                if ((load_relaxed_shared(bits + place / 32) & bit) == 0)
                    atomic_or_shared(bits + place / 32, bit);
            }
            __syncthreads();
            // Each thread counts the words that it clears for the next round.
            for (int word = threadIdx.x; word < words; word += blockDim.x)
                found += __popc(bits[word]);
        }
    }
    if (found > 0) atomic_add(reinterpret_cast<uint64_t*>(a.counts), found);
}

}  // namespace

bool distinct_pays(const PackedPatterns& patterns) {
    const bool aligned = reinterpret_cast<uintptr_t>(patterns.data) % 16 == 0;
    return set_kind(patterns.bits) == SetKind::Key32 && aligned &&
           patterns.count < int64_t{1} << 31 && 4 * slots_for(patterns.count) > l2_bytes();
}

int64_t distinct_scratch_words(const PackedPatterns& patterns) {
    return (Scratch::kHeadWords + 2 * ((patterns.count + 3) / 4 * 4)) / 2;
}

void count_distinct(const PackedPatterns& patterns, uint64_t* scratch, int64_t* counts,
                    Stream stream) {
    const int bits = static_cast<int>(patterns.bits);
    const int64_t bitmap = std::max<int64_t>((int64_t{1} << (bits - kBucketBits)) / 8, 4);
    const auto room = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(shared_limit())));
    const Arguments a{.scratch = Scratch(scratch, patterns.count),
                      .patterns = static_cast<const uint32_t*>(patterns.data),
                      .count = patterns.count,
                      .bits = bits,
                      .rounds = static_cast<int>(std::max<int64_t>(bitmap / room, 1)),
                      .counts = counts};
    clear(scratch, Scratch::kHeadWords * 4, stream);
    clear(counts, 2 * sizeof *counts, stream);
    const int64_t tiles = (patterns.count + kTile - 1) / kTile;
    const int64_t busy = multiprocessors();
    const auto shared_words = [](int64_t words) { return words * int64_t{4}; };
    launch("count_distinct (histogram)", histogram_kernel,
           {.blocks = std::min(tiles, busy * 8),
            .threads = kThreads,
            .shared_bytes = shared_words(kBuckets)},
           stream, a);
    launch("count_distinct (offsets)", offsets_kernel,
           {.blocks = 1, .threads = kThreads, .shared_bytes = shared_words(kThreads / 32)}, stream,
           a);
    launch("count_distinct (scatter into groups)", scatter_kernel<kGroupBits>,
           {.blocks = tiles,
            .threads = kThreads,
            .shared_bytes = shared_words((1 << kGroupBits) + kTile + kThreads / 32 + 1)},
           stream, a);
    launch("count_distinct (scatter into buckets)", scatter_kernel<kBucketBits>,
           {.blocks = tiles,
            .threads = kThreads,
            .shared_bytes = shared_words(kBuckets + kTile + kThreads / 32 + 1)},
           stream, a);
    const int64_t part = bitmap / a.rounds;
    launch("count_distinct (count buckets)", count_buckets_kernel,
           {.blocks = std::min<int64_t>(kBuckets, busy * (part > 48 * 1024 ? 1 : 4)),
            .threads = part > 8 * 1024 ? kMaxCountThreads : kThreads,
            .shared_bytes = part},
           stream, a);
}

}  // namespace swapnas::cuda
