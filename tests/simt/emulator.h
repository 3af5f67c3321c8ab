// A GPU for tests: runs the kernels' own source, compiled as C++, on one thread of the host.
//
// Every CUDA thread is a fiber. At each memory access the emulator may switch to another fiber of
// the block or of the other resident blocks, chosen at random from a seed, so each seed gives
// another interleaving. Blocks, warps, dynamic shared memory (not cleared), __syncthreads, ballots,
// shuffles and atomics do what CUDA specifies, and nothing more:
//
//  * Two accesses to the same memory by different threads, one of them a write and not both atomic,
//    with no barrier between them, are a race; so is using shared memory beyond its end. Both are
//    errors, even if the result is right.
//  * A barrier that some threads of a block don't reach, and a warp operation that some lanes don't
//    reach, are errors.
//
// Errors end the launch with a std::runtime_error that names the source lines. The emulator does
// not see accesses to global memory without the functions below, nor memory ordering weaker than
// sequential consistency (the kernels need none: see WideSlots).
//
// A test can sabotage a kernel at run time to check that the emulator notices: `skip_barrier` makes
// the barrier on that line do nothing, `tear_atomic` turns the atomic operations on that line into
// a plain read followed by a plain write.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "cuda/device.h"

#define __global__
#define __device__
#define __launch_bounds__(...)

struct alignas(8) uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

namespace simt {

struct Index {
    unsigned x = 0, y = 0, z = 0;
};

using Location = std::source_location;

// File name and line, such as "pattern_set.cuh:104".
std::string site(const Location& where);

struct Settings {
    uint64_t seed = 0;
    int multiprocessors = 2;
    int resident_blocks = 3;
    std::string skip_barrier{};  // a site
    std::string tear_atomic{};   // a site
};
Settings& settings();

// The sites that launches have reached since the program started.
class Sites {
public:
    void add(const Location& where);
    std::set<std::string> names() const;

private:
    std::set<std::pair<const char*, unsigned>> lines_;
};
Sites& barrier_sites();
Sites& atomic_sites();

// The kernels launched since the program started.
std::set<const void*>& launched_kernels();

// ---- the kernel side ---------------------------------------------------------------------------

const Index& thread_index();
const Index& block_index();
const Index& block_size();
const Index& grid_size();

enum class Access { Read, Write, AtomicRead, AtomicWrite };

// Records an access of the running thread, or throws if it races; then perhaps lets others run.
void record(const void* address, size_t size, Access access, const Location& where);

bool is_torn(const Location& where);
std::byte* shared_bytes();
size_t shared_size();

void synchronize_block(const Location& where);

// Every lane of the warp gives a value; returns those of all 32 lanes.
const uint32_t* exchange(uint32_t value, unsigned mask, const Location& where);

// Runs the kernel for every thread of the grid.
void run(const swapnas::cuda::Grid& grid, const std::function<void()>& kernel);

template <class T, class Change>
T atomically(T* address, const Change& change, const Location& where) {
    atomic_sites().add(where);
    if (is_torn(where)) {
        record(address, sizeof(T), Access::Read, where);
        const T before = *address;
        record(address, sizeof(T), Access::Write, where);
        *address = change(before);
        return before;
    }
    record(address, sizeof(T), Access::AtomicWrite, where);
    const T before = *address;
    *address = change(before);
    return before;
}

// A pointer into shared memory whose accesses are recorded.
template <class T>
class SharedPointer {
public:
    class Reference {
    public:
        Reference(T* address, const Location& where) : address_(address), where_(where) {}
        operator T() const {
            record(address_, sizeof(T), Access::Read, where_);
            return *address_;
        }
        const Reference& operator=(T value) const {
            record(address_, sizeof(T), Access::Write, where_);
            *address_ = value;
            return *this;
        }

    private:
        T* address_;
        Location where_;
    };
    // An index that records its source location.
    struct At {
        int64_t value;
        Location where;
        template <class Integer>
            requires std::is_integral_v<Integer>
        At(Integer index, const Location& where = Location::current())
            : value(static_cast<int64_t>(index)), where(where) {}
    };

    explicit SharedPointer(T* address) : address_(address) {}
    Reference operator[](At at) const { return {check(address_ + at.value, at.where), at.where}; }
    SharedPointer operator+(int64_t offset) const { return SharedPointer(address_ + offset); }
    operator SharedPointer<const T>() const { return SharedPointer<const T>(address_); }
    T* get(const Location& where) const { return check(address_, where); }

private:
    static T* check(T* address, const Location& where) {
        const auto offset = reinterpret_cast<const std::byte*>(address) - shared_bytes();
        if (offset < 0 || offset + sizeof(T) > shared_size())
            throw std::runtime_error("outside of the block's shared memory at " + site(where));
        return address;
    }
    T* address_;
};

}  // namespace simt

#define threadIdx (simt::thread_index())
#define blockIdx (simt::block_index())
#define blockDim (simt::block_size())
#define gridDim (simt::grid_size())

inline void __syncthreads(const simt::Location& where = simt::Location::current()) {
    simt::synchronize_block(where);
}

inline unsigned __ballot_sync(unsigned mask, bool flag,
                              const simt::Location& where = simt::Location::current()) {
    const uint32_t* flags = simt::exchange(flag, mask, where);
    unsigned ballot = 0;
    for (int lane = 0; lane < 32; ++lane) ballot |= flags[lane] << lane;
    return ballot;
}

inline int __any_sync(unsigned mask, bool flag,
                      const simt::Location& where = simt::Location::current()) {
    return __ballot_sync(mask, flag, where) != 0;
}

inline uint32_t __shfl_sync(unsigned mask, uint32_t value, int lane,
                            const simt::Location& where = simt::Location::current()) {
    return simt::exchange(value, mask, where)[lane % 32];
}

// Lanes without a partner get their own value back.
inline uint32_t __shfl_down_sync(unsigned mask, uint32_t value, int offset,
                                 const simt::Location& where = simt::Location::current()) {
    const int lane = static_cast<int>(threadIdx.x % 32) + offset;
    const uint32_t* values = simt::exchange(value, mask, where);
    return lane < 32 ? values[lane] : value;
}

inline int __popc(uint32_t bits) { return __builtin_popcount(bits); }
inline int __popcll(uint64_t bits) { return __builtin_popcountll(bits); }

namespace swapnas::cuda {

using simt::Access;
using simt::Location;
using simt::SharedPointer;

template <class T>
SharedPointer<T> shared_memory() {
    return SharedPointer<T>(reinterpret_cast<T*>(simt::shared_bytes()));
}

template <class T>
void hide_from_compiler(T*&) {}

template <class T>
T load_stream(const T* address, const Location& where = Location::current()) {
    if (reinterpret_cast<uintptr_t>(address) % alignof(T) != 0)
        throw std::runtime_error("misaligned load at " + simt::site(where));
    simt::record(address, sizeof(T), Access::Read, where);
    T value;
    std::memcpy(&value, address, sizeof value);
    return value;
}
template <class T>
void store_stream(T* address, std::type_identity_t<T> value,
                  const Location& where = Location::current()) {
    if (reinterpret_cast<uintptr_t>(address) % alignof(T) != 0)
        throw std::runtime_error("misaligned store at " + simt::site(where));
    simt::record(address, sizeof(T), Access::Write, where);
    std::memcpy(address, &value, sizeof value);
}

template <class T>
T load_relaxed(const T* address, const Location& where = Location::current()) {
    simt::record(address, sizeof(T), Access::AtomicRead, where);
    return *address;
}
// In two parts, between which other threads may run: a GPU only guarantees to read words whole.
template <class Word, int N>
void load_relaxed_run(const Word* address, Word (&words)[N],
                      const Location& where = Location::current()) {
    if (reinterpret_cast<uintptr_t>(address) % sizeof words != 0)
        throw std::runtime_error("misaligned load at " + simt::site(where));
    for (int half = 1; half >= 0; --half) {
        simt::record(address + half * (N / 2), sizeof words / 2, Access::AtomicRead, where);
        std::copy_n(address + half * (N / 2), N / 2, words + half * (N / 2));
    }
}
inline void store_relaxed(uint64_t* address, uint64_t value,
                          const Location& where = Location::current()) {
    simt::record(address, sizeof value, Access::AtomicWrite, where);
    *address = value;
}
inline uint32_t load_relaxed_shared(SharedPointer<const uint32_t> address,
                                    const Location& where = Location::current()) {
    return load_relaxed(address.get(where), where);
}

inline void atomic_or(uint32_t* address, uint32_t bits,
                      const Location& where = Location::current()) {
    simt::atomically(address, [&](uint32_t before) { return before | bits; }, where);
}
inline void atomic_or_shared(SharedPointer<uint32_t> address, uint32_t bits,
                             const Location& where = Location::current()) {
    atomic_or(address.get(where), bits, where);
}
template <class T>
T atomic_add(T* address, std::type_identity_t<T> value,
             const Location& where = Location::current()) {
    return simt::atomically(address, [&](T before) { return before + value; }, where);
}
inline void atomic_add_shared(SharedPointer<uint32_t> address, uint32_t value,
                              const Location& where = Location::current()) {
    atomic_add(address.get(where), value, where);
}
template <class T>
T atomic_cas(T* address, T expected, T desired, const Location& where = Location::current()) {
    return simt::atomically(
        address, [&](T before) { return before == expected ? desired : before; }, where);
}

template <class Arguments>
void launch(const char* name, void (*kernel)(Arguments), const Grid& grid, Stream,
            const Arguments& arguments) {
    simt::launched_kernels().insert(reinterpret_cast<const void*>(kernel));
    try {
        simt::run(grid, [&] { kernel(arguments); });
    } catch (const std::exception& error) {
        throw std::runtime_error("the kernel " + std::string(name) + ": " + error.what());
    }
}

}  // namespace swapnas::cuda
