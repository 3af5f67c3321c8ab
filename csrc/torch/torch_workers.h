// torch's own thread pool, and so torch's own thread count.
#pragma once

#include <torch/csrc/stable/ops.h>

#include "cpu/workers.h"

namespace swapnas {

class TorchWorkers final : public cpu::Workers {
public:
    int count() const override { return static_cast<int>(torch::stable::get_num_threads()); }
    void run(int tasks, const std::function<void(int)>& task) const override {
        if (tasks == 1) return task(0);
        torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
            for (int64_t index = begin; index < end; ++index) task(static_cast<int>(index));
        });
    }
};

}  // namespace swapnas
