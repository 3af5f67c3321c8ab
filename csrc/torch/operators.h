// The operators swapnas::*, for any back end. The schemas are in the Python ops.py, whose callers
// check the arguments; the checks here keep a direct call of an operator from touching foreign
// memory. Errors are RuntimeErrors in Python.
//
// This file and the others in this folder use torch only through its stable ABI.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "activations.h"
#include "pattern.h"
#include "torch/check.h"
#include "torch/reporting.h"
#include "torch/tensor_views.h"

namespace swapnas {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// A back end is made for the tensor of an operator, and lives until the operator ends. There are
// two: CpuBackend and CudaBackend.
template <class Backend>
struct Operators {
    using Tables = typename Backend::Tables;

    static PatternShape pattern_shape(int64_t samples, bool ternary) {
        check(samples >= 1, "samples is ", samples, ", expected at least 1");
        return {samples, ternary};
    }

    static void check_same_device(const Tensor& table, const Tensor& x) {
        check(table.device() == x.device(), "the tensors are on different devices");
    }

    static std::optional<Activations> view(const Tensor& x, int64_t samples, int64_t groups,
                                           bool logical_order = false) {
        return activations_view(x, samples, groups, logical_order, Backend::kShortestRun);
    }

    // A view of x, or of a copy, which `copies` then keeps.
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
        auto y = swapnas::empty_like(x);
        relu_insert_into(table, x, y, samples, ternary);
        return y;
    }

    static void relu_insert_(Tensor table, Tensor x, int64_t samples, bool ternary) {
        relu_insert_into(table, x, x, samples, ternary);
    }

    static void insert_packed_(Tensor table, Tensor patterns, int64_t samples, bool ternary) {
        check_same_device(table, patterns);
        const Backend backend(patterns);
        const PatternShape shape = pattern_shape(samples, ternary);
        const auto tables = group_tables(table, shape);
        check(tables.groups == 1, "packed patterns go into a table of one group");
        const auto packed = packed_patterns_view(patterns, shape);
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

    // [1, 2], like count, for the patterns of all the activations.
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

    // agreements: [samples, samples], int64.
    static void add_agreements_(Tensor agreements, Tensor x, int64_t samples) {
        check_same_device(agreements, x);
        const Backend backend(x);
        pattern_shape(samples, false);
        check(agreements.scalar_type() == ScalarType::Long && agreements.dim() == 2 &&
                  agreements.is_contiguous() && agreements.size(0) == samples &&
                  agreements.size(1) == samples,
              "agreements are a contiguous int64 tensor [samples, samples]");
        std::vector<Tensor> copies;
        backend.add_agreements(view_or_copy(x, samples, 1, copies),
                               static_cast<int64_t*>(agreements.mutable_data_ptr()));
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
        m.impl("add_agreements_", TORCH_BOX(&Reporting<&Operators::add_agreements_>::call));
    }
};

}  // namespace swapnas
