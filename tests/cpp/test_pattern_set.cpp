// The set alone: the hash, full tables, wrapping probes, merging, sizes that don't fit.
#include <set>
#include <vector>

#include "check.h"
#include "cpu/kernels.h"
#include "cpu/pattern_set.h"
#include "random_activations.h"

using namespace swapnas;
using namespace swapnas::cpu;

namespace {

void check_hash() {
    // Golden values: another hash changes the layout of every table.
    static_assert(mix(uint64_t{0}) == 0);
    static_assert(mix(uint64_t{1}) == 0x9E3779B97F4A7C15ull);
    static_assert(mix(uint64_t{1} << 32) == (((uint64_t{1} << 32) | 1) * 0x9E3779B97F4A7C15ull));
    const uint64_t words[] = {1, 2};
    CHECK(mix(words, 2) != mix(words, 1));
}

// Keys whose home is the last slot of a full table: every probe wraps.
void check_wrapping() {
    std::vector<uint32_t> slots(64);
    KeySlots<uint32_t> set(slots.data(), 64, 1, 0);
    std::vector<uint32_t> keys;
    for (uint32_t key = 1; keys.size() < 48; ++key)
        if (set.home(&key) >= 62) keys.push_back(key);
    for (const uint32_t& key : keys) CHECK(insert_wrapping(set, &key) == 1);
    for (const uint32_t& key : keys) CHECK(insert_wrapping(set, &key) == 0);
    const uint32_t zero = 0;
    CHECK(insert_wrapping(set, &zero) == 0);
}

// Regions whose keys all crowd at their end, so that probes are postponed.
void check_put_off() {
    const int64_t bits = 32;
    const int64_t words = table_words(bits, 1 << 17);
    std::vector<uint64_t> memory(words);
    const Table table(memory.data(), words, bits);
    const KeySlots<uint32_t> slots(table);
    std::vector<uint32_t> keys;
    for (uint32_t key = 1; keys.size() < 3000; ++key)
        if (slots.home(&key) % 4096 >= 4090) keys.push_back(key);
    std::vector<uint32_t> many;  // enough of them for several regions
    for (int i = 0; i < 50; ++i) many.insert(many.end(), keys.begin(), keys.end());
    for (int threads : {1, 2, 3}) {
        memory.assign(words, 0);
        insert_packed({many.data(), static_cast<int64_t>(many.size()), bits}, table,
                      StdWorkers(threads));
        CHECK(table.count() == 3000);
    }
}

void check_merge(int64_t samples) {
    const PatternShape shape{samples, false};
    RandomActivations a(1, samples, 1, 3000, 1), b(1, samples, 1, 5000, 2);
    OwnedTables small(1, samples, 3000), large(1, samples, 8000);
    insert({&a.view, 1}, shape, small.tables, StdWorkers(1));
    insert({&b.view, 1}, shape, large.tables, StdWorkers(2));
    merge(large.tables[0], small.tables[0]);
    auto all = a.patterns(0, false);
    all.merge(b.patterns(0, false));
    CHECK(large.tables[0].count() == static_cast<int64_t>(all.size()));
    merge(large.tables[0], small.tables[0]);
    CHECK(large.tables[0].count() == static_cast<int64_t>(all.size()));
}

void check_sizes() {
    std::vector<uint64_t> memory(100);
    CHECK_THROWS(Table(memory.data(), 100, 32));
    CHECK_THROWS(Table(memory.data(), 8, 32));
    CHECK_THROWS(Table(memory.data(), 9, 16));
    CHECK_THROWS(table_words(64, int64_t{1} << 60));
    for (int64_t bits : {21, 32, 33, 64, 65, 1000})
        for (int64_t patterns : {1, 47, 48, 49, 1000, 65536})
            CHECK(table_limit(bits, table_words(bits, patterns)) >= patterns);
    for (int64_t bits = 1; bits <= kMaxDirectBits; ++bits)
        CHECK(table_limit(bits, table_words(bits, 0)) == int64_t{1} << bits);
}

}  // namespace

int main() {
    check_hash();
    check_wrapping();
    check_put_off();
    for (int64_t samples : {4, 16, 20, 21, 32, 33, 64, 65, 200}) check_merge(samples);
    check_sizes();
    return 0;
}
