#include "cpu/forward/convolution.h"

#include <memory>

#include "cpu/forward/convolution_plan.h"
#include "cpu/forward/forward.h"
#include "cpu/isa.h"
#include "cpu/share.h"

namespace swapnas::cpu {
namespace {

constexpr int64_t kProductsPerFloat = 16;  // multiplications that take the time of one float read

int64_t unit_work(const Convolution& c) {
    return c.in_channels * c.in_pixels() + c.out_channels * c.out_pixels() +
           c.out_channels * c.out_pixels() * c.taps() / kProductsPerFloat;
}

// Zeros that begin a cache line.
class Scratch {
public:
    explicit Scratch(int64_t floats) : memory_(new float[floats + kAlignment / sizeof(float)]()) {}

    float* begin() {
        void* first = memory_.get();
        size_t space = 2 * kAlignment;
        return static_cast<float*>(std::align(kAlignment, kAlignment, first, space));
    }

private:
    static constexpr size_t kAlignment = 64;
    std::unique_ptr<float[]> memory_;
};

}  // namespace

void convolve(const Convolution& convolution, float* y, const Workers& workers) {
    if (convolution.units() == 0 || convolution.out_channels * convolution.out_pixels() == 0)
        return;
    const ForwardKernels& kernels = forward_kernels(active_isa());
    const PlannedConvolution planned(convolution, kernels.lanes);
    const int64_t units = convolution.units();
    const int tasks = tasks_for_units(units, unit_work(convolution), workers);
    workers.run(tasks, [&](int task) {
        const Share share(0, units, task, tasks);
        Scratch scratch(planned.plan().scratch_floats);
        kernels.convolve(planned.plan(), y, share.first, share.last, scratch.begin());
    });
}

}  // namespace swapnas::cpu
