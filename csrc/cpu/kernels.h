// The CPU kernels: each reads the activations once, and keeps only the set of patterns.
//
// Cost of an insert of V neurons over S samples: V * S elements read (and, with the ReLU, written),
// and for each neuron one hash and one slot of the table. Reading dominates unless the activations
// are in the cache.
#pragma once

#include <cstdint>
#include <span>

#include "activations.h"
#include "cpu/pattern_set.h"
#include "cpu/workers.h"
#include "pattern.h"

namespace swapnas::cpu {

// The sets of all groups, `words_per_group` words apart.
struct GroupTables {
    uint64_t* memory;
    int64_t words_per_group;
    int64_t groups;
    int64_t bits;

    Table operator[](int64_t group) const {
        return Table(memory + group * words_per_group, words_per_group, bits);
    }
};

// Inserts the patterns of all the activations, each group into its own set, and writes max(x, 0)
// if there is a relu_output. The caller makes room: each set's limit is at least its count plus the
// new neurons. All activations have shape.samples samples and tables.groups groups.
void insert(std::span<const Activations> activations, PatternShape shape, const GroupTables& tables,
            const Workers& workers);

// Number of distinct patterns over all the activations, without a table that outlives the call.
struct Count {
    int64_t patterns;
    bool nan;  // a NaN was seen
};
Count count(std::span<const Activations> activations, PatternShape shape, const Workers& workers);

// Inserts packed patterns into a table. Throws std::invalid_argument, before inserting anything,
// if a pattern has a bit set beyond `bits`.
void insert_packed(const PackedPatterns& patterns, const Table& table, const Workers& workers);

// Packs the patterns of one group, in the order (outer, inner), as PackedPatterns.
// Returns true if a NaN was seen.
bool pack(const Activations& activations, PatternShape shape, void* patterns,
          const Workers& workers);

}  // namespace swapnas::cpu
