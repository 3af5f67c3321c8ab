// The table of the kernels, which each forward_<isa>.cpp compiles with its own flags.
#pragma once

#include "cpu/forward/batch_norm_kernels.h"
#include "cpu/forward/convolution_kernels.h"
#include "cpu/forward/forward.h"
#include "cpu/forward/pool_kernels.h"

namespace swapnas::cpu {
namespace {

constexpr ForwardKernels make_forward_kernels() {
    ForwardKernels kernels{};
    kernels.lanes = kLanes;
    kernels.moments = moments;
    kernels.normalise = normalise<false>;
    kernels.normalise_relu = normalise<true>;
    kernels.pool_planes = pool_planes;
    kernels.convolve = convolve_units;
    return kernels;
}

}  // namespace
}  // namespace swapnas::cpu
