// Runs the CPU kernels on torch's threads, and checks that a table has room.
#include "torch/cpu_backend.h"

#include "cpu/agreements.h"
#include "torch/check.h"
#include "torch/torch_workers.h"

namespace swapnas {
void CpuBackend::check_room(const Tables& tables, int64_t patterns) {
    const int64_t limit = cpu::table_limit(tables.bits, tables.words_per_group);
    check(limit > 0, "the table's size does not fit patterns of ", tables.bits, " bits");
    if (set_kind(tables.bits) == SetKind::Direct) return;
    for (int64_t group = 0; group < tables.groups; ++group)
        check(static_cast<int64_t>(tables[group].header().occupied) + patterns <= limit,
              "the table has no room for ", patterns, " more patterns");
}

void CpuBackend::insert(const Activations& x, PatternShape shape, const Tables& tables) const {
    cpu::insert({&x, 1}, shape, tables, TorchWorkers());
}

void CpuBackend::insert_packed(const PackedPatterns& patterns, const Tables& table) const {
    cpu::insert_packed(patterns, table[0], TorchWorkers());
}

void CpuBackend::merge(const Tables& into, const Tables& from) const {
    for (int64_t group = 0; group < into.groups; ++group)
        if (set_kind(into.bits) != SetKind::Direct)
            check(static_cast<int64_t>(into[group].header().occupied +
                                       from[group].header().occupied) <=
                      cpu::table_limit(into.bits, into.words_per_group),
                  "the table has no room for the patterns of the other");
    for (int64_t group = 0; group < into.groups; ++group) cpu::merge(into[group], from[group]);
}

void CpuBackend::count(const Tables& tables, int64_t* counts) const {
    for (int64_t group = 0; group < tables.groups; ++group) {
        counts[2 * group] = tables[group].count();
        counts[2 * group + 1] = tables[group].header().nan != 0 ? kSawNan : 0;
    }
}

void CpuBackend::pack(const Activations& x, PatternShape shape, void* patterns,
                      int64_t* nan) const {
    *nan = cpu::pack(x, shape, patterns, TorchWorkers());
}

void CpuBackend::count_activations(const std::vector<Activations>& xs, PatternShape shape,
                                   const torch::stable::Tensor&, int64_t* counts) const {
    const cpu::Count found = cpu::count(xs, shape, TorchWorkers());
    counts[0] = found.patterns;
    counts[1] = found.nan ? kSawNan : 0;
}

void CpuBackend::add_agreements(const Activations& x, int64_t* agreements) const {
    cpu::add_agreements(x, agreements, TorchWorkers());
}

}  // namespace swapnas
