// The Python module _C, the only file that uses pybind11: build information, the available
// hardware, and the constants of a table that Python also needs.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "cpu/isa.h"
#include "cpu/pattern_set.h"
#include "pattern_table.h"
#include "torch/layer_relu.h"
#include "torch/relu_capture.h"
#if defined(SWAPNAS_WITH_CUDA)
#include "cuda/kernels.h"
#endif

namespace py = pybind11;
namespace cpu = swapnas::cpu;

PYBIND11_MODULE(_C, m) {
    m.doc() =
        "Compiled part of swapnas_ext. Importing it registers the torch operators swapnas::*.";
    m.attr("version") = SWAPNAS_VERSION;
    m.attr("compiler") = __VERSION__;
#if defined(SWAPNAS_WITH_CUDA)
    namespace cuda = swapnas::cuda;
    m.attr("cuda_architectures") = SWAPNAS_CUDA_ARCHITECTURES;
    m.def("cuda_availability", [] {
        const cuda::Availability found = cuda::availability();
        return py::make_tuple(found.driver_cuda, found.runtime_cuda, found.error);
    });
    m.def(
        "cuda_table_words",
        [](int64_t samples, bool ternary, int64_t patterns) {
            return cuda::table_words({samples, ternary}, patterns);
        },
        py::arg("samples"), py::arg("ternary"), py::arg("patterns"));
    m.def(
        "cuda_table_limit",
        [](int64_t samples, bool ternary, int64_t words) {
            return cuda::table_limit({samples, ternary}, words);
        },
        py::arg("samples"), py::arg("ternary"), py::arg("words"));
#else
    m.attr("cuda_architectures") = py::none();
#endif
    m.def("cpu_isa", [] { return std::string(cpu::isa_name(cpu::active_isa())); });
    m.def("available_cpu_isas", [] {
        std::vector<std::string> names;
        for (cpu::Isa isa : cpu::available_isas()) names.emplace_back(cpu::isa_name(isa));
        return names;
    });
    m.attr("max_direct_bits") = swapnas::kMaxDirectBits;
    m.def("set_cpu_isa", &cpu::set_active_isa, py::arg("name"));
    m.def("table_words", &cpu::table_words, py::arg("bits"), py::arg("patterns"));
    m.def("table_limit", &cpu::table_limit, py::arg("bits"), py::arg("words"));

    namespace relus = swapnas::relus;
    m.attr("unnamed_layer") = relus::kUnnamed;
    m.attr("error_in_python") = relus::kErrorInPython;
    m.def("register_relu_kernel", &relus::register_kernel, py::arg("key"));
    m.def(
        "layer_relu",
        [](int64_t layer, py::object relu, py::object elsewhere) {
            PyObject* made = swapnas::layer_relu(layer, relu.ptr(), elsewhere.ptr());
            if (made == nullptr) throw py::error_already_set();
            return py::reinterpret_steal<py::object>(made);
        },
        py::arg("layer"), py::arg("relu"), py::arg("elsewhere"));
    m.def("marked_layer", [] {
        const int64_t layer = relus::exchange_layer(relus::kUnnamed);
        relus::exchange_layer(layer);
        return layer;
    });
    m.def("relu_calls", &relus::calls);
    m.def("stop_relus", [] {
        py::list calls;
        for (const relus::Call& call : relus::stop())
            calls.append(py::make_tuple(call.layer, call.elements, call.bytes,
                                        1e-9 * static_cast<double>(call.nanoseconds),
                                        call.patterns));
        return calls;
    });

    m.attr("header_words") = swapnas::kHeaderWords;
    m.attr("occupied_word") = swapnas::kOccupiedWord;
    m.attr("zero_pattern_word") = swapnas::kZeroPatternWord;
    m.attr("nan_word") = swapnas::kNanWord;
    m.attr("saw_nan") = swapnas::kSawNan;
    m.attr("overflowed") = swapnas::kOverflowed;
    m.attr("stray_bits") = swapnas::kStrayBits;
}
