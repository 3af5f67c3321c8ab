// The CPU back end: implements the device side of the operators with the kernels of cpu/, on
// torch's own threads.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <vector>

#include "cpu/kernels.h"

namespace swapnas {

class CpuBackend {
public:
    using Tables = cpu::GroupTables;
    static constexpr int64_t kShortestRun = 16;  // below, packing each run costs more than a copy

    explicit CpuBackend(const torch::stable::Tensor&) {}

    static Tables tables(uint64_t* memory, int64_t words, int64_t groups, PatternShape shape) {
        return {memory, words, groups, shape.bits()};
    }
    static void check_room(const Tables& tables, int64_t patterns);

    void insert(const Activations& x, PatternShape shape, const Tables& tables) const;
    void insert_packed(const PackedPatterns& patterns, const Tables& table) const;
    void merge(const Tables& into, const Tables& from) const;
    void count(const Tables& tables, int64_t* counts) const;
    void pack(const Activations& x, PatternShape shape, void* patterns, int64_t* nan) const;
    // A single count needs no table.
    void count_activations(const std::vector<Activations>& xs, PatternShape shape,
                           const torch::stable::Tensor& like, int64_t* counts) const;
    void add_agreements(const Activations& x, int64_t* agreements) const;
};

}  // namespace swapnas
