#include "cpu/forward/batch_norm.h"

#include <cmath>

#include "cpu/forward/forward.h"
#include "cpu/insert.h"
#include "cpu/isa.h"
#include "cpu/key_source.h"
#include "cpu/pack.h"
#include "cpu/share.h"

namespace swapnas::cpu {
namespace {

// Of a channel, rounded in the steps in which torch rounds them: so most outputs are equal to its.
struct Line {
    float scale, shift;
};

Line line_of(const BatchNorm& norm, const Moments& moments, int64_t channel) {
    const auto inverse = static_cast<float>(1 / std::sqrt(moments.variance + norm.eps));
    const float scale = norm.weight != nullptr ? inverse * norm.weight[channel] : inverse;
    const float bias = norm.bias != nullptr ? norm.bias[channel] : 0.0f;
    return {scale, std::fma(-static_cast<float>(moments.mean), scale, bias)};
}

// The planes of one channel, in all rows.
Segments planes_of(const BatchNorm& norm) {
    return {norm.rows, norm.plane, norm.channels * norm.plane};
}

// A source of keys (key_source.h): the outputs of one group. A unit of some channels is normalised
// and packed while it is in the second-level cache, and each row of it while in the first.
template <class Element>
class NormalisedSource {
public:
    NormalisedSource(const BatchNorm& norm, float* y, PatternShape shape, int64_t first_channel,
                     int64_t channels, int tasks)
        : norm_(norm),
          y_(y),
          shape_(shape),
          first_channel_(first_channel),
          channels_(channels),
          chunks_(norm.rows / shape.samples),
          unit_channels_(std::clamp<int64_t>(block_neurons(shape.bits(), 0, tasks) / 2 / norm.plane,
                                             1, ceil_div(channels, tasks))),
          kernels_(forward_kernels(active_isa())),
          packer_(packer(active_isa())) {}

    int64_t keys() const { return channels_ * norm_.plane * chunks_; }
    int64_t units() const { return ceil_div(channels_, unit_channels_); }
    int64_t unit_keys() const { return unit_channels_ * norm_.plane * chunks_; }
    int64_t key_words() const { return sizeof(Element) == 8 ? shape_.words() : 1; }

    template <class Use>
    bool visit(int64_t first, int64_t last, const Use& use) const {
        const int64_t stride = row_stride(shape_.bits(), unit_channels_ * norm_.plane);
        const auto rows = std::make_unique_for_overwrite<uint64_t[]>(shape_.bits() * stride);
        const auto keys = std::make_unique_for_overwrite<Element[]>(kBatch * key_words());
        const auto lines = std::make_unique_for_overwrite<float[]>(2 * unit_channels_);
        bool nan = false;
        for (int64_t unit = first; unit < last; ++unit) {
            const int64_t begin = unit * unit_channels_;
            const int64_t channels = std::min(unit_channels_, channels_ - begin);
            fill_lines(first_channel_ + begin, channels, lines.get());
            for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
                for (int64_t s = 0; s < shape_.samples; ++s)
                    nan |= fill_row(s, chunk, first_channel_ + begin, channels, lines.get(),
                                    rows.get(), stride);
                const int64_t count = channels * norm_.plane;
                for (int64_t done = 0; done < count; done += kBatch) {
                    const int64_t batch = std::min(kBatch, count - done);
                    fill_keys(packer_, shape_, rows.get() + done / 64, stride, batch, keys.get());
                    use(keys.get(), batch);
                }
            }
        }
        return nan;
    }

private:
    // Floats of a row that are packed before the next ones are normalised.
    static constexpr int64_t kPiece = 2048;

    // The scales of some channels, then their shifts.
    void fill_lines(int64_t first, int64_t channels, float* lines) const {
        for (int64_t c = 0; c < channels; ++c) {
            const float* x = norm_.x + (first + c) * norm_.plane;
            const Line line = line_of(norm_, kernels_.moments(x, planes_of(norm_)), first + c);
            lines[c] = line.scale;
            lines[unit_channels_ + c] = line.shift;
        }
    }

    bool fill_row(int64_t sample, int64_t chunk, int64_t first, int64_t channels,
                  const float* lines, uint64_t* rows, int64_t stride) const {
        const int64_t count = channels * norm_.plane;
        const int64_t at = ((sample * chunks_ + chunk) * norm_.channels + first) * norm_.plane;
        const Activations outputs{.data = y_,
                                  .relu_output = nullptr,
                                  .dtype = DType::Float32,
                                  .groups = 1,
                                  .group_stride = 0,
                                  .samples = shape_.samples,
                                  .sample_stride = chunks_ * norm_.channels * norm_.plane,
                                  .outer = 1,
                                  .outer_stride = 0,
                                  .inner = count};
        const int64_t offset = at - sample * outputs.sample_stride;
        const float* shifts = lines + unit_channels_;
        if (channels > 1) {
            kernels_.normalise_relu(norm_.x + at, y_ + at, {channels, norm_.plane, norm_.plane},
                                    lines, shifts, 1);
            return sign_sample(packer_, outputs, shape_, sample, offset, count, nullptr, rows,
                               stride);
        }
        bool nan = false;
        for (int64_t done = 0; done < count; done += kPiece) {
            const int64_t piece = std::min(kPiece, count - done);
            kernels_.normalise_relu(norm_.x + at + done, y_ + at + done, {1, piece, piece}, lines,
                                    shifts, 0);
            nan |= sign_sample(packer_, outputs, shape_, sample, offset + done, piece, nullptr,
                               rows + done / 64, stride);
        }
        return nan;
    }

    const BatchNorm& norm_;
    float* y_;
    PatternShape shape_;
    int64_t first_channel_;
    int64_t channels_;
    int64_t chunks_;
    int64_t unit_channels_;
    const ForwardKernels& kernels_;
    const Packer& packer_;
};

}  // namespace

void batch_norm(const BatchNorm& norm, float* y, const Workers& workers) {
    const ForwardKernels& kernels = forward_kernels(active_isa());
    const Segments planes = planes_of(norm);
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

void batch_norm_relu_insert(const BatchNorm& norm, float* y, PatternShape shape,
                            const GroupTables& tables, const Workers& workers) {
    const int64_t channels = norm.channels / tables.groups;
    insert_groups(tables, norm.rows * channels * norm.plane, workers,
                  [&](int64_t group, int tasks) {
                      insert_source(tables[group], tasks, workers,
                                    [&]<class Element>(TypeTag<Element>, const auto& use) {
                                        use(NormalisedSource<Element>(
                                            norm, y, shape, group * channels, channels, tasks));
                                    });
                  });
}

}  // namespace swapnas::cpu
