#include "cpu/kernels.h"

#include <stdexcept>
#include <string>

#include "cpu/insert.h"

namespace swapnas::cpu {
namespace {

// Work below which a second thread costs more than it brings, in activations or packed keys.
constexpr int64_t kActivationsPerTask = 32 * 1024;
constexpr int64_t kKeysPerTask = 8 * 1024;

int tasks_for(int64_t work, int64_t grain, const Workers& workers) {
    return static_cast<int>(std::clamp<int64_t>(work / grain, 1, workers.count()));
}

void insert_group(std::span<const Activations> activations, PatternShape shape, int64_t group,
                  const Table& table, int tasks, const Workers& workers) {
    const auto source = [&]<class Element>(Element) {
        return ActivationSource<Element>(activations, shape, group);
    };
    switch (table.kind()) {
        case SetKind::Direct:
            if (table.bits() <= 16) insert_direct(source(uint16_t{}), table, tasks, workers);
            else insert_direct(source(uint32_t{}), table, tasks, workers);
            break;
        case SetKind::Key32:
            insert_keys<KeySlots<uint32_t>>(source(uint32_t{}), table, tasks, workers);
            break;
        case SetKind::Key64:
            insert_keys<KeySlots<uint64_t>>(source(uint64_t{}), table, tasks, workers);
            break;
        case SetKind::Wide:
            with_wide_slots(table, [&]<class Slots>(Slots) {
                insert_keys<Slots>(source(uint64_t{}), table, tasks, workers);
            });
            break;
    }
}

// The bits of the last word of a pattern that it may use.
template <class Element>
Element last_word_mask(int64_t bits) {
    const int64_t used = (bits - 1) % (8 * static_cast<int64_t>(sizeof(Element))) + 1;
    return static_cast<Element>(~Element{0}) >> (8 * sizeof(Element) - used);
}

template <class Element>
void check_packed(const Element* patterns, int64_t count, int64_t words, int64_t bits) {
    const Element stray = static_cast<Element>(~last_word_mask<Element>(bits));
    if (stray == 0) return;
    Element found = 0;
    for (int64_t i = 0; i < count; ++i) found |= patterns[i * words + words - 1] & stray;
    if (found != 0)
        throw std::invalid_argument("a packed pattern has a bit set beyond its " +
                                    std::to_string(bits) + " bits");
}

template <class Element>
bool pack_into(const Activations& activations, PatternShape shape, Element* patterns,
               const Workers& workers) {
    const ActivationSource<Element> source({&activations, 1}, shape, 0);
    const int tasks = tasks_for(activations.neurons() * shape.samples, kActivationsPerTask, workers);
    std::atomic<bool> nan{false};
    const int64_t units_per_run = ceil_div(activations.inner, source.unit_keys());
    workers.run(tasks, [&](int task) {
        const Share share(0, source.units(), task, tasks);
        Element* out = patterns + (share.first / units_per_run * activations.inner +
                                   share.first % units_per_run * source.unit_keys()) *
                                      source.key_words();
        const bool seen = source.visit(share.first, share.last, [&](const Element* keys, int64_t count) {
            out = std::copy_n(keys, count * source.key_words(), out);
        });
        if (seen) nan = true;
    });
    return nan;
}

}  // namespace

void insert(std::span<const Activations> activations, PatternShape shape, const GroupTables& tables,
            const Workers& workers) {
    int64_t neurons = 0;
    for (const Activations& a : activations) neurons += a.neurons();
    const int64_t work = neurons * shape.samples;
    if (tables.groups > 1 && tables.groups >= workers.count()) {
        const int tasks = tasks_for(work * tables.groups, kActivationsPerTask, workers);
        workers.run(tasks, [&](int task) {
            const Share share(0, tables.groups, task, tasks);
            for (int64_t group = share.first; group < share.last; ++group)
                insert_group(activations, shape, group, tables[group], 1, workers);
        });
        return;
    }
    int tasks = tasks_for(work, kActivationsPerTask, workers);
    if (set_kind(shape.bits()) == SetKind::Direct)  // each further thread clears and merges a map
        tasks = static_cast<int>(
            std::clamp<int64_t>(neurons >> (shape.bits() > 4 ? shape.bits() - 4 : 0), 1, tasks));
    for (int64_t group = 0; group < tables.groups; ++group)
        insert_group(activations, shape, group, tables[group], tasks, workers);
}

void insert_packed(const uint32_t* patterns, int64_t count, const Table& table,
                   const Workers& workers) {
    check_packed(patterns, count, 1, table.bits());
    const PackedSource<uint32_t> source(patterns, count, 1);
    const int tasks = tasks_for(count, kKeysPerTask, workers);
    if (table.kind() == SetKind::Direct) insert_direct(source, table, 1, workers);
    else insert_keys<KeySlots<uint32_t>>(source, table, tasks, workers);
}

void insert_packed(const uint64_t* patterns, int64_t count, const Table& table,
                   const Workers& workers) {
    const int64_t words = table.key_words();
    check_packed(patterns, count, words, table.bits());
    const PackedSource<uint64_t> source(patterns, count, words);
    const int tasks = tasks_for(count * words, kKeysPerTask, workers);
    if (table.kind() == SetKind::Key64) insert_keys<KeySlots<uint64_t>>(source, table, tasks, workers);
    else
        with_wide_slots(table, [&]<class Slots>(Slots) {
            insert_keys<Slots>(source, table, tasks, workers);
        });
}

bool pack(const Activations& activations, PatternShape shape, uint32_t* patterns,
          const Workers& workers) {
    return pack_into(activations, shape, patterns, workers);
}

bool pack(const Activations& activations, PatternShape shape, uint64_t* patterns,
          const Workers& workers) {
    return pack_into(activations, shape, patterns, workers);
}

}  // namespace swapnas::cpu
