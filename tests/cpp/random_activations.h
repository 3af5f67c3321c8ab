// Random activations in every layout that the kernels read, and their patterns computed naively.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <set>
#include <vector>

#include "cpu/kernels.h"

namespace swapnas::cpu {

using SlowPattern = std::vector<bool>;

// Memory from a multiple of 128 bytes on, as of a GPU.
template <class T>
struct LineAllocator {
    using value_type = T;
    static constexpr std::align_val_t kLine{128};
    LineAllocator() = default;
    template <class U>
    LineAllocator(const LineAllocator<U>&) {}
    T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kLine)); }
    void deallocate(T* memory, size_t) { ::operator delete(memory, kLine); }
    bool operator==(const LineAllocator&) const { return true; }
};

struct RandomActivations {
    std::vector<float, LineAllocator<float>> values;
    std::vector<float, LineAllocator<float>> output;
    Activations view{};

    RandomActivations(int64_t groups, int64_t samples, int64_t outer, int64_t inner,
                      uint32_t seed) {
        std::mt19937 random(seed);
        const int64_t gap = random() % 3;  // between the runs of a sample
        view.dtype = DType::Float32;
        view.inner = inner;
        view.outer = outer;
        view.outer_stride = inner + gap;
        view.samples = samples;
        view.sample_stride = outer * view.outer_stride;
        view.groups = groups;
        view.group_stride = samples * view.sample_stride;
        values.resize(groups * view.group_stride);
        // Few distinct columns, so that patterns repeat; some zeros of both signs.
        for (auto& value : values) value = 0;
        const int64_t columns = 1 + outer * inner / 3;
        std::vector<float> column_values(samples * columns);
        for (auto& value : column_values) {
            const int draw = static_cast<int>(random() % 9) - 4;
            value = draw == 3 ? -0.0f : static_cast<float>(draw == 4 ? 0 : draw);
        }
        for (int64_t g = 0; g < groups; ++g)
            for (int64_t o = 0; o < outer; ++o)
                for (int64_t i = 0; i < inner; ++i) {
                    const int64_t column = random() % columns;
                    for (int64_t s = 0; s < samples; ++s)
                        at(g, s, o, i) = column_values[s * columns + column];
                }
        output = values;
        view.data = values.data();
        view.relu_output = nullptr;
    }

    float& at(int64_t g, int64_t s, int64_t o, int64_t i) { return values[offset(g, s, o, i)]; }
    int64_t offset(int64_t g, int64_t s, int64_t o, int64_t i) const {
        return g * view.group_stride + s * view.sample_stride + o * view.outer_stride + i;
    }

    std::set<SlowPattern> patterns(int64_t group, bool ternary, bool relu = false) {
        std::set<SlowPattern> found;
        for (int64_t o = 0; o < view.outer; ++o)
            for (int64_t i = 0; i < view.inner; ++i) {
                SlowPattern pattern;
                for (int64_t s = 0; s < view.samples; ++s)
                    pattern.push_back(at(group, s, o, i) > 0);
                if (ternary)
                    for (int64_t s = 0; s < view.samples; ++s)
                        pattern.push_back(!relu && at(group, s, o, i) < 0);
                found.insert(pattern);
            }
        return found;
    }
};

struct OwnedTables {
    std::vector<uint64_t> memory;
    GroupTables tables;

    OwnedTables(int64_t groups, int64_t bits, int64_t patterns) {
        const int64_t words = table_words(bits, patterns);
        memory.assign(groups * words, 0);
        tables = {memory.data(), words, groups, bits};
    }
};

}  // namespace swapnas::cpu
