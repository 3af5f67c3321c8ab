// The operators of a forward pass, for float32 on the CPU. The schemas are in the Python
// forward/ops.py; callers check the arguments, as those of operators.h do.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <optional>
#include <string>
#include <vector>

#include "cpu/forward/batch_norm.h"
#include "cpu/forward/convolution.h"
#include "cpu/forward/pool.h"
#include "torch/check.h"
#include "torch/cpu_backend.h"
#include "torch/operators.h"
#include "torch/reporting.h"
#include "torch/torch_workers.h"

namespace swapnas {

struct ForwardOperators {
    using CpuOperators = Operators<CpuBackend>;

    // Messages are made only where they are needed: a call must take no more than a microsecond.
    static void check_floats(const Tensor& x, const char* name) {
        if (!x.is_cpu() || x.scalar_type() != torch::headeronly::ScalarType::Float ||
            !x.is_contiguous())
            check(false, std::string(name) + " must be a contiguous float32 tensor on the CPU");
    }

    static const float* floats(const Tensor& x, const char* name) {
        check_floats(x, name);
        return static_cast<const float*>(x.const_data_ptr());
    }

    // Of a tensor [size], or null where there is none.
    static const float* optional_floats(const std::optional<Tensor>& x, int64_t size,
                                        const char* name) {
        if (!x) return nullptr;
        if (x->dim() != 1 || x->size(0) != size)
            check(false, std::string(name) + " must have one number for each of the " +
                             std::to_string(size) + " channels");
        return floats(*x, name);
    }

    static cpu::BatchNorm batch_norm_of(const Tensor& x, const std::optional<Tensor>& weight,
                                        const std::optional<Tensor>& bias, double eps) {
        const float* data = floats(x, "x");
        if (x.dim() < 2) check(false, "x must be [N, C, ...]");
        const int64_t rows = x.size(0), channels = x.size(1), count = x.numel();
        if (count <= channels || rows == 0)
            check(false, "batch_norm needs more than one value in each channel");
        if (!(eps > 0)) check(false, "eps is " + std::to_string(eps) + ", expected more than 0");
        return {.x = data,
                .rows = rows,
                .channels = channels,
                .plane = count / (rows * channels),
                .weight = optional_floats(weight, channels, "weight"),
                .bias = optional_floats(bias, channels, "bias"),
                .eps = eps};
    }

    static Tensor batch_norm(Tensor x, std::optional<Tensor> weight, std::optional<Tensor> bias,
                             double eps) {
        const auto norm = batch_norm_of(x, weight, bias, eps);
        auto y = torch::stable::empty_like(x);
        cpu::batch_norm(norm, static_cast<float*>(y.mutable_data_ptr()), TorchWorkers());
        return y;
    }

    static Tensor batch_norm_relu_insert(Tensor table, Tensor x, std::optional<Tensor> weight,
                                         std::optional<Tensor> bias, double eps, int64_t samples,
                                         bool ternary) {
        const auto norm = batch_norm_of(x, weight, bias, eps);
        const PatternShape shape = CpuOperators::pattern_shape(samples, ternary);
        if (!table.is_cpu()) check(false, "the table must be on the CPU");
        const auto tables = CpuOperators::group_tables(table, shape);
        if (tables.groups < 1 || norm.channels % tables.groups != 0 || norm.rows % samples != 0)
            check(false,
                  "x must be [N, R * C, ...], with N a multiple of " + std::to_string(samples) +
                      " samples and R = " + std::to_string(tables.groups) + " groups of the table");
        const int64_t rows = norm.rows / samples;
        CpuBackend::check_room(tables, rows * norm.channels / tables.groups * norm.plane);
        auto y = torch::stable::empty_like(x);
        cpu::batch_norm_relu_insert(norm, static_cast<float*>(y.mutable_data_ptr()), shape, tables,
                                    TorchWorkers());
        return y;
    }

    static cpu::PoolAxis axis_of(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                                 int64_t dilation, bool ceil_mode) {
        if (kernel < 1 || stride < 1 || dilation < 1 || padding < 0 || padding > kernel / 2)
            check(false,
                  "a pool needs a kernel, a stride and a dilation of at least 1, and a "
                  "padding of 0 to half of the kernel");
        cpu::PoolAxis axis{size, kernel, stride, padding, dilation, 0};
        axis.output = cpu::pool_outputs(axis, ceil_mode);
        if (axis.output < 1)
            check(false, "a pool's kernel is larger than its input of size " +
                             std::to_string(size) + " and its padding");
        return axis;
    }

    static Tensor pooled(const Tensor& x, const cpu::Pool& pool) {
        const auto sizes = x.sizes();
        std::vector<int64_t> output_sizes(sizes.begin(), sizes.end());
        output_sizes[x.dim() - 2] = pool.rows.output;
        output_sizes[x.dim() - 1] = pool.columns.output;
        auto y = torch::stable::empty(output_sizes, x.scalar_type());
        const int64_t planes = x.numel() / (pool.rows.size * pool.columns.size);
        cpu::pool(pool, static_cast<const float*>(x.const_data_ptr()),
                  static_cast<float*>(y.mutable_data_ptr()), planes, TorchWorkers());
        return y;
    }

    static void check_planes(const Tensor& x) {
        check_floats(x, "x");
        if (x.dim() < 3 || x.numel() == 0) check(false, "x must be [N, C, H, W] and not empty");
    }

    static Tensor avg_pool2d(Tensor x, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                             int64_t stride_w, int64_t padding_h, int64_t padding_w, bool ceil_mode,
                             bool count_include_pad) {
        check_planes(x);
        return pooled(
            x,
            {.rows = axis_of(x.size(x.dim() - 2), kernel_h, stride_h, padding_h, 1, ceil_mode),
             .columns = axis_of(x.size(x.dim() - 1), kernel_w, stride_w, padding_w, 1, ceil_mode),
             .average = true,
             .include_padding = count_include_pad});
    }

    static Tensor max_pool2d(Tensor x, int64_t kernel_h, int64_t kernel_w, int64_t stride_h,
                             int64_t stride_w, int64_t padding_h, int64_t padding_w,
                             int64_t dilation_h, int64_t dilation_w, bool ceil_mode) {
        check_planes(x);
        return pooled(x, {.rows = axis_of(x.size(x.dim() - 2), kernel_h, stride_h, padding_h,
                                          dilation_h, ceil_mode),
                          .columns = axis_of(x.size(x.dim() - 1), kernel_w, stride_w, padding_w,
                                             dilation_w, ceil_mode),
                          .average = false,
                          .include_padding = false});
    }

    // Of one dimension: the outputs of a kernel that moves over padded inputs.
    static int64_t outputs(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                           int64_t dilation) {
        if (stride < 1 || dilation < 1 || padding < 0)
            check(false,
                  "convolve needs strides and dilations of at least 1, and no negative padding");
        const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
        if (kernel < 1 || room < 0)
            check(false, "the kernel of " + std::to_string(kernel) + " with dilation " +
                             std::to_string(dilation) + " does not fit into " +
                             std::to_string(size) + " pixels with padding " +
                             std::to_string(padding));
        return room / stride + 1;
    }

    static Tensor convolve(Tensor x, Tensor weight, std::optional<Tensor> bias, int64_t stride_h,
                           int64_t stride_w, int64_t padding_h, int64_t padding_w,
                           int64_t dilation_h, int64_t dilation_w, int64_t groups) {
        const float* data = floats(x, "x");
        const float* weights = floats(weight, "weight");
        if (x.dim() != 4 || weight.dim() != 4)
            check(false, "x must be [N, C, H, W], and weight [O, C / groups, kh, kw]");
        if (groups < 1 || x.size(1) != weight.size(1) * groups || weight.size(0) % groups != 0)
            check(false, "x has " + std::to_string(x.size(1)) + " channels, weight is for " +
                             std::to_string(weight.size(1)) + " in each of " +
                             std::to_string(groups) + " groups, and gives " +
                             std::to_string(weight.size(0)));
        const cpu::Convolution convolution{
            .x = data,
            .weight = weights,
            .bias = optional_floats(bias, weight.size(0), "bias"),
            .samples = x.size(0),
            .groups = groups,
            .in_channels = weight.size(1),
            .out_channels = weight.size(0) / groups,
            .height = x.size(2),
            .width = x.size(3),
            .out_height = outputs(x.size(2), weight.size(2), stride_h, padding_h, dilation_h),
            .out_width = outputs(x.size(3), weight.size(3), stride_w, padding_w, dilation_w),
            .kernel_h = weight.size(2),
            .kernel_w = weight.size(3),
            .stride_h = stride_h,
            .stride_w = stride_w,
            .padding_h = padding_h,
            .padding_w = padding_w,
            .dilation_h = dilation_h,
            .dilation_w = dilation_w};
        auto y = torch::stable::empty(
            {convolution.samples, weight.size(0), convolution.out_height, convolution.out_width},
            x.scalar_type(), std::nullopt, x.device());
        cpu::convolve(convolution, static_cast<float*>(y.mutable_data_ptr()), TorchWorkers());
        return y;
    }

    static void register_all(torch::stable::detail::StableLibrary& m) {
        m.impl("batch_norm", TORCH_BOX(&Reporting<&ForwardOperators::batch_norm>::call));
        m.impl("batch_norm_relu_insert",
               TORCH_BOX(&Reporting<&ForwardOperators::batch_norm_relu_insert>::call));
        m.impl("avg_pool2d", TORCH_BOX(&Reporting<&ForwardOperators::avg_pool2d>::call));
        m.impl("max_pool2d", TORCH_BOX(&Reporting<&ForwardOperators::max_pool2d>::call));
        m.impl("convolve", TORCH_BOX(&Reporting<&ForwardOperators::convolve>::call));
    }
};

}  // namespace swapnas
