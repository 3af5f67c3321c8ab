// How work is divided among threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/workers.h"

namespace swapnas::cpu {

inline constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Work below which a second thread costs more than it saves, in activations.
inline constexpr int64_t kActivationsPerTask = 32 * 1024;

inline int tasks_for(int64_t work, int64_t grain, const Workers& workers) {
    return static_cast<int>(std::clamp<int64_t>(work / grain, 1, workers.count()));
}

// Of `units` that can't be divided, of so much work each.
inline int tasks_for_units(int64_t units, int64_t unit_work, const Workers& workers) {
    const int tasks = tasks_for(units * unit_work, kActivationsPerTask, workers);
    return static_cast<int>(std::clamp<int64_t>(units, 1, tasks));
}

// The share of the units that belongs to one of `tasks`.
struct Share {
    int64_t first, last;
    Share(int64_t begin, int64_t end, int task, int tasks)
        : first(begin + (end - begin) * task / tasks),
          last(begin + (end - begin) * (task + 1) / tasks) {}
};

}  // namespace swapnas::cpu
