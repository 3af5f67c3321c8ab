#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "cuda/insert.cuh"
#include "cuda/kernels.h"

namespace swapnas::cuda {
namespace {

// ---- kernels beside the insert kernel ----------------------------------------------------------

struct MergeArguments {
    SetArguments into;
    SetArguments from;
    int64_t groups;
    int chunks;
};

struct DirectMerger {
    // Each word is one thread's own.
    static __device__ void merge(const MergeArguments& a, const Table& into, const Table& from,
                                 Tally&) {
        const int64_t words = (a.from.capacity + 63) / 64;
        const int64_t stride = int64_t{gridDim.x} * blockDim.x;
        for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < words; i += stride) {
            uint64_t* word = into.payload<uint64_t>() + i;
            store_stream(word, load_stream(word) | load_stream(from.payload<uint64_t>() + i));
        }
    }
};

template <class Word>
struct KeyMerger {
    static __device__ void merge(const MergeArguments& a, const Table& into, const Table& from,
                                 Tally& tally) {
        KeySlots<Word> slots(into);
        const int64_t stride = int64_t{gridDim.x} * blockDim.x;
        for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < a.from.capacity;
             i += stride) {
            const Word pattern[1] = {load_stream(from.payload<Word>() + i)};
            if (pattern[0] != 0) slots.insert(pattern, tally);
        }
    }
};

struct WideMerger {
    static __device__ void merge(const MergeArguments& a, const Table& into, const Table& from,
                                 Tally& tally) {
        WideSlots slots(into, a.chunks);
        const int64_t stride = int64_t{gridDim.x} * blockDim.x;
        for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < a.from.capacity;
             i += stride) {
            const uint64_t* chunks = from.payload<uint64_t>() + i * a.chunks;
            if (load_stream(chunks) == 0) continue;
            const auto pattern = [&](int c) { return load_stream(chunks + c); };
            uint64_t hash = 0;
            for (int c = 0; c < a.chunks; ++c) hash = WideSlots::hash(hash, pattern(c));
            slots.insert(pattern, hash, tally);
        }
    }
};

template <class Merger>
__global__ void __launch_bounds__(kMaxThreads, 1) merge_kernel(const MergeArguments a) {
    for (int64_t group = blockIdx.y; group < a.groups; group += gridDim.y) {
        const Table into = a.into.table(group), from = a.from.table(group);
        Tally tally;
        Merger::merge(a, into, from, tally);
        if (blockIdx.x == 0 && threadIdx.x == 0) {
            tally.zero_pattern = load_relaxed(from.header(&TableHeader::zero_pattern)) != 0;
            tally.nan = load_relaxed(from.header(&TableHeader::nan)) != 0;
            tally.overflow |= load_relaxed(from.header(&TableHeader::overflow)) != 0;
            tally.stray_bits = load_relaxed(from.header(&TableHeader::stray_bits)) != 0;
        }
        tally.add_to(into);
    }
}

struct CountArguments {
    SetArguments set;
    bool direct;
    int64_t* counts;
};

// One block for each group. The slots in use were counted when they were taken; flags are counted
// here, since setting one does not tell whether it was set before.
__global__ void __launch_bounds__(kMaxThreads, 1) count_kernel(const CountArguments a) {
    const int64_t group = blockIdx.x;
    const Table table = a.set.table(group);
    const SharedPointer<uint64_t> sums = shared_memory<uint64_t>();
    uint64_t sum = 0;
    if (a.direct) {
        const int64_t words = (a.set.capacity + 63) / 64;
        for (int64_t i = threadIdx.x; i < words; i += blockDim.x)
            sum += __popcll(load_stream(table.payload<uint64_t>() + i));
    }
    sums[threadIdx.x] = sum;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] = sums[threadIdx.x] + sums[threadIdx.x + half];
    }
    if (threadIdx.x != 0) return;
    const auto read = [&](uint64_t TableHeader::* field) {
        return load_relaxed(table.header(field));
    };
    uint64_t patterns = sums[0];
    if (!a.direct) patterns = read(&TableHeader::occupied) + read(&TableHeader::zero_pattern);
    a.counts[2 * group] = static_cast<int64_t>(patterns);
    a.counts[2 * group + 1] = (read(&TableHeader::nan) ? kSawNan : 0) |
                              (read(&TableHeader::overflow) ? kOverflowed : 0) |
                              (read(&TableHeader::stray_bits) ? kStrayBits : 0);
}

struct PackArguments {
    const void* data;
    int64_t outer, outer_stride;
    int64_t inner;
    int64_t sample_stride;
    int64_t samples;
    uint32_t infinity;
    bool vectorized;
    void* patterns;
    int64_t* nan;
};

__device__ void report_nan(bool nan, int64_t* flag) {
    if (nan) store_relaxed(reinterpret_cast<uint64_t*>(flag), 1);
}

// Patterns of one word. The neurons lie in one row, or are a stride apart (outer).
template <class T, bool Ternary, class Word>
__global__ void __launch_bounds__(kMaxThreads, 1) pack_kernel(const PackArguments a) {
    constexpr int kRun = 16 / sizeof(T);
    const T* input = static_cast<const T*>(a.data);
    Word* patterns = static_cast<Word*>(a.patterns);
    const int samples = static_cast<int>(a.samples);
    bool nan = false;
    const auto pack_run = [&]<int N>(std::integral_constant<int, N>, int64_t offset, int64_t to) {
        SignPlanes<Word, N> planes;
        nan |= sign_planes<T, N, Ternary>(input + offset, static_cast<T*>(nullptr), a.sample_stride,
                                          samples, a.infinity, planes);
#pragma unroll
        for (int n = 0; n < N; ++n)
            store_stream(patterns + to + n, narrow_pattern<Ternary>(planes, n, samples));
    };
    const int width = a.vectorized ? kRun : 1;
    const int64_t items_per_row = (a.inner + width - 1) / width;
    const int64_t items = a.outer * items_per_row;
    const int64_t stride = int64_t{gridDim.x} * blockDim.x;
    for (int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; item < items;
         item += stride) {
        const int64_t row = a.outer == 1 ? 0 : item / items_per_row;
        const int64_t column = (item - row * items_per_row) * width;
        const int64_t offset = row * a.outer_stride + column, to = row * a.inner + column;
        const int64_t left = a.inner - column;
        if (a.vectorized && left >= kRun) {
            pack_run(std::integral_constant<int, kRun>{}, offset, to);
        } else {
            const int run = left < width ? static_cast<int>(left) : width;
            for (int i = 0; i < run; ++i)
                pack_run(std::integral_constant<int, 1>{}, offset + i, to + i);
        }
    }
    report_nan(nan, a.nan);
}

// Patterns of several words: a thread makes one neuron's, word by word and plane by plane.
template <class T, bool Ternary>
__global__ void __launch_bounds__(kMaxThreads, 1) pack_wide_kernel(const PackArguments a) {
    const T* input = static_cast<const T*>(a.data);
    uint64_t* patterns = static_cast<uint64_t*>(a.patterns);
    const int64_t bits = Ternary ? 2 * a.samples : a.samples;
    const int64_t words = (bits + 63) / 64;
    const int64_t neurons = a.outer * a.inner;
    const int64_t stride = int64_t{gridDim.x} * blockDim.x;
    bool nan = false;
    for (int64_t neuron = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; neuron < neurons;
         neuron += stride) {
        const int64_t row = a.outer == 1 ? 0 : neuron / a.inner;
        const int64_t offset = row * a.outer_stride + neuron - row * a.inner;
        // Samples first .. first + count of one plane.
        const auto plane = [&](int64_t first, int64_t count, bool negative) -> uint64_t {
            if (count <= 0) return 0;
            SignPlanes<uint64_t, 1> planes;
            nan |= sign_planes<T, 1, Ternary>(input + offset + first * a.sample_stride,
                                              static_cast<T*>(nullptr), a.sample_stride,
                                              static_cast<int>(count), a.infinity, planes);
            return negative ? planes.negative[0] : planes.positive[0];
        };
        for (int64_t word = 0; word < words; ++word) {
            const int64_t begin = 64 * word, end = begin + 64;
            uint64_t pattern = 0;
            if (begin < a.samples)
                pattern = plane(begin, (end < a.samples ? end : a.samples) - begin, false);
            if (Ternary && end > a.samples) {
                const int64_t from = begin > a.samples ? begin : a.samples;
                const int64_t to = end < bits ? end : bits;
                pattern |= plane(from - a.samples, to - from, true) << (from - begin);
            }
            store_stream(patterns + neuron * words + word, pattern);
        }
    }
    report_nan(nan, a.nan);
}

// ---- choosing and launching --------------------------------------------------------------------

constexpr int kSharedBytes = 48 * 1024;  // of a block, on every GPU and without asking for more
constexpr int64_t kMaxBlocks = (int64_t{1} << 31) - 1;

// Blocks that keep a GPU busy to the end: a few for each that runs at a time.
constexpr int64_t kBlocksPerMultiprocessor = 16;

SlotShape slot_shape(PatternShape shape) {
    constexpr int64_t kMaxLoad = 2;  // of four: see KeySlots
    if (shape.bits() <= 64) return {shape.bits() <= 32 ? 4 : 8, kMaxLoad};
    return {8 * chunks(shape), kMaxLoad};
}

bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

SetArguments set_arguments(const GroupTables& tables) {
    const PatternShape shape = tables.shape;
    const int64_t capacity =
        table_capacity(shape.bits(), slot_shape(shape), tables.words_per_group);
    if (capacity < 0)
        throw std::invalid_argument(
            "swapnas: a table of " + std::to_string(tables.words_per_group) +
            " words does not fit patterns of " + std::to_string(shape.bits()) + " bits");
    if (!aligned(tables.memory))
        throw std::invalid_argument("swapnas: a table must begin at a multiple of 16 bytes");
    return {tables.memory, tables.words_per_group, capacity,
            64 - std::countr_zero(static_cast<uint64_t>(capacity))};
}

template <class T>
struct TypeTag {
    using Type = T;
};

// Calls use(TypeTag<T>, name) with the type whose bits the dtype has.
template <class Use>
void with_element(DType dtype, const Use& use) {
    switch (dtype) {
        case DType::Float32: return use(TypeTag<float>{}, "float32");
        case DType::Float64: return use(TypeTag<double>{}, "float64");
        case DType::Float16: return use(TypeTag<uint16_t>{}, "float16");
        case DType::BFloat16: return use(TypeTag<uint16_t>{}, "bfloat16");
    }
}

uint32_t infinity_of(DType dtype) { return dtype == DType::Float16 ? 0x7C00 : 0x7F80; }

// Whether every run of 16 bytes of every row is aligned.
bool all_aligned(const Activations& a) {
    const int64_t run = 16 / element_size(a.dtype);
    const auto steps = [&](int64_t count, int64_t stride) {
        return count == 1 || stride % run == 0;
    };
    return a.inner >= run && aligned(a.data) && aligned(a.relu_output) &&
           steps(a.groups, a.group_stride) && steps(a.samples, a.sample_stride) &&
           steps(a.outer, a.outer_stride);
}

// Whether a bitmap in each block's shared memory pays: a block then has more neurons to insert than
// words to clear and merge.
bool shared_pays(int64_t bits, int64_t neurons) {
    const int64_t words = ((int64_t{1} << bits) + 31) / 32;
    return 4 * words <= kSharedBytes && neurons >= words * multiprocessors() * 4;
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A grid over `items` for each group; small work is spread over more, smaller blocks.
Grid grid_over(int64_t items, int64_t groups) {
    const int64_t busy = multiprocessors();
    const int threads = items * groups >= busy * kMaxThreads * 2 ? kMaxThreads : 64;
    return {.blocks = std::clamp<int64_t>(ceil_div(items, threads), 1,
                                          std::min(kMaxBlocks, busy * kBlocksPerMultiprocessor)),
            .groups = std::min(groups, kMaxGridY),
            .threads = threads};
}

void launch_insert(const std::string& name, void (*kernel)(InsertArguments), InsertArguments a,
                   int run, int64_t shared_bytes, Stream stream) {
    const int64_t items = a.outer * ceil_div(a.inner, a.vectorized ? run : 1);
    Grid grid = grid_over(items, a.groups);
    if (shared_bytes > 0) {  // a bitmap a block: as many as run at a time, which stay
        grid.threads = kMaxThreads;
        const int64_t resident =
            multiprocessors() * int64_t{resident_blocks(reinterpret_cast<const void*>(kernel),
                                                        grid.threads, shared_bytes)};
        grid.blocks = std::clamp<int64_t>(ceil_div(items, kMaxThreads), 1, resident);
    }
    grid.shared_bytes = shared_bytes;
    a.lanes = grid.threads;
    launch(name.c_str(), kernel, grid, stream, a);
}

template <class T, bool Ternary, class Set>
void launch_narrow(const std::string& dtype, const InsertArguments& a, int64_t shared_bytes,
                   Stream stream) {
    using Inserter = NarrowInserter<T, Ternary, Set>;
    launch_insert("insert (" + dtype + ", " + Set::kName + ")", insert_kernel<Inserter>, a,
                  Inserter::kRun, shared_bytes, stream);
}

// As many threads as have room for their chunks.
template <class T, bool Ternary>
void launch_wide(const std::string& dtype, InsertArguments a, Stream stream) {
    using Inserter = WideInserter<T, Ternary>;
    const auto lanes = [&](int run) { return kSharedBytes / (int64_t{8} * a.chunks * run); };
    a.vectorized &= lanes(Inserter::kRun) >= 32;
    const int run = a.vectorized ? Inserter::kRun : 1;
    a.lanes = static_cast<int>(std::min<int64_t>(lanes(run), 128));
    if (a.lanes == 0)
        throw std::invalid_argument("swapnas: patterns of " + std::to_string(a.samples) +
                                    " samples are wider than the CUDA kernels can take, which is " +
                                    std::to_string(kSharedBytes / 8 * samples_in_chunk(Ternary)) +
                                    "; use fewer samples, or count on the CPU");
    const int64_t items = a.outer * ceil_div(a.inner, run);
    const Grid grid{.blocks = std::clamp<int64_t>(ceil_div(items, a.lanes), 1,
                                                  multiprocessors() * kBlocksPerMultiprocessor),
                    .groups = std::min(a.groups, kMaxGridY),
                    .threads = (a.lanes + 31) / 32 * 32,
                    .shared_bytes = int64_t{8} * a.chunks * run * a.lanes};
    launch(("insert (" + dtype + ", " + WideSlots::kName + ")").c_str(), insert_kernel<Inserter>,
           grid, stream, a);
}

}  // namespace

int64_t table_words(PatternShape shape, int64_t patterns) {
    return swapnas::table_words(shape.bits(), slot_shape(shape), patterns);
}

int64_t table_limit(PatternShape shape, int64_t words) {
    return swapnas::table_limit(shape.bits(), slot_shape(shape), words);
}

void insert(const Activations& x, const GroupTables& tables, Stream stream) {
    const PatternShape shape = tables.shape;
    if (x.samples != shape.samples || x.groups != tables.groups)
        throw std::invalid_argument("swapnas: the activations don't fit the tables");
    const InsertArguments a{.set = set_arguments(tables),
                            .data = x.data,
                            .relu_output = x.relu_output,
                            .groups = x.groups,
                            .group_stride = x.group_stride,
                            .outer = x.outer,
                            .outer_stride = x.outer_stride,
                            .inner = x.inner,
                            .sample_stride = x.sample_stride,
                            .samples = x.samples,
                            .infinity = infinity_of(x.dtype),
                            .bits = static_cast<int>(shape.bits()),
                            .chunks = static_cast<int>(chunks(shape)),
                            .ternary = shape.ternary,
                            .vectorized = all_aligned(x),
                            .lanes = 0};
    const auto launch_with = [&]<class T, bool Ternary>(TypeTag<T>, std::bool_constant<Ternary>,
                                                        const std::string& dtype) {
        switch (set_kind(shape.bits())) {
            case SetKind::Direct:
                if (shared_pays(shape.bits(), x.neurons()))
                    return launch_narrow<T, Ternary, DirectInShared>(
                        dtype, a, ceil_div(a.set.capacity, 32) * 4, stream);
                return launch_narrow<T, Ternary, DirectInL2>(dtype, a, 0, stream);
            case SetKind::Key32:
                return launch_narrow<T, Ternary, KeySlots<uint32_t>>(dtype, a, 0, stream);
            case SetKind::Key64:
                return launch_narrow<T, Ternary, KeySlots<uint64_t>>(dtype, a, 0, stream);
            case SetKind::Wide: return launch_wide<T, Ternary>(dtype, a, stream);
        }
    };
    with_element(x.dtype, [&]<class T>(TypeTag<T> element, const char* dtype) {
        if (shape.ternary) launch_with(element, std::true_type{}, dtype);
        else launch_with(element, std::false_type{}, dtype);
    });
}

void insert_packed(const PackedPatterns& patterns, const GroupTables& table, Stream stream) {
    const PatternShape shape = table.shape;
    if (table.groups != 1 || patterns.bits != shape.bits())
        throw std::invalid_argument("swapnas: the packed patterns don't fit the table");
    const InsertArguments a{.set = set_arguments(table),
                            .data = patterns.data,
                            .relu_output = nullptr,
                            .groups = 1,
                            .group_stride = 0,
                            .outer = 1,
                            .outer_stride = 0,
                            .inner = patterns.count,
                            .sample_stride = 0,
                            .samples = shape.samples,
                            .infinity = 0,
                            .bits = static_cast<int>(shape.bits()),
                            .chunks = static_cast<int>(chunks(shape)),
                            .ternary = shape.ternary,
                            .vectorized = shape.words() == 1 && aligned(patterns.data),
                            .lanes = 0};
    const auto launch_with = [&]<class Inserter>(TypeTag<Inserter>, const char* set,
                                                 int64_t shared_bytes) {
        launch_insert("insert_packed (" + std::string(set) + ")", insert_kernel<Inserter>, a,
                      Inserter::kRun, shared_bytes, stream);
    };
    switch (set_kind(shape.bits())) {
        case SetKind::Direct:
            if (shared_pays(shape.bits(), patterns.count))
                return launch_with(TypeTag<PackedInserter<DirectInShared>>{}, DirectInShared::kName,
                                   ceil_div(a.set.capacity, 32) * 4);
            return launch_with(TypeTag<PackedInserter<DirectInL2>>{}, DirectInL2::kName, 0);
        case SetKind::Key32:
            return launch_with(TypeTag<PackedInserter<KeySlots<uint32_t>>>{},
                               KeySlots<uint32_t>::kName, 0);
        case SetKind::Key64:
            return launch_with(TypeTag<PackedInserter<KeySlots<uint64_t>>>{},
                               KeySlots<uint64_t>::kName, 0);
        case SetKind::Wide: return launch_with(TypeTag<PackedWideInserter>{}, WideSlots::kName, 0);
    }
}

void merge(const GroupTables& into, const GroupTables& from, Stream stream) {
    const PatternShape shape = into.shape;
    if (shape.samples != from.shape.samples || shape.ternary != from.shape.ternary ||
        into.groups != from.groups)
        throw std::invalid_argument("swapnas: the tables to merge don't fit each other");
    const MergeArguments a{set_arguments(into), set_arguments(from), into.groups,
                           static_cast<int>(chunks(shape))};
    const Grid grid = grid_over(a.from.capacity, into.groups);
    switch (set_kind(shape.bits())) {
        case SetKind::Direct:
            return launch("merge (direct)", merge_kernel<DirectMerger>, grid, stream, a);
        case SetKind::Key32:
            return launch("merge (keys of 32 bits)", merge_kernel<KeyMerger<uint32_t>>, grid,
                          stream, a);
        case SetKind::Key64:
            return launch("merge (keys of 64 bits)", merge_kernel<KeyMerger<uint64_t>>, grid,
                          stream, a);
        case SetKind::Wide:
            return launch("merge (wide)", merge_kernel<WideMerger>, grid, stream, a);
    }
}

void count(const GroupTables& tables, int64_t* counts, Stream stream) {
    const CountArguments a{set_arguments(tables), set_kind(tables.shape.bits()) == SetKind::Direct,
                           counts};
    const Grid grid{.blocks = tables.groups,
                    .threads = kMaxThreads,
                    .shared_bytes = kMaxThreads * int64_t{sizeof(uint64_t)}};
    launch("count", count_kernel, grid, stream, a);
}

void pack(const Activations& x, PatternShape shape, void* patterns, int64_t* nan, Stream stream) {
    if (x.samples != shape.samples || x.groups != 1 || x.relu_output != nullptr)
        throw std::invalid_argument("swapnas: only activations of one group can be packed");
    clear(nan, sizeof *nan, stream);
    const bool wide = shape.words() > 1;
    const PackArguments a{.data = x.data,
                          .outer = x.outer,
                          .outer_stride = x.outer_stride,
                          .inner = x.inner,
                          .sample_stride = x.sample_stride,
                          .samples = x.samples,
                          .infinity = infinity_of(x.dtype),
                          .vectorized = !wide && all_aligned(x),
                          .patterns = patterns,
                          .nan = nan};
    const int run = a.vectorized ? static_cast<int>(16 / element_size(x.dtype)) : 1;
    const Grid grid = grid_over(x.outer * ceil_div(x.inner, run), 1);
    const auto launch_with = [&]<class T, bool Ternary>(TypeTag<T>, std::bool_constant<Ternary>,
                                                        const char* dtype) {
        const std::string name = std::string("pack (") + dtype + ")";
        if (wide) launch(name.c_str(), pack_wide_kernel<T, Ternary>, grid, stream, a);
        else if (shape.bits() <= 32)
            launch(name.c_str(), pack_kernel<T, Ternary, uint32_t>, grid, stream, a);
        else launch(name.c_str(), pack_kernel<T, Ternary, uint64_t>, grid, stream, a);
    };
    with_element(x.dtype, [&]<class T>(TypeTag<T> element, const char* dtype) {
        if (shape.ternary) launch_with(element, std::true_type{}, dtype);
        else launch_with(element, std::false_type{}, dtype);
    });
}

}  // namespace swapnas::cuda
