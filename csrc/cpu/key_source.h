// Sources of keys: activations, packed block by block, or an array of packed patterns.
// A source consists of units of up to unit_keys() keys, keys() in all; visit() passes the keys of a
// range of units to a function, in batches that stay in the first-level cache.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <span>

#include "cpu/kernels.h"
#include "cpu/pack.h"
#include "cpu/share.h"
#include "cpu/workers.h"

namespace swapnas::cpu {

// Neurons in a block. Each sample is read in runs of a block, and memory is the faster the longer
// they are: runs of 4 KB take a fifth longer than runs of 64 KB. The bit rows of a block should fit
// the second-level cache, and each of `tasks` threads should get several blocks.
inline int64_t block_neurons(int64_t bits, int64_t neurons, int tasks) {
    constexpr int64_t kRowBits = 256 * 1024 * 8;
    constexpr int64_t kBlocksPerTask = 16;
    const int64_t even = std::max<int64_t>(neurons / (tasks * kBlocksPerTask), 8192);
    return std::clamp<int64_t>(std::min(even, kRowBits / bits) / 64 * 64, 64, 32768);
}

// Words between the bit rows of a block. Rows that are a power of two apart compete for a few
// places of the first-level cache, so if they don't all fit, they are a cache line further apart.
inline int64_t row_stride(int64_t bits, int64_t neurons) {
    constexpr int64_t kCacheWords = 32 * 1024 / 8;
    const int64_t words = ceil_div(neurons, 64);
    return bits * words > kCacheWords ? words + 8 : words;
}

// Keys in a batch.
inline constexpr int64_t kBatch = 1024;

inline constexpr int64_t kRowsFetchedEarly = 3;

// Activations that may be in a cache are not prefetched: that would cost a third of the packing.
inline constexpr int64_t kPrefetchBytes = int64_t{4} << 20;

// Packs `count` neurons of one sample, from element `offset` of the sample on, into its bit row
// (two rows if ternary, shape.samples rows apart). Returns true if a NaN was seen.
inline bool sign_sample(const Packer& packer, const Activations& a, PatternShape shape,
                        int64_t sample, int64_t offset, int64_t count, const char* next,
                        uint64_t* rows, int64_t stride) {
    const SignMode mode = a.relu_output != nullptr ? SignMode::BinaryRelu
                          : shape.ternary          ? SignMode::Ternary
                                                   : SignMode::Binary;
    const int64_t at = (offset + sample * a.sample_stride) * element_size(a.dtype);
    auto* output = static_cast<char*>(a.relu_output);
    uint64_t* positive = rows + sample * stride;
    uint64_t* negative = positive + shape.samples * stride;  // used if ternary
    if (shape.ternary && mode == SignMode::BinaryRelu)       // a ReLU's output is never negative
        std::memset(negative, 0, ceil_div(count, 64) * sizeof(uint64_t));
    return packer.sign_row[static_cast<int>(a.dtype)][static_cast<int>(mode)](
        static_cast<const char*>(a.data) + at, next, output != nullptr ? output + at : nullptr,
        count, positive, negative);
}

// Converts bit rows, `stride` words apart, to the keys of `count` neurons.
template <class Element>
void fill_keys(const Packer& packer, PatternShape shape, const uint64_t* rows, int64_t stride,
               int64_t count, Element* keys) {
    const int64_t bits = shape.bits();
    const int64_t words = ceil_div(count, 64);
    if constexpr (sizeof(Element) == 2) {
        // The 16-bit form permutes the keys of a word, so a partial word uses the other form.
        const int64_t full = count / 64;
        packer.transpose16(rows, stride, bits, full, keys, 1);
        if (full < words) {
            uint32_t rest[64];
            packer.transpose32(rows + full, stride, bits, 1, rest, 1);
            for (int64_t i = 0; i < count - 64 * full; ++i)
                keys[64 * full + i] = static_cast<Element>(rest[i]);
        }
    } else if constexpr (sizeof(Element) == 4) {
        packer.transpose32(rows, stride, bits, words, keys, 1);
    } else {
        for (int64_t w = 0; w < shape.words(); ++w)
            packer.transpose64(rows + 64 * w * stride, stride, std::min<int64_t>(bits - 64 * w, 64),
                               words, keys + w, shape.words());
    }
}

// Activations in any number and layout, packed and passed on block by block.
template <class Element>
class ActivationSource {
public:
    ActivationSource(std::span<const Activations> activations, PatternShape shape, int64_t group,
                     int tasks)
        : activations_(activations),
          shape_(shape),
          group_(group),
          key_words_(sizeof(Element) == 8 ? shape.words() : 1),
          packer_(packer(active_isa())) {
        int64_t longest_run = 1;
        for (const Activations& a : activations_) {
            keys_ += a.neurons();
            longest_run = std::max(longest_run, a.inner);
        }
        // Not larger than needed: to allocate buffers would take longer than to pack a few neurons.
        block_ =
            std::min(block_neurons(shape.bits(), keys_, tasks), ceil_div(longest_run, 64) * 64);
        for (const Activations& a : activations_) units_ += units_of(a);
    }

    int64_t keys() const { return keys_; }
    int64_t units() const { return units_; }
    int64_t unit_keys() const { return block_; }
    int64_t key_words() const { return key_words_; }

    // Calls use(keys, count) for each batch; returns true if a NaN was seen.
    template <class Use>
    bool visit(int64_t first, int64_t last, const Use& use) const {
        const int64_t stride = row_stride(shape_.bits(), block_);
        const auto rows = std::make_unique_for_overwrite<uint64_t[]>(shape_.bits() * stride);
        const auto keys =
            std::make_unique_for_overwrite<Element[]>(std::min(kBatch, block_) * key_words_);
        bool nan = false;
        for (const Activations& a : activations_) {
            const int64_t units = units_of(a);
            const int64_t blocks_per_run = units / std::max<int64_t>(a.outer, 1);
            const bool prefetch =
                a.groups * a.samples * a.neurons() * element_size(a.dtype) >= kPrefetchBytes;
            for (int64_t unit = std::max<int64_t>(first, 0); unit < std::min(last, units); ++unit) {
                const int64_t begin = unit % blocks_per_run * block_;
                const int64_t count = std::min(block_, a.inner - begin);
                const int64_t offset =
                    group_ * a.group_stride + unit / blocks_per_run * a.outer_stride + begin;
                nan |= fill_rows(a, offset, count, prefetch, rows.get(), stride);
                for (int64_t done = 0; done < count; done += kBatch) {
                    const int64_t batch = std::min(kBatch, count - done);
                    if (prefetch) {
                        prefetch_next_block(a, offset + block_ + done, batch);
                        prefetch_bits(rows.get() + (done + kBatch) / 64, stride);
                    }
                    fill_keys(packer_, shape_, rows.get() + done / 64, stride, batch, keys.get());
                    use(keys.get(), batch);
                }
            }
            first -= units;
            last -= units;
        }
        return nan;
    }

private:
    int64_t units_of(const Activations& a) const { return a.outer * ceil_div(a.inner, block_); }

    // Memory is idle while the keys of a block are used, so these rows of the next block are
    // fetched then; the rows before and after them are fetched while a block is packed.
    bool fetched_early(int64_t sample) const {
        return sample >= 1 && sample <= std::min<int64_t>(kRowsFetchedEarly, shape_.samples - 1);
    }

    void prefetch_next_block(const Activations& a, int64_t offset, int64_t count) const {
        const int64_t size = element_size(a.dtype);
        for (int64_t s = 1; fetched_early(s); ++s) {
            const char* row =
                static_cast<const char*>(a.data) + (offset + s * a.sample_stride) * size;
            for (int64_t byte = 0; byte < count * size; byte += 64)
                __builtin_prefetch(row + byte, 0, 2);
        }
    }

    // The bit rows of a long block are in the second-level cache: those of a batch are fetched
    // while the one before is used.
    void prefetch_bits(const uint64_t* rows, int64_t stride) const {
        for (int64_t b = 0; b < shape_.bits(); ++b)
            for (int64_t word = 0; word < kBatch / 64; word += 8)
                __builtin_prefetch(rows + b * stride + word);
    }

    bool fill_rows(const Activations& a, int64_t offset, int64_t count, bool prefetch,
                   uint64_t* rows, int64_t stride) const {
        const auto* data = static_cast<const char*>(a.data);
        bool nan = false;
        for (int64_t s = 0; s < shape_.samples; ++s) {
            // The first sample of the next block follows the last one.
            const bool last = s + 1 == shape_.samples;
            const int64_t next = last ? offset + count : offset + (s + 1) * a.sample_stride;
            const bool prefetch_row = prefetch && (last || !fetched_early(s + 1));
            nan |= sign_sample(packer_, a, shape_, s, offset, count,
                               prefetch_row ? data + next * element_size(a.dtype) : nullptr, rows,
                               stride);
        }
        return nan;
    }

    std::span<const Activations> activations_;
    PatternShape shape_;
    int64_t group_;
    int64_t key_words_;
    const Packer& packer_;
    int64_t keys_ = 0;
    int64_t block_ = 0;
    int64_t units_ = 0;
};

// One activation tensor in the cache, with its neurons in one run. All bit rows are made first, and
// each thread packs some samples. PyTorch's own operators divide the work in the same way, so each
// core finds its part of the tensor in its cache, and leaves the ReLU's output where the next layer
// needs it.
template <class Element>
class SampleWiseSource {
public:
    static bool fits(std::span<const Activations> activations) {
        if (activations.size() != 1 || activations[0].outer != 1) return false;
        const Activations& a = activations[0];
        return a.samples * a.inner * element_size(a.dtype) < kPrefetchBytes;
    }

    SampleWiseSource(const Activations& a, PatternShape shape, int64_t group, int tasks,
                     const Workers& workers)
        : shape_(shape),
          count_(a.inner),
          stride_(row_stride(shape.bits(), a.inner)),
          rows_(std::make_unique_for_overwrite<uint64_t[]>(shape.bits() * stride_)),
          packer_(packer(active_isa())) {
        std::atomic<bool> nan{false};
        workers.run(tasks, [&](int task) {
            for (int64_t s = a.samples * task / tasks; s < a.samples * (task + 1) / tasks; ++s)
                if (sign_sample(packer_, a, shape_, s, group * a.group_stride, count_, nullptr,
                                rows_.get(), stride_))
                    nan = true;
        });
        nan_ = nan;
    }

    int64_t keys() const { return count_; }
    int64_t units() const { return ceil_div(count_, kBatch); }
    int64_t unit_keys() const { return kBatch; }
    int64_t key_words() const { return sizeof(Element) == 8 ? shape_.words() : 1; }

    template <class Use>
    bool visit(int64_t first, int64_t last, const Use& use) const {
        const auto keys = std::make_unique_for_overwrite<Element[]>(kBatch * key_words());
        for (int64_t unit = first; unit < last; ++unit) {
            const int64_t batch = std::min(kBatch, count_ - unit * kBatch);
            fill_keys(packer_, shape_, rows_.get() + unit * (kBatch / 64), stride_, batch,
                      keys.get());
            use(keys.get(), batch);
        }
        return nan_;
    }

private:
    PatternShape shape_;
    int64_t count_;
    int64_t stride_;
    std::unique_ptr<uint64_t[]> rows_;
    const Packer& packer_;
    bool nan_ = false;
};

// Packed patterns.
template <class Element>
class PackedSource {
public:
    PackedSource(const Element* keys, int64_t count, int64_t key_words)
        : keys_(keys), count_(count), key_words_(key_words) {}

    int64_t keys() const { return count_; }
    int64_t units() const { return ceil_div(count_, kUnit); }
    int64_t unit_keys() const { return kUnit; }
    int64_t key_words() const { return key_words_; }

    template <class Use>
    bool visit(int64_t first, int64_t last, const Use& use) const {
        for (int64_t unit = first; unit < last; ++unit)
            use(keys_ + unit * kUnit * key_words_, std::min(kUnit, count_ - unit * kUnit));
        return false;
    }

private:
    static constexpr int64_t kUnit = 2048;
    const Element* keys_;
    int64_t count_;
    int64_t key_words_;
};

}  // namespace swapnas::cpu
