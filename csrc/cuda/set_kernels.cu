// The kernels of a set: insert (insert.cuh), merge and count. Also decides the memory of a set and
// the kernel of a launch.
#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "cuda/dispatch.cuh"
#include "cuda/insert.cuh"
#include "cuda/insert_form.h"
#include "cuda/kernels.h"
#include "cuda/lines_insert.cuh"
#include "cuda/pattern_set.cuh"
#include "cuda/split_insert.cuh"

namespace swapnas::cuda {
namespace {

struct MergeArguments {
    SetArguments into;
    SetArguments from;
    int64_t groups;
    int chunks;
};

template <class Set>
__global__ void __launch_bounds__(kMaxThreads, 1) merge_kernel(const MergeArguments a) {
    for (int64_t group = blockIdx.y; group < a.groups; group += gridDim.y) {
        const Table into = a.into.table(group), from = a.from.table(group);
        Tally tally;
        Set::merge(into, from, a.chunks, tally);
        if (blockIdx.x == 0 && threadIdx.x == 0) tally.add_header(from);
        tally.add_to(into);
    }
}

struct CountArguments {
    SetArguments set;
    bool direct;
    int64_t* counts;
};

// One block for each group.
__global__ void __launch_bounds__(kMaxThreads, 1) count_kernel(const CountArguments a) {
    const int64_t group = blockIdx.x;
    const Table table = a.set.table(group);
    const SharedPointer<uint64_t> sums = shared_memory<uint64_t>();
    sums[threadIdx.x] = a.direct ? DirectInL2::count_share(table) : 0;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] = sums[threadIdx.x] + sums[threadIdx.x + half];
    }
    if (threadIdx.x != 0) return;
    const uint64_t patterns = a.direct ? static_cast<uint64_t>(sums[0]) : table.count_slots();
    a.counts[2 * group] = static_cast<int64_t>(patterns);
    a.counts[2 * group + 1] = table.flags();
}

constexpr int kSharedBytes = 48 * 1024;  // per block, available on every GPU without a request

SlotShape slot_shape(PatternShape shape) {
    constexpr int64_t kMaxLoad = 2;  // out of four: see KeySlots
    if (shape.bits() <= 64) return {shape.bits() <= 32 ? 4 : 8, kMaxLoad};
    return {8 * chunks(shape), kMaxLoad};
}

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

// Whether a bitmap in each block's shared memory pays off. To clear and merge it takes about 6 us
// on an H200. In L2 a small bitmap is in few places, for which all neurons queue: a map of 802,816
// neurons and 16 samples took 42 to 54 us there, where memory needs 26.
bool shared_pays(int64_t bits, int64_t neurons) {
    const int64_t words = ((int64_t{1} << bits) + 31) / 32;
    return 4 * words <= kSharedBytes && neurons >= words * multiprocessors() * 2;
}

// `run`: neurons of a thread.
void launch_insert(const std::string& name, void (*kernel)(InsertArguments), InsertArguments a,
                   int run, int64_t shared_bytes, Stream stream) {
    const int64_t items = a.outer * (a.inner / run);
    Grid grid = grid_over(items, a.groups);
    if (shared_bytes > 0) {  // one bitmap per block: as many as run at once, which stay
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

// Of 32 bits, of the shared memory of a block as Lines: the signs between two runs, and the chunks
// of wide patterns.
template <class Set>
int64_t kept_words(int64_t samples) {
    const int64_t whole = (samples - 1) / kLinesInWord<Set>;
    return (whole * kKeptOfWord + ceil_div(samples - whole * kLinesInWord<Set>, kRowsOfWord)) *
           kLinesThreads;
}
template <class T>
int64_t chunk_words(int64_t samples) {
    return 2 * chunks({samples, false}) * kRun<T> * kLinesThreads;
}

// Runs of a warp, one after another, as Lines: several, each of which saves a line of each row, if
// all multiprocessors have work for a few rounds. 0 if the kernel does not fit the layout.
template <class T>
int64_t lines_strip(const Activations& x, bool wide) {
    if (wide && 4 * (chunk_words<T>(x.samples) + kept_words<WideSlots>(x.samples)) > kSharedBytes)
        return 0;
    const auto distance =
        static_cast<const char*>(x.data) - static_cast<const char*>(x.relu_output);
    const bool writes_elsewhere =
        x.relu_output == nullptr || (distance != 0 && distance % kLineBytes == 0);
    constexpr int64_t kMostNeurons = int64_t{1} << 36;  // so that an int can count runs
    if (x.outer != 1 || x.inner > kMostNeurons || !writes_elsewhere) return 0;
    constexpr int64_t kMostRuns = 8;
    constexpr int64_t kRounds = 2;
    const int64_t warps = multiprocessors() * kLinesBlocks<T, uint32_t> * (kLinesThreads / 32);
    const int64_t runs = x.groups * ceil_div(x.inner, LineRows<T>::kWidth);
    return std::clamp<int64_t>(runs / (warps * kRounds), 1, kMostRuns);
}

// `set_words`: of 32 bits, that the set has in shared memory.
template <class T, class Set>
void launch_lines(const std::string& name, const InsertArguments& a, int64_t strip,
                  int64_t set_words, Stream stream) {
    const auto kernel = lines_insert_kernel<T, Set>;
    const int64_t shared_bytes = 4 * (set_words + kept_words<Set>(a.samples));
    const int64_t runs_of_block = strip * (kLinesThreads / 32);
    const int64_t blocks = std::is_same_v<Set, DirectInShared>
                               ? int64_t{resident_blocks(reinterpret_cast<const void*>(kernel),
                                                         kLinesThreads, shared_bytes)}
                               : kBlocksPerMultiprocessor;
    const int64_t runs = ceil_div(a.inner, LineRows<T>::kWidth);
    const Grid grid{
        .blocks = std::clamp<int64_t>(ceil_div(runs, runs_of_block), 1, multiprocessors() * blocks),
        .groups = std::min(a.groups, kMaxGridY),
        .threads = kLinesThreads,
        .shared_bytes = shared_bytes};
    launch((name + ", lines)").c_str(), kernel, grid, stream,
           LinesArguments{a, static_cast<int>(strip), static_cast<int>(set_words)});
}

template <class T, bool Ternary, class Set>
void launch_narrow(const std::string& name, const InsertArguments& a, Form form, int64_t strip,
                   int64_t shared_bytes, Stream stream) {
    if constexpr (!Ternary)
        if (form == Form::Lines)
            return launch_lines<T, Set>(name, a, strip, shared_bytes / 4, stream);
    if (form == Form::Runs)
        return launch_insert(name + ", runs)",
                             insert_kernel<NarrowInserter<T, Ternary, Set, kRun<T>>>, a, kRun<T>,
                             shared_bytes, stream);
    launch_insert(name + ")", insert_kernel<NarrowInserter<T, Ternary, Set, 1>>, a, 1, shared_bytes,
                  stream);
}

// As many threads as shared memory has room for their chunks.
int64_t wide_lanes(const InsertArguments& a, int run) {
    return std::min<int64_t>(kSharedBytes / (int64_t{8} * a.chunks * run), 128);
}

template <class T, bool Ternary, int N>
void launch_wide(const std::string& name, InsertArguments a, Stream stream) {
    a.lanes = static_cast<int>(wide_lanes(a, N));
    if (a.lanes == 0)
        throw std::invalid_argument("swapnas: patterns of " + std::to_string(a.samples) +
                                    " samples are wider than the CUDA kernels can take, which is " +
                                    std::to_string(kSharedBytes / 8 * samples_in_chunk(Ternary)) +
                                    "; use fewer samples, or count on the CPU");
    const int64_t items = a.outer * (a.inner / N);
    const Grid grid{.blocks = std::clamp<int64_t>(ceil_div(items, a.lanes), 1,
                                                  multiprocessors() * kBlocksPerMultiprocessor),
                    .groups = std::min(a.groups, kMaxGridY),
                    .threads = (a.lanes + 31) / 32 * 32,
                    .shared_bytes = int64_t{8} * a.chunks * N * a.lanes};
    launch(name.c_str(), insert_kernel<WideInserter<T, Ternary, N>>, grid, stream, a);
}

int64_t split_shared_bytes(int64_t parts) {
    return parts * kSplitNeurons * int64_t{sizeof(uint32_t)};
}

template <class T, bool Ternary, class Set>
void launch_split(const std::string& name, const InsertArguments& a, Stream stream) {
    const Grid grid{
        .blocks = std::min(ceil_div(a.outer * a.inner, kSplitNeurons),
                           multiprocessors() * kBlocksPerMultiprocessor),
        .groups = std::min(a.groups, kMaxGridY),
        .threads = static_cast<int>(kSplitNeurons * std::min<int64_t>(a.parts, kMaxSplitWarps)),
        .shared_bytes = split_shared_bytes(a.parts)};
    launch((name + ", split)").c_str(), split_insert_kernel<T, Ternary, Set>, grid, stream, a);
}

template <class T, bool Ternary>
InsertWork insert_work(const Activations& x, const InsertArguments& a, SetKind kind) {
    const bool wide = kind == SetKind::Wide;
    const bool rows_in_runs = all_aligned(x, kRun<T>);
    const bool in_runs = rows_in_runs && x.inner % kRun<T> == 0 &&
                         (!wide || wide_lanes(a, kRun<T>) >= kSplitNeurons);
    // Fewer samples are all in flight in one thread.
    const bool splits =
        (wide || kind == SetKind::Key64) && split_shared_bytes(a.parts) <= kSharedBytes;
    const int64_t bytes_read = x.groups * x.neurons() * x.samples * int64_t{sizeof(T)};
    return {.bytes = x.relu_output == nullptr ? bytes_read : 2 * bytes_read,
            .neurons = x.groups * x.neurons(),
            .samples = x.samples,
            .run = in_runs ? kRun<T> : 0,
            .rows_in_runs = rows_in_runs,
            .strip = Ternary ? 0 : lines_strip<T>(x, wide),
            .parts = splits ? a.parts : 0,
            .run_of_lines = kRun<T>,
            .rows_of_run = kRows<T, kRun<T>>,
            .rows = kRows<T, 1>,
            .set_trips = wide                      ? 2 + a.chunks
                         : kind == SetKind::Direct ? 1
                                                   : 3,
            .one_by_one = wide};
}

template <class T, bool Ternary>
void launch_of_activations(const Activations& x, InsertArguments a, SetKind kind,
                           const std::string& dtype, Stream stream) {
    a.parts = static_cast<int>(Parts(kind == SetKind::Wide, Ternary).of(x.samples));
    const InsertWork work = insert_work<T, Ternary>(x, a, kind);
    const Form form = choose_form(work);
    const auto name = [&](const char* set) { return "insert (" + dtype + ", " + set; };
    switch (kind) {
        case SetKind::Direct: {
            using Shared = DirectInShared;
            if (shared_pays(a.bits, x.neurons()))
                return launch_narrow<T, Ternary, Shared>(name(Shared::kName), a, form, work.strip,
                                                         ceil_div(a.set.capacity, 32) * 4, stream);
            using L2 = DirectInL2;
            return launch_narrow<T, Ternary, L2>(name(L2::kName), a, form, work.strip, 0, stream);
        }
        case SetKind::Key32: {
            using Set = KeySlots<uint32_t>;
            return launch_narrow<T, Ternary, Set>(name(Set::kName), a, form, work.strip, 0, stream);
        }
        case SetKind::Key64: {
            using Set = KeySlots<uint64_t>;
            if (form == Form::Split)
                return launch_split<T, Ternary, Set>(name(Set::kName), a, stream);
            return launch_narrow<T, Ternary, Set>(name(Set::kName), a, form, work.strip, 0, stream);
        }
        case SetKind::Wide: {
            using Set = WideSlots;
            if (form == Form::Split)
                return launch_split<T, Ternary, Set>(name(Set::kName), a, stream);
            if constexpr (!Ternary)
                if (form == Form::Lines)
                    return launch_lines<T, Set>(name(Set::kName), a, work.strip,
                                                chunk_words<T>(a.samples), stream);
            if (form == Form::Runs)
                return launch_wide<T, Ternary, kRun<T>>(name(Set::kName) + ", runs)", a, stream);
            return launch_wide<T, Ternary, 1>(name(Set::kName) + ")", a, stream);
        }
    }
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
                            .lanes = 0,
                            .parts = 0};
    const SetKind kind = set_kind(shape.bits());
    with_element(x.dtype, [&]<class T>(TypeTag<T>, const char* dtype) {
        if (shape.ternary) launch_of_activations<T, true>(x, a, kind, dtype, stream);
        else launch_of_activations<T, false>(x, a, kind, dtype, stream);
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
                            .lanes = 0,
                            .parts = 0};
    const auto launch_with = [&]<class Inserter>(TypeTag<Inserter>, const char* set,
                                                 int64_t shared_bytes) {
        launch_insert("insert_packed (" + std::string(set) + ")", insert_kernel<Inserter>, a,
                      Inserter::kNeurons, shared_bytes, stream);
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
            return launch("merge (direct)", merge_kernel<DirectInL2>, grid, stream, a);
        case SetKind::Key32:
            return launch("merge (keys of 32 bits)", merge_kernel<KeySlots<uint32_t>>, grid, stream,
                          a);
        case SetKind::Key64:
            return launch("merge (keys of 64 bits)", merge_kernel<KeySlots<uint64_t>>, grid, stream,
                          a);
        case SetKind::Wide: return launch("merge (wide)", merge_kernel<WideSlots>, grid, stream, a);
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

}  // namespace swapnas::cuda
