#include "cpu/forward/convolution_plan.h"

#include <algorithm>

namespace swapnas::cpu {
namespace {

constexpr int kFewestLanes = 4;
constexpr int64_t kLineFloats = 16;          // of a cache line
constexpr int64_t kCopiedFloats = 4 * 1024;  // copies that stay in the nearest cache
constexpr int64_t kLargestBatch = 16;
constexpr int64_t kCachedFloats = 2 * 1024 * 1024;  // more of x come from memory

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t whole_lines(int64_t floats) { return ceil_div(floats, kLineFloats) * kLineFloats; }

// The vectors that cover `length` floats; the shortest of those that need fewest.
int lanes_for(int64_t length, int most_lanes) {
    int best = kFewestLanes;
    for (int lanes = 2 * kFewestLanes; lanes <= most_lanes; lanes *= 2)
        if (ceil_div(length, lanes) < ceil_div(length, best)) best = lanes;
    return best;
}

// Where vectors of so many lanes begin, the last one at the end.
template <class F>
void for_each_vector(int64_t length, int lanes, const F& place) {
    for (int64_t at = 0; at < length; at += lanes)
        place(std::max<int64_t>(std::min(at, length - lanes), 0));
}

bool is_pointwise(const Convolution& c) {
    return c.kernel_h == 1 && c.kernel_w == 1 && c.padding_h == 0 && c.padding_w == 0;
}

bool shares_rows(const Convolution& c) {
    return c.in_channels == 1 && c.kernel_h == c.kernel_w && (c.kernel_h == 3 || c.kernel_h == 5) &&
           c.stride_h <= 2;
}

}  // namespace

PlannedConvolution::PlannedConvolution(const Convolution& c, int most_lanes) {
    using Way = ConvolutionPlan::Way;
    plan_.convolution = c;
    const bool pointwise = is_pointwise(c);
    const int64_t length = pointwise ? c.out_pixels() : c.out_width;
    plan_.lanes = lanes_for(length, most_lanes);
    plan_.valid = std::min<int64_t>(length, plan_.lanes);
    if (pointwise) {
        const bool copies = c.stride_h > 1 || c.stride_w > 1 || length < plan_.lanes;
        plan_.way = copies ? Way::PointwiseOfCopies : Way::Pointwise;
        lay_out_pixels();
    } else {
        plan_.way = shares_rows(c) ? Way::Rows : Way::Taps;
        lay_out_padded_planes();
        if (plan_.way == Way::Rows) plan_rows();
    }
    plan_scratch();
    plan_.offsets = offsets_.data();
    plan_.positions = positions_.data();
    plan_.position_count = static_cast<int64_t>(positions_.size());
}

void PlannedConvolution::lay_out_pixels() {
    const Convolution& c = plan_.convolution;
    plan_.plane =
        plan_.way == ConvolutionPlan::Way::Pointwise ? c.in_pixels() : whole_lines(c.out_pixels());
    for (int64_t channel = 0; channel < c.in_channels; ++channel)
        offsets_.push_back(channel * plan_.plane);
    for_each_vector(c.out_pixels(), plan_.lanes,
                    [&](int64_t at) { positions_.push_back({at, at}); });
}

void PlannedConvolution::lay_out_padded_planes() {
    const Convolution& c = plan_.convolution;
    const int64_t reach_w = (c.kernel_w - 1) * c.dilation_w;
    plan_.rows = (c.out_height - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
    // All columns of x have a place, also those that no output reads.
    plan_.pitch = whole_lines(
        std::max(c.out_width + reach_w / c.stride_w, ceil_div(c.width + c.padding_w, c.stride_w)));
    plan_.row_step = plan_.pitch * c.stride_w;
    plan_.plane = plan_.rows * plan_.row_step;
    // Of wide rows, the first column of x begins a cache line. Short ones lie within one.
    const int64_t first = c.padding_w / c.stride_w;
    plan_.lead = c.out_width >= kLineFloats ? whole_lines(first) - first : 0;

    const auto column_offset = [&](int64_t tap) {
        const int64_t column = tap * c.dilation_w;
        return column % c.stride_w * plan_.pitch + column / c.stride_w;
    };
    const auto place = [&](int64_t column) {
        return c.padding_h * plan_.row_step + plan_.lead + column % c.stride_w * plan_.pitch +
               column / c.stride_w;
    };
    plan_.copied_rows = std::min(c.height, plan_.rows - c.padding_h);
    plan_.first_even = place(c.padding_w);
    plan_.first_odd = place(c.padding_w + 1);
    if (plan_.way == ConvolutionPlan::Way::Rows) {
        for (int64_t tap = 0; tap < c.kernel_w; ++tap)
            plan_.column_offsets[tap] = column_offset(tap);
        return;
    }
    for (int64_t channel = 0; channel < c.in_channels; ++channel)
        for (int64_t row = 0; row < c.kernel_h; ++row)
            for (int64_t tap = 0; tap < c.kernel_w; ++tap)
                offsets_.push_back(channel * plan_.plane + row * c.dilation_h * plan_.row_step +
                                   column_offset(tap));
    for (int64_t row = 0; row < c.out_height; ++row)
        for_each_vector(c.out_width, plan_.lanes, [&](int64_t at) {
            positions_.push_back(
                {row * c.stride_h * plan_.row_step + plan_.lead + at, row * c.out_width + at});
        });
}

void PlannedConvolution::plan_rows() {
    const Convolution& c = plan_.convolution;
    const bool even = c.stride_h == 2 && c.dilation_h % 2 == 0;
    plan_.row_shift = even ? 1 : c.stride_h;
    plan_.classes = even ? c.dilation_h / 2 : c.dilation_h;
    plan_.rows_of_class = c.out_height / plan_.classes;
    plan_.longer_classes = c.out_height % plan_.classes;
}

void PlannedConvolution::plan_scratch() {
    const Convolution& c = plan_.convolution;
    plan_.batch = 1;
    if (plan_.way == ConvolutionPlan::Way::Pointwise) {
        const int64_t in_unit = c.in_channels * c.in_pixels();
        if (in_unit * c.units() > kCachedFloats) plan_.prefetched = in_unit;
        return;
    }
    const int64_t unit = std::max<int64_t>(c.in_channels * plan_.plane, 1);  // 0 without channels
    plan_.batch = std::clamp<int64_t>(kCopiedFloats / unit, 1, kLargestBatch);
    // The last vector may read beyond the last plane.
    plan_.scratch_floats = plan_.batch * unit + plan_.lead + 2 * kLineFloats;
}

}  // namespace swapnas::cpu
