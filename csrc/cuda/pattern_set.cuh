// Sets of patterns that many threads insert into at once, in the memory of a table
// (pattern_table.h). All are lock-free: a thread never waits for another.
//
// Each kind of set has its own insert, which a thread calls with its patterns, and its own merge,
// which all threads of a grid call, each for some slots of another table.
//
// Most inserted patterns are already in the set, so each insert begins with a plain load, and only
// a pattern that it does not find costs an atomic operation.
#pragma once

#include <cstdint>

#include "cuda/pack.cuh"
#include "cuda/simt.cuh"
#include "pattern_table.h"

namespace swapnas::cuda {

// The table of one group, as a kernel sees it.
struct Table {
    uint64_t* memory;
    int64_t capacity;  // slots, or possible patterns if Direct
    int shift;         // 64 - log2(capacity): a slot's home is the high bits of its hash

    template <class T>
    __device__ T* payload() const {
        return reinterpret_cast<T*>(memory + kHeaderWords);
    }
    __device__ uint64_t* header(uint64_t TableHeader::* field) const {
        return &(reinterpret_cast<TableHeader*>(memory)->*field);
    }

    // Patterns of a table of slots; each was counted when it took its slot.
    __device__ uint64_t count_slots() const {
        return load_relaxed(header(&TableHeader::occupied)) +
               load_relaxed(header(&TableHeader::zero_pattern));
    }
    // kSawNan + kOverflowed + kStrayBits.
    __device__ int64_t flags() const {
        return (load_relaxed(header(&TableHeader::nan)) ? kSawNan : 0) |
               (load_relaxed(header(&TableHeader::overflow)) ? kOverflowed : 0) |
               (load_relaxed(header(&TableHeader::stray_bits)) ? kStrayBits : 0);
    }
};

// The tables of all groups, as the host passes them to a kernel.
struct SetArguments {
    uint64_t* memory;
    int64_t words_per_group;
    int64_t capacity;
    int shift;

    __device__ Table table(int64_t group) const {
        return {memory + group * words_per_group, capacity, shift};
    }
};

// The result of a thread, added to the header when it is done.
struct Tally {
    uint32_t added = 0;
    bool zero_pattern = false;
    bool nan = false;
    bool overflow = false;
    bool stray_bits = false;

    // Takes over the header of another table, except its slots, which are merged one by one.
    __device__ void add_header(const Table& from) {
        zero_pattern = load_relaxed(from.header(&TableHeader::zero_pattern)) != 0;
        nan = load_relaxed(from.header(&TableHeader::nan)) != 0;
        overflow |= load_relaxed(from.header(&TableHeader::overflow)) != 0;
        stray_bits = load_relaxed(from.header(&TableHeader::stray_bits)) != 0;
    }

    // All threads of a warp call this together.
    __device__ void add_to(const Table& table) const {
        constexpr unsigned kAllLanes = 0xFFFFFFFF;
        const bool first_lane = threadIdx.x % 32 == 0;
        uint32_t sum = added;
        for (int offset = 16; offset > 0; offset /= 2)
            sum += __shfl_down_sync(kAllLanes, sum, offset);
        if (first_lane && sum > 0) atomic_add(table.header(&TableHeader::occupied), sum);

        const auto raise = [&](bool flag, uint64_t TableHeader::* field) {
            if (__any_sync(kAllLanes, flag) && first_lane && load_relaxed(table.header(field)) == 0)
                store_relaxed(table.header(field), 1);
        };
        raise(zero_pattern, &TableHeader::zero_pattern);
        raise(nan, &TableHeader::nan);
        raise(overflow, &TableHeader::overflow);
        raise(stray_bits, &TableHeader::stray_bits);
    }
};

// A bit for each possible pattern, in the L2 cache.
class DirectInL2 {
public:
    using Word = uint32_t;
    static constexpr const char* kName = "direct, L2";
    static constexpr bool kWide = false;

    __device__ explicit DirectInL2(const Table& table) : bits_(table.payload<uint32_t>()) {}
    __device__ void begin() {}
    __device__ void end() {}

    template <int N>
    __device__ void insert(const uint32_t (&patterns)[N], Tally&) {
        uint32_t found[N];
#pragma unroll
        for (int n = 0; n < N; ++n) found[n] = load_relaxed(bits_ + patterns[n] / 32);
#pragma unroll
        for (int n = 0; n < N; ++n) {
            const uint32_t bit = 1u << (patterns[n] % 32);
            if ((found[n] & bit) == 0) atomic_or(bits_ + patterns[n] / 32, bit);
        }
    }

    // Each word belongs to one thread.
    static __device__ void merge(const Table& into, const Table& from, int /*chunks*/, Tally&) {
        const int64_t words = (from.capacity + 63) / 64;
        const int64_t stride = int64_t{gridDim.x} * blockDim.x;
        for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < words; i += stride) {
            uint64_t* word = into.payload<uint64_t>() + i;
            store_stream(word, load_stream(word) | load_stream(from.payload<uint64_t>() + i));
        }
    }

    // A thread's share of the patterns in the table of one block. Setting a bit does not reveal
    // whether it was set before, so bits are counted only here.
    static __device__ uint64_t count_share(const Table& table) {
        const int64_t words = (table.capacity + 63) / 64;
        uint64_t sum = 0;
        for (int64_t i = threadIdx.x; i < words; i += blockDim.x)
            sum += __popcll(load_stream(table.payload<uint64_t>() + i));
        return sum;
    }

private:
    uint32_t* bits_;
};

// A bit for each possible pattern in each block's shared memory, merged at the end: for enough
// neurons that clearing and merging costs little in comparison.
class DirectInShared {
public:
    using Word = uint32_t;
    static constexpr const char* kName = "direct, shared";
    static constexpr bool kWide = false;

    __device__ explicit DirectInShared(const Table& table)
        : bits_(shared_memory<uint32_t>()),
          merged_(table.payload<uint32_t>()),
          words_(static_cast<int>((table.capacity + 31) / 32)) {}

    __device__ void begin() {
        for (int word = threadIdx.x; word < words_; word += blockDim.x) bits_[word] = 0;
        __syncthreads();
    }

    // Each thread merges the words that it clears in begin(), so they need no barrier in between.
    __device__ void end() {
        __syncthreads();
        for (int word = threadIdx.x; word < words_; word += blockDim.x) {
            const uint32_t bits = bits_[word];
            if (bits != 0 && (bits & ~load_relaxed(merged_ + word)) != 0)
                atomic_or(merged_ + word, bits);
        }
    }

    template <int N>
    __device__ void insert(const uint32_t (&patterns)[N], Tally&) {
#pragma unroll
        for (int n = 0; n < N; ++n) {
            const uint32_t bit = 1u << (patterns[n] % 32);
            if ((load_relaxed_shared(bits_ + patterns[n] / 32) & bit) == 0)
                atomic_or_shared(bits_ + patterns[n] / 32, bit);
        }
    }

private:
    SharedPointer<uint32_t> bits_;
    uint32_t* merged_;
    int words_;
};

// The host makes tables large enough. If one still fills up (a replayed graph inserts without the
// host's knowledge), probing ends, and counting reports the overflow.
class Probe {
public:
    // `places` is the number of places to probe.
    __device__ Probe(const Table& table, int64_t places) : table_(table), places_(places) {}

    // Whether to probe one more place.
    __device__ bool next() {
        constexpr int kMostProbes = 1 << 16;  // far beyond any run of slots in use at half load
        constexpr int kProbesBetweenLooks = 256;
        ++probes_;
        if (probes_ % kProbesBetweenLooks == 0 &&
            load_relaxed(table_.header(&TableHeader::overflow)) != 0)
            return false;
        return probes_ < places_ && probes_ < kMostProbes;
    }

private:
    const Table& table_;
    int64_t places_;
    int probes_ = 0;
};

// Open addressing, linear probing, patterns of one word. The zero pattern is a flag.
//
// Two loads fetch the sector of 32 bytes around the home, as cheaply as one slot. A warp waits for
// its slowest lane, so the longest of 32 probes matters. Looks after the first that a warp waits
// for, one after another, for the four patterns of a run of float32 that are all in the set | all
// new (benchmarks/probe_lengths.py, a simulation):
//
//   at most 3/4 of the slots in use, one slot a look     58 | 156
//   at most 3/4, four slots a look                       14 | 39
//   at most 1/2, one slot a look                         20 | 43
//   at most 1/2, two slots a look                         9 | 21
//   at most 1/2, four slots a look                        4 | 10    <- 64-bit slots
//   at most 1/2, eight slots a look                       1 | 5     <- 32-bit slots
template <class Key>
class KeySlots {
    static constexpr int kGroup = 32 / sizeof(Key);  // slots
    struct Group {
        Key slots[kGroup];
        __device__ void load(const Key* address) {
            constexpr int kHalf = kGroup / 2;
            Key halves[2][kHalf];
            load_relaxed_run(address, halves[0]);
            load_relaxed_run(address + kHalf, halves[1]);
#pragma unroll
            for (int i = 0; i < kGroup; ++i) slots[i] = halves[i / kHalf][i % kHalf];
        }
        __device__ bool has(Key pattern) const {
            bool found = false;
#pragma unroll
            for (int i = 0; i < kGroup; ++i) found |= slots[i] == pattern;
            return found;
        }
    };

public:
    using Word = Key;
    static constexpr const char* kName = sizeof(Key) == 4 ? "keys of 32 bits" : "keys of 64 bits";
    static constexpr bool kWide = false;

    __device__ explicit KeySlots(const Table& table)
        : table_(table), slots_(table.payload<Word>()) {}
    __device__ void begin() {}
    __device__ void end() {}

    template <int N>
    __device__ void insert(const Word (&patterns)[N], Tally& tally) {
        int64_t first[N];  // slot of the group
        Group found[N];
#pragma unroll
        for (int n = 0; n < N; ++n) {
            first[n] = static_cast<int64_t>(mix(patterns[n]) >> table_.shift) & ~(kGroup - 1);
            found[n].load(slots_ + first[n]);
        }
#pragma unroll
        for (int n = 0; n < N; ++n) {
            if (patterns[n] == 0) tally.zero_pattern = true;
            else if (!found[n].has(patterns[n])) probe(patterns[n], first[n], found[n], tally);
        }
    }

    static __device__ void merge(const Table& into, const Table& from, int /*chunks*/,
                                 Tally& tally) {
        KeySlots slots(into);
        const int64_t stride = int64_t{gridDim.x} * blockDim.x;
        for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < from.capacity;
             i += stride) {
            const Word pattern[1] = {load_stream(from.payload<Word>() + i)};
            if (pattern[0] != 0) slots.insert(pattern, tally);
        }
    }

private:
    // Every thread with the same pattern probes the slots in the same order, and a taken slot
    // stays taken. A slot that looked free may have been taken since; the compare-and-swap
    // detects this.
    __device__ void probe(Word pattern, int64_t first, Group group, Tally& tally) {
        Probe probing(table_, table_.capacity / kGroup);
        while (true) {
#pragma unroll
            for (int i = 0; i < kGroup; ++i) {
                Word found = group.slots[i];
                if (found == 0) {
                    found = atomic_cas(slots_ + first + i, Word{0}, pattern);
                    if (found == 0) {
                        ++tally.added;
                        return;
                    }
                }
                if (found == pattern) return;
            }
            if (!probing.next()) break;
            first = (first + kGroup) & (table_.capacity - 1);
            group.load(slots_ + first);
        }
        tally.overflow = true;
    }

    const Table& table_;
    Word* slots_;
};

// Open addressing for patterns of several chunks (pack.cuh), compared whole.
//
// A slot is filled chunk by chunk, each by a compare-and-swap from zero, and a chunk that is set
// never changes. So a thread that meets a chunk other than its own knows for good that the slot is
// not for its pattern. A thread that loses the race for a chunk to a different pattern moves on;
// the winner, whose pattern agrees with all earlier chunks, completes the slot. Every thread with
// the same pattern probes the slots in the same order, so no pattern is stored twice.
class WideSlots {
public:
    using Word = uint64_t;  // a chunk
    static constexpr const char* kName = "wide";
    static constexpr bool kWide = true;

    __device__ WideSlots(const Table& table, int chunks)
        : table_(table), slots_(table.payload<uint64_t>()), chunks_(chunks) {}

    __device__ void begin() {}
    __device__ void end() {}

    // Fold this over the chunks from 0 on.
    static __device__ uint64_t hash(uint64_t before, uint64_t chunk) {
        const uint64_t mixed = mix(before ^ chunk);
        return mixed ^ mixed >> 29;
    }

    // `pattern(c)` is chunk c.
    template <class Pattern>
    __device__ void insert(const Pattern& pattern, uint64_t hash, Tally& tally) {
        const uint64_t own = pattern(0);
        const int64_t last = table_.capacity - 1;
        Probe probing(table_, table_.capacity);
        int64_t slot = static_cast<int64_t>(mix(hash) >> table_.shift);
        while (true) {
            // The first chunks of two slots in flight: neighbours are mostly in one run of 64
            // bytes.
            const uint64_t head = load_relaxed(slots_ + slot * chunks_);
            const uint64_t following = load_relaxed(slots_ + ((slot + 1) & last) * chunks_);
            const bool here = head == 0 || head == own;
            const bool next = following == 0 || following == own;
            if (!here) {
                if (!probing.next()) break;
                slot = (slot + 1) & last;
            }
            if ((here || next) && take(slot, here ? head : following, pattern, tally)) return;
            if (!probing.next()) break;
            slot = (slot + 1) & last;
        }
        tally.overflow = true;
    }

    static __device__ void merge(const Table& into, const Table& from, int chunks, Tally& tally) {
        WideSlots slots(into, chunks);
        const int64_t stride = int64_t{gridDim.x} * blockDim.x;
        for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < from.capacity;
             i += stride) {
            const uint64_t* words = from.payload<uint64_t>() + i * chunks;
            if (load_stream(words) == 0) continue;
            const auto pattern = [&](int c) { return load_stream(words + c); };
            uint64_t hash_of_all = 0;
            for (int c = 0; c < chunks; ++c) hash_of_all = hash(hash_of_all, pattern(c));
            slots.insert(pattern, hash_of_all, tally);
        }
    }

private:
    // Whether the slot holds the pattern now. `head` is its first chunk as last seen: the pattern's
    // own, or zero.
    template <class Pattern>
    __device__ bool take(int64_t slot, uint64_t head, const Pattern& pattern, Tally& tally) {
        uint64_t* chunks = slots_ + slot * chunks_;
        if (head == 0) {
            const uint64_t own = pattern(0);
            head = atomic_cas(chunks, uint64_t{0}, own);
            if (head != 0 && head != own) return false;
        }
        // In a slot just claimed the others are most likely zero too.
        const bool claimed = head == 0;
        bool last_is_new = claimed;
        for (int first = 1; first < chunks_; first += kAtOnce) {
            uint64_t found[kAtOnce] = {};
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i)
                if (!claimed && first + i < chunks_) found[i] = load_relaxed(chunks + first + i);
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                if (first + i >= chunks_) break;
                const uint64_t own = pattern(first + i);
                if (found[i] == 0) found[i] = atomic_cas(chunks + first + i, uint64_t{0}, own);
                if (found[i] != 0 && found[i] != own) return false;
                last_is_new = found[i] == 0;
            }
        }
        tally.added += last_is_new;
        return true;
    }

    static constexpr int kAtOnce = 2;  // chunks that a thread reads before it compares one

    const Table& table_;
    uint64_t* slots_;
    int chunks_;
};

}  // namespace swapnas::cuda
