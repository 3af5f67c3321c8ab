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

// Copies rows of `count` columns into the phases of the columns, and looks for NaN.
class RowCopier {
public:
    explicit RowCopier(const PoolPlan& plan) : plan_(plan), stride_(plan.pool.columns.stride) {
        const PoolAxis& columns = plan.pool.columns;
        count_ = inputs_read(columns);
        padding_ = columns.padding;
        even_ = padding_ % 2 * plan.phase + padding_ / 2;
        odd_ = (padding_ + 1) % 2 * plan.phase + (padding_ + 1) / 2;
    }

    // What no window reads is left out: a stride may end before it.
    static int64_t inputs_read(const PoolAxis& axis) {
        return smaller(axis.size, (axis.output - 1) * axis.stride + axis.reach() - axis.padding);
    }

    void copy(const float* x, float* row) {
        if (stride_ == 1) copy_contiguous(x, row + padding_);
        else if (stride_ == 2) copy_alternate(x, row + even_, row + odd_);
        else copy_each(x, row);
    }

    bool saw_nan() const { return any(nan_); }

private:
    void copy_contiguous(const float* x, float* to) {
        int64_t i = 0;
        for (; i + kLanes <= count_; i += kLanes) store(to + i, looked_at(load(x + i)));
        if (const int64_t rest = count_ - i; rest > 0)
            store_first(to + i, rest, looked_at(load_first(x + i, rest)));
    }

    void copy_alternate(const float* x, float* even, float* odd) {
        int64_t i = 0;
        for (; i + 2 * kLanes <= count_; i += 2 * kLanes) {
            const Floats a = looked_at(load(x + i)), b = looked_at(load(x + i + kLanes));
            store(even + i / 2, even_lanes(a, b));
            store(odd + i / 2, odd_lanes(a, b));
        }
        if (const int64_t rest = count_ - i; rest > 0) {
            const int64_t first = smaller(rest, kLanes);
            const Floats a = looked_at(load_first(x + i, first));
            const Floats b = looked_at(load_first(x + i + first, rest - first));
            store_first(even + i / 2, (rest + 1) / 2, even_lanes(a, b));
            store_first(odd + i / 2, rest / 2, odd_lanes(a, b));
        }
    }

    void copy_each(const float* x, float* row) {
        for (int64_t i = 0; i < count_; ++i) {
            const int64_t at = i + padding_;
            row[at % stride_ * plan_.phase + at / stride_] = x[i];
            nan_ |= broadcast(x[i]) != broadcast(x[i]);
        }
    }

    Floats looked_at(Floats values) {
        nan_ |= values != values;
        return values;
    }

    const PoolPlan& plan_;
    int64_t stride_, count_, padding_, even_, odd_;
    Ints nan_{};
};

// Copies a plane into its phases; true if it has a NaN.
bool copy_plane(const PoolPlan& plan, const float* x, float* plane) {
    const PoolAxis& rows = plan.pool.rows;
    RowCopier copier(plan);
    const int64_t count = RowCopier::inputs_read(rows);
    const int64_t width = plan.pool.columns.size;
    const int64_t phases = plan.pool.columns.stride * plan.phase;  // between those of two rows
    int64_t remainder = rows.padding % rows.stride;
    float* row = plane + rows.padding / rows.stride * plan.pitch;
    for (int64_t i = 0; i < count; ++i) {
        copier.copy(x + i * width, row + remainder * phases);
        if (++remainder == rows.stride) {
            remainder = 0;
            row += plan.pitch;
        }
    }
    return copier.saw_nan();
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
