#include "cpu/agreements.h"

#include <mutex>
#include <vector>

#include "cpu/insert.h"
#include "cpu/key_source.h"
#include "cpu/pack.h"
#include "cpu/share.h"

namespace swapnas::cpu {

void add_agreements(const Activations& a, int64_t* agreements, const Workers& workers) {
    const int64_t samples = a.samples;
    const PatternShape shape{samples, false};
    const Packer& packer = cpu::packer(active_isa());
    const int tasks = tasks_for(a.neurons() * samples, kActivationsPerTask, workers);
    const int64_t block = block_neurons(samples, a.neurons(), tasks);
    const int64_t stride = row_stride(samples, block);
    const int64_t blocks_per_run = ceil_div(a.inner, block);
    const int64_t blocks = a.outer * blocks_per_run;
    std::mutex adding;
    workers.run(tasks, [&](int task) {
        const Share share(0, blocks, task, tasks);
        const auto rows = std::make_unique_for_overwrite<uint64_t[]>(samples * stride);
        std::vector<int64_t> differences(samples * samples);
        int64_t neurons = 0;
        for (int64_t unit = share.first; unit < share.last; ++unit) {
            const int64_t begin = unit % blocks_per_run * block;
            const int64_t count = std::min(block, a.inner - begin);
            const int64_t offset = unit / blocks_per_run * a.outer_stride + begin;
            const int64_t words = ceil_div(count, 64);
            for (int64_t s = 0; s < samples; ++s)
                sign_sample(packer, a, shape, s, offset, count, nullptr, rows.get(), stride);
            for (int64_t s = 1; s < samples; ++s)
                packer.add_differences(rows.get(), stride, s, words, &differences[s * samples]);
            neurons += count;
        }
        const std::lock_guard lock(adding);
        for (int64_t s = 0; s < samples; ++s)
            for (int64_t t = 0; t <= s; ++t) {
                const int64_t agreed = neurons - differences[s * samples + t];
                agreements[s * samples + t] += agreed;
                if (t < s) agreements[t * samples + s] += agreed;
            }
    });
}

}  // namespace swapnas::cpu
