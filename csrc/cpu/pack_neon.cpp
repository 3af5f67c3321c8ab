// NEON (AArch64): narrows compare results to bytes, weights each by its bit, and sums them.
#include <arm_neon.h>

#include "cpu/pack_common.h"

namespace swapnas::cpu {
namespace {

// 16 bytes of all-ones or zero -> 16 bits, in order.
inline uint64_t bits16(uint8x16_t mask) {
    const uint8x16_t weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t weighted = vandq_u8(mask, weights);
    return vaddv_u8(vget_low_u8(weighted)) | (uint64_t{vaddv_u8(vget_high_u8(weighted))} << 8);
}

inline uint16x8_t narrow(uint32x4_t low, uint32x4_t high) {
    return vcombine_u16(vmovn_u32(low), vmovn_u32(high));
}
inline uint8x16_t narrow(uint16x8_t low, uint16x8_t high) {
    return vcombine_u8(vmovn_u16(low), vmovn_u16(high));
}
inline uint32x4_t narrow(uint64x2_t low, uint64x2_t high) {
    return vcombine_u32(vmovn_u64(low), vmovn_u64(high));
}

// Compare results of 16 elements, one vector type each.
struct Masks32 {
    uint32x4_t part[4];
    uint64_t bits() const {
        return bits16(narrow(narrow(part[0], part[1]), narrow(part[2], part[3])));
    }
};
struct Masks64 {
    uint64x2_t part[8];
    uint64_t bits() const {
        return Masks32{{narrow(part[0], part[1]), narrow(part[2], part[3]),
                        narrow(part[4], part[5]), narrow(part[6], part[7])}}
            .bits();
    }
};
struct Masks16 {
    uint16x8_t part[2];
    uint64_t bits() const { return bits16(narrow(part[0], part[1])); }
};

template <SignMode mode>
Signs signs64(const float* input, float* output) {
    const float32x4_t zero = vdupq_n_f32(0);
    Signs signs{0, 0, false};
    uint32x4_t ordered = vdupq_n_u32(~0u);
    for (int i = 0; i < 4; ++i) {
        Masks32 positive, negative;
        for (int j = 0; j < 4; ++j) {
            const float32x4_t x = vld1q_f32(input + 16 * i + 4 * j);
            positive.part[j] = vcgtq_f32(x, zero);
            if constexpr (mode == SignMode::Ternary) negative.part[j] = vcltq_f32(x, zero);
            if constexpr (mode == SignMode::BinaryRelu)  // FMAX propagates NaN
                vst1q_f32(output + 16 * i + 4 * j, vmaxq_f32(x, zero));
            ordered = vandq_u32(ordered, vceqq_f32(x, x));
        }
        signs.positive |= positive.bits() << (16 * i);
        if constexpr (mode == SignMode::Ternary) signs.negative |= negative.bits() << (16 * i);
    }
    signs.nan = vminvq_u32(ordered) == 0;
    return signs;
}

template <SignMode mode>
Signs signs64(const double* input, double* output) {
    const float64x2_t zero = vdupq_n_f64(0);
    Signs signs{0, 0, false};
    uint64x2_t ordered = vdupq_n_u64(~0ull);
    for (int i = 0; i < 4; ++i) {
        Masks64 positive, negative;
        for (int j = 0; j < 8; ++j) {
            const float64x2_t x = vld1q_f64(input + 16 * i + 2 * j);
            positive.part[j] = vcgtq_f64(x, zero);
            if constexpr (mode == SignMode::Ternary) negative.part[j] = vcltq_f64(x, zero);
            if constexpr (mode == SignMode::BinaryRelu)
                vst1q_f64(output + 16 * i + 2 * j, vmaxq_f64(x, zero));
            ordered = vandq_u64(ordered, vceqq_f64(x, x));
        }
        signs.positive |= positive.bits() << (16 * i);
        if constexpr (mode == SignMode::Ternary) signs.negative |= negative.bits() << (16 * i);
    }
    signs.nan = vminvq_u32(vreinterpretq_u32_u64(ordered)) == 0;
    return signs;
}

template <SignMode mode, class T>
Signs signs64(const T* input, T* output) {
    const int16x8_t zero = vdupq_n_s16(0);
    const int16x8_t infinity = vdupq_n_s16(T::kInfinity);
    Signs signs{0, 0, false};
    uint16x8_t any_nan = vdupq_n_u16(0);
    for (int i = 0; i < 4; ++i) {
        Masks16 positive, negative;
        for (int j = 0; j < 2; ++j) {
            const int64_t at = 16 * i + 8 * j;
            const int16x8_t x = vld1q_s16(reinterpret_cast<const int16_t*>(input + at));
            const int16x8_t magnitude = vandq_s16(x, vdupq_n_s16(0x7FFF));
            const uint16x8_t nan = vcgtq_s16(magnitude, infinity);
            const uint16x8_t above = vcgtq_s16(x, zero);
            positive.part[j] = vbicq_u16(above, nan);
            if constexpr (mode == SignMode::Ternary)
                negative.part[j] =
                    vbicq_u16(vandq_u16(vcltq_s16(x, zero), vcgtq_s16(magnitude, zero)), nan);
            if constexpr (mode == SignMode::BinaryRelu)
                vst1q_s16(reinterpret_cast<int16_t*>(output + at),
                          vandq_s16(x, vreinterpretq_s16_u16(vorrq_u16(above, nan))));
            any_nan = vorrq_u16(any_nan, nan);
        }
        signs.positive |= positive.bits() << (16 * i);
        if constexpr (mode == SignMode::Ternary) signs.negative |= negative.bits() << (16 * i);
    }
    signs.nan = vmaxvq_u16(any_nan) != 0;
    return signs;
}

template <class T, SignMode mode>
Signs signs64(const T* input, T* output) {
    return signs64<mode>(input, output);
}

}  // namespace

constinit const Packer kNeonPacker = make_packer();

}  // namespace swapnas::cpu
