#include "cpu/forward/batch_norm.h"

#include <cmath>

#include "cpu/forward/forward.h"
#include "cpu/isa.h"
#include "cpu/share.h"

namespace swapnas::cpu {
namespace {

// Of a channel, rounded in the steps in which torch rounds them: so most outputs are equal to its.
struct Line {
    float scale, shift;
};

Line line_of(const BatchNorm& norm, const Moments& moments, int64_t channel) {
    const double variance = moments.variance;
    const float inverse = variance == 0 && norm.eps == 0
                              ? 0.0f
                              : static_cast<float>(1 / std::sqrt(variance + norm.eps));
    const float scale = norm.weight != nullptr ? inverse * norm.weight[channel] : inverse;
    const float bias = norm.bias != nullptr ? norm.bias[channel] : 0.0f;
    return {scale, bias - static_cast<float>(moments.mean) * scale};
}

}  // namespace

void batch_norm(const BatchNorm& norm, float* y, const Workers& workers) {
    const ForwardKernels& kernels = forward_kernels(active_isa());
    const Segments planes{norm.rows, norm.plane, norm.channels * norm.plane};
    const int tasks = tasks_for_units(norm.channels, norm.rows * norm.plane, workers);
    workers.run(tasks, [&](int task) {
        const Share share(0, norm.channels, task, tasks);
        for (int64_t channel = share.first; channel < share.last; ++channel) {
            const int64_t at = channel * norm.plane;
            const Line line = line_of(norm, kernels.moments(norm.x + at, planes), channel);
            kernels.normalise(norm.x + at, y + at, planes, &line.scale, &line.shift, 0);
        }
    });
}

}  // namespace swapnas::cpu
