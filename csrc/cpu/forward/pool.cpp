#include "cpu/forward/pool.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "cpu/forward/forward.h"
#include "cpu/forward/pool_plan.h"
#include "cpu/isa.h"
#include "cpu/share.h"

namespace swapnas::cpu {
namespace {

std::vector<int64_t> taps_of(const PoolPlan& plan) {
    const PoolAxis& rows = plan.pool.rows;
    const PoolAxis& columns = plan.pool.columns;
    std::vector<int64_t> taps;
    taps.reserve(rows.kernel * columns.kernel);
    for (int64_t k = 0; k < rows.kernel; ++k)
        for (int64_t l = 0; l < columns.kernel; ++l) {
            const int64_t row = k * rows.dilation, column = l * columns.dilation;
            const int64_t phase = row % rows.stride * columns.stride + column % columns.stride;
            taps.push_back(phase * plan.phase + row / rows.stride * plan.pitch +
                           column / columns.stride);
        }
    return taps;
}

// How many inputs of a dimension an average of output `o` divides by.
int64_t divisor_along(const PoolAxis& axis, int64_t o, bool include_padding) {
    const int64_t first = o * axis.stride - axis.padding;
    const int64_t last = std::min(first + axis.kernel, axis.size + axis.padding);
    if (include_padding) return last - first;
    return std::max<int64_t>(std::min(last, axis.size) - std::max<int64_t>(first, 0), 0);
}

// The divisor of each place, or none if all are the same.
std::vector<float> divisors_of(const PoolPlan& plan, int64_t lanes) {
    const Pool& pool = plan.pool;
    const auto along = [&pool](const PoolAxis& axis) {
        std::vector<int64_t> divisors(axis.output);
        for (int64_t o = 0; o < axis.output; ++o)
            divisors[o] = divisor_along(axis, o, pool.include_padding);
        return divisors;
    };
    const std::vector<int64_t> rows = along(pool.rows), columns = along(pool.columns);
    const auto whole = [](const std::vector<int64_t>& divisors, int64_t kernel) {
        return std::ranges::all_of(divisors, [kernel](int64_t d) { return d == kernel; });
    };
    if (whole(rows, pool.rows.kernel) && whole(columns, pool.columns.kernel)) return {};
    std::vector<float> divisors(plan.places + lanes, 1.0f);
    for (int64_t row = 0; row < pool.rows.output; ++row)
        for (int64_t column = 0; column < pool.columns.output; ++column) {
            const int64_t divisor = rows[row] * columns[column];
            // A window without inputs has the sum 0, and that is its average.
            if (divisor > 0) divisors[row * plan.pitch + column] = static_cast<float>(divisor);
        }
    return divisors;
}

}  // namespace

int64_t pool_outputs(const PoolAxis& axis, bool ceil_mode) {
    const int64_t span = axis.size + 2 * axis.padding - axis.reach();
    const int64_t reached = ceil_mode ? span + axis.stride - 1 : span;
    if (reached < 0) return 0;
    int64_t outputs = reached / axis.stride + 1;
    if (ceil_mode && (outputs - 1) * axis.stride >= axis.size + axis.padding) --outputs;
    return outputs;
}

void pool(const Pool& pool, const float* x, float* y, int64_t planes, const Workers& workers) {
    const ForwardKernels& kernels = forward_kernels(active_isa());
    const PoolAxis& rows = pool.rows;
    const PoolAxis& columns = pool.columns;
    const int64_t strides = rows.stride * columns.stride;

    PoolPlan plan{};
    plan.pool = pool;
    const auto padded = [](const PoolAxis& axis) {
        return (axis.output - 1) * axis.stride + axis.reach();
    };
    plan.pitch = ceil_div(padded(columns), columns.stride);
    plan.phase = ceil_div(padded(rows), rows.stride) * plan.pitch;
    plan.plane = strides * plan.phase + kernels.lanes;  // the last vectors read beyond
    plan.places = (rows.output - 1) * plan.pitch + columns.output;
    plan.flat = columns.output < kernels.lanes;
    constexpr int64_t kBatchFloats = 2048;  // of the first-level cache
    plan.batch = std::clamp<int64_t>(kBatchFloats / plan.plane, 1, 16);
    const std::vector<int64_t> taps = taps_of(plan);
    plan.taps = taps.data();
    std::vector<float> divisors;
    if (pool.average) divisors = divisors_of(plan, kernels.lanes);
    plan.divisors = divisors.empty() ? nullptr : divisors.data();
    plan.divisor = static_cast<float>(rows.kernel * columns.kernel);

    const int64_t inputs = rows.size * columns.size, outputs = rows.output * columns.output;
    const int tasks = tasks_for_units(planes, inputs + outputs, workers);
    workers.run(tasks, [&](int task) {
        const Share share(0, planes, task, tasks);
        const auto scratch = std::make_unique_for_overwrite<float[]>(plan.scratch());
        const float border = pool.average ? 0.0f : -std::numeric_limits<float>::infinity();
        std::fill_n(scratch.get(), plan.scratch(), border);
        kernels.pool_planes(plan, scratch.get(), x + share.first * inputs,
                            y + share.first * outputs, share.last - share.first);
    });
}

}  // namespace swapnas::cpu
