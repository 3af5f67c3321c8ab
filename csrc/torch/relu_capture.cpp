#include "torch/relu_capture.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "pattern_table.h"
#include "torch/relu_log.h"

namespace swapnas::relus {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
namespace detail = torch::stable::detail;

struct Log {
    Tensor table;
    int64_t samples;
    bool ternary;
    bool takes_unnamed;
    const uint64_t* header;  // null where reading it would synchronise
    std::vector<Call> calls;
};

thread_local std::vector<Log> logs;
thread_local int64_t marked_layer = kUnnamed;
// Of the latest log, for threads without one. Threads that score take turns.
std::atomic<int64_t> latest_calls = 0;

void tell_calls() {
    latest_calls.store(logs.empty() ? 0 : static_cast<int64_t>(logs.back().calls.size()),
                       std::memory_order_relaxed);
}

Tensor relu_insert(const Log& log, const Tensor& x) {
    std::array<StableIValue, 4> stack{detail::from(log.table), detail::from(x),
                                      detail::from(log.samples), detail::from(log.ternary)};
    STABLE_TORCH_ERROR_CODE_CHECK(
        torch_call_dispatcher("swapnas::relu_insert", "", stack.data(), TORCH_ABI_VERSION));
    return detail::to<Tensor>(stack[0]);
}

// The handler of Python, which knows what to do about everything else. Its own error can't pass
// through torch's C interface: Python keeps it, and raises it in place of this one.
Tensor relu_in_python(const Tensor& x) {
    std::array<StableIValue, 1> stack{detail::from(x)};
    if (torch_call_dispatcher("swapnas::relu_in_python", "", stack.data(), TORCH_ABI_VERSION) !=
        AOTI_TORCH_SUCCESS)
        throw std::runtime_error(kErrorInPython);
    return detail::to<Tensor>(stack[0]);
}

int64_t element_size(ScalarType type) {  // 0 for those that have no patterns
    switch (type) {
        case ScalarType::Float: return 4;
        case ScalarType::Double: return 8;
        case ScalarType::Half:
        case ScalarType::BFloat16: return 2;
        default: return 0;
    }
}

// Whether relu_insert has a kernel for x. Elsewhere it calls relu, which would come back here.
bool has_kernel(const Tensor& x, const Log& log) {
    int32_t layout;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_layout(x.get(), &layout));
    return layout == aoti_torch_layout_strided() && x.device() == log.table.device();
}

// Whether the rows of x can be the samples, and no gradient is wanted.
bool fits(const Tensor& x, const Log& log) {
    return has_kernel(x, log) && (marked_layer != kUnnamed || log.takes_unnamed) &&
           !aoti_torch_grad_mode_is_enabled() && x.dim() > 0 && x.numel() > 0 &&
           x.size(0) % log.samples == 0 && element_size(x.scalar_type()) != 0;
}

int64_t nanoseconds_now() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

// Returns false if nothing was inserted, and the ReLU is still to be computed.
bool captured(const Tensor& x, Tensor& y) {
    if (logs.empty()) return false;
    Log& log = logs.back();
    try {
        if (!fits(x, log)) return false;
        const int64_t start = nanoseconds_now();
        y = relu_insert(log, x);
        log.calls.push_back({.layer = marked_layer,
                             .elements = x.numel(),
                             .bytes = x.numel() * element_size(x.scalar_type()),
                             .nanoseconds = nanoseconds_now() - start,
                             .patterns = log.header == nullptr
                                             ? 0
                                             : static_cast<int64_t>(log.header[kOccupiedWord] +
                                                                    log.header[kZeroPatternWord])});
        tell_calls();
        return true;
    } catch (const std::exception&) {  // such as a wrapper of torch.func: Python says what is wrong
        return false;
    }
}

Tensor relu(Tensor x) {
    Tensor y;
    return captured(x, y) ? y : relu_in_python(x);
}

}  // namespace

void register_kernel(const char* key) {
    static detail::StableLibrary* library = nullptr;  // registered as long as the process lives
    if (library != nullptr) return;
    library = new detail::StableLibrary(detail::StableLibrary::Kind::IMPL, "aten", key, __FILE__,
                                        __LINE__);
    library->impl("relu", TORCH_BOX(&relu));
}

void start(Tensor table, int64_t samples, bool ternary, bool takes_unnamed) {
    const bool on_host = table.is_cpu();
    logs.push_back(
        {.table = table,
         .samples = samples,
         .ternary = ternary,
         .takes_unnamed = takes_unnamed,
         .header = on_host ? static_cast<const uint64_t*>(table.const_data_ptr()) : nullptr,
         .calls = {}});
    tell_calls();
}

int64_t exchange_layer(int64_t layer) { return std::exchange(marked_layer, layer); }

bool has_log() { return !logs.empty(); }

int64_t calls() {
    return logs.empty() ? latest_calls.load(std::memory_order_relaxed)
                        : static_cast<int64_t>(logs.back().calls.size());
}

std::vector<Call> stop() {
    if (logs.empty()) throw std::runtime_error("swapnas: no log of ReLUs was started");
    std::vector<Call> calls = std::move(logs.back().calls);
    logs.pop_back();
    tell_calls();
    return calls;
}

}  // namespace swapnas::relus
