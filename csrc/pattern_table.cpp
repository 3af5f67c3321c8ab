#include "pattern_table.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

namespace swapnas {
namespace {

constexpr int64_t kMinCapacity = 64;

}  // namespace

int64_t slots_for(int64_t patterns, int64_t max_load) {
    return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(
        std::max<int64_t>((4 * patterns + max_load - 1) / max_load, kMinCapacity))));
}

int64_t table_words(int64_t bits, SlotShape slot, int64_t patterns) {
    if (set_kind(bits) == SetKind::Direct) return kHeaderWords + ((int64_t{1} << bits) + 63) / 64;
    if (patterns > (int64_t{1} << 58) / slot.bytes)
        throw std::length_error("a set of " + std::to_string(patterns) + " patterns of " +
                                std::to_string(bits) + " bits can't be addressed");
    return kHeaderWords + slots_for(patterns, slot.max_load) * slot.bytes / 8;
}

int64_t table_capacity(int64_t bits, SlotShape slot, int64_t words) {
    const int64_t bytes = 8 * (words - kHeaderWords);
    if (bytes <= 0 || bits < 1) return -1;
    if (set_kind(bits) == SetKind::Direct) {
        const int64_t possible = int64_t{1} << bits;
        return bytes == 8 * ((possible + 63) / 64) ? possible : -1;
    }
    const int64_t capacity = bytes / slot.bytes;
    const bool fits = capacity * slot.bytes == bytes && capacity >= kMinCapacity &&
                      std::has_single_bit(static_cast<uint64_t>(capacity));
    return fits ? capacity : -1;
}

int64_t table_limit(int64_t bits, SlotShape slot, int64_t words) {
    const int64_t capacity = table_capacity(bits, slot, words);
    return set_kind(bits) == SetKind::Direct ? capacity : capacity / 4 * slot.max_load;
}

}  // namespace swapnas
