// Exact sets of patterns in the memory of a table.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "pattern.h"
#include "pattern_table.h"

namespace swapnas::cpu {

inline constexpr int64_t kMaxLoad = 3;

constexpr SlotShape slot_shape(int64_t bits) {
    return {bits <= 32 ? 4 : (bits + 63) / 64 * 8, kMaxLoad};
}
inline int64_t slots_for(int64_t patterns) { return swapnas::slots_for(patterns, kMaxLoad); }

// The functions of pattern_table.h for the slots of the CPU.
inline int64_t table_words(int64_t bits, int64_t patterns) {
    return swapnas::table_words(bits, slot_shape(bits), patterns);
}
inline int64_t table_limit(int64_t bits, int64_t words) {
    return swapnas::table_limit(bits, slot_shape(bits), words);
}

class Table {
public:
    // Throws std::invalid_argument unless `words` is a valid table size for such patterns.
    Table(uint64_t* memory, int64_t words, int64_t bits);

    SetKind kind() const { return set_kind(bits_); }
    int64_t bits() const { return bits_; }
    int64_t key_words() const { return (bits_ + 63) / 64; }
    int64_t capacity() const { return capacity_; }  // slots, or possible patterns if Direct
    int64_t flag_words() const { return (capacity_ + 63) / 64; }  // of a Direct table
    TableHeader& header() const { return *reinterpret_cast<TableHeader*>(memory_); }
    template <class T>
    T* payload() const {
        return reinterpret_cast<T*>(memory_ + kHeaderWords);
    }

    int64_t count() const {
        return static_cast<int64_t>(header().occupied + header().zero_pattern);
    }

private:
    uint64_t* memory_;
    int64_t bits_;
    int64_t capacity_;
};

inline int log2(int64_t power_of_two) {
    return std::countr_zero(static_cast<uint64_t>(power_of_two));
}

// Keys of one word. A key is passed as a pointer to its words, here and in WideSlots.
template <class Word>
class KeySlots {
public:
    using Element = Word;
    static constexpr int64_t kWords = 1;

    explicit KeySlots(const Table& table)
        : KeySlots(table.payload<Word>(), table.capacity(), 1, 0) {}

    // `capacity` zeroed slots; homes ignore the first `skipped` bits of the hash.
    KeySlots(Word* slots, int64_t capacity, int64_t /*words*/, int skipped)
        : slots_(slots), capacity_(capacity), skipped_(skipped), shift_(64 - log2(capacity)) {}

    static constexpr int64_t words() { return 1; }
    int64_t capacity() const { return capacity_; }
    static bool is_zero(const Word* key) { return *key == 0; }
    static uint64_t hash(const Word* key, int64_t /*words*/) { return mix(*key); }
    int64_t home(const Word* key) const {
        return static_cast<int64_t>(mix(*key) << skipped_ >> shift_);
    }
    void prefetch(const Word* key) const { __builtin_prefetch(slots_ + home(key), 1); }

    // Takes the first slot from `begin` that is free or holds the key.
    // Returns 1 if the key is new, 0 if it is known or zero, -1 if there is no such slot before
    // `end`.
    int insert(const Word* key, int64_t begin, int64_t end) {
        for (int64_t slot = begin; slot < end; ++slot) {
            const Word found = slots_[slot];
            // Free or known is unpredictable, so both take one branch: either operand is zero.
            if (std::min<Word>(found, found ^ *key) == 0) [[likely]] {
                slots_[slot] = *key;
                return (found == 0) & (*key != 0);
            }
        }
        return -1;
    }

private:
    Word* slots_;
    int64_t capacity_;
    int skipped_;
    int shift_;
};

// Keys of several 64-bit words: `Words` of them, or, if that is 0, the number in the table.
template <int Words>
class WideSlots {
public:
    using Element = uint64_t;
    static constexpr int64_t kWords = Words;

    explicit WideSlots(const Table& table)
        : WideSlots(table.payload<uint64_t>(), table.capacity(), table.key_words(), 0) {}

    WideSlots(uint64_t* slots, int64_t capacity, int64_t words, int skipped)
        : slots_(slots),
          words_(words),
          capacity_(capacity),
          skipped_(skipped),
          shift_(64 - log2(capacity)) {}

    int64_t words() const { return Words > 0 ? Words : words_; }
    int64_t capacity() const { return capacity_; }
    bool is_zero(const uint64_t* key) const {
        uint64_t any = 0;
        for (int64_t w = 0; w < words(); ++w) any |= key[w];
        return any == 0;
    }
    static uint64_t hash(const uint64_t* key, int64_t words) {
        return mix(key, Words > 0 ? Words : words);
    }
    int64_t home(const uint64_t* key) const {
        return static_cast<int64_t>(mix(key, words()) << skipped_ >> shift_);
    }
    void prefetch(const uint64_t* key) const {
        __builtin_prefetch(slots_ + home(key) * words(), 1);
    }

    int insert(const uint64_t* key, int64_t begin, int64_t end) {
        for (int64_t slot = begin; slot < end; ++slot) {
            uint64_t* found = slots_ + slot * words();
            uint64_t difference = 0, occupied = 0;
            for (int64_t w = 0; w < words(); ++w) {
                difference |= found[w] ^ key[w];
                occupied |= found[w];
            }
            if (std::min(difference, occupied) == 0) [[likely]] {
                for (int64_t w = 0; w < words(); ++w) found[w] = key[w];
                return (occupied == 0) & (difference != 0);
            }
        }
        return -1;
    }

private:
    uint64_t* slots_;
    int64_t words_;
    int64_t capacity_;
    int skipped_;
    int shift_;
};

template <class T>
struct TypeTag {
    using Type = T;
};

// Calls use(TypeTag<Slots>) with the slots for patterns of `bits` bits, which are not Direct.
template <class Use>
auto with_slots(int64_t bits, const Use& use) {
    switch (set_kind(bits)) {
        case SetKind::Key32: return use(TypeTag<KeySlots<uint32_t>>{});
        case SetKind::Key64: return use(TypeTag<KeySlots<uint64_t>>{});
        default: break;
    }
    return bits <= 128 ? use(TypeTag<WideSlots<2>>{}) : use(TypeTag<WideSlots<0>>{});
}

// Inserts into the whole table: probing wraps at its end.
template <class Slots>
int insert_wrapping(Slots& slots, const typename Slots::Element* key) {
    const int added = slots.insert(key, slots.home(key), slots.capacity());
    return added >= 0 ? added : slots.insert(key, 0, slots.capacity());
}

// Counts the flags that are set in a Direct table.
uint64_t count_flags(const Table& table);

// Adds the patterns of `from` to `into` (same width; the capacities may differ). `into` must have
// room for all of them. To grow a table, merge it into a larger one.
void merge(const Table& into, const Table& from);

}  // namespace swapnas::cpu
