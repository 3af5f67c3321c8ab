// What a pool makes of a window, in vectors of outputs.
#pragma once

#include "cpu/forward/vector.h"

namespace swapnas::cpu {
namespace {

// Sums in the order of torch's loop, rows first, so that the results are the same floats.
struct Average {
    struct Row {
        Floats a, b, c;
    };
    static Floats start() { return Floats{}; }  // 0.0 + -0.0 is 0.0
    static Row row(Floats a, Floats b, Floats c) { return {a, b, c}; }
    static Floats add(Floats sum, const Row& row) { return ((sum + row.a) + row.b) + row.c; }
    static Floats add(Floats sum, Floats x) { return sum + x; }
    static Floats finish(Floats sum, Floats divisor) { return sum / divisor; }
};

// Of equal ones, zeros of both signs, the first stays.
struct Maximum {
    using Row = Floats;
    static Floats start() { return broadcast(-__builtin_inff()); }
    static Row row(Floats a, Floats b, Floats c) { return add(add(a, b), c); }
    static Floats add(Floats most, Floats x) { return larger_or_second(x, most); }
    static Floats finish(Floats most, Floats) { return most; }
};

// The same for a plane with a NaN, which stays.
struct MaximumOrNan : Maximum {
    static Row row(Floats a, Floats b, Floats c) { return add(add(a, b), c); }
    static Floats add(Floats most, Floats x) { return select((x > most) | (x != x), x, most); }
};

}  // namespace
}  // namespace swapnas::cpu
