// Compares the kernels of a forward pass with plain loops, on every instruction set and thread
// count. Inputs and outputs have no room to spare, so that a sanitizer sees what reads beyond.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "check.h"
#include "cpu/forward/batch_norm.h"
#include "cpu/forward/pool.h"
#include "cpu/isa.h"
#include "random_activations.h"

using namespace swapnas;
using namespace swapnas::cpu;

namespace {

std::vector<float> random_floats(int64_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(1);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    return values;
}

float pooled(const Pool& pool, const float* plane, int64_t row, int64_t column) {
    const auto& [rows, columns] = std::tie(pool.rows, pool.columns);
    float sum = 0, most = -std::numeric_limits<float>::infinity();
    int64_t inside = 0, padded = 0;
    for (int64_t k = 0; k < rows.kernel; ++k)
        for (int64_t l = 0; l < columns.kernel; ++l) {
            const int64_t r = row * rows.stride - rows.padding + k * rows.dilation;
            const int64_t c = column * columns.stride - columns.padding + l * columns.dilation;
            padded += r < rows.size + rows.padding && c < columns.size + columns.padding;
            if (r < 0 || r >= rows.size || c < 0 || c >= columns.size) continue;
            ++inside;
            sum += plane[r * columns.size + c];
            most = std::max(most, plane[r * columns.size + c]);
        }
    if (!pool.average) return most;
    const int64_t divisor = pool.include_padding ? padded : inside;
    return divisor > 0 ? sum / static_cast<float>(divisor) : 0;
}

void check_pool(Pool wanted, bool ceil_mode, int64_t planes, int threads) {
    wanted.rows.output = pool_outputs(wanted.rows, ceil_mode);
    wanted.columns.output = pool_outputs(wanted.columns, ceil_mode);
    if (wanted.rows.output < 1 || wanted.columns.output < 1) return;
    const int64_t inputs = wanted.rows.size * wanted.columns.size;
    const int64_t outputs = wanted.rows.output * wanted.columns.output;
    const std::vector<float> x = random_floats(planes * inputs, 1);
    std::vector<float> y(planes * outputs);
    pool(wanted, x.data(), y.data(), planes, StdWorkers(threads));
    for (int64_t plane = 0; plane < planes; ++plane)
        for (int64_t i = 0; i < outputs; ++i)
            CHECK(y[plane * outputs + i] == pooled(wanted, x.data() + plane * inputs,
                                                   i / wanted.columns.output,
                                                   i % wanted.columns.output));
}

void check_pools(int threads) {
    std::mt19937 random(0);
    const auto axis = [&random](bool average) {
        const int64_t sizes[] = {1, 2, 3, 4, 7, 8, 14, 15, 16, 17, 28, 32, 33, 50};
        PoolAxis drawn{};
        drawn.size = sizes[random() % std::size(sizes)];
        drawn.kernel = random() % 2 ? 3 : 1 + static_cast<int64_t>(random() % 5);
        drawn.stride = 1 + static_cast<int64_t>(random() % 3);
        drawn.padding = static_cast<int64_t>(random() % (drawn.kernel / 2 + 1));
        drawn.dilation = average ? 1 : 1 + static_cast<int64_t>(random() % 2);
        return drawn;
    };
    for (int i = 0; i < 150; ++i) {
        const bool average = random() % 2;
        check_pool({axis(average), axis(average), average, random() % 2 == 0}, random() % 2 == 0,
                   1 + static_cast<int64_t>(random() % 20), threads);
    }
    for (int64_t size : {4, 8, 16, 32})
        for (int64_t stride : {1, 2})
            for (bool average : {false, true}) {
                const PoolAxis both{size, 3, stride, 1, 1, 0};
                check_pool({both, both, average, false}, false, 200, threads);
            }
}

void check_batch_norm(int64_t samples, int64_t chunks, int64_t groups, int64_t group_channels,
                      int64_t plane, bool affine, int threads) {
    const int64_t rows = samples * chunks, channels = groups * group_channels;
    const std::vector<float> x = random_floats(rows * channels * plane, 1);
    const std::vector<float> weight = random_floats(channels, 2), bias = random_floats(channels, 3);
    const BatchNorm norm{x.data(),
                         rows,
                         channels,
                         plane,
                         affine ? weight.data() : nullptr,
                         affine ? bias.data() : nullptr,
                         1e-5};
    std::vector<float> y(x.size()), relu(x.size());
    const StdWorkers workers(threads);
    batch_norm(norm, y.data(), workers);

    const PatternShape shape{samples, false};
    OwnedTables tables(groups, shape.bits(), chunks * group_channels * plane);
    batch_norm_relu_insert(norm, relu.data(), shape, tables.tables, workers);
    std::vector<std::set<SlowPattern>> patterns(groups);
    for (int64_t c = 0; c < channels; ++c) {
        double sum = 0, squares = 0;
        const auto each = [&](const auto& use) {
            for (int64_t row = 0; row < rows; ++row)
                for (int64_t i = 0; i < plane; ++i) use((row * channels + c) * plane + i);
        };
        each([&](int64_t at) { sum += x[at]; });
        const double mean = sum / static_cast<double>(rows * plane);
        each([&](int64_t at) { squares += (x[at] - mean) * (x[at] - mean); });
        const double deviation = std::sqrt(squares / static_cast<double>(rows * plane) + norm.eps);
        each([&](int64_t at) {
            const double normal = (x[at] - mean) / deviation;
            const double expected = affine ? normal * weight[c] + bias[c] : normal;
            CHECK(std::abs(y[at] - expected) < 1e-5 * (1 + std::abs(expected)));
            CHECK(relu[at] == std::max(y[at], 0.0f));
        });
        for (int64_t chunk = 0; chunk < chunks; ++chunk)
            for (int64_t i = 0; i < plane; ++i) {
                SlowPattern pattern;
                for (int64_t s = 0; s < samples; ++s)
                    pattern.push_back(relu[((s * chunks + chunk) * channels + c) * plane + i] > 0);
                patterns[c / group_channels].insert(pattern);
            }
    }
    for (int64_t g = 0; g < groups; ++g)
        CHECK(tables.tables[g].count() == static_cast<int64_t>(patterns[g].size()));
}

}  // namespace

int main() {
    for (Isa isa : available_isas()) {
        set_active_isa(isa_name(isa));
        for (int threads : {1, 3}) {
            check_pools(threads);
            for (int64_t plane : {1, 7, 64, 100, 2500})
                for (int64_t groups : {1, 2, 3})
                    for (int64_t samples : {4, 16, 40})
                        check_batch_norm(samples, groups == 2 ? 3 : 1, groups, 3, plane,
                                         groups == 1, threads);
        }
    }
    return 0;
}
