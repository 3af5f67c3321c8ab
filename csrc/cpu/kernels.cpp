#include "cpu/kernels.h"

#include <stdexcept>
#include <string>

#include "cpu/insert.h"
#include "cpu/share.h"

namespace swapnas::cpu {
namespace {

// As kActivationsPerTask, in packed keys.
constexpr int64_t kKeysPerTask = 16 * 1024;

int64_t total_neurons(std::span<const Activations> activations) {
    int64_t neurons = 0;
    for (const Activations& a : activations) neurons += a.neurons();
    return neurons;
}

// Calls use(source) with the source of keys that suits the activations of one group.
template <class Element, class Use>
auto with_source(std::span<const Activations> activations, PatternShape shape, int64_t group,
                 int tasks, const Workers& workers, const Use& use) {
    if (tasks > 1 && SampleWiseSource<Element>::fits(activations))
        return use(SampleWiseSource<Element>(activations[0], shape, group, tasks, workers));
    return use(ActivationSource<Element>(activations, shape, group, tasks));
}

void insert_group(std::span<const Activations> activations, PatternShape shape, int64_t group,
                  const Table& table, int tasks, const Workers& workers) {
    insert_source(table, tasks, workers, [&]<class Element>(TypeTag<Element>, const auto& use) {
        with_source<Element>(activations, shape, group, tasks, workers, use);
    });
}

// Finds a pattern whose last word uses bits beyond its width.
template <class Element>
void check_packed(const PackedPatterns& patterns) {
    constexpr int64_t kElementBits = 8 * sizeof(Element);
    const int64_t unused = (kElementBits - patterns.bits % kElementBits) % kElementBits;
    if (unused == 0) return;
    const Element stray = ~(static_cast<Element>(~Element{0}) >> unused);
    const auto* words = static_cast<const Element*>(patterns.data);
    Element found = 0;
    for (int64_t i = 1; i <= patterns.count; ++i) found |= words[i * patterns.words() - 1] & stray;
    if (found != 0)
        throw std::invalid_argument("a packed pattern has a bit set beyond its " +
                                    std::to_string(patterns.bits) + " bits");
}

template <class Element>
PackedSource<Element> packed_source(const PackedPatterns& patterns) {
    check_packed<Element>(patterns);
    return {static_cast<const Element*>(patterns.data), patterns.count, patterns.words()};
}

template <class Element>
bool pack_as(const Activations& activations, PatternShape shape, Element* patterns,
             const Workers& workers) {
    const int tasks =
        tasks_for(activations.neurons() * shape.samples, kActivationsPerTask, workers);
    const ActivationSource<Element> source({&activations, 1}, shape, 0, tasks);
    const int64_t units_per_run = ceil_div(activations.inner, source.unit_keys());
    std::atomic<bool> nan{false};
    workers.run(tasks, [&](int task) {
        const Share share(0, source.units(), task, tasks);
        Element* out = patterns + (share.first / units_per_run * activations.inner +
                                   share.first % units_per_run * source.unit_keys()) *
                                      source.key_words();
        const bool seen =
            source.visit(share.first, share.last, [&](const Element* keys, int64_t count) {
                out = std::copy_n(keys, count * source.key_words(), out);
            });
        if (seen) nan = true;
    });
    return nan;
}

}  // namespace

void insert(std::span<const Activations> activations, PatternShape shape, const GroupTables& tables,
            const Workers& workers) {
    insert_groups(tables, total_neurons(activations) * shape.samples, workers,
                  [&](int64_t group, int tasks) {
                      insert_group(activations, shape, group, tables[group], tasks, workers);
                  });
}

Count count(std::span<const Activations> activations, PatternShape shape, const Workers& workers) {
    const int tasks =
        tasks_for(total_neurons(activations) * shape.samples, kActivationsPerTask, workers);
    if (set_kind(shape.bits()) == SetKind::Direct) {
        std::vector<uint64_t> memory(table_words(shape.bits(), 0));
        const Table table(memory.data(), static_cast<int64_t>(memory.size()), shape.bits());
        insert_group(activations, shape, 0, table, tasks, workers);
        return {table.count(), table.header().nan != 0};
    }
    return with_slots(shape.bits(), [&]<class Slots>(TypeTag<Slots>) {
        const auto counted = [&](const auto& source) {
            const Tally tally = count_keys<Slots>(source, tasks, workers);
            return Count{static_cast<int64_t>(tally.occupied) + tally.zero_pattern, tally.nan};
        };
        return with_source<typename Slots::Element>(activations, shape, 0, tasks, workers, counted);
    });
}

void insert_packed(const PackedPatterns& patterns, const Table& table, const Workers& workers) {
    const int tasks = tasks_for(patterns.count * patterns.words(), kKeysPerTask, workers);
    if (table.kind() == SetKind::Direct) {
        insert_direct(packed_source<uint32_t>(patterns), table, 1, workers);
        return;
    }
    with_slots(table.bits(), [&]<class Slots>(TypeTag<Slots>) {
        insert_keys<Slots>(packed_source<typename Slots::Element>(patterns), table, tasks, workers);
    });
}

bool pack(const Activations& activations, PatternShape shape, void* patterns,
          const Workers& workers) {
    if (shape.bits() <= 32)
        return pack_as(activations, shape, static_cast<uint32_t*>(patterns), workers);
    return pack_as(activations, shape, static_cast<uint64_t*>(patterns), workers);
}

}  // namespace swapnas::cpu
