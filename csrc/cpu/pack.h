// Activations to pattern bits, in two steps that each run along the fast axis:
//   sign_row:  contiguous activations of one sample -> one bit a neuron (64 neurons a word),
//   transpose: the bit rows of all samples          -> one pattern a neuron.
// One table of functions for each instruction set; all of them give the same bits.
#pragma once

#include <cstdint>

#include "activations.h"
#include "cpu/isa.h"

namespace swapnas::cpu {

enum class SignMode {
    Binary,      // positive bits
    Ternary,     // positive and negative bits
    BinaryRelu,  // positive bits, and max(x, 0) written to the output
};
inline constexpr int kSignModes = 3;

// Reads `count` contiguous activations; writes ceil(count / 64) words to `positive` (and `negative`
// where ternary), unused high bits zero; writes `count` elements to `output` where the mode has a
// ReLU (output may be the input). NaN is neither positive nor negative; returns true if any is
// seen. `next`, if not null, is where `count` more will be read after these, a jump that the
// hardware can't foresee: they are prefetched on the way.
using SignRow = bool (*)(const void* input, const void* next, void* output, int64_t count,
                         uint64_t* positive, uint64_t* negative);

// `rows`: `row_count` bit rows, each `stride` words apart; transposes `word_count` words of each.
// Rows beyond row_count (up to the width of Key) count as zero. Writes 64 keys for each word, key
// `i` to keys[i * key_stride]; the 16-bit form may permute the 64 keys of a word among themselves.
template <class Key>
using Transpose = void (*)(const uint64_t* rows, int64_t stride, int64_t row_count,
                           int64_t word_count, Key* keys, int64_t key_stride);

// Bits that are set in `count` words.
using CountBits = uint64_t (*)(const uint64_t* words, int64_t count);

struct Packer {
    SignRow sign_row[kDTypes][kSignModes];
    Transpose<uint16_t> transpose16;
    Transpose<uint32_t> transpose32;
    Transpose<uint64_t> transpose64;
    CountBits count_bits;
};

const Packer& packer(Isa isa);

extern const Packer kScalarPacker;
#if defined(SWAPNAS_HAS_X86)
extern const Packer kAvx2Packer;
extern const Packer kAvx512Packer;
#elif defined(SWAPNAS_HAS_NEON)
extern const Packer kNeonPacker;
#endif

}  // namespace swapnas::cpu
