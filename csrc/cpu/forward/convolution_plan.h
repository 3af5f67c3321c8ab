// How a convolution is done, found once before its data are read.
//
// A unit, the channels of one group in one sample, is copied to padded planes in scratch memory,
// where each tap of the kernel is one offset. A plane that is read every stride-th column is copied
// as that many phases: columns 0, s, 2s, ...; then 1, s + 1, ...; so each tap reads neighbouring
// floats. Pointwise convolutions without strides read x itself.
//
// An output vector never crosses the end of a row of outputs (of the plane, if pointwise): the last
// one overlaps the one before it. Rows shorter than the shortest vector store less than a vector.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/forward/convolution.h"

namespace swapnas::cpu {

// Of one vector: from the first plane of a unit, and from the unit's first plane of outputs.
struct Position {
    int64_t source, target;
};

struct ConvolutionPlan {
    enum class Way {
        Pointwise,          // a matrix product of each unit of x with its weights
        PointwiseOfCopies,  // the same, of a copy without the pixels that strides skip
        Rows,               // depthwise, 3x3 or 5x5: several rows of outputs share each load
        Taps,               // every other one
    };
    static constexpr int kLargestRowsKernel = 5;

    Convolution convolution;
    Way way;
    int lanes;      // of a vector: 4, 8 or 16
    int64_t valid;  // lanes of a vector that are stored

    // Padded planes: element (row, column) is at row * row_step + column % stride_w * pitch +
    // column / stride_w + lead.
    int64_t rows, pitch, row_step, plane, lead;
    int64_t copied_rows;            // of x
    int64_t first_even, first_odd;  // where the first and the second column of x go
    // Pointwise: floats from those that are read to those that are asked for; 0 for none.
    int64_t prefetched;
    int64_t batch;  // units that are copied before the first of them is read
    int64_t scratch_floats;

    const int64_t* offsets;  // of each tap, from a position's source
    const Position* positions;
    int64_t position_count;

    // Rows: outputs `classes` rows apart read the same rows of x, each `row_shift` of them later
    // than the one before. A class has `rows_of_class` rows, the first `longer_classes` one more.
    int64_t classes, rows_of_class, longer_classes;
    int64_t row_shift;
    int64_t column_offsets[kLargestRowsKernel];
};

// A plan and what it points to.
class PlannedConvolution {
public:
    PlannedConvolution(const Convolution& convolution, int most_lanes);
    PlannedConvolution(const PlannedConvolution&) = delete;
    PlannedConvolution& operator=(const PlannedConvolution&) = delete;

    const ConvolutionPlan& plan() const { return plan_; }

private:
    void lay_out_pixels();
    void lay_out_padded_planes();
    void plan_rows();
    void plan_scratch();

    ConvolutionPlan plan_{};
    std::vector<int64_t> offsets_;
    std::vector<Position> positions_;
};

}  // namespace swapnas::cpu
