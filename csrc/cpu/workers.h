// Runs parallel work: on torch's thread pool inside the extension, on std::thread elsewhere.
#pragma once

#include <functional>

namespace swapnas::cpu {

class Workers {
public:
    virtual ~Workers() = default;
    virtual int count() const = 0;
    // Calls task(0) ... task(tasks - 1), each once, possibly at the same time; returns when all
    // have.
    virtual void run(int tasks, const std::function<void(int)>& task) const = 0;
};

class StdWorkers final : public Workers {
public:
    explicit StdWorkers(int count);
    int count() const override { return count_; }
    void run(int tasks, const std::function<void(int)>& task) const override;

private:
    int count_;
};

}  // namespace swapnas::cpu
