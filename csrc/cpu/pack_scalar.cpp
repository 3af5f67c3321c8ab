// Portable form: every other instruction set must give the same bits.
#include "cpu/pack_common.h"

namespace swapnas::cpu {
namespace {

template <class T>
bool is_positive(T x) {
    return x > 0;
}
template <class T>
bool is_negative(T x) {
    return x < 0;
}
template <class T>
bool is_nan(T x) {
    return x != x;
}

template <class T>
    requires requires { T::kInfinity; }
bool is_positive(T x) {
    return x.bits > 0 && x.bits <= T::kInfinity;
}
template <class T>
    requires requires { T::kInfinity; }
bool is_nan(T x) {
    return (x.bits & 0x7FFF) > T::kInfinity;
}
template <class T>
    requires requires { T::kInfinity; }
bool is_negative(T x) {
    return x.bits < 0 && (x.bits & 0x7FFF) != 0 && !is_nan(x);
}

template <class T, SignMode mode>
Signs signs64(const T* input, T* output) {
    Signs signs{0, 0, false};
    for (int i = 0; i < 64; ++i) {
        const T x = input[i];
        signs.positive |= uint64_t{is_positive(x)} << i;
        if constexpr (mode == SignMode::Ternary) signs.negative |= uint64_t{is_negative(x)} << i;
        if constexpr (mode == SignMode::BinaryRelu)
            output[i] = is_positive(x) || is_nan(x) ? x : T{};  // NaN passes, as in torch.relu
        signs.nan |= is_nan(x);
    }
    return signs;
}

}  // namespace

constinit const Packer kScalarPacker = make_packer();

}  // namespace swapnas::cpu
