// Inserts the keys of a source (key_source.h) into one table, on one thread or several.
#pragma once

#include <atomic>
#include <bit>
#include <memory>
#include <vector>

#include "cpu/key_source.h"
#include "cpu/pattern_set.h"
#include "cpu/share.h"
#include "cpu/workers.h"

namespace swapnas::cpu {

// Marks the keys of a share of the units in one map; returns true if a NaN was seen.
template <class Source>
bool mark_bits(const Source& source, const Share& share, uint64_t* bits) {
    return source.visit(share.first, share.last, [bits](const auto* keys, int64_t count) {
        for (int64_t i = 0; i < count; ++i) bits[keys[i] / 64] |= uint64_t{1} << (keys[i] % 64);
    });
}

// The same through a map of bytes, which are stored without being read: faster when there are
// many more keys than possible patterns.
template <class Source>
bool mark_bytes(const Source& source, const Share& share, uint64_t* bits, int64_t bit_words) {
    std::vector<uint64_t> bytes(8 * bit_words);
    auto* seen = reinterpret_cast<uint8_t*>(bytes.data());
    const bool nan = source.visit(share.first, share.last, [seen](const auto* keys, int64_t count) {
        for (int64_t i = 0; i < count; ++i) seen[keys[i]] = 1;
    });
    // The product moves the low bit of byte i to bit 56 + i.
    for (int64_t w = 0; w < 8 * bit_words; ++w)
        bits[w / 8] |= ((bytes[w] * 0x0102040810204080ull) >> 56) << (8 * (w % 8));
    return nan;
}

template <class Source>
void insert_direct(const Source& source, const Table& table, int tasks, const Workers& workers) {
    // One map per thread, merged at the end: a shared one would move its lines between cores.
    const int64_t words = table.flag_words();
    const bool many = source.keys() / tasks >= 8 * table.capacity();
    std::vector<uint64_t> maps((tasks - 1) * words);
    std::atomic<bool> nan{false};
    workers.run(tasks, [&](int task) {
        const Share share(0, source.units(), task, tasks);
        uint64_t* bits = task == 0 ? table.payload<uint64_t>() : maps.data() + (task - 1) * words;
        if (many ? mark_bytes(source, share, bits, words) : mark_bits(source, share, bits))
            nan = true;
    });
    for (int task = 1; task < tasks; ++task)
        for (int64_t w = 0; w < words; ++w)
            table.payload<uint64_t>()[w] |= maps[(task - 1) * words + w];
    table.header().occupied = count_flags(table);
    table.header().nan |= nan;
}

// The result of a thread; added to the header when all threads have ended.
struct Tally {
    uint64_t occupied = 0;
    bool zero_pattern = false;
    bool nan = false;

    Tally& operator+=(const Tally& other) {
        occupied += other.occupied;
        zero_pattern |= other.zero_pattern;
        nan |= other.nan;
        return *this;
    }
    void add_to(TableHeader& header) const {
        header.occupied += occupied;
        header.zero_pattern |= zero_pattern;
        header.nan |= nan;
    }
};

// Prefetch distance of a slot before its insert: enough to cover a miss beyond L2.
inline constexpr int64_t kPrefetchAhead = 24;

// Calls insert_one(slots, key) -> 0 or 1 for each key. `slots` is a copy that stays in registers.
template <class Slots, class InsertOne>
void insert_batch(Slots slots, const typename Slots::Element* keys, int64_t count, Tally& tally,
                  const InsertOne& insert_one) {
    const int64_t words = slots.words();
    uint64_t occupied = 0;
    bool zero_pattern = false;
    for (int64_t i = 0; i < std::min(kPrefetchAhead, count); ++i) slots.prefetch(keys + i * words);
    for (int64_t i = 0; i < count; ++i) {
        const auto* key = keys + i * words;
        if (i + kPrefetchAhead < count) slots.prefetch(key + kPrefetchAhead * words);
        zero_pattern |= slots.is_zero(key);
        occupied += insert_one(slots, key);
    }
    tally.occupied += occupied;
    tally.zero_pattern |= zero_pattern;
}

template <class Slots, class Source>
void insert_serial(const Source& source, const Table& table) {
    Slots slots(table);
    Tally tally;
    tally.nan = source.visit(0, source.units(), [&](const auto* keys, int64_t count) {
        insert_batch(slots, keys, count, tally,
                     [](Slots& own, const auto* key) { return insert_wrapping(own, key); });
    });
    tally.add_to(table.header());
}

// A growing array of keys. Aligned so that the buffers of two threads share no cache line.
template <class Element>
class alignas(64) KeyBuffer {
public:
    // Starts over in memory that the caller owns, and leaves it when the array outgrows it.
    void start_in(Element* memory, int64_t capacity) {
        data_ = end_ = memory;
        limit_ = memory + capacity;
    }
    void make_room(int64_t elements) {
        if (elements <= limit_ - end_) return;
        const int64_t used = size(), capacity = limit_ - data_;
        const int64_t wanted = std::max(used + elements, capacity + capacity / 2);
        auto larger = std::make_unique_for_overwrite<Element[]>(wanted);
        std::copy_n(data_, used, larger.get());
        grown_ = std::move(larger);
        start_in(grown_.get(), wanted);
        end_ += used;
    }
    // After make_room. A core writes to more buffers than it can foresee lines of, so the next line
    // is fetched while this one is filled.
    void push(const Element* key, int64_t words) {
        __builtin_prefetch(end_ + 64 / sizeof(Element), 1);
        for (int64_t w = 0; w < words; ++w) end_[w] = key[w];
        end_ += words;
    }
    const Element* data() const { return data_; }
    int64_t size() const { return end_ - data_; }
    void clear() { end_ = data_; }

private:
    Element* data_ = nullptr;
    Element* end_ = nullptr;
    Element* limit_ = nullptr;
    std::unique_ptr<Element[]> grown_;
};

// The keys of a source, divided into regions by the first bits of their hash. Each region's part of
// a set fits a core's own cache, and no two threads touch the same region: no atomics.
template <class Slots>
class KeysByRegion {
public:
    using Element = typename Slots::Element;

    KeysByRegion(int64_t regions, int64_t words, int tasks)
        : regions_(regions), words_(words), tasks_(tasks), buffers_(tasks * regions) {}

    // Divides the keys of the units [begin, end), replacing the previous ones; true if NaN.
    template <class Source>
    bool hand_out(const Source& source, int64_t begin, int64_t end, const Workers& workers) {
        // Slightly more than an even spread needs, so that growing is rare. The caller's thread
        // allocates one block for all, so that malloc can reuse it for the next call.
        const int64_t keys =
            std::min(ceil_div(end - begin, tasks_) * source.unit_keys(), source.keys());
        const int64_t even = keys / regions_;
        const int64_t room = (even * 9 / 8 + kBatch) * words_;
        memory_ = std::make_unique_for_overwrite<Element[]>(tasks_ * regions_ * room);
        std::atomic<bool> nan{false};
        workers.run(tasks_, [&](int task) {
            const Share share(begin, end, task, tasks_);
            KeyBuffer<Element>* buffers = buffers_.data() + task * regions_;
            for (int64_t region = 0; region < regions_; ++region)
                buffers[region].start_in(memory_.get() + (task * regions_ + region) * room, room);
            const int shift = 64 - log2(regions_);
            const bool seen =
                source.visit(share.first, share.last, [&](const Element* keys, int64_t count) {
                    for (int64_t region = 0; region < regions_; ++region)
                        buffers[region].make_room(count * words_);
                    for (int64_t i = 0; i < count; ++i) push(buffers, shift, keys, i);
                });
            if (seen) nan = true;
        });
        return nan;
    }

    // Calls use(task, region) for each region, each on one thread.
    template <class Use>
    void for_each_region(const Workers& workers, const Use& use) const {
        workers.run(tasks_, [&](int task) {
            const Share share(0, regions_, task, tasks_);
            for (int64_t region = share.first; region < share.last; ++region) use(task, region);
        });
    }

    int64_t count(int64_t region) const {
        int64_t total = 0;
        for (int task = 0; task < tasks_; ++task) total += buffer(task, region).size() / words_;
        return total;
    }

    template <class InsertOne>
    void insert(const Slots& slots, int64_t region, Tally& tally,
                const InsertOne& insert_one) const {
        for (int task = 0; task < tasks_; ++task) {
            const auto& keys = buffer(task, region);
            insert_batch(slots, keys.data(), keys.size() / words_, tally, insert_one);
        }
    }

private:
    void push(KeyBuffer<Element>* buffers, int shift, const Element* keys, int64_t i) const {
        const int64_t words = Slots::kWords > 0 ? Slots::kWords : words_;
        const Element* key = keys + i * words;
        buffers[Slots::hash(key, words) >> shift].push(key, words);
    }
    const KeyBuffer<Element>& buffer(int task, int64_t region) const {
        return buffers_[task * regions_ + region];
    }

    int64_t regions_;
    int64_t words_;
    int tasks_;
    std::unique_ptr<Element[]> memory_;
    std::vector<KeyBuffer<Element>> buffers_;
};

// The number of regions of a set of `slots`, of about `region_bytes` each; each gets enough keys to
// be worth the division.
template <class Slots, class Source>
int64_t regions_for(const Source& source, int64_t slots, int64_t region_bytes, int tasks) {
    constexpr int64_t kRegionKeys = 4096;
    constexpr int64_t kMaxRegions = 512;  // writing to more at once is slower
    const int64_t slot_bytes = source.key_words() * sizeof(typename Slots::Element);
    const int64_t wanted =
        std::min({slots * slot_bytes / region_bytes, source.keys() / kRegionKeys, kMaxRegions});
    const auto regions = std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(wanted, 1)));
    return std::max<int64_t>(regions, tasks > 1 ? std::bit_ceil(static_cast<uint64_t>(tasks)) : 1);
}

// A region of the table is a contiguous range of its slots. A probe that would leave its region
// waits until all regions are done.
template <class Slots, class Source>
void insert_by_region(const Source& source, const Table& table, int64_t regions, int tasks,
                      const Workers& workers) {
    using Element = typename Slots::Element;
    const int64_t words = source.key_words();
    KeysByRegion<Slots> handed(regions, words, tasks);
    std::vector<KeyBuffer<Element>> put_off(tasks);
    std::vector<Tally> tallies(tasks);

    constexpr int64_t kRoundBytes = int64_t{64} << 20;  // bounds the memory of `handed`
    const int64_t unit_bytes = source.unit_keys() * words * static_cast<int64_t>(sizeof(Element));
    const int64_t round = ceil_div(kRoundBytes, unit_bytes);
    for (int64_t begin = 0; begin < source.units(); begin += round) {
        const int64_t end = std::min(begin + round, source.units());
        tallies[0].nan |= handed.hand_out(source, begin, end, workers);
        handed.for_each_region(workers, [&](int task, int64_t region) {
            const int64_t end_slot = (region + 1) * (table.capacity() / regions);
            Tally tally;
            handed.insert(Slots(table), region, tally, [&](Slots& slots, const Element* key) {
                const int added = slots.insert(key, slots.home(key), end_slot);
                if (added >= 0) [[likely]]
                    return added;
                put_off[task].make_room(words);
                put_off[task].push(key, words);
                return 0;
            });
            tallies[task] += tally;
        });
        Slots slots(table);
        for (auto& late : put_off) {
            for (int64_t i = 0; i < late.size(); i += words)
                tallies[0].occupied += insert_wrapping(slots, late.data() + i);
            late.clear();
        }
    }
    for (const Tally& tally : tallies) tally.add_to(table.header());
}

template <class Slots, class Source>
void insert_keys(const Source& source, const Table& table, int tasks, const Workers& workers) {
    constexpr int64_t kRegionBytes = 128 * 1024;
    const int64_t regions = regions_for<Slots>(source, table.capacity(), kRegionBytes, tasks);
    if (regions == 1) insert_serial<Slots>(source, table);
    else insert_by_region<Slots>(source, table, regions, tasks, workers);
}

// Threads that pay off for a Direct set: each further one clears and merges its own map.
inline int direct_tasks(const Table& table, int64_t keys, int tasks) {
    constexpr int64_t kKeysPerMap = 8 * 1024;
    return static_cast<int>(
        std::clamp<int64_t>(keys / std::max(kKeysPerMap, table.flag_words()), 1, tasks));
}

// Inserts the keys of a source. with_source(TypeTag<Element>(), use) makes a source of keys of this
// type, and calls use(source).
template <class WithSource>
void insert_source(const Table& table, int tasks, const Workers& workers,
                   const WithSource& with_source) {
    const auto direct = [&](const auto& source) {
        const int64_t keys = source.keys();
        insert_direct(source, table, direct_tasks(table, keys, tasks), workers);
    };
    if (table.bits() <= 16) with_source(TypeTag<uint16_t>(), direct);
    else if (table.kind() == SetKind::Direct) with_source(TypeTag<uint32_t>(), direct);
    else
        with_slots(table.bits(), [&]<class Slots>(TypeTag<Slots>) {
            with_source(TypeTag<typename Slots::Element>(), [&](const auto& source) {
                insert_keys<Slots>(source, table, tasks, workers);
            });
        });
}

// Calls insert_group(group, tasks) for each group: many groups on a thread each, few on all
// threads.
template <class InsertGroup>
void insert_groups(const GroupTables& tables, int64_t activations_per_group, const Workers& workers,
                   const InsertGroup& insert_group) {
    if (tables.groups > 1 && tables.groups >= workers.count()) {
        const int tasks =
            tasks_for(tables.groups * activations_per_group, kActivationsPerTask, workers);
        workers.run(tasks, [&](int task) {
            const Share share(0, tables.groups, task, tasks);
            for (int64_t group = share.first; group < share.last; ++group) insert_group(group, 1);
        });
        return;
    }
    const int tasks = tasks_for(activations_per_group, kActivationsPerTask, workers);
    for (int64_t group = 0; group < tables.groups; ++group) insert_group(group, tasks);
}

// The slots of a set that is only counted. With two thirds of them free at the end, nearly every
// key finds its place at its home, so that a core foresees its probe. A mistaken branch costs more
// than the insert.
inline int64_t sparse_slots(int64_t keys) {
    return static_cast<int64_t>(
        std::bit_ceil(static_cast<uint64_t>(std::max(3 * keys, int64_t{2}))));
}

// Counts without a set that outlives the call: each region's set is made, counted and cleared in
// the cache of one core.
template <class Slots, class Source>
Tally count_keys(const Source& source, int tasks, const Workers& workers) {
    using Element = typename Slots::Element;
    const int64_t words = source.key_words();
    constexpr int64_t kRegionBytes = 256 * 1024;
    const int64_t regions =
        regions_for<Slots>(source, sparse_slots(source.keys()), kRegionBytes, tasks);
    std::vector<Tally> tallies(tasks);
    const auto wrapping = [](Slots& slots, const Element* key) {
        return insert_wrapping(slots, key);
    };
    if (regions == 1) {
        const int64_t capacity = sparse_slots(source.keys());
        std::vector<Element> memory(capacity * words);
        const Slots slots(memory.data(), capacity, words, 0);
        tallies[0].nan = source.visit(0, source.units(), [&](const Element* batch, int64_t count) {
            insert_batch(slots, batch, count, tallies[0], wrapping);
        });
        return tallies[0];
    }
    KeysByRegion<Slots> handed(regions, words, tasks);
    tallies[0].nan = handed.hand_out(source, 0, source.units(), workers);
    std::vector<std::vector<Element>> memory(tasks);
    handed.for_each_region(workers, [&](int task, int64_t region) {
        const int64_t capacity = sparse_slots(handed.count(region));
        memory[task].assign(capacity * words, 0);
        Tally tally;
        handed.insert(Slots(memory[task].data(), capacity, words, log2(regions)), region, tally,
                      wrapping);
        tallies[task] += tally;
    });
    Tally total;
    for (const Tally& tally : tallies) total += tally;
    return total;
}

}  // namespace swapnas::cpu
