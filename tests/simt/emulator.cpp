#include "emulator.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <bit>
#include <memory>
#include <unordered_map>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1  // GCC's name for it
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt {
namespace {

using swapnas::cuda::Grid;

constexpr size_t kStackBytes = 128 * 1024;

// xorshift64*.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
    uint64_t below(uint64_t bound) {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545F4914F6CDD1Dull >> 33) % bound;
    }

private:
    uint64_t state_;
};

class Stack {
public:
    Stack()
        : memory_(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
        if (memory_ == MAP_FAILED) throw std::runtime_error("no memory for a fiber's stack");
    }
    Stack(const Stack&) = delete;
    ~Stack() {
#if defined(__SANITIZE_ADDRESS__)
        ASAN_UNPOISON_MEMORY_REGION(memory_, kStackBytes);  // a fiber may not have ended
#endif
        munmap(memory_, kStackBytes);
    }
    void* memory() const { return memory_; }

private:
    void* memory_;
};

// A fiber or the scheduler, each with its own stack. AddressSanitizer must know of every change of
// stack.
struct Routine {
    ucontext_t context;  // where a fiber begins
#if !defined(__SANITIZE_ADDRESS__)
    jmp_buf left;  // where it was left; unlike swapcontext, a jump makes no system call
    bool was_left = false;
#endif
    const void* stack = nullptr;
    size_t stack_bytes = 0;
    void* sanitizers = nullptr;  // AddressSanitizer's memory of the stack while it does not run

    void leave_for([[maybe_unused]] Routine& other, [[maybe_unused]] bool for_ever = false) {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_start_switch_fiber(for_ever ? nullptr : &sanitizers, other.stack,
                                       other.stack_bytes);
        swapcontext(&context, &other.context);
        __sanitizer_finish_switch_fiber(sanitizers, nullptr, nullptr);
#else
        if (_setjmp(left) != 0) return;
        was_left = true;
        if (other.was_left) _longjmp(other.left, 1);
        setcontext(&other.context);
#endif
    }
    // Call this first on a new stack; `from` is the routine that switched to it.
    static void begin([[maybe_unused]] Routine& from) {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_finish_switch_fiber(nullptr, &from.stack, &from.stack_bytes);
#endif
    }
};

struct Block;
struct Fiber;

struct Warp {
    std::array<uint32_t, 32> given{};
    std::array<uint32_t, 32> exchanged{};
    uint32_t arrived = 0;
    std::vector<Fiber*> waiting;
    uint32_t epoch = 0;  // completed exchanges
    Location where;
};

struct Fiber {
    Routine routine;
    std::unique_ptr<Stack> stack;
    Block* block = nullptr;
    Warp* warp = nullptr;
    Index thread;
};

struct Block {
    Index index;
    std::vector<std::byte> shared;
    std::vector<Warp> warps;
    std::vector<Fiber*> waiting;  // at a barrier
    Location barrier;
    int alive = 0;
    uint32_t epoch = 0;  // completed barriers
};

// The thread and time of an access; epochs show whether a barrier came in between.
struct Trace {
    const Fiber* thread = nullptr;
    uint32_t block_epoch = 0, warp_epoch = 0;
    Location where;
};

// The last accesses to two bytes of memory. It keeps reads of two threads, so that a write by one
// of them still meets the other.
struct Cell {
    Trace reads[2], write, atomic_reads[2], atomic_write;
};

class Launch {
public:
    Launch(const Grid& grid, const std::function<void()>& kernel)
        : grid_(grid), kernel_(kernel), random_(settings().seed) {}

    void run();
    void record(const void* address, size_t size, Access access, const Location& where);
    void synchronize_block(const Location& where);
    const uint32_t* exchange(uint32_t value, unsigned mask, const Location& where);

    Fiber* running = nullptr;
    Index block_size, grid_size;

private:
    static void enter();
    static void prepare(Fiber& fiber);
    void start(int64_t block);
    void finish();
    void suspend() { running->routine.leave_for(scheduler_); }
    void yield() {
        runnable_.push_back(running);
        suspend();
    }
    Trace trace(const Location& where) const;
    void meet(const Trace& before, const Trace& now) const;
    void remember(Trace (&reads)[2], const Trace& now) const;
    static bool ordered(const Trace& before, const Trace& now);

    Grid grid_;
    const std::function<void()>& kernel_;
    Random random_;
    Routine scheduler_;
    std::vector<std::unique_ptr<Block>> blocks_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> runnable_;
    std::unordered_map<uintptr_t, Cell> cells_;
    int resident_ = 0;
    std::string error_;
};

Launch* current = nullptr;

// Stacks of ended fibers, for reuse.
std::vector<std::unique_ptr<Stack>>& idle_stacks() {
    static std::vector<std::unique_ptr<Stack>> stacks;
    return stacks;
}

Launch& launch() {
    if (current == nullptr) throw std::logic_error("no kernel is running");
    return *current;
}

void Launch::enter() {
    Launch& self = launch();
    Routine::begin(self.scheduler_);
    try {
        self.kernel_();
    } catch (const std::exception& error) {
        self.error_ = error.what();
    }
    self.finish();
}

void Launch::prepare(Fiber& fiber) {
    Routine& routine = fiber.routine;
    routine.stack = fiber.stack->memory();
    routine.stack_bytes = kStackBytes;
    getcontext(&routine.context);
    routine.context.uc_stack.ss_sp = fiber.stack->memory();
    routine.context.uc_stack.ss_size = kStackBytes;
    routine.context.uc_link = nullptr;
    makecontext(&routine.context, &Launch::enter, 0);
}

void Launch::start(int64_t number) {
    auto block = std::make_unique<Block>();
    block->index = {static_cast<unsigned>(number % grid_.blocks),
                    static_cast<unsigned>(number / grid_.blocks)};
    block->shared.resize(static_cast<size_t>(grid_.shared_bytes));
    for (auto& byte : block->shared) byte = static_cast<std::byte>(random_.below(256));
    block->warps.resize(grid_.threads / 32);
    block->alive = grid_.threads;
    for (int thread = 0; thread < grid_.threads; ++thread) {
        auto fiber = std::make_unique<Fiber>();
        fiber->block = block.get();
        fiber->warp = &block->warps[thread / 32];
        fiber->thread = {static_cast<unsigned>(thread)};
        if (idle_stacks().empty()) idle_stacks().push_back(std::make_unique<Stack>());
        fiber->stack = std::move(idle_stacks().back());
        idle_stacks().pop_back();
        prepare(*fiber);
        runnable_.push_back(fiber.get());
        fibers_.push_back(std::move(fiber));
    }
    blocks_.push_back(std::move(block));
    ++resident_;
}

// Ends the running fiber; its stack is reused once the scheduler runs again.
void Launch::finish() {
    Block& block = *running->block;
    if (!block.waiting.empty() && error_.empty())
        error_ =
            "a thread ends while others of its block wait at the barrier " + site(block.barrier);
    if (running->warp->arrived != 0 && error_.empty())
        error_ = "a lane ends while others of its warp wait at " + site(running->warp->where);
    if (--block.alive == 0) --resident_;
    Fiber* ended = running;
    running = nullptr;
    ended->routine.leave_for(scheduler_, true);
}

void Launch::run() {
    if (grid_.threads % 32 != 0) throw std::logic_error("blocks of whole warps only");
    block_size = {static_cast<unsigned>(grid_.threads), 1, 1};
    grid_size = {static_cast<unsigned>(grid_.blocks), static_cast<unsigned>(grid_.groups), 1};
    std::vector<int64_t> pending(grid_.blocks * grid_.groups);
    for (size_t i = 0; i < pending.size(); ++i) pending[i] = static_cast<int64_t>(i);

    while (error_.empty()) {
        while (!pending.empty() && resident_ < settings().resident_blocks) {
            std::swap(pending[random_.below(pending.size())], pending.back());
            start(pending.back());
            pending.pop_back();
        }
        if (runnable_.empty()) {
            if (resident_ > 0) error_ = "deadlock: every thread waits for others";
            break;
        }
        std::swap(runnable_[random_.below(runnable_.size())], runnable_.back());
        Fiber* chosen = runnable_.back();
        runnable_.pop_back();
        running = chosen;
        scheduler_.leave_for(chosen->routine);
        if (running == nullptr) idle_stacks().push_back(std::move(chosen->stack));
    }
    if (!error_.empty()) throw std::runtime_error(error_);
}

Trace Launch::trace(const Location& where) const {
    return {running, running->block->epoch, running->warp->epoch, where};
}

bool Launch::ordered(const Trace& before, const Trace& now) {
    if (before.thread == nullptr || before.thread == now.thread) return true;
    return (before.thread->block == now.thread->block && before.block_epoch != now.block_epoch) ||
           (before.thread->warp == now.thread->warp && before.warp_epoch != now.warp_epoch);
}

void Launch::meet(const Trace& before, const Trace& now) const {
    if (ordered(before, now)) return;
    throw std::runtime_error("race between " + site(before.where) + " and " + site(now.where));
}

void Launch::remember(Trace (&reads)[2], const Trace& now) const {
    if (ordered(reads[0], now)) reads[0] = now;
    else reads[1] = now;
}

void Launch::record(const void* address, size_t size, Access access, const Location& where) {
    // Plain reads are the most frequent and the simplest accesses.
    if (random_.below(access == Access::Read ? 16 : 4) == 0) yield();
    const Trace now = trace(where);
    const auto begin = reinterpret_cast<uintptr_t>(address);
    for (uintptr_t at = begin & ~uintptr_t{1}; at < begin + size; at += 2) {
        Cell& cell = cells_[at];
        meet(cell.write, now);
        if (access == Access::Write || access == Access::AtomicWrite)
            for (const Trace& read : cell.reads) meet(read, now);
        if (access == Access::Read || access == Access::Write) meet(cell.atomic_write, now);
        if (access == Access::Write)
            for (const Trace& read : cell.atomic_reads) meet(read, now);
        switch (access) {
            case Access::Read: remember(cell.reads, now); break;
            case Access::AtomicRead: remember(cell.atomic_reads, now); break;
            case Access::Write: cell.write = now; break;
            case Access::AtomicWrite: cell.atomic_write = now; break;
        }
    }
}

bool same(const Location& a, const Location& b) {
    return a.line() == b.line() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

void Launch::synchronize_block(const Location& where) {
    if (!settings().skip_barrier.empty() && site(where) == settings().skip_barrier) return;
    Block& block = *running->block;
    if (!block.waiting.empty() && !same(block.barrier, where))
        throw std::runtime_error("threads of a block wait at different barriers: " +
                                 site(block.barrier) + " and " + site(where));
    if (block.alive != grid_.threads)
        throw std::runtime_error("a barrier after threads of the block ended: " + site(where));
    block.barrier = where;
    block.waiting.push_back(running);
    if (static_cast<int>(block.waiting.size()) == grid_.threads) {
        ++block.epoch;
        runnable_.insert(runnable_.end(), block.waiting.begin(), block.waiting.end());
        block.waiting.clear();
    }
    suspend();
}

const uint32_t* Launch::exchange(uint32_t value, unsigned mask, const Location& where) {
    if (mask != 0xFFFFFFFF) throw std::runtime_error("whole warps only, at " + site(where));
    Warp& warp = *running->warp;
    if (warp.arrived != 0 && !same(warp.where, where))
        throw std::runtime_error("lanes of a warp wait at different places: " + site(warp.where) +
                                 " and " + site(where));
    warp.where = where;
    const unsigned lane = running->thread.x % 32;
    warp.given[lane] = value;
    warp.arrived |= 1u << lane;
    warp.waiting.push_back(running);
    if (warp.arrived == mask) {
        warp.exchanged = warp.given;
        warp.arrived = 0;
        ++warp.epoch;
        runnable_.insert(runnable_.end(), warp.waiting.begin(), warp.waiting.end());
        warp.waiting.clear();
    }
    suspend();
    return warp.exchanged.data();
}

}  // namespace

namespace {
std::string site(const std::string& file, unsigned line) {
    return file.substr(file.rfind('/') + 1) + ":" + std::to_string(line);
}
}  // namespace

std::string site(const Location& where) { return site(where.file_name(), where.line()); }

Settings& settings() {
    static Settings instance;
    return instance;
}
Sites& barrier_sites() {
    static Sites sites;
    return sites;
}
Sites& atomic_sites() {
    static Sites sites;
    return sites;
}
std::set<const void*>& launched_kernels() {
    static std::set<const void*> kernels;
    return kernels;
}

void Sites::add(const Location& where) { lines_.insert({where.file_name(), where.line()}); }

std::set<std::string> Sites::names() const {
    std::set<std::string> names;
    for (const auto& [file, line] : lines_) names.insert(site(file, line));
    return names;
}

const Index& thread_index() { return launch().running->thread; }
const Index& block_index() { return launch().running->block->index; }
const Index& block_size() { return launch().block_size; }
const Index& grid_size() { return launch().grid_size; }
std::byte* shared_bytes() { return launch().running->block->shared.data(); }
size_t shared_size() { return launch().running->block->shared.size(); }

bool is_torn(const Location& where) {
    return !settings().tear_atomic.empty() && site(where) == settings().tear_atomic;
}

void record(const void* address, size_t size, Access access, const Location& where) {
    launch().record(address, size, access, where);
}
void synchronize_block(const Location& where) {
    barrier_sites().add(where);
    launch().synchronize_block(where);
}
const uint32_t* exchange(uint32_t value, unsigned mask, const Location& where) {
    return launch().exchange(value, mask, where);
}

void run(const Grid& grid, const std::function<void()>& kernel) {
    Launch launch(grid, kernel);
    current = &launch;
    try {
        launch.run();
    } catch (...) {
        current = nullptr;
        throw;
    }
    current = nullptr;
}

}  // namespace simt

// ---- the device, as host code sees it ----------------------------------------------------------

namespace swapnas::cuda {

Availability availability() { return {}; }
int multiprocessors() { return simt::settings().multiprocessors; }
int resident_blocks(const void*, int, int64_t) { return simt::settings().resident_blocks; }
void clear(void* memory, int64_t bytes, Stream) { std::memset(memory, 0, bytes); }

}  // namespace swapnas::cuda
