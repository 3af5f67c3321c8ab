// Expresses the sizes and strides of a tensor in the few numbers of Activations.
#include "torch/tensor_views.h"

#include <torch/csrc/stable/ops.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "torch/check.h"

namespace swapnas {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

DType dtype_of(const Tensor& x) {
    switch (x.scalar_type()) {
        case ScalarType::Float: return DType::Float32;
        case ScalarType::Double: return DType::Float64;
        case ScalarType::Half: return DType::Float16;
        case ScalarType::BFloat16: return DType::BFloat16;
        default: break;
    }
    throw std::invalid_argument(
        "swapnas: activations must be float32, float64, float16 or bfloat16");
}

struct Dim {
    int64_t size, stride;
};

// Outermost first, with adjacent ones merged and those of one element dropped.
std::vector<Dim> memory_order(std::vector<Dim> dims) {
    std::erase_if(dims, [](const Dim& dim) { return dim.size == 1; });
    std::stable_sort(dims.begin(), dims.end(),
                     [](const Dim& a, const Dim& b) { return a.stride > b.stride; });
    std::vector<Dim> merged;
    for (const Dim& dim : dims) {
        if (!merged.empty() && merged.back().stride == dim.stride * dim.size)
            merged.back() = {merged.back().size * dim.size, dim.stride};
        else merged.push_back(dim);
    }
    return merged;
}

}  // namespace

std::optional<Activations> activations_view(const Tensor& x, int64_t samples, int64_t groups,
                                            bool logical_order, int64_t shortest_run) {
    const auto sizes = x.sizes();
    const int64_t batch = groups > 1 ? 1 : 0;
    check(x.dim() > batch, "activations need a dimension of samples");
    check(batch == 0 || sizes[0] == groups, "the first dimension is not the number of groups");
    check(sizes[batch] > 0 && sizes[batch] % samples == 0, "the number of rows ", sizes[batch],
          " is not a multiple of ", samples, " samples");
    const int64_t chunks = sizes[batch] / samples;
    if (x.is_contiguous()) {
        const int64_t neurons = x.numel() / (samples * groups);
        check(neurons > 0, "the activations are empty");
        return Activations{.data = x.const_data_ptr(),
                           .relu_output = nullptr,
                           .dtype = dtype_of(x),
                           .groups = groups,
                           .group_stride = samples * neurons,
                           .samples = samples,
                           .sample_stride = neurons,
                           .outer = 1,
                           .outer_stride = 0,
                           .inner = neurons};
    }
    if (logical_order) return std::nullopt;
    const auto strides = x.strides();
    std::vector<Dim> neurons{{chunks, strides[batch]}};
    for (int64_t d = batch + 1; d < x.dim(); ++d) neurons.push_back({sizes[d], strides[d]});
    auto order = memory_order(neurons);
    if (order.empty()) order.push_back({1, 1});
    if (order.back().stride != 1) {
        if (order.size() > 1) return std::nullopt;
        order.push_back({1, 1});  // single neurons, a stride apart
    }
    if (order.size() > 2 || (order.size() == 2 && order[1].size < shortest_run))
        return std::nullopt;

    return Activations{.data = x.const_data_ptr(),
                       .relu_output = nullptr,
                       .dtype = dtype_of(x),
                       .groups = groups,
                       .group_stride = groups > 1 ? strides[0] : 0,
                       .samples = samples,
                       .sample_stride = chunks * strides[batch],
                       .outer = order.size() == 2 ? order[0].size : 1,
                       .outer_stride = order.size() == 2 ? order[0].stride : 0,
                       .inner = order.back().size};
}

Tensor empty_like(const Tensor& x) {
    if (!x.is_contiguous()) return torch::stable::empty_like(x);
    // The same without a search for an operator by its name.
    const auto sizes = x.sizes(), strides = x.strides();
    int32_t dtype, device_type, device_index;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(x.get(), &dtype));
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(x.get(), &device_type));
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_index(x.get(), &device_index));
    AtenTensorHandle empty;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
        x.dim(), sizes.data(), strides.data(), dtype, device_type, device_index, &empty));
    return Tensor(empty);
}

Tensor contiguous_copy(const Tensor& x) {
    auto copy = torch::stable::empty(x.sizes(), x.scalar_type(), std::nullopt, x.device());
    torch::stable::copy_(copy, x);
    return copy;
}

PackedPatterns packed_patterns_view(const Tensor& patterns, PatternShape shape) {
    const bool narrow = shape.bits() <= 32;
    check(patterns.scalar_type() == (narrow ? ScalarType::Int : ScalarType::Long) &&
              patterns.is_contiguous() && patterns.dim() == (shape.words() > 1 ? 2 : 1) &&
              (patterns.dim() == 1 || patterns.size(1) == shape.words()),
          "packed patterns of ", shape.bits(), " bits have another form");
    return {patterns.const_data_ptr(), patterns.size(0), shape.bits()};
}

}  // namespace swapnas
