// Captures the ReLUs of a network where torch's dispatcher meets them: aten::relu gets a kernel at
// a dispatch key that precedes all others and that Python switches on for the thread that runs the
// network. The kernel calls swapnas::relu_insert and logs what it did; no Python runs in between.
//
// A log belongs to the thread that started it. Logs nest.
#pragma once

#include <cstdint>
#include <vector>

namespace swapnas::relus {

inline constexpr int64_t kUnnamed = -1;
inline constexpr const char* kErrorInPython = "swapnas::relu_in_python failed";

// One ReLU, in the order of the calls.
struct Call {
    int64_t layer;  // the mark that was set when it was called
    int64_t elements;
    int64_t bytes;
    int64_t nanoseconds;
    int64_t patterns;  // in the set after it; 0 where that would synchronise
};

// Registers the kernel at a dispatch key, once. Throws std::runtime_error if torch refuses.
void register_kernel(const char* key);

// Sets the layer that the ReLUs of this thread belong to, and returns the one before.
int64_t exchange_layer(int64_t layer);

// Whether this thread has a log.
bool has_log();

// Number of ReLUs in this thread's log; without one, in the latest of another thread.
int64_t calls();

// Ends this thread's latest log and returns it. Throws std::runtime_error if there is none.
std::vector<Call> stop();

}  // namespace swapnas::relus
