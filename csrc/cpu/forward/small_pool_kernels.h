// Pooling of planes whose rows are shorter than a vector, in place: vectors run over the ends of
// rows, and masked loads leave out what lies beside the plane.
//
// A vector of outputs takes a masked load and an addition, or a maximum, for each tap. At stride 2
// the outputs at stride 1 are made, and those between are left out; likewise without a padding.
#pragma once

#include "cpu/forward/pool_plan.h"
#include "cpu/forward/pool_reduce.h"
#include "cpu/forward/vector.h"

namespace swapnas::cpu {
namespace {

constexpr int kMostTaps = 9;
constexpr int kMostInputs = kLanes == 16 ? 1024 : 256;  // bounds the masks' memory

// Whether inputs that are no window's place lie between those that are.
bool has_gaps(const Pool& pool) {
    return pool.rows.stride > 1 || pool.columns.stride > 1 ||
           pool.columns.output < pool.columns.size;
}

// Whether a window's place is an input, and there are few enough of them.
bool is_small_pool(const PoolPlan& plan) {
    const PoolAxis& rows = plan.pool.rows;
    const PoolAxis& columns = plan.pool.columns;
    return kHasMaskedLoads && (kLanes == 16 || !has_gaps(plan.pool)) && plan.flat &&
           rows.stride <= 2 && columns.stride <= 2 && rows.kernel * columns.kernel <= kMostTaps &&
           rows.size * columns.size <= kMostInputs && (rows.output - 1) * rows.stride < rows.size &&
           (columns.output - 1) * columns.stride < columns.size;
}

#if defined(SWAPNAS_VECTOR_AVX512) || defined(SWAPNAS_VECTOR_AVX2)
class SmallPool {
public:
    explicit SmallPool(const PoolPlan& plan)
        : average_(plan.pool.average),
          inputs_(plan.pool.rows.size * plan.pool.columns.size),
          outputs_(plan.pool.rows.output * plan.pool.columns.output),
          has_gaps_(has_gaps(plan.pool)) {
        const PoolAxis& rows = plan.pool.rows;
        const PoolAxis& columns = plan.pool.columns;
        for (int64_t k = 0; k < rows.kernel; ++k)
            for (int64_t l = 0; l < columns.kernel; ++l)
                add_tap(rows, columns, k * rows.dilation - rows.padding,
                        l * columns.dilation - columns.padding);
        for (float& divisor : divisors_) divisor = plan.divisor;
        for (int64_t row = 0; row < rows.output; ++row) {
            const int64_t place = row * rows.stride * columns.size;
            if (columns.stride == 1) keep(place, columns.output);
            for (int64_t column = 0; column < columns.output; ++column) {
                const int64_t at = place + column * columns.stride;
                if (columns.stride > 1) keep(at, 1);
                if (plan.divisors != nullptr)
                    divisors_[at] = plan.divisors[row * plan.pitch + column];
            }
        }
    }

    void run(const float* x, float* y, int64_t planes) const {
        for (int64_t i = 0; i < planes; ++i, x += inputs_, y += outputs_) {
            if (average_) reduce_plane<Average>(x, y);
            else if (has_nan(x)) reduce_plane<MaximumOrNan>(x, y);
            else reduce_plane<Maximum>(x, y);
        }
    }

private:
    static constexpr int kMostVectors = kMostInputs / kLanes;

    // The tap `down` rows and `right` columns from the place of a window.
    void add_tap(const PoolAxis& rows, const PoolAxis& columns, int64_t down, int64_t right) {
        offsets_[taps_] = down * columns.size + right;
        const int64_t first = larger(0, -right);
        const int64_t count = smaller(columns.size, columns.size - right) - first;
        for (int64_t row = larger(0, -down); row < smaller(rows.size, rows.size - down); ++row)
            for_vectors(row * columns.size + first, count,
                        [this](int64_t vector, int64_t lane, int64_t lanes) {
                            add_lanes(inside_[vector][taps_], lane, lanes);
                        });
        ++taps_;
    }

    // Windows at `count` places, from `place` on, have an output.
    void keep(int64_t place, int64_t count) {
        for_vectors(place, count, [this](int64_t vector, int64_t lane, int64_t lanes) {
            add_lanes(kept_[vector], lane, lanes);
            kept_count_[vector] += static_cast<int>(lanes);
        });
    }

    // Calls use(vector, lane, lanes) for the parts of a run of places.
    template <class Use>
    static void for_vectors(int64_t place, int64_t count, const Use& use) {
        while (count > 0) {
            const int64_t lane = place % kLanes;
            const int64_t lanes = smaller(count, kLanes - lane);
            use(place / kLanes, lane, lanes);
            place += lanes;
            count -= lanes;
        }
    }

    bool has_nan(const float* x) const {
        Ints nan{};
        int64_t i = 0;
        for (; i + kLanes <= inputs_; i += kLanes) {
            const Floats values = load(x + i);
            nan |= values != values;
        }
        const Floats values = load_first(x + i, inputs_ - i);
        return any(nan | (values != values));
    }

    template <class Reduce>
    void reduce_plane(const float* x, float* y) const {
        if (taps_ == 9) reduce_plane<Reduce, 9>(x, y);
        else if (taps_ == 4) reduce_plane<Reduce, 4>(x, y);
        else reduce_plane<Reduce, 0>(x, y);
    }

    // 0 taps: a number that is not known here.
    template <class Reduce, int known_taps>
    void reduce_plane(const float* x, float* y) const {
        const int taps = known_taps > 0 ? known_taps : taps_;
        const Floats outside = Reduce::start();
        for (int64_t v = 0; v * kLanes < inputs_; ++v) {
            const int kept = kept_count_[v];
            if (kept == 0) continue;
            const float* from = x + v * kLanes;
            Floats result = Reduce::start();
            for (int tap = 0; tap < taps; ++tap)
                result =
                    Reduce::add(result, load_lanes(from + offsets_[tap], inside_[v][tap], outside));
            result = Reduce::finish(result, load(divisors_ + v * kLanes));
#if defined(SWAPNAS_VECTOR_AVX512)
            if (has_gaps_)
                result = reinterpret_cast<Floats>(_mm512_maskz_compress_ps(kept_[v], result));
#endif
            store_at_most(y, kept, result);
            y += kept;
        }
    }

    bool average_;
    int64_t inputs_;
    int64_t outputs_;
    bool has_gaps_;
    int taps_ = 0;
    int64_t offsets_[kMostTaps] = {};
    LaneMask inside_[kMostVectors][kMostTaps] = {};
    LaneMask kept_[kMostVectors] = {};  // places that have an output
    int kept_count_[kMostVectors] = {};
    float divisors_[kMostInputs] = {};
};
#else
class SmallPool {  // never used
public:
    explicit SmallPool(const PoolPlan&) {}
    void run(const float*, float*, int64_t) const {}
};
#endif

}  // namespace
}  // namespace swapnas::cpu
