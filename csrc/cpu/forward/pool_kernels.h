// Pooling of planes in scratch memory (pool_plan.h).
//
// Cost: an input is copied once. 3x3 at stride 1 then takes, for a vector of outputs, 4.5 loads and
// 9 additions and a division, or 4.5 loads and 5 maxima; anything else a load and an addition, or a
// maximum, for each tap.
#pragma once

#include "cpu/forward/forward.h"
#include "cpu/forward/pool_plan.h"
#include "cpu/forward/pool_reduce.h"
#include "cpu/forward/small_pool_kernels.h"
#include "cpu/forward/vector.h"

namespace swapnas::cpu {
namespace {

// Copies a row into the phases of its columns; true if it has a NaN.
bool copy_row(const PoolPlan& plan, const float* x, float* row) {
    const PoolAxis& columns = plan.pool.columns;
    const int64_t stride = columns.stride;
    // Columns that no window reads are left out: a stride may end before them.
    const int64_t read = (columns.output - 1) * stride + columns.reach() - columns.padding;
    const int64_t count = smaller(columns.size, read);
    Ints nan{};
    if (stride == 1) {
        float* to = row + columns.padding;
        int64_t i = 0;
        for (; i + kLanes <= count; i += kLanes) {
            const Floats values = load(x + i);
            nan |= values != values;
            store(to + i, values);
        }
        if (i < count) {
            const Floats values = load_first(x + i, count - i);
            nan |= values != values;
            store_first(to + i, count - i, values);
        }
        return any(nan);
    }
    if (stride == 2) {
        const int64_t padding = columns.padding;
        float* even = row + padding % 2 * plan.phase + padding / 2;
        float* odd = row + (padding + 1) % 2 * plan.phase + (padding + 1) / 2;
        int64_t i = 0;
        for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
            const Floats a = load(x + i), b = load(x + i + kLanes);
            nan |= (a != a) | (b != b);
            store(even + i / 2, even_lanes(a, b));
            store(odd + i / 2, odd_lanes(a, b));
        }
        if (i < count) {
            const int64_t rest = count - i;
            const Floats a = load_first(x + i, smaller(rest, kLanes));
            const Floats b = load_first(x + i + smaller(rest, kLanes), larger(rest - kLanes, 0));
            nan |= (a != a) | (b != b);
            store_first(even + i / 2, (rest + 1) / 2, even_lanes(a, b));
            store_first(odd + i / 2, rest / 2, odd_lanes(a, b));
        }
        return any(nan);
    }
    bool found = false;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t at = i + columns.padding;
        row[at % stride * plan.phase + at / stride] = x[i];
        found |= x[i] != x[i];
    }
    return found;
}

bool copy_plane(const PoolPlan& plan, const float* x, float* plane) {
    const PoolAxis& rows = plan.pool.rows;
    const int64_t read = (rows.output - 1) * rows.stride + rows.reach() - rows.padding;
    bool nan = false;
    for (int64_t i = 0; i < smaller(rows.size, read); ++i) {
        const int64_t at = i + rows.padding;
        const int64_t phase = at % rows.stride * plan.pool.columns.stride;
        nan |= copy_row(plan, x + i * plan.pool.columns.size,
                        plane + phase * plan.phase + at / rows.stride * plan.pitch);
    }
    return nan;
}

template <class Reduce>
Floats finish(const PoolPlan& plan, int64_t place, Floats result) {
    return Reduce::finish(
        result, plan.divisors != nullptr ? load(plan.divisors + place) : broadcast(plan.divisor));
}

template <class Reduce>
Floats reduce_taps(const PoolPlan& plan, const float* plane, int64_t place) {
    const int64_t count = plan.pool.rows.kernel * plan.pool.columns.kernel;
    Floats result = Reduce::start();
    for (int64_t tap = 0; tap < count; ++tap)
        result = Reduce::add(result, load(plane + plan.taps[tap] + place));
    return result;
}

// 3x3 windows: the taps of a row are at columns[0], columns[1] and columns[2] from its start.
template <class Reduce>
Floats reduce_3x3(const PoolPlan& plan, const float* plane, int64_t place) {
    Floats result = Reduce::start();
    for (int row = 0; row < 3; ++row) {
        const int64_t* taps = plan.taps + 3 * row;
        const float* at = plane + place;
        result = Reduce::add(
            result, Reduce::row(load(at + taps[0]), load(at + taps[1]), load(at + taps[2])));
    }
    return result;
}

// 3x3 at stride 1 for `Rows` rows of a vector of outputs: each input row is loaded once.
template <class Reduce, int Rows>
void pool_3x3_rows(const PoolPlan& plan, const float* plane, int64_t row, float* y) {
    const int64_t width = plan.pool.columns.output;
    for (int64_t column = 0; column < width; column += kLanes) {
        const int64_t place = row * plan.pitch + column;
        Floats results[Rows];
        for (int i = 0; i < Rows; ++i) results[i] = Reduce::start();
        for (int i = 0; i < Rows + 2; ++i) {
            const float* at = plane + place + i * plan.pitch;
            const auto inputs = Reduce::row(load(at), load(at + 1), load(at + 2));
            for (int output = i < 2 ? 0 : i - 2; output <= i && output < Rows; ++output)
                results[output] = Reduce::add(results[output], inputs);
        }
        for (int i = 0; i < Rows; ++i)
            store_at_most(y + (row + i) * width + column, width - column,
                          finish<Reduce>(plan, place + i * plan.pitch, results[i]));
    }
}

template <class Reduce>
void pool_plane(const PoolPlan& plan, const float* plane, float* outputs, float* y) {
    const PoolAxis& rows = plan.pool.rows;
    const PoolAxis& columns = plan.pool.columns;
    const bool is_3x3 = rows.kernel == 3 && columns.kernel == 3;
    const auto reduce = [&](int64_t place) {
        return finish<Reduce>(plan, place,
                              is_3x3 ? reduce_3x3<Reduce>(plan, plane, place)
                                     : reduce_taps<Reduce>(plan, plane, place));
    };
    if (plan.flat) {
        for (int64_t place = 0; place < plan.places; place += kLanes)
            store(outputs + place, reduce(place));
        return;
    }
    int64_t row = 0;
    if (is_3x3 && rows.stride == 1 && columns.stride == 1 && rows.dilation == 1 &&
        columns.dilation == 1) {
        for (; row + 4 <= rows.output; row += 4) pool_3x3_rows<Reduce, 4>(plan, plane, row, y);
        for (; row < rows.output; ++row) pool_3x3_rows<Reduce, 1>(plan, plane, row, y);
    }
    for (; row < rows.output; ++row)
        for (int64_t column = 0; column < columns.output; column += kLanes)
            store_at_most(y + row * columns.output + column, columns.output - column,
                          reduce(row * plan.pitch + column));
}

// Rows of outputs, without the places between them.
void copy_outputs(const PoolPlan& plan, const float* outputs, float* y) {
    const int64_t width = plan.pool.columns.output;
    for (int64_t row = 0; row < plan.pool.rows.output; ++row)
        store_first(y + row * width, width, load(outputs + row * plan.pitch));
}

void pool_planes(const PoolPlan& plan, float* scratch, const float* x, float* y, int64_t planes) {
    if (is_small_pool(plan)) return SmallPool(plan).run(x, y, planes);
    const int64_t inputs = plan.pool.rows.size * plan.pool.columns.size;
    const int64_t results = plan.pool.rows.output * plan.pool.columns.output;
    float* outputs = scratch + plan.batch * plan.plane;
    for (int64_t first = 0; first < planes; first += plan.batch) {
        const int64_t batch = smaller(plan.batch, planes - first);
        bool nan = false;
        for (int64_t i = 0; i < batch; ++i)
            nan |= copy_plane(plan, x + (first + i) * inputs, scratch + i * plan.plane);
        for (int64_t i = 0; i < batch; ++i) {
            const float* plane = scratch + i * plan.plane;
            float* to = y + (first + i) * results;
            float* between = plan.flat ? outputs + i * plan.plane : nullptr;
            if (plan.pool.average) pool_plane<Average>(plan, plane, between, to);
            else if (nan) pool_plane<MaximumOrNan>(plan, plane, between, to);
            else pool_plane<Maximum>(plan, plane, between, to);
        }
        if (plan.flat)
            for (int64_t i = 0; i < batch; ++i)
                copy_outputs(plan, outputs + i * plan.plane, y + (first + i) * results);
    }
}

}  // namespace
}  // namespace swapnas::cpu
