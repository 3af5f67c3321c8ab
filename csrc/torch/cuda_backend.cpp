// Finds torch's current stream, and launches the CUDA kernels on it.
#include "torch/cuda_backend.h"

#include <dlfcn.h>
#include <torch/csrc/stable/ops.h>
#include <torch/headeronly/core/ScalarType.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "torch/check.h"

namespace swapnas {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

#if !defined(SWAPNAS_SIMT)
// The stable ABI gives a stream's handle from torch 2.13 on; libtorch_cuda always does. It is found
// in the library that torch loaded, since a torch without CUDA has none to link with.
cuda::Stream current_stream(int32_t device) {
    using Function = AOTITorchError (*)(int32_t, void**);
    static const auto get = reinterpret_cast<Function>([]() -> void* {
        void* library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
        return library == nullptr ? nullptr : dlsym(library, "aoti_torch_get_current_cuda_stream");
    }());
    if (get == nullptr)
        throw std::runtime_error("swapnas: this torch has no CUDA (no libtorch_cuda is loaded)");
    void* stream = nullptr;
    if (get(device, &stream) != AOTI_TORCH_SUCCESS)
        throw std::runtime_error("swapnas: torch has no current stream on CUDA device " +
                                 std::to_string(device));
    return stream;
}
#endif

}  // namespace

#if defined(SWAPNAS_SIMT)
CudaBackend::CudaBackend(const Tensor&) : stream_(nullptr) {}
#else
CudaBackend::CudaBackend(const Tensor& x)
    : guard_(x.get_device_index()), stream_(current_stream(x.get_device_index())) {}
#endif

void CudaBackend::check_room(const Tables& tables, int64_t) {
    check(cuda::table_limit(tables.shape, tables.words_per_group) > 0,
          "the table's size does not fit patterns of ", tables.shape.bits(), " bits");
}

void CudaBackend::insert(const Activations& x, PatternShape, const Tables& tables) const {
    cuda::insert(x, tables, stream_);
}

void CudaBackend::insert_packed(const PackedPatterns& patterns, const Tables& table) const {
    cuda::insert_packed(patterns, table, stream_);
}

void CudaBackend::merge(const Tables& into, const Tables& from) const {
    cuda::merge(into, from, stream_);
}

void CudaBackend::count(const Tables& tables, int64_t* counts) const {
    cuda::count(tables, counts, stream_);
}

void CudaBackend::pack(const Activations& x, PatternShape shape, void* patterns,
                       int64_t* nan) const {
    cuda::pack(x, shape, patterns, nan, stream_);
}

void CudaBackend::count_activations(const std::vector<Activations>& xs, PatternShape shape,
                                    const Tensor& like, int64_t* counts) const {
    int64_t neurons = 0;
    for (const Activations& x : xs) neurons += x.neurons();
    const int64_t words = cuda::table_words(shape, neurons);
    const Tensor memory =
        torch::stable::empty({words}, ScalarType::Long, std::nullopt, like.device());
    auto* table = static_cast<uint64_t*>(memory.mutable_data_ptr());
    cuda::clear(table, words * int64_t{sizeof *table}, stream_);  // not zero_: that is a kernel
    const Tables whole = tables(table, words, 1, shape);
    for (const Activations& x : xs) insert(x, shape, whole);
    count(whole, counts);
}

void CudaBackend::add_agreements(const Activations& x, int64_t* agreements) const {
    cuda::add_agreements(x, agreements, stream_);
}

}  // namespace swapnas
