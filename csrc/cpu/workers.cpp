#include "cpu/workers.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

namespace swapnas::cpu {

namespace {

// std::jthread, which libc++ has only since version 20, and Apple's later.
struct JoiningThreads {
    std::vector<std::thread> threads;

    ~JoiningThreads() {
        for (auto& thread : threads) thread.join();
    }
};

}  // namespace

StdWorkers::StdWorkers(int count) : count_(std::max(count, 1)) {}

void StdWorkers::run(int tasks, const std::function<void(int)>& task) const {
    std::vector<std::exception_ptr> failures(tasks);
    const auto guarded = [&](int index) {
        try {
            task(index);
        } catch (...) {
            failures[index] = std::current_exception();
        }
    };
    {
        JoiningThreads joined;
        for (int index = 1; index < tasks; ++index) joined.threads.emplace_back(guarded, index);
        if (tasks > 0) guarded(0);
    }
    for (const auto& failure : failures)
        if (failure) std::rethrow_exception(failure);
}

}  // namespace swapnas::cpu
