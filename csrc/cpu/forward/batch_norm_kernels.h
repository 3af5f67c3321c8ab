// Statistics of a channel in one pass, and normalising.
//
// Cost: the moments read every float once, normalising reads and writes each once.
#pragma once

#include "cpu/forward/forward.h"
#include "cpu/forward/vector.h"

namespace swapnas::cpu {
namespace {

// Sums and sums of squares of floats: in float lanes over a short block, then in double.
class MomentSums {
public:
    // The squares lose no digits to the mean if `origin` is near it.
    explicit MomentSums(float origin) : origin_(broadcast(origin)) {}

    void add(const float* x, int64_t count) {
        int64_t i = 0;
        while (count - i >= kStep) {
            const int64_t steps = smaller((count - i) / kStep, kBlockSteps - steps_);
            for (int64_t step = 0; step < steps; ++step, i += kStep)
                for (int part = 0; part < kParts; ++part)
                    add_part(part, load(x + i + part * kLanes) - origin_);
            advance(steps);
        }
        for (; i + kLanes <= count; i += kLanes) add_single(load(x + i) - origin_);
        if (i < count) add_single(load_first(x + i, count - i, origin_) - origin_);
    }

    Moments moments(int64_t count) {
        flush();
        const double n = static_cast<double>(count);
        const double offset = total_sum_.total() / n;
        const double variance = total_squares_.total() / n - offset * offset;
        return {origin_[0] + offset, variance < 0 ? 0 : variance};  // NaN stays
    }

private:
    static constexpr int kParts = 4;  // chains of additions at a time
    static constexpr int64_t kStep = kParts * kLanes;
    static constexpr int64_t kBlockSteps = 16;

    void add_part(int part, Floats x) {
        sum_[part] += x;
        squares_[part] = fma(x, x, squares_[part]);
    }
    void add_single(Floats x) {
        add_part(0, x);
        advance(1);
    }
    void advance(int64_t steps) {
        steps_ += steps;
        if (steps_ == kBlockSteps) flush();
    }
    void flush() {
        total_sum_.add((sum_[0] + sum_[1]) + (sum_[2] + sum_[3]));
        total_squares_.add((squares_[0] + squares_[1]) + (squares_[2] + squares_[3]));
        for (int part = 0; part < kParts; ++part) sum_[part] = squares_[part] = Floats{};
        steps_ = 0;
    }

    Floats origin_;
    Floats sum_[kParts] = {};
    Floats squares_[kParts] = {};
    int64_t steps_ = 0;
    DoubleSums total_sum_;
    DoubleSums total_squares_;
};

// A guess of the mean, from a few values of each of the first segments.
float rough_mean(const float* x, const Segments& segments) {
    const int64_t count = smaller(segments.count, 16);
    const int64_t length = smaller(segments.length, 4);
    double sum = 0;
    for (int64_t s = 0; s < count; ++s)
        for (int64_t i = 0; i < length; ++i) sum += x[s * segments.stride + i];
    return static_cast<float>(sum / static_cast<double>(count * length));
}

Moments moments(const float* x, const Segments& segments) {
    MomentSums sums(rough_mean(x, segments));
    for (int64_t s = 0; s < segments.count; ++s) sums.add(x + s * segments.stride, segments.length);
    return sums.moments(segments.count * segments.length);
}

template <bool relu>
Floats normalised(Floats x, Floats scale, Floats shift) {
    const Floats y = fma(x, scale, shift);
    // A NaN, and -0.0, pass, as in torch.relu.
    return relu ? larger_or_second(Floats{}, y) : y;
}

template <bool relu>
void normalise(const float* x, float* y, const Segments& segments, const float* scale,
               const float* shift, int64_t step) {
    for (int64_t s = 0; s < segments.count; ++s) {
        const float* from = x + s * segments.stride;
        float* to = y + s * segments.stride;
        const Floats a = broadcast(scale[s * step]), b = broadcast(shift[s * step]);
        int64_t i = 0;
        for (; i + kLanes <= segments.length; i += kLanes)
            store(to + i, normalised<relu>(load(from + i), a, b));
        if (const int64_t rest = segments.length - i; rest > 0)
            store_first(to + i, rest, normalised<relu>(load_first(from + i, rest), a, b));
    }
}

}  // namespace
}  // namespace swapnas::cpu
