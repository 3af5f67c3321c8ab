#include "cpu/pattern_set.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "cpu/pack.h"

namespace swapnas::cpu {
namespace {

constexpr int64_t kMinCapacity = 64;

// Slots that may be in use, in quarters: linear probing stays short up to here.
constexpr int64_t kMaxLoad = 3;

int64_t slot_bytes(int64_t bits) { return bits <= 32 ? 4 : (bits + 63) / 64 * 8; }

// Slots of a table of that size; -1 if none has it.
int64_t capacity_of(int64_t bits, int64_t words) {
    const int64_t bytes = 8 * (words - kHeaderWords);
    if (bytes <= 0 || bits < 1) return -1;
    if (set_kind(bits) == SetKind::Direct) {
        const int64_t possible = int64_t{1} << bits;
        return bytes == 8 * ((possible + 63) / 64) ? possible : -1;
    }
    const int64_t capacity = bytes / slot_bytes(bits);
    const bool fits = capacity * slot_bytes(bits) == bytes && capacity >= kMinCapacity &&
                      std::has_single_bit(static_cast<uint64_t>(capacity));
    return fits ? capacity : -1;
}

template <class Slots>
void merge_slots(const Table& into, const Table& from) {
    Slots slots(into);
    const auto* keys = from.payload<typename Slots::Element>();
    uint64_t added = 0;
    for (int64_t i = 0; i < from.capacity(); ++i) {
        const auto* key = keys + i * slots.words();
        if (!slots.is_zero(key)) added += insert_wrapping(slots, key);
    }
    into.header().occupied += added;
}

}  // namespace

int64_t table_words(int64_t bits, int64_t patterns) {
    if (set_kind(bits) == SetKind::Direct) return kHeaderWords + ((int64_t{1} << bits) + 63) / 64;
    if (patterns > (int64_t{1} << 58) / slot_bytes(bits))
        throw std::length_error("a set of " + std::to_string(patterns) + " patterns of " +
                                std::to_string(bits) + " bits can't be addressed");
    return kHeaderWords + slots_for(patterns) * slot_bytes(bits) / 8;
}

int64_t table_limit(int64_t bits, int64_t words) {
    const int64_t capacity = capacity_of(bits, words);
    return set_kind(bits) == SetKind::Direct ? capacity : capacity / 4 * kMaxLoad;
}

Table::Table(uint64_t* memory, int64_t words, int64_t bits)
    : memory_(memory), bits_(bits), capacity_(capacity_of(bits, words)) {
    if (capacity_ < 0)
        throw std::invalid_argument("a table of " + std::to_string(words) +
                                    " words does not fit patterns of " + std::to_string(bits) +
                                    " bits");
}

uint64_t count_flags(const Table& table) {
    return packer(active_isa()).count_bits(table.payload<uint64_t>(), table.flag_words());
}

int64_t slots_for(int64_t patterns) {
    return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(
        std::max<int64_t>((4 * patterns + kMaxLoad - 1) / kMaxLoad, kMinCapacity))));
}

void merge(const Table& into, const Table& from) {
    into.header().nan |= from.header().nan;
    into.header().zero_pattern |= from.header().zero_pattern;
    if (into.kind() == SetKind::Direct) {
        for (int64_t i = 0; i < from.flag_words(); ++i)
            into.payload<uint64_t>()[i] |= from.payload<uint64_t>()[i];
        into.header().occupied = count_flags(into);
        return;
    }
    with_slots(into.bits(), [&]<class Slots>(TypeTag<Slots>) { merge_slots<Slots>(into, from); });
}

}  // namespace swapnas::cpu
