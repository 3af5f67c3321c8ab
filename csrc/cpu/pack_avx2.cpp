// AVX2: movemask gathers compare results into bits.
#include <immintrin.h>

#include "cpu/pack_common.h"

namespace swapnas::cpu {
namespace {

template <SignMode mode>
Signs signs64_float(const float* input, float* output) {
    const __m256 zero = _mm256_setzero_ps();
    Signs signs{0, 0, false};
    __m256 nan = zero;
    for (int i = 0; i < 8; ++i) {
        const __m256 x = _mm256_loadu_ps(input + 8 * i);
        const auto bits = [i](__m256 mask) {
            return uint64_t{static_cast<unsigned>(_mm256_movemask_ps(mask))} << (8 * i);
        };
        signs.positive |= bits(_mm256_cmp_ps(x, zero, _CMP_GT_OQ));
        if constexpr (mode == SignMode::Ternary)
            signs.negative |= bits(_mm256_cmp_ps(x, zero, _CMP_LT_OQ));
        if constexpr (mode == SignMode::BinaryRelu)  // max returns its second operand if one is NaN
            _mm256_storeu_ps(output + 8 * i, _mm256_max_ps(zero, x));
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    }
    signs.nan = _mm256_movemask_ps(nan) != 0;
    return signs;
}

template <SignMode mode>
Signs signs64_double(const double* input, double* output) {
    const __m256d zero = _mm256_setzero_pd();
    Signs signs{0, 0, false};
    __m256d nan = zero;
    for (int i = 0; i < 16; ++i) {
        const __m256d x = _mm256_loadu_pd(input + 4 * i);
        const auto bits = [i](__m256d mask) {
            return uint64_t{static_cast<unsigned>(_mm256_movemask_pd(mask))} << (4 * i);
        };
        signs.positive |= bits(_mm256_cmp_pd(x, zero, _CMP_GT_OQ));
        if constexpr (mode == SignMode::Ternary)
            signs.negative |= bits(_mm256_cmp_pd(x, zero, _CMP_LT_OQ));
        if constexpr (mode == SignMode::BinaryRelu)
            _mm256_storeu_pd(output + 4 * i, _mm256_max_pd(zero, x));
        nan = _mm256_or_pd(nan, _mm256_cmp_pd(x, x, _CMP_UNORD_Q));
    }
    signs.nan = _mm256_movemask_pd(nan) != 0;
    return signs;
}

// Two vectors of 16-bit compare results -> 32 bits, in order.
inline uint64_t bits32(__m256i low, __m256i high) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xD8);
    return static_cast<unsigned>(_mm256_movemask_epi8(packed));
}

template <class T, SignMode mode>
Signs signs64_16bit(const T* input, T* output) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i infinity = _mm256_set1_epi16(T::kInfinity);
    const __m256i magnitude_bits = _mm256_set1_epi16(0x7FFF);
    Signs signs{0, 0, false};
    __m256i any_nan = zero;
    for (int i = 0; i < 2; ++i) {
        __m256i positive[2], negative[2];
        for (int half = 0; half < 2; ++half) {
            const int at = 32 * i + 16 * half;
            const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(input + at));
            const __m256i magnitude = _mm256_and_si256(x, magnitude_bits);
            const __m256i nan = _mm256_cmpgt_epi16(magnitude, infinity);
            const __m256i above = _mm256_cmpgt_epi16(x, zero);
            positive[half] = _mm256_andnot_si256(nan, above);
            if constexpr (mode == SignMode::Ternary) {
                const __m256i below = _mm256_and_si256(_mm256_cmpgt_epi16(zero, x),
                                                       _mm256_cmpgt_epi16(magnitude, zero));
                negative[half] = _mm256_andnot_si256(nan, below);
            }
            if constexpr (mode == SignMode::BinaryRelu)
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + at),
                                    _mm256_and_si256(x, _mm256_or_si256(above, nan)));
            any_nan = _mm256_or_si256(any_nan, nan);
        }
        signs.positive |= bits32(positive[0], positive[1]) << (32 * i);
        if constexpr (mode == SignMode::Ternary)
            signs.negative |= bits32(negative[0], negative[1]) << (32 * i);
    }
    signs.nan = !_mm256_testz_si256(any_nan, any_nan);
    return signs;
}

template <class T, SignMode mode>
Signs signs64(const T* input, T* output) {
    if constexpr (sizeof(T) == 4) return signs64_float<mode>(input, output);
    else if constexpr (sizeof(T) == 8) return signs64_double<mode>(input, output);
    else return signs64_16bit<T, mode>(input, output);
}

}  // namespace

constinit const Packer kAvx2Packer = make_packer();

}  // namespace swapnas::cpu
