#include "cpu/pattern_set.h"

#include <stdexcept>
#include <string>

#include "cpu/pack.h"

namespace swapnas::cpu {
namespace {

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

Table::Table(uint64_t* memory, int64_t words, int64_t bits)
    : memory_(memory), bits_(bits), capacity_(table_capacity(bits, slot_shape(bits), words)) {
    if (capacity_ < 0)
        throw std::invalid_argument("a table of " + std::to_string(words) +
                                    " words does not fit patterns of " + std::to_string(bits) +
                                    " bits");
}

uint64_t count_flags(const Table& table) {
    return packer(active_isa()).count_bits(table.payload<uint64_t>(), table.flag_words());
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
