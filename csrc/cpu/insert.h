// Inserting the keys of a source (key_source.h) into one table, on one thread or several.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "cpu/key_source.h"
#include "cpu/pattern_set.h"
#include "cpu/workers.h"

namespace swapnas::cpu {

// The part of the units that falls to one of `tasks`.
struct Share {
    int64_t first, last;
    Share(int64_t begin, int64_t end, int task, int tasks)
        : first(begin + (end - begin) * task / tasks),
          last(begin + (end - begin) * (task + 1) / tasks) {}
};

template <class Source>
void insert_direct(const Source& source, const Table& table, int tasks, const Workers& workers) {
    const auto mark = [&source](int64_t first, int64_t last, uint8_t* seen) {
        return source.visit(first, last, [seen](const auto* keys, int64_t count) {
            for (int64_t i = 0; i < count; ++i) seen[keys[i]] = 1;
        });
    };
    if (tasks == 1) {
        table.header().nan |= mark(0, source.units(), table.payload<uint8_t>());
        return;
    }
    // A map for each thread, merged at the end: sharing one would pass its lines from core to core.
    const int64_t words = ceil_div(table.capacity(), 8);
    std::vector<uint64_t> maps((tasks - 1) * words);
    std::atomic<bool> nan{false};
    workers.run(tasks, [&](int task) {
        const Share share(0, source.units(), task, tasks);
        uint64_t* map = task == 0 ? table.payload<uint64_t>() : maps.data() + (task - 1) * words;
        if (mark(share.first, share.last, reinterpret_cast<uint8_t*>(map))) nan = true;
    });
    for (int task = 1; task < tasks; ++task)
        for (int64_t w = 0; w < words; ++w)
            table.payload<uint64_t>()[w] |= maps[(task - 1) * words + w];
    table.header().nan |= nan;
}

// What a thread found; added to the header when all have ended.
struct Tally {
    uint64_t occupied = 0;
    bool zero_pattern = false;
    bool nan = false;

    void add_to(TableHeader& header) const {
        header.occupied += occupied;
        header.zero_pattern |= zero_pattern;
        header.nan |= nan;
    }
};

// How far ahead of its insert a slot is fetched: enough to cover a miss beyond L2.
inline constexpr int64_t kPrefetchAhead = 24;

// Calls insert_one(key) -> 0 or 1 for each key.
template <class Slots, class InsertOne>
void insert_batch(const Slots& slots, const typename Slots::Element* keys, int64_t count,
                  Tally& tally, const InsertOne& insert_one) {
    const int64_t words = slots.words();
    for (int64_t i = 0; i < std::min(kPrefetchAhead, count); ++i) slots.prefetch(keys + i * words);
    for (int64_t i = 0; i < count; ++i) {
        const auto* key = keys + i * words;
        if (i + kPrefetchAhead < count) slots.prefetch(key + kPrefetchAhead * words);
        tally.zero_pattern |= slots.is_zero(key);
        tally.occupied += insert_one(key);
    }
}

template <class Slots, class Source>
void insert_serial(const Source& source, const Table& table) {
    Slots slots(table);
    Tally tally;
    tally.nan = source.visit(0, source.units(), [&](const auto* keys, int64_t count) {
        insert_batch(slots, keys, count, tally,
                     [&](const auto* key) { return insert_wrapping(slots, key); });
    });
    tally.add_to(table.header());
}

// A growing array of keys whose new part is not zeroed first. Aligned so that the buffers of two
// threads share no cache line.
template <class Element>
class alignas(64) KeyBuffer {
public:
    void make_room(int64_t elements) {
        const int64_t wanted = size_ + elements;
        if (wanted <= capacity_) return;
        capacity_ = std::max(wanted, capacity_ + capacity_ / 2);
        auto larger = std::make_unique_for_overwrite<Element[]>(capacity_);
        std::copy_n(data_.get(), size_, larger.get());
        data_ = std::move(larger);
    }
    void push(const Element* key, int64_t words) {  // after make_room
        for (int64_t w = 0; w < words; ++w) data_[size_ + w] = key[w];
        size_ += words;
    }
    const Element* data() const { return data_.get(); }
    int64_t size() const { return size_; }
    void clear() { size_ = 0; }

private:
    std::unique_ptr<Element[]> data_;
    int64_t size_ = 0;
    int64_t capacity_ = 0;
};

// Several threads, no atomics: each owns a contiguous share of the slots. First each thread hands
// the keys of its units to their owners, then each owner inserts what it was handed. A probe that
// would leave its owner's share is put off until the owners are done.
template <class Slots, class Source>
void insert_partitioned(const Source& source, const Table& table, int tasks,
                        const Workers& workers) {
    using Element = typename Slots::Element;
    const int64_t words = source.key_words();
    const Slots slots(table);
    const int capacity_log2 = std::countr_zero(static_cast<uint64_t>(table.capacity()));
    const auto owner_of = [&](const Element* key) {
        return static_cast<int>((slots.home(key) * tasks) >> capacity_log2);
    };
    std::vector<KeyBuffer<Element>> handed(tasks * tasks);  // from each task to each owner
    std::vector<KeyBuffer<Element>> put_off(tasks);
    std::vector<Tally> tallies(tasks);

    // In rounds, so that the handed keys stay in the cache, and their memory small.
    constexpr int64_t kRoundBytesPerTask = int64_t{1} << 19;
    const int64_t unit_bytes = source.unit_keys() * words * static_cast<int64_t>(sizeof(Element));
    const int64_t round = tasks * std::max<int64_t>(kRoundBytesPerTask / unit_bytes, 1);
    for (int64_t begin = 0; begin < source.units(); begin += round) {
        const int64_t end = std::min(begin + round, source.units());
        workers.run(tasks, [&](int task) {
            const std::span buffers(handed.data() + task * tasks, tasks);
            for (auto& buffer : buffers) buffer.clear();
            const Share share(begin, end, task, tasks);
            const bool nan = source.visit(share.first, share.last, [&](const Element* keys, int64_t count) {
                for (auto& buffer : buffers) buffer.make_room(count * words);
                for (int64_t i = 0; i < count; ++i)
                    buffers[owner_of(keys + i * words)].push(keys + i * words, words);
            });
            tallies[task].nan |= nan;
        });
        workers.run(tasks, [&](int owner) {
            Slots own(table);
            const int64_t last_slot = ceil_div((owner + 1) * table.capacity(), tasks);
            Tally tally;
            for (int from = 0; from < tasks; ++from) {
                const auto& keys = handed[from * tasks + owner];
                insert_batch(own, keys.data(), keys.size() / words, tally, [&](const Element* key) {
                    const int added = own.insert(key, own.home(key), last_slot);
                    if (added >= 0) [[likely]] return added;
                    put_off[owner].make_room(words);
                    put_off[owner].push(key, words);
                    return 0;
                });
            }
            tallies[owner].occupied += tally.occupied;
            tallies[owner].zero_pattern |= tally.zero_pattern;
        });
        Slots all(table);
        for (auto& late : put_off) {
            for (int64_t i = 0; i < late.size(); i += words)
                tallies[0].occupied += insert_wrapping(all, late.data() + i);
            late.clear();
        }
    }
    for (const Tally& tally : tallies) tally.add_to(table.header());
}

template <class Slots, class Source>
void insert_keys(const Source& source, const Table& table, int tasks, const Workers& workers) {
    if (tasks == 1) insert_serial<Slots>(source, table);
    else insert_partitioned<Slots>(source, table, tasks, workers);
}

}  // namespace swapnas::cpu
