// The CUDA kernels on the emulated GPU: compares insert, ReLU + insert, pack, packed insert, merge
// and count with std::set, over the sizes of the CPU tests and all forms of the insert. Then
// removes every barrier and every atomic operation of the kernels in turn; the emulator must notice
// each.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "check.h"
#include "cuda/kernels.h"
#include "emulator.h"
#include "random_activations.h"

using namespace swapnas;
using cpu::RandomActivations;

namespace {

const std::vector<const char*> kForms = {"", "runs", "single", "split", "lines"};

void set_form(const char* form) { setenv("SWAPNAS_CUDA_FORM", form, 1); }

struct Counted {
    int64_t patterns, flags;
};

struct Tables {
    std::vector<uint64_t> memory;
    cuda::GroupTables tables;

    Tables(int64_t groups, PatternShape shape, int64_t patterns) {
        const int64_t words = cuda::table_words(shape, patterns);
        memory.assign(groups * words, 0);
        tables = {memory.data(), words, groups, shape};
        CHECK(cuda::table_limit(shape, words) >=
              (shape.bits() < 20 ? std::min(patterns, int64_t{1} << shape.bits()) : patterns));
    }
    Counted counted(int64_t group = 0) const {
        std::vector<int64_t> counts(2 * tables.groups);
        cuda::count(tables, counts.data(), nullptr);
        return {counts[2 * group], counts[2 * group + 1]};
    }
};

void check_one(int64_t groups, int64_t samples, int64_t outer, int64_t inner, bool ternary,
               uint32_t seed) {
    simt::settings().seed = seed;
    RandomActivations x(groups, samples, outer, inner, seed);
    const PatternShape shape{samples, ternary};

    Tables inserted(groups, shape, outer * inner);
    cuda::insert(x.view, inserted.tables, nullptr);
    Tables fused(groups, shape, outer * inner);
    Activations relu = x.view;
    relu.relu_output = x.output.data();
    cuda::insert(relu, fused.tables, nullptr);
    for (int64_t g = 0; g < groups; ++g) {
        const auto expected = static_cast<int64_t>(x.patterns(g, ternary).size());
        CHECK(inserted.counted(g).patterns == expected);
        CHECK(inserted.counted(g).flags == 0);
        const auto after_relu = static_cast<int64_t>(x.patterns(g, ternary, true).size());
        CHECK(fused.counted(g).patterns == after_relu);
        for (int64_t s = 0; s < samples; ++s)
            for (int64_t o = 0; o < outer; ++o)
                for (int64_t i = 0; i < inner; ++i)
                    CHECK(x.output[x.offset(g, s, o, i)] == std::max(0.0f, x.at(g, s, o, i)));
    }
    if (groups > 1) return;

    const int64_t expected = inserted.counted().patterns;
    const int64_t words = shape.words();
    std::vector<uint64_t> packed(outer * inner * words);
    int64_t nan = 1;
    cuda::pack(x.view, shape, packed.data(), &nan, nullptr);
    CHECK(nan == 0);
    for (int64_t n = 0; n < outer * inner; ++n)
        for (int64_t b = 0; b < shape.bits(); ++b) {
            const float value = x.at(0, b % samples, n / inner, n % inner);
            const bool bit = shape.bits() <= 32
                                 ? reinterpret_cast<uint32_t*>(packed.data())[n] >> b & 1
                                 : packed[n * words + b / 64] >> (b % 64) & 1;
            CHECK(bit == (b < samples ? value > 0 : value < 0));
        }
    Tables other(1, shape, outer * inner);
    cuda::insert_packed({packed.data(), outer * inner, shape.bits()}, other.tables, nullptr);
    CHECK(other.counted().patterns == expected);
    cuda::merge(other.tables, inserted.tables, nullptr);  // nothing new: same chunks either way
    CHECK(other.counted().patterns == expected);
    Tables larger(1, shape, 3 * outer * inner + 200);
    cuda::merge(larger.tables, inserted.tables, nullptr);
    CHECK(larger.counted().patterns == expected);
    cuda::merge(larger.tables, fused.tables, nullptr);
    auto all = x.patterns(0, ternary);
    all.merge(x.patterns(0, ternary, true));
    CHECK(larger.counted().patterns == static_cast<int64_t>(all.size()));
}

// Whether the matrix is right after counting twice.
bool agreements_are_right(const RandomActivations& x) {
    const int64_t samples = x.view.samples;
    std::vector<int64_t> found(samples * samples, 0);
    for (int time = 0; time < 2; ++time) cuda::add_agreements(x.view, found.data(), nullptr);
    for (int64_t s = 0; s < samples; ++s)
        for (int64_t t = 0; t < samples; ++t) {
            int64_t expected = 0;
            for (int64_t o = 0; o < x.view.outer; ++o)
                for (int64_t i = 0; i < x.view.inner; ++i)
                    expected += (x.values[x.offset(0, s, o, i)] > 0) ==
                                (x.values[x.offset(0, t, o, i)] > 0);
            if (found[s * samples + t] != 2 * expected) return false;
        }
    return true;
}

// Around the edges of tiles and of blocks of samples, of which the emulated GPU has small ones.
void check_agreements() {
    uint32_t seed = 0;
    for (int64_t samples : {1, 7, 8, 9, 31, 32, 33, 48, 49, 64, 65, 100})
        for (int64_t inner : {1, 33, 64, 700}) {
            simt::settings().seed = ++seed;
            CHECK(agreements_are_right(RandomActivations(1, samples, 1, inner, seed)));
            CHECK(agreements_are_right(RandomActivations(1, samples, 3, inner / 3 + 1, seed)));
        }
    CHECK(agreements_are_right(RandomActivations(1, 5, 1, 40'000, 1)));  // many chunks
    RandomActivations of_groups(2, 5, 1, 10, 1);
    CHECK_THROWS(cuda::add_agreements(of_groups.view, nullptr, nullptr));
}

void check_nan() {
    for (int64_t samples : {3, 40, 100}) {
        RandomActivations x(1, samples, 1, 200, 5);
        x.at(0, samples - 1, 0, 137) = std::numeric_limits<float>::quiet_NaN();
        Tables tables(1, {samples, false}, 200);
        cuda::insert(x.view, tables.tables, nullptr);
        CHECK(tables.counted().flags == kSawNan);
        CHECK(tables.counted().patterns == static_cast<int64_t>(x.patterns(0, false).size()));
        Tables merged(1, {samples, false}, 200);
        cuda::merge(merged.tables, tables.tables, nullptr);
        CHECK(merged.counted().flags == kSawNan);
    }
}

void check_stray_bits() {
    const std::vector<uint32_t> narrow{1, 2, 1u << 30, 1, 3};
    Tables of_30(1, {30, false}, 100);
    cuda::insert_packed({narrow.data(), 5, 30}, of_30.tables, nullptr);
    CHECK(of_30.counted().patterns == 3 && of_30.counted().flags == kStrayBits);
    const std::vector<uint64_t> wide{~0ull, 1, 0, 2};
    Tables of_65(1, {65, false}, 100);
    cuda::insert_packed({wide.data(), 2, 65}, of_65.tables, nullptr);
    CHECK(of_65.counted().patterns == 1 && of_65.counted().flags == kStrayBits);
}

// A table that is too small fills up without overrun, and says so.
void check_overflow() {
    for (int64_t samples : {25, 50, 100}) {
        const PatternShape shape{samples, false};
        std::vector<float> values(samples * 300);
        for (int64_t i = 0; i < 300; ++i)
            for (int64_t s = 0; s < samples; ++s)
                values[s * 300 + i] = static_cast<float>(s < 9 ? i >> s & 1 : 1);
        const Activations x{values.data(), nullptr, DType::Float32, 1, 0, samples, 300, 1, 0, 300};
        Tables tables(1, shape, 10);
        cuda::insert(x, tables.tables, nullptr);
        CHECK(tables.counted().patterns == 64);
        CHECK(tables.counted().flags == kOverflowed);
    }
}

// Many samples, so that few threads of a block have room for their chunks.
void check_widest() {
    for (int64_t samples : {20'000, 200'000}) check_one(1, samples, 1, 3, false, 1);
    RandomActivations x(1, 400'000, 1, 1, 1);
    Tables tables(1, {400'000, false}, 10);
    CHECK_THROWS(cuda::insert(x.view, tables.tables, nullptr));
}

void check_bad_arguments() {
    RandomActivations x(2, 5, 1, 10, 1);
    Tables tables(1, {5, false}, 10);
    CHECK_THROWS(cuda::insert(x.view, tables.tables, nullptr));
    tables.tables.words_per_group -= 1;
    CHECK_THROWS(cuda::count(tables.tables, nullptr, nullptr));
}

// Whether everything still passes on a few sizes that reach all kernels.
bool passes() {
    try {
        for (uint32_t seed = 0; seed < 3; ++seed) {
            for (int64_t samples : {4, 16, 24, 40, 70, -70}) {
                set_form(samples < 0 ? "split" : "single");
                samples = std::abs(samples);
                RandomActivations x(1, samples, 1, 3000, seed);
                simt::settings().seed = seed;
                Tables tables(1, {samples, false}, 3000);
                cuda::insert(x.view, tables.tables, nullptr);
                const Counted counted = tables.counted();
                if (counted.patterns != static_cast<int64_t>(x.patterns(0, false).size()))
                    return false;
            }
            // Two passes over the sums, and two blocks of chunks.
            simt::settings().seed = seed;
            if (!agreements_are_right(RandomActivations(1, 40, 1, 700, seed))) return false;
            if (!agreements_are_right(RandomActivations(1, 5, 1, 20'000, seed))) return false;
        }
    } catch (const std::runtime_error&) {
        return false;
    }
    return true;
}

void check_sabotage() {
    CHECK(passes());
    const auto barriers = simt::barrier_sites().names();
    const auto atomics = simt::atomic_sites().names();
    CHECK(barriers.size() == 9);
    CHECK(atomics.size() == 9);
    for (const std::string& site : barriers) {
        simt::settings().skip_barrier = site;
        CHECK(!passes());
    }
    simt::settings().skip_barrier = "";
    for (const std::string& site : atomics) {
        simt::settings().tear_atomic = site;
        CHECK(!passes());
    }
    simt::settings().tear_atomic = "";
    CHECK(passes());
    set_form("");
}

}  // namespace

void check_forms() {
    uint32_t seed = 0;
    for (const char* form : kForms) {
        set_form(form);
        for (int64_t samples : {1, 16, 17, 33, 63, 64, 65, 128, 130})
            for (int64_t inner : {1, 3, 5, 68, 161})
                for (bool ternary : {false, true}) check_one(1, samples, 1, inner, ternary, ++seed);
        for (int64_t samples : {5, 24, 48, 70}) {
            check_one(3, samples, 4, 20, false, ++seed);  // groups, runs with gaps
            check_one(5, samples, 2, 33, true, ++seed);
        }
        check_one(1, 4, 1, 4097, false, ++seed);
        check_one(3, 20, 1, 1501, false, ++seed);
        check_one(1, 40, 1, 1025, false, ++seed);
        check_nan();
    }
    set_form("rows");
    RandomActivations x(1, 5, 1, 10, 1);
    Tables tables(1, {5, false}, 10);
    CHECK_THROWS(cuda::insert(x.view, tables.tables, nullptr));
    set_form("");
}

int main() {
    check_sabotage();
    check_forms();
    uint32_t seed = 0;
    for (int64_t samples : {1, 2, 15, 16, 17, 20, 21, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000})
        for (int64_t inner : {1, 63, 64, 65, 1000})
            for (bool ternary : {false, true})
                if (samples * inner <= 150'000) check_one(1, samples, 1, inner, ternary, ++seed);
    for (int64_t samples : {5, 24, 48, 70}) {
        check_one(3, samples, 4, 77, false, ++seed);  // groups, runs with gaps
        check_one(8, samples, 2, 200, true, ++seed);
        check_one(1, samples, 1, 5003, false, ++seed);
    }
    check_agreements();
    check_nan();
    check_stray_bits();
    check_overflow();
    check_widest();
    check_bad_arguments();
    return 0;
}
