// The only file that knows torch, through its stable ABI: registers the kernels of swapnas::* for
// CPU and CUDA. The schemas are in swapnas_ext/ops.py, where the arguments were checked; what is
// checked here keeps a direct call of an operator from touching memory that is not its own. Errors
// are RuntimeErrors in Python.
#include <dlfcn.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cpu/kernels.h"
#if defined(SWAPNAS_WITH_CUDA) || defined(SWAPNAS_SIMT)
#include "cuda/kernels.h"
#endif

namespace swapnas {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

void check(bool condition, const std::string& message) {
    if (!condition) throw std::invalid_argument("swapnas: " + message);
}

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

// ---- activations where they lie ----------------------------------------------------------------

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
// that: in runs shorter than `shortest_run`, or several runs deep.
std::optional<Activations> activations_view(const Tensor& x, int64_t samples, int64_t groups,
                                            bool logical_order, int64_t shortest_run) {
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

Tensor contiguous_copy(const Tensor& x) {
    auto copy = torch::stable::empty(x.sizes(), x.scalar_type(), std::nullopt, x.device());
    torch::stable::copy_(copy, x);
    return copy;
}

// ---- the kernels of a device -------------------------------------------------------------------
// A backend is made for the tensor that an operator works on, and lives as long as its work.

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

class CpuBackend {
public:
    using Tables = cpu::GroupTables;
    static constexpr int64_t kShortestRun = 16;  // below, packing each run costs more than a copy

    explicit CpuBackend(const Tensor&) {}

    static Tables tables(uint64_t* memory, int64_t words, int64_t groups, PatternShape shape) {
        return {memory, words, groups, shape.bits()};
    }
    static void check_room(const Tables& tables, int64_t patterns) {
        const int64_t limit = cpu::table_limit(tables.bits, tables.words_per_group);
        check(limit > 0,
              "the table's size does not fit patterns of " + std::to_string(tables.bits) + " bits");
        if (set_kind(tables.bits) == SetKind::Direct) return;
        for (int64_t group = 0; group < tables.groups; ++group)
            check(static_cast<int64_t>(tables[group].header().occupied) + patterns <= limit,
                  "the table has no room for " + std::to_string(patterns) + " more patterns");
    }

    void insert(const Activations& x, PatternShape shape, const Tables& tables) const {
        cpu::insert({&x, 1}, shape, tables, TorchWorkers());
    }
    void insert_packed(const PackedPatterns& patterns, const Tables& table) const {
        cpu::insert_packed(patterns, table[0], TorchWorkers());
    }
    void merge(const Tables& into, const Tables& from) const {
        for (int64_t group = 0; group < into.groups; ++group)
            if (set_kind(into.bits) != SetKind::Direct)
                check(static_cast<int64_t>(into[group].header().occupied +
                                           from[group].header().occupied) <=
                          cpu::table_limit(into.bits, into.words_per_group),
                      "the table has no room for the patterns of the other");
        for (int64_t group = 0; group < into.groups; ++group) cpu::merge(into[group], from[group]);
    }
    void count(const Tables& tables, int64_t* counts) const {
        for (int64_t group = 0; group < tables.groups; ++group) {
            counts[2 * group] = tables[group].count();
            counts[2 * group + 1] = tables[group].header().nan != 0 ? kSawNan : 0;
        }
    }
    void pack(const Activations& x, PatternShape shape, void* patterns, int64_t* nan) const {
        *nan = cpu::pack(x, shape, patterns, TorchWorkers());
    }

    // Counting at one go needs no table of its own.
    void count_activations(const std::vector<Activations>& xs, PatternShape shape, const Tensor&,
                           int64_t* counts) const {
        const cpu::Count found = cpu::count(xs, shape, TorchWorkers());
        counts[0] = found.patterns;
        counts[1] = found.nan ? kSawNan : 0;
    }
};

#if defined(SWAPNAS_WITH_CUDA) || defined(SWAPNAS_SIMT)
class CudaBackend {
public:
    using Tables = cuda::GroupTables;
    static constexpr int64_t kShortestRun = 1;

#if defined(SWAPNAS_SIMT)
    explicit CudaBackend(const Tensor&) : stream_(nullptr) {}
#else
    explicit CudaBackend(const Tensor& x)
        : guard_(x.get_device_index()), stream_(current_stream(x.get_device_index())) {}
#endif

    static Tables tables(uint64_t* memory, int64_t words, int64_t groups, PatternShape shape) {
        return {memory, words, groups, shape};
    }
    // Only the host's side: asking the table would be a synchronisation.
    static void check_room(const Tables& tables, int64_t) {
        check(cuda::table_limit(tables.shape, tables.words_per_group) > 0,
              "the table's size does not fit patterns of " + std::to_string(tables.shape.bits()) +
                  " bits");
    }

    void insert(const Activations& x, PatternShape, const Tables& tables) const {
        cuda::insert(x, tables, stream_);
    }
    void insert_packed(const PackedPatterns& patterns, const Tables& table) const {
        cuda::insert_packed(patterns, table, stream_);
    }
    void merge(const Tables& into, const Tables& from) const { cuda::merge(into, from, stream_); }
    void count(const Tables& tables, int64_t* counts) const {
        cuda::count(tables, counts, stream_);
    }
    void pack(const Activations& x, PatternShape shape, void* patterns, int64_t* nan) const {
        cuda::pack(x, shape, patterns, nan, stream_);
    }
    void count_activations(const std::vector<Activations>& xs, PatternShape shape,
                           const Tensor& like, int64_t* counts) const {
        int64_t neurons = 0;
        for (const Activations& x : xs) neurons += x.neurons();
        const Tensor memory = new_table(shape, neurons, like);
        for (const Activations& x : xs) insert(x, shape, whole(memory, shape));
        count(whole(memory, shape), counts);
    }

private:
    static Tensor new_table(PatternShape shape, int64_t patterns, const Tensor& like) {
        auto table = torch::stable::empty({cuda::table_words(shape, patterns)}, ScalarType::Long,
                                          std::nullopt, like.device());
        return torch::stable::zero_(table);
    }
    static Tables whole(const Tensor& table, PatternShape shape) {
        return tables(static_cast<uint64_t*>(table.mutable_data_ptr()), table.numel(), 1, shape);
    }

#if !defined(SWAPNAS_SIMT)
    // The stable ABI gives a stream's handle from torch 2.13 on, and libtorch_cuda always has. It
    // is looked up where torch loaded it, since a torch without CUDA has none to link with.
    static cuda::Stream current_stream(int32_t device) {
        using Function = AOTITorchError (*)(int32_t, void**);
        static const auto get = reinterpret_cast<Function>([]() -> void* {
            void* library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
            return library == nullptr ? nullptr
                                      : dlsym(library, "aoti_torch_get_current_cuda_stream");
        }());
        if (get == nullptr)
            throw std::runtime_error(
                "swapnas: this torch has no CUDA (no libtorch_cuda is loaded)");
        void* stream = nullptr;
        if (get(device, &stream) != AOTI_TORCH_SUCCESS)
            throw std::runtime_error("swapnas: torch has no current stream on CUDA device " +
                                     std::to_string(device));
        return stream;
    }
    torch::stable::accelerator::DeviceGuard guard_;
#endif
    cuda::Stream stream_;
};
#endif

// ---- the operators -----------------------------------------------------------------------------

// The function, with every error a std::runtime_error: which class of Python it becomes would else
// depend on torch's version. Which argument is to blame, and with which error, is Python's to say.
template <auto function>
struct Reporting;

template <class Result, class... Arguments, Result (*function)(Arguments...)>
struct Reporting<function> {
    static Result call(Arguments... arguments) {
        try {
            return function(std::move(arguments)...);
        } catch (const std::exception& error) {
            throw std::runtime_error(error.what());
        }
    }
};

template <class Backend>
struct Operators {
    using Tables = typename Backend::Tables;

    static void check_same_device(const Tensor& table, const Tensor& x) {
        check(table.device() == x.device(), "the tensors are on different devices");
    }

    static std::optional<Activations> view(const Tensor& x, int64_t samples, int64_t groups,
                                           bool logical_order = false) {
        return activations_view(x, samples, groups, logical_order, Backend::kShortestRun);
    }

    // A view of x, or of a copy that is then kept in `copies`.
    static Activations view_or_copy(const Tensor& x, int64_t samples, int64_t groups,
                                    std::vector<Tensor>& copies, bool logical_order = false) {
        if (auto found = view(x, samples, groups, logical_order)) return *found;
        copies.push_back(contiguous_copy(x));
        return *view(copies.back(), samples, groups, logical_order);
    }

    static Tables group_tables(const Tensor& table, PatternShape shape) {
        check(table.scalar_type() == ScalarType::Long && table.dim() == 2 && table.is_contiguous(),
              "a table is a contiguous int64 tensor [groups, words]");
        return Backend::tables(static_cast<uint64_t*>(table.mutable_data_ptr()), table.size(1),
                               table.size(0), shape);
    }

    static void insert_(Tensor table, Tensor x, int64_t samples, bool ternary) {
        check_same_device(table, x);
        const Backend backend(x);
        const PatternShape shape = pattern_shape(samples, ternary);
        const auto tables = group_tables(table, shape);
        std::vector<Tensor> copies;
        const auto activations = view_or_copy(x, samples, tables.groups, copies);
        Backend::check_room(tables, activations.neurons());
        backend.insert(activations, shape, tables);
    }

    static void relu_insert_into(const Tensor& table, const Tensor& x, const Tensor& y,
                                 int64_t samples, bool ternary) {
        check_same_device(table, x);
        const Backend backend(x);
        const PatternShape shape = pattern_shape(samples, ternary);
        const auto tables = group_tables(table, shape);
        auto activations = view(x, samples, tables.groups);
        const bool same_layout = std::ranges::equal(x.strides(), y.strides());
        if (activations && same_layout) {
            Backend::check_room(tables, activations->neurons());
            activations->relu_output = y.mutable_data_ptr();
            backend.insert(*activations, shape, tables);
            return;
        }
        auto copy = contiguous_copy(x);
        auto target = y;
        if (same_layout) torch::stable::copy_(target, copy);  // fails now if y can't be written to
        activations = view(copy, samples, tables.groups);
        Backend::check_room(tables, activations->neurons());
        activations->relu_output = copy.mutable_data_ptr();
        backend.insert(*activations, shape, tables);
        torch::stable::copy_(target, copy);
    }

    static Tensor relu_insert(Tensor table, Tensor x, int64_t samples, bool ternary) {
        auto y = torch::stable::empty_like(x);
        relu_insert_into(table, x, y, samples, ternary);
        return y;
    }

    static void relu_insert_(Tensor table, Tensor x, int64_t samples, bool ternary) {
        relu_insert_into(table, x, x, samples, ternary);
    }

    static PackedPatterns packed_patterns(const Tensor& patterns, PatternShape shape) {
        const bool narrow = shape.bits() <= 32;
        check(patterns.scalar_type() == (narrow ? ScalarType::Int : ScalarType::Long) &&
                  patterns.is_contiguous() && patterns.dim() == (shape.words() > 1 ? 2 : 1) &&
                  (patterns.dim() == 1 || patterns.size(1) == shape.words()),
              "packed patterns of " + std::to_string(shape.bits()) + " bits have another form");
        return {patterns.const_data_ptr(), patterns.size(0), shape.bits()};
    }

    static void insert_packed_(Tensor table, Tensor patterns, int64_t samples, bool ternary) {
        check_same_device(table, patterns);
        const Backend backend(patterns);
        const PatternShape shape = pattern_shape(samples, ternary);
        const auto tables = group_tables(table, shape);
        check(tables.groups == 1, "packed patterns go into a table of one group");
        const auto packed = packed_patterns(patterns, shape);
        Backend::check_room(tables, packed.count);
        backend.insert_packed(packed, tables);
    }

    static void merge_(Tensor table, Tensor other, int64_t samples, bool ternary) {
        check_same_device(table, other);
        const Backend backend(table);
        const PatternShape shape = pattern_shape(samples, ternary);
        const auto into = group_tables(table, shape);
        const auto from = group_tables(other, shape);
        check(into.groups == from.groups, "the tables have different numbers of groups");
        Backend::check_room(into, 0);
        Backend::check_room(from, 0);
        backend.merge(into, from);
    }

    // [groups, 2], int64, on the device.
    static Tensor new_counts(int64_t groups, const Tensor& like) {
        return torch::stable::empty({groups, 2}, ScalarType::Long, std::nullopt, like.device());
    }

    static Tensor count(Tensor table, int64_t samples, bool ternary) {
        const Backend backend(table);
        const auto tables = group_tables(table, pattern_shape(samples, ternary));
        auto counts = new_counts(tables.groups, table);
        backend.count(tables, static_cast<int64_t*>(counts.mutable_data_ptr()));
        return counts;
    }

    // The patterns, and [1]: 1 if a NaN was seen.
    static std::tuple<Tensor, Tensor> pack(Tensor x, int64_t samples, bool ternary) {
        const Backend backend(x);
        const PatternShape shape = pattern_shape(samples, ternary);
        std::vector<Tensor> copies;
        const auto activations = view_or_copy(x, samples, 1, copies, true);
        std::vector<int64_t> size{activations.neurons()};
        if (shape.words() > 1) size.push_back(shape.words());
        auto patterns =
            torch::stable::empty(size, shape.bits() <= 32 ? ScalarType::Int : ScalarType::Long,
                                 std::nullopt, x.device());
        auto nan = torch::stable::empty({1}, ScalarType::Long, std::nullopt, x.device());
        backend.pack(activations, shape, patterns.mutable_data_ptr(),
                     static_cast<int64_t*>(nan.mutable_data_ptr()));
        return {patterns, nan};
    }

    // [1, 2], like count, of the patterns of all the activations.
    static Tensor count_patterns(std::vector<Tensor> xs, int64_t samples, bool ternary) {
        check(!xs.empty(), "there are no activations");
        for (const Tensor& x : xs) check_same_device(xs[0], x);
        const Backend backend(xs[0]);
        const PatternShape shape = pattern_shape(samples, ternary);
        std::vector<Tensor> copies;
        std::vector<Activations> activations;
        activations.reserve(xs.size());
        for (const Tensor& x : xs) activations.push_back(view_or_copy(x, samples, 1, copies));
        auto counts = new_counts(1, xs[0]);
        backend.count_activations(activations, shape, xs[0],
                                  static_cast<int64_t*>(counts.mutable_data_ptr()));
        return counts;
    }

    static void register_all(torch::stable::detail::StableLibrary& m) {
        m.impl("insert_", TORCH_BOX(&Reporting<&Operators::insert_>::call));
        m.impl("relu_insert", TORCH_BOX(&Reporting<&Operators::relu_insert>::call));
        m.impl("relu_insert_", TORCH_BOX(&Reporting<&Operators::relu_insert_>::call));
        m.impl("insert_packed_", TORCH_BOX(&Reporting<&Operators::insert_packed_>::call));
        m.impl("pack", TORCH_BOX(&Reporting<&Operators::pack>::call));
        m.impl("count", TORCH_BOX(&Reporting<&Operators::count>::call));
        m.impl("merge_", TORCH_BOX(&Reporting<&Operators::merge_>::call));
        m.impl("count_patterns", TORCH_BOX(&Reporting<&Operators::count_patterns>::call));
    }
};

}  // namespace
}  // namespace swapnas

#if defined(SWAPNAS_SIMT)
// For tests: the CUDA half on an emulated GPU, whose memory is the host's.
STABLE_TORCH_LIBRARY_IMPL(swapnas_simt, CPU, m) {
    swapnas::Operators<swapnas::CudaBackend>::register_all(m);
}
#else
STABLE_TORCH_LIBRARY_IMPL(swapnas, CPU, m) {
    swapnas::Operators<swapnas::CpuBackend>::register_all(m);
}
#if defined(SWAPNAS_WITH_CUDA)
STABLE_TORCH_LIBRARY_IMPL(swapnas, CUDA, m) {
    swapnas::Operators<swapnas::CudaBackend>::register_all(m);
}
#endif
#endif
