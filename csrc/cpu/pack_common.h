// The parts of pack.h that every instruction set shares, compiled once in each pack_<isa>.cpp with
// that file's flags. Everything is in an unnamed namespace, so that the linker never keeps a copy
// built for AVX-512 for a machine without it.
//
// The including file first defines, for each element type T below,
//   template <class T, SignMode mode> Signs signs64(const T* input, T* output);
// for 64 contiguous elements.
#pragma once

#include <cstdint>
#include <cstring>

#include "cpu/pack.h"

namespace swapnas::cpu {
namespace {

// IEEE half and bfloat16 as raw bits: ordered like sign-magnitude integers, so they need no
// conversion to float.
struct Half {
    int16_t bits;
    static constexpr int16_t kInfinity = 0x7C00;
};
struct BFloat16 {
    int16_t bits;
    static constexpr int16_t kInfinity = 0x7F80;
};

struct Signs {
    uint64_t positive;
    uint64_t negative;
    bool nan;
};

template <class T, SignMode mode>
Signs signs64(const T* input, T* output);

template <class T, SignMode mode>
bool sign_row(const void* input, const void* next, void* output, int64_t count, uint64_t* positive,
              uint64_t* negative) {
    const T* x = static_cast<const T*>(input);
    const T* ahead = static_cast<const T*>(next);
    T* y = static_cast<T*>(output);
    bool nan = false;
    const int64_t full = count / 64;
    for (int64_t w = 0; w < full; ++w) {
        if (ahead != nullptr)
            for (int line = 0; line < static_cast<int>(sizeof(T)); ++line)  // lines of 64 bytes
                __builtin_prefetch(reinterpret_cast<const char*>(ahead + 64 * w) + 64 * line, 0, 3);
        const Signs signs = signs64<T, mode>(x + 64 * w, y + 64 * w);
        positive[w] = signs.positive;
        if constexpr (mode == SignMode::Ternary) negative[w] = signs.negative;
        nan |= signs.nan;
    }
    if (const int64_t rest = count % 64; rest != 0) {
        T padded[64] = {};
        std::memcpy(padded, x + 64 * full, rest * sizeof(T));
        const Signs signs = signs64<T, mode>(padded, padded);
        positive[full] = signs.positive;
        if constexpr (mode == SignMode::Ternary) negative[full] = signs.negative;
        nan |= signs.nan;
        if constexpr (mode == SignMode::BinaryRelu)
            std::memcpy(y + 64 * full, padded, rest * sizeof(T));
    }
    return nan;
}

// Swaps the off-diagonal halves of every 2*Step x 2*Step bit block, for Rows rows of 64 bits
// (Hacker's Delight, 7-3). Applied for Step = Rows/2 ... 1 it transposes each Rows x Rows block.
template <int Rows, int Step>
inline void swap_blocks(uint64_t* rows) {
    constexpr uint64_t mask = ~uint64_t{0} / ((uint64_t{1} << Step) + 1);
    for (int base = 0; base < Rows; base += 2 * Step) {
        for (int r = base; r < base + Step; ++r) {
            const uint64_t moved = ((rows[r] >> Step) ^ rows[r + Step]) & mask;
            rows[r] ^= moved << Step;
            rows[r + Step] ^= moved;
        }
    }
    if constexpr (Step > 1) swap_blocks<Rows, Step / 2>(rows);
}

template <class Key>
void transpose(const uint64_t* rows, int64_t stride, int64_t row_count, int64_t word_count,
               Key* keys, int64_t key_stride) {
    constexpr int kRows = 8 * sizeof(Key);
    constexpr int kKeysPerRow = 64 / kRows;
    for (int64_t w = 0; w < word_count; ++w, keys += 64 * key_stride) {
        alignas(64) uint64_t block[kRows];
        for (int r = 0; r < kRows; ++r) block[r] = r < row_count ? rows[r * stride + w] : 0;
        swap_blocks<kRows, kRows / 2>(block);
        if constexpr (sizeof(Key) == 2) {
            std::memcpy(keys, block, sizeof(block));  // key order within the word does not matter
        } else {
            for (int column = 0; column < kKeysPerRow; ++column)
                for (int r = 0; r < kRows; ++r)
                    keys[(column * kRows + r) * key_stride] =
                        static_cast<Key>(block[r] >> (column * (kRows % 64)));
        }
    }
}

uint64_t count_bits(const uint64_t* words, int64_t count) {
    uint64_t total = 0;
    for (int64_t w = 0; w < count; ++w) total += __builtin_popcountll(words[w]);
    return total;
}

// The differences of one row from `Others` rows at a time: each word of the row is loaded once.
template <int Others>
void add_differences_of(const uint64_t* words, const uint64_t* others, int64_t stride,
                        int64_t word_count, int64_t* differences) {
    uint64_t totals[Others] = {};
    for (int64_t w = 0; w < word_count; ++w)
        for (int other = 0; other < Others; ++other)
            totals[other] += __builtin_popcountll(words[w] ^ others[other * stride + w]);
    for (int other = 0; other < Others; ++other)
        differences[other] += static_cast<int64_t>(totals[other]);
}

void add_differences(const uint64_t* rows, int64_t stride, int64_t row, int64_t word_count,
                     int64_t* differences) {
    const uint64_t* words = rows + row * stride;
    int64_t t = 0;
    for (; t + 4 <= row; t += 4)
        add_differences_of<4>(words, rows + t * stride, stride, word_count, differences + t);
    for (; t < row; ++t)
        add_differences_of<1>(words, rows + t * stride, stride, word_count, differences + t);
}

template <class T>
constexpr void fill_sign_rows(SignRow (&row)[kSignModes]) {
    row[static_cast<int>(SignMode::Binary)] = sign_row<T, SignMode::Binary>;
    row[static_cast<int>(SignMode::Ternary)] = sign_row<T, SignMode::Ternary>;
    row[static_cast<int>(SignMode::BinaryRelu)] = sign_row<T, SignMode::BinaryRelu>;
}

constexpr Packer make_packer(Transpose<uint16_t> transpose16 = transpose<uint16_t>,
                             Transpose<uint32_t> transpose32 = transpose<uint32_t>,
                             Transpose<uint64_t> transpose64 = transpose<uint64_t>) {
    Packer packer{};
    fill_sign_rows<float>(packer.sign_row[static_cast<int>(DType::Float32)]);
    fill_sign_rows<double>(packer.sign_row[static_cast<int>(DType::Float64)]);
    fill_sign_rows<Half>(packer.sign_row[static_cast<int>(DType::Float16)]);
    fill_sign_rows<BFloat16>(packer.sign_row[static_cast<int>(DType::BFloat16)]);
    packer.transpose16 = transpose16;
    packer.transpose32 = transpose32;
    packer.transpose64 = transpose64;
    packer.count_bits = count_bits;
    packer.add_differences = add_differences;
    return packer;
}

}  // namespace
}  // namespace swapnas::cpu
