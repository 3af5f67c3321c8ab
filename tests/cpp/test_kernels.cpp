// Compares insert, ReLU + insert, count and pack with std::set, on every instruction set and thread
// count.
#include "check.h"
#include "cpu/isa.h"
#include "cpu/kernels.h"
#include "random_activations.h"

using namespace swapnas;
using namespace swapnas::cpu;

namespace {

void check_one(int64_t groups, int64_t samples, int64_t outer, int64_t inner, bool ternary,
               int threads, uint32_t seed) {
    RandomActivations x(groups, samples, outer, inner, seed);
    const PatternShape shape{samples, ternary};
    const StdWorkers workers(threads);

    OwnedTables inserted(groups, shape.bits(), outer * inner);
    insert({&x.view, 1}, shape, inserted.tables, workers);
    OwnedTables fused(groups, shape.bits(), outer * inner);
    Activations relu = x.view;
    relu.relu_output = x.output.data();
    insert({&relu, 1}, shape, fused.tables, workers);

    for (int64_t g = 0; g < groups; ++g) {
        const auto expected = static_cast<int64_t>(x.patterns(g, ternary).size());
        CHECK(inserted.tables[g].count() == expected);
        CHECK(inserted.tables[g].header().nan == 0);
        const auto after_relu = static_cast<int64_t>(x.patterns(g, ternary, true).size());
        CHECK(fused.tables[g].count() == after_relu);
        for (int64_t s = 0; s < samples; ++s)
            for (int64_t o = 0; o < outer; ++o)
                for (int64_t i = 0; i < inner; ++i)
                    CHECK(x.output[x.offset(g, s, o, i)] == std::max(0.0f, x.at(g, s, o, i)));
    }
    insert({&x.view, 1}, shape, inserted.tables, workers);  // nothing new
    CHECK(inserted.tables[0].count() == static_cast<int64_t>(x.patterns(0, ternary).size()));

    if (groups > 1) return;
    const Count counted = count({&x.view, 1}, shape, workers);
    CHECK(counted.patterns == inserted.tables[0].count() && !counted.nan);

    const int64_t words = shape.words();
    std::vector<uint64_t> packed(outer * inner * words);
    CHECK(!pack(x.view, shape, packed.data(), workers));
    for (int64_t n = 0; n < outer * inner; ++n)
        for (int64_t b = 0; b < shape.bits(); ++b) {
            const float value = x.at(0, b % samples, n / inner, n % inner);
            const bool bit = shape.bits() <= 32
                                 ? reinterpret_cast<uint32_t*>(packed.data())[n] >> b & 1
                                 : packed[n * words + b / 64] >> (b % 64) & 1;
            CHECK(bit == (b < samples ? value > 0 : value < 0));
        }
    const PackedPatterns patterns{packed.data(), outer * inner, shape.bits()};
    OwnedTables from_packed(1, shape.bits(), outer * inner);
    insert_packed(patterns, from_packed.tables[0], workers);
    CHECK(from_packed.tables[0].count() == counted.patterns);
}

void check_nan() {
    for (int64_t samples : {3, 40, 100}) {
        RandomActivations x(1, samples, 1, 200, 5);
        x.at(0, samples - 1, 0, 137) = std::numeric_limits<float>::quiet_NaN();
        const Count counted = count({&x.view, 1}, {samples, false}, StdWorkers(1));
        CHECK(counted.nan);
        CHECK(counted.patterns == static_cast<int64_t>(x.patterns(0, false).size()));
    }
}

void check_stray_bits() {
    const uint32_t narrow[] = {1, 2, 1u << 30};
    OwnedTables of_30(1, 30, 100);
    CHECK_THROWS(insert_packed({narrow, 3, 30}, of_30.tables[0], StdWorkers(1)));
    CHECK(of_30.tables[0].count() == 0);
    const uint64_t wide[] = {~0ull, 1, 0, 2};
    OwnedTables of_65(1, 65, 100), of_66(1, 66, 100);
    CHECK_THROWS(insert_packed({wide, 2, 65}, of_65.tables[0], StdWorkers(1)));
    CHECK(of_65.tables[0].count() == 0);
    insert_packed({wide, 2, 66}, of_66.tables[0], StdWorkers(1));
    CHECK(of_66.tables[0].count() == 2);
}

}  // namespace

int main() {
    uint32_t seed = 0;
    for (Isa isa : available_isas()) {
        set_active_isa(isa_name(isa));
        for (int64_t samples :
             {1, 2, 15, 16, 17, 20, 21, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000})
            for (int64_t inner : {1, 63, 64, 65, 1000})
                for (bool ternary : {false, true})
                    check_one(1, samples, 1, inner, ternary, 1 + inner % 3, ++seed);
        for (int64_t samples : {5, 24, 48, 70})
            for (int threads : {1, 2, 5}) {
                check_one(3, samples, 4, 77, false, threads, ++seed);  // groups, runs with gaps
                check_one(8, samples, 2, 900, true, threads, ++seed);
                check_one(1, samples, 1, 40000, false, threads, ++seed);  // several regions
            }
        check_nan();
    }
    // Long blocks, one of them not full; bit rows that are further apart; many regions.
    check_one(1, 33, 1, 160000, false, 1, ++seed);
    check_one(1, 70, 2, 80001, false, 1, ++seed);
    check_stray_bits();
    return 0;
}
