// Converts activations to pattern bits, in two steps that each run along the fast axis:
//   sign_row:  contiguous activations of one sample -> one bit a neuron (64 neurons a word),
//   transpose: the bit rows of all samples          -> one pattern a neuron.
// Each instruction set has one table of functions; all give the same bits.
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
// if ternary), unused high bits zero; writes `count` elements to `output` if the mode has a ReLU
// (output may be the input). NaN is neither positive nor negative; returns true if any is seen.
// `next`, if not null, points to the `count` elements to be read after these. The hardware can't
// predict this jump, so they are prefetched.
using SignRow = bool (*)(const void* input, const void* next, void* output, int64_t count,
                         uint64_t* positive, uint64_t* negative);

// `rows`: `row_count` bit rows, `stride` words apart; transposes `word_count` words of each.
// Rows beyond row_count (up to the width of Key) count as zero. Writes 64 keys for each word, key
// `i` to keys[i * key_stride]; the 16-bit form may permute the 64 keys within a word.
template <class Key>
using Transpose = void (*)(const uint64_t* rows, int64_t stride, int64_t row_count,
                           int64_t word_count, Key* keys, int64_t key_stride);

// Bits that are set in `count` words.
using CountBits = uint64_t (*)(const uint64_t* words, int64_t count);

// `rows`: bit rows of `word_count` words, `stride` words apart. Adds to differences[t] the number
// of bits in which row `row` differs from row t, for each t below `row`.
using AddDifferences = void (*)(const uint64_t* rows, int64_t stride, int64_t row,
                                int64_t word_count, int64_t* differences);

struct Packer {
    SignRow sign_row[kDTypes][kSignModes];
    Transpose<uint16_t> transpose16;
    Transpose<uint32_t> transpose32;
    Transpose<uint64_t> transpose64;
    CountBits count_bits;
    AddDifferences add_differences;
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
