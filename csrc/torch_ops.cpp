// The only file that knows torch, through its stable ABI: registers the CPU kernels of swapnas::*.
// The schemas are in swapnas_ext/ops.py, where the arguments were checked; what is checked here
// keeps a direct call of an operator from touching memory that is not its own.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "cpu/kernels.h"

namespace swapnas {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

void check(bool condition, const std::string& message) {
    if (!condition) throw std::invalid_argument("swapnas: " + message);
}

// torch's own thread pool, and so torch's own thread count.
class TorchWorkers final : public cpu::Workers {
public:
    int count() const override { return static_cast<int>(torch::stable::get_num_threads()); }
    void run(int tasks, const std::function<void(int)>& task) const override {
        if (tasks == 1) return task(0);
        torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
            for (int64_t index = begin; index < end; ++index) task(static_cast<int>(index));
        });
    }
};

PatternShape pattern_shape(int64_t samples, bool ternary) {
    check(samples >= 1, "samples is " + std::to_string(samples) + ", expected at least 1");
    return {samples, ternary};
}

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

// Outermost first, adjacent ones merged, those of one element dropped.
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

// Reads a tensor [groups, samples * chunks, ...] (without the first dimension where groups == 1) as
// Activations, in memory order and without a copy. None where its neurons are too scattered for
// that.
std::optional<Activations> activations_view(const Tensor& x, int64_t samples, int64_t groups,
                                            bool logical_order) {
    const auto sizes = x.sizes();
    const auto strides = x.strides();
    const int64_t batch = groups > 1 ? 1 : 0;
    check(x.dim() > batch, "activations need a dimension of samples");
    check(batch == 0 || sizes[0] == groups, "the first dimension is not the number of groups");
    check(sizes[batch] > 0 && sizes[batch] % samples == 0,
          "the number of rows " + std::to_string(sizes[batch]) + " is not a multiple of " +
              std::to_string(samples) + " samples");
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
    std::vector<Dim> neurons{{chunks, strides[batch]}};
    for (int64_t d = batch + 1; d < x.dim(); ++d) neurons.push_back({sizes[d], strides[d]});
    auto order = memory_order(neurons);
    if (order.empty()) order.push_back({1, 1});
    if (order.back().stride != 1) {
        if (order.size() > 1) return std::nullopt;
        order.push_back({1, 1});  // single neurons, a stride apart
    }
    constexpr int64_t kShortRun = 16;  // below this, packing each run costs more than a copy
    if (order.size() > 2 || (order.size() == 2 && order[1].size < kShortRun)) return std::nullopt;

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

Tensor contiguous_copy(const Tensor& x) {
    auto copy = torch::stable::empty(x.sizes(), x.scalar_type());
    torch::stable::copy_(copy, x);
    return copy;
}

// A view of x, or of a copy that is then kept in `copies`.
Activations view_or_copy(const Tensor& x, int64_t samples, int64_t groups, bool logical_order,
                         std::vector<Tensor>& copies) {
    if (auto view = activations_view(x, samples, groups, logical_order)) return *view;
    copies.push_back(contiguous_copy(x));
    return *activations_view(copies.back(), samples, groups, logical_order);
}

cpu::GroupTables group_tables(const Tensor& table, PatternShape shape) {
    check(table.scalar_type() == ScalarType::Long && table.dim() == 2 && table.is_contiguous(),
          "a table is a contiguous int64 tensor [groups, words]");
    return {static_cast<uint64_t*>(table.mutable_data_ptr()), table.size(1), table.size(0),
            shape.bits()};
}

void check_room(const cpu::GroupTables& tables, int64_t neurons) {
    const int64_t limit = cpu::table_limit(tables.bits, tables.words_per_group);
    check(limit > 0,
          "the table's size does not fit patterns of " + std::to_string(tables.bits) + " bits");
    if (set_kind(tables.bits) == SetKind::Direct) return;
    for (int64_t group = 0; group < tables.groups; ++group)
        check(static_cast<int64_t>(tables[group].header().occupied) + neurons <= limit,
              "the table has no room for " + std::to_string(neurons) + " more neurons");
}

void insert_(Tensor table, Tensor x, int64_t samples, bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    const auto tables = group_tables(table, shape);
    std::vector<Tensor> copies;
    const auto view = view_or_copy(x, samples, tables.groups, false, copies);
    check_room(tables, view.neurons());
    cpu::insert({&view, 1}, shape, tables, TorchWorkers());
}

void relu_insert_into(Tensor& table, const Tensor& x, const Tensor& y, int64_t samples,
                      bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    const auto tables = group_tables(table, shape);
    auto view = activations_view(x, samples, tables.groups, false);
    const bool same_layout = std::ranges::equal(x.strides(), y.strides());
    if (view && same_layout) {
        check_room(tables, view->neurons());
        view->relu_output = y.mutable_data_ptr();
        cpu::insert({&*view, 1}, shape, tables, TorchWorkers());
        return;
    }
    auto copy = contiguous_copy(x);
    view = activations_view(copy, samples, tables.groups, false);
    check_room(tables, view->neurons());
    view->relu_output = copy.mutable_data_ptr();
    cpu::insert({&*view, 1}, shape, tables, TorchWorkers());
    auto target = y;
    torch::stable::copy_(target, copy);
}

Tensor relu_insert(Tensor table, Tensor x, int64_t samples, bool ternary) {
    auto y = torch::stable::empty_like(x);
    relu_insert_into(table, x, y, samples, ternary);
    return y;
}

void relu_insert_(Tensor table, Tensor x, int64_t samples, bool ternary) {
    relu_insert_into(table, x, x, samples, ternary);
}

PackedPatterns packed_patterns(const Tensor& patterns, PatternShape shape) {
    const bool narrow = shape.bits() <= 32;
    check(patterns.scalar_type() == (narrow ? ScalarType::Int : ScalarType::Long) &&
              patterns.is_contiguous() && patterns.dim() == (shape.words() > 1 ? 2 : 1) &&
              (patterns.dim() == 1 || patterns.size(1) == shape.words()),
          "packed patterns of " + std::to_string(shape.bits()) + " bits have another form");
    return {patterns.const_data_ptr(), patterns.size(0), shape.bits()};
}

void insert_packed_(Tensor table, Tensor patterns, int64_t samples, bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    const auto tables = group_tables(table, shape);
    check(tables.groups == 1, "packed patterns go into a table of one group");
    const auto packed = packed_patterns(patterns, shape);
    check_room(tables, packed.count);
    cpu::insert_packed(packed, tables[0], TorchWorkers());
}

// The patterns, and [1]: 1 if a NaN was seen.
std::tuple<Tensor, Tensor> pack(Tensor x, int64_t samples, bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    std::vector<Tensor> copies;
    const auto view = view_or_copy(x, samples, 1, true, copies);
    std::vector<int64_t> size{view.neurons()};
    if (shape.words() > 1) size.push_back(shape.words());
    auto patterns =
        torch::stable::empty(size, shape.bits() <= 32 ? ScalarType::Int : ScalarType::Long);
    auto nan = torch::stable::empty({1}, ScalarType::Long);
    *static_cast<int64_t*>(nan.mutable_data_ptr()) =
        cpu::pack(view, shape, patterns.mutable_data_ptr(), TorchWorkers());
    return {patterns, nan};
}

// [1, 2], as count gives it.
Tensor counts(int64_t patterns, bool nan) {
    auto result = torch::stable::empty({1, 2}, ScalarType::Long);
    auto* out = static_cast<int64_t*>(result.mutable_data_ptr());
    out[0] = patterns;
    out[1] = nan;
    return result;
}

// [groups, 2]: the number of patterns, and 1 if a NaN was seen.
Tensor count(Tensor table, int64_t samples, bool ternary) {
    const auto tables = group_tables(table, pattern_shape(samples, ternary));
    auto result = torch::stable::empty({tables.groups, 2}, ScalarType::Long);
    auto* out = static_cast<int64_t*>(result.mutable_data_ptr());
    for (int64_t group = 0; group < tables.groups; ++group) {
        const cpu::Table set = tables[group];
        out[2 * group] = set.count();
        out[2 * group + 1] = static_cast<int64_t>(set.header().nan);
    }
    return result;
}

void merge_(Tensor table, Tensor other, int64_t samples, bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    const auto into = group_tables(table, shape);
    const auto from = group_tables(other, shape);
    check(into.groups == from.groups, "the tables have different numbers of groups");
    for (int64_t group = 0; group < into.groups; ++group)
        if (set_kind(shape.bits()) != SetKind::Direct)
            check(static_cast<int64_t>(into[group].header().occupied +
                                       from[group].header().occupied) <=
                      cpu::table_limit(shape.bits(), into.words_per_group),
                  "the table has no room for the patterns of the other");
    for (int64_t group = 0; group < into.groups; ++group) cpu::merge(into[group], from[group]);
}

// Like count, of the patterns of all the activations.
Tensor count_patterns(std::vector<Tensor> xs, int64_t samples, bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    std::vector<Tensor> copies;
    std::vector<Activations> views;
    views.reserve(xs.size());
    for (const Tensor& x : xs) views.push_back(view_or_copy(x, samples, 1, false, copies));
    const cpu::Count found = cpu::count(views, shape, TorchWorkers());
    return counts(found.patterns, found.nan);
}

Tensor count_packed(Tensor patterns, int64_t samples, bool ternary) {
    const PatternShape shape = pattern_shape(samples, ternary);
    return counts(cpu::count_packed(packed_patterns(patterns, shape), TorchWorkers()), false);
}

}  // namespace
}  // namespace swapnas

STABLE_TORCH_LIBRARY_IMPL(swapnas, CPU, m) {
    m.impl("insert_", TORCH_BOX(&swapnas::insert_));
    m.impl("relu_insert", TORCH_BOX(&swapnas::relu_insert));
    m.impl("relu_insert_", TORCH_BOX(&swapnas::relu_insert_));
    m.impl("insert_packed_", TORCH_BOX(&swapnas::insert_packed_));
    m.impl("pack", TORCH_BOX(&swapnas::pack));
    m.impl("count", TORCH_BOX(&swapnas::count));
    m.impl("merge_", TORCH_BOX(&swapnas::merge_));
    m.impl("count_packed", TORCH_BOX(&swapnas::count_packed));
    m.impl("count_patterns", TORCH_BOX(&swapnas::count_patterns));
}
