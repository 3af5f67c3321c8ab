// AVX-512 (F, BW, VL, DQ): compares give mask registers, so one instruction makes the bits of 16
// (float) or 32 (half) neurons.
#include <immintrin.h>

#include "cpu/pack_common.h"

namespace swapnas::cpu {
namespace {

// max returns its second operand if one is NaN. The masked forms replace the plain ones, for which
// GCC 12's own header warns of an uninitialised value.
inline __m512 relu(__m512 x) { return _mm512_maskz_max_ps(0xFFFF, _mm512_setzero_ps(), x); }
inline __m512d relu(__m512d x) { return _mm512_maskz_max_pd(0xFF, _mm512_setzero_pd(), x); }

// Saturating packs keep "greater than zero" of a float's bits, read as an integer, so four vectors
// become one of bytes, and one compare covers 64 neurons. A NaN would count as positive, but then
// float compares redo the whole word.
inline uint64_t positive64(const __m512 (&x)[4]) {
    const auto bits = [&x](int i) { return _mm512_castps_si512(x[i]); };
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(bits(0), bits(1)),
                                             _mm512_packs_epi32(bits(2), bits(3)));
    // Packs work in 128-bit lanes: lane L holds the elements 4L..4L+3 of each vector.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i in_order = _mm512_maskz_permutexvar_epi32(0xFFFF, order, bytes);
    return _mm512_cmpgt_epi8_mask(in_order, _mm512_setzero_si512());
}

template <int compare>
uint64_t compare64(const __m512 (&x)[4]) {
    uint64_t bits = 0;
    for (int i = 0; i < 4; ++i)
        bits |= uint64_t{_mm512_cmp_ps_mask(x[i], _mm512_setzero_ps(), compare)} << (16 * i);
    return bits;
}

template <SignMode mode>
Signs signs64_float(const float* input, float* output) {
    __m512 x[4];
    for (int i = 0; i < 4; ++i) {
        x[i] = _mm512_loadu_ps(input + 16 * i);
        if constexpr (mode == SignMode::BinaryRelu) _mm512_storeu_ps(output + 16 * i, relu(x[i]));
    }
    Signs signs{positive64(x), 0, false};
    if constexpr (mode == SignMode::Ternary) signs.negative = compare64<_CMP_LT_OQ>(x);
    // An unordered compare tests two vectors for NaN at once.
    signs.nan = (_mm512_cmp_ps_mask(x[0], x[1], _CMP_UNORD_Q) |
                 _mm512_cmp_ps_mask(x[2], x[3], _CMP_UNORD_Q)) != 0;
    if (signs.nan) [[unlikely]]
        signs.positive = compare64<_CMP_GT_OQ>(x);
    return signs;
}

template <SignMode mode>
Signs signs64_double(const double* input, double* output) {
    const __m512d zero = _mm512_setzero_pd();
    Signs signs{0, 0, false};
    unsigned nan = 0;
    for (int i = 0; i < 8; ++i) {
        const __m512d x = _mm512_loadu_pd(input + 8 * i);
        signs.positive |= uint64_t{_mm512_cmp_pd_mask(x, zero, _CMP_GT_OQ)} << (8 * i);
        if constexpr (mode == SignMode::Ternary)
            signs.negative |= uint64_t{_mm512_cmp_pd_mask(x, zero, _CMP_LT_OQ)} << (8 * i);
        if constexpr (mode == SignMode::BinaryRelu) _mm512_storeu_pd(output + 8 * i, relu(x));
        nan |= _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
    }
    signs.nan = nan != 0;
    return signs;
}

template <class T, SignMode mode>
Signs signs64_16bit(const T* input, T* output) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i infinity = _mm512_set1_epi16(T::kInfinity);
    const __m512i magnitude_bits = _mm512_set1_epi16(0x7FFF);
    Signs signs{0, 0, false};
    uint64_t nan = 0;
    for (int i = 0; i < 2; ++i) {
        const __m512i x = _mm512_loadu_si512(input + 32 * i);
        const __m512i magnitude = _mm512_and_si512(x, magnitude_bits);
        const __mmask32 is_nan = _mm512_cmpgt_epi16_mask(magnitude, infinity);
        const __mmask32 above = _mm512_cmpgt_epi16_mask(x, zero);
        signs.positive |= uint64_t{above & ~is_nan} << (32 * i);
        if constexpr (mode == SignMode::Ternary)
            signs.negative |= uint64_t{_mm512_mask_test_epi16_mask(
                                  _mm512_movepi16_mask(x) & ~is_nan, magnitude, magnitude)}
                              << (32 * i);
        if constexpr (mode == SignMode::BinaryRelu)
            _mm512_storeu_si512(output + 32 * i, _mm512_maskz_mov_epi16(above | is_nan, x));
        nan |= is_nan;
    }
    signs.nan = nan != 0;
    return signs;
}

template <class T, SignMode mode>
Signs signs64(const T* input, T* output) {
    if constexpr (sizeof(T) == 4) return signs64_float<mode>(input, output);
    else if constexpr (sizeof(T) == 8) return signs64_double<mode>(input, output);
    else return signs64_16bit<T, mode>(input, output);
}

// A bit row is a mask register: adding the row's bit to the lanes it selects transposes without a
// shuffle. Each lane of `keys` collects the bits of one neuron.
// Two vectors take 64 neurons of 16 bits.
struct Lanes16 {
    __m512i part[2];
};

inline Lanes16 collect16(const uint64_t* rows, int64_t stride, int64_t row_count) {
    Lanes16 keys{_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int r = 0; r < 16 && r < row_count; ++r) {
        const __m512i bit = _mm512_set1_epi16(static_cast<int16_t>(1u << r));
        const uint64_t row = rows[r * stride];
        const auto low = static_cast<__mmask32>(row), high = static_cast<__mmask32>(row >> 32);
        keys.part[0] = _mm512_mask_add_epi16(keys.part[0], low, keys.part[0], bit);
        keys.part[1] = _mm512_mask_add_epi16(keys.part[1], high, keys.part[1], bit);
    }
    return keys;
}

// Four vectors of 32-bit lanes, whose halves are collected separately.
struct Lanes32 {
    __m512i part[4];
};

inline Lanes32 collect32(const uint64_t* rows, int64_t stride, int64_t row_count) {
    const Lanes16 low = collect16(rows, stride, row_count);
    const Lanes16 high = collect16(rows + 16 * stride, stride, row_count - 16);
    const auto widened = [](const Lanes16& keys, int part) {
        const __m256i half = _mm512_maskz_extracti64x4_epi64(0xF, keys.part[part / 2], part % 2);
        return _mm512_maskz_cvtepu16_epi32(0xFFFF, half);
    };
    Lanes32 keys;
    for (int part = 0; part < 4; ++part)
        keys.part[part] = _mm512_or_si512(widened(low, part),
                                          _mm512_maskz_slli_epi32(0xFFFF, widened(high, part), 16));
    return keys;
}

void transpose16_masked(const uint64_t* rows, int64_t stride, int64_t row_count, int64_t word_count,
                        uint16_t* keys, int64_t) {
    for (int64_t w = 0; w < word_count; ++w) {
        const Lanes16 lanes = collect16(rows + w, stride, row_count);
        for (int part = 0; part < 2; ++part)
            _mm512_storeu_si512(keys + 64 * w + 32 * part, lanes.part[part]);
    }
}

void transpose32_masked(const uint64_t* rows, int64_t stride, int64_t row_count, int64_t word_count,
                        uint32_t* keys, int64_t) {
    for (int64_t w = 0; w < word_count; ++w) {
        const Lanes32 lanes = collect32(rows + w, stride, row_count);
        for (int part = 0; part < 4; ++part)
            _mm512_storeu_si512(keys + 64 * w + 16 * part, lanes.part[part]);
    }
}

// Stores 8 keys `stride` words apart.
inline void store_keys(__m512i keys, uint64_t* target, int64_t stride) {
    if (stride == 1) {
        _mm512_storeu_si512(target, keys);
    } else if (stride == 2) {  // to the even words, of four keys at a time
        const __m512i last = _mm512_maskz_shuffle_i64x2(0xFF, keys, keys, 0xEE);
        _mm512_mask_storeu_epi64(target, 0x55, _mm512_maskz_expand_epi64(0x55, keys));
        _mm512_mask_storeu_epi64(target + 8, 0x55, _mm512_maskz_expand_epi64(0x55, last));
    } else {
        alignas(64) uint64_t block[8];
        _mm512_store_si512(block, keys);
        for (int i = 0; i < 8; ++i) target[i * stride] = block[i];
    }
}

void transpose64_masked(const uint64_t* rows, int64_t stride, int64_t row_count, int64_t word_count,
                        uint64_t* keys, int64_t key_stride) {
    for (int64_t w = 0; w < word_count; ++w) {
        const Lanes32 low = collect32(rows + w, stride, row_count);
        const Lanes32 high = collect32(rows + w + 32 * stride, stride, row_count - 32);
        for (int part = 0; part < 8; ++part) {
            const auto half = [part](__m512i lanes) {
                return _mm512_maskz_cvtepu32_epi64(
                    0xFF, _mm512_maskz_extracti64x4_epi64(0xF, lanes, part % 2));
            };
            const __m512i joined =
                _mm512_or_si512(half(low.part[part / 2]),
                                _mm512_maskz_slli_epi64(0xFF, half(high.part[part / 2]), 32));
            store_keys(joined, keys + (64 * w + 8 * part) * key_stride, key_stride);
        }
    }
}

}  // namespace

constinit const Packer kAvx512Packer =
    make_packer(transpose16_masked, transpose32_masked, transpose64_masked);

}  // namespace swapnas::cpu
