// The CUDA back end: implements the device side of the operators with the kernels of cuda/, on
// torch's current stream. With SWAPNAS_SIMT it uses an emulated GPU, whose memory is the host's.
#pragma once

#if !defined(SWAPNAS_SIMT)
#include <torch/csrc/stable/accelerator.h>
#endif
#include <torch/csrc/stable/tensor.h>

#include <vector>

#include "cuda/kernels.h"

namespace swapnas {

// Makes the tensor's device the current one during its lifetime.
class CudaBackend {
public:
    using Tables = cuda::GroupTables;
    static constexpr int64_t kShortestRun = 1;

    explicit CudaBackend(const torch::stable::Tensor& x);

    static Tables tables(uint64_t* memory, int64_t words, int64_t groups, PatternShape shape) {
        return {memory, words, groups, shape};
    }
    // Checks only the host side: reading the table would synchronise.
    static void check_room(const Tables& tables, int64_t patterns);

    void insert(const Activations& x, PatternShape shape, const Tables& tables) const;
    void insert_packed(const PackedPatterns& patterns, const Tables& table) const;
    void merge(const Tables& into, const Tables& from) const;
    void count(const Tables& tables, int64_t* counts) const;
    void pack(const Activations& x, PatternShape shape, void* patterns, int64_t* nan) const;
    void count_activations(const std::vector<Activations>& xs, PatternShape shape,
                           const torch::stable::Tensor& like, int64_t* counts) const;
    void add_agreements(const Activations& x, int64_t* agreements) const;

private:
#if !defined(SWAPNAS_SIMT)
    torch::stable::accelerator::DeviceGuard guard_;
#endif
    cuda::Stream stream_;
};

}  // namespace swapnas
