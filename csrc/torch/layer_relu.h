// Makes Python callables that run torch.relu as the ReLU of one layer.
#pragma once

#include <Python.h>

#include <cstdint>

namespace swapnas {

// A new reference to a callable of its own class, for `layer`; nullptr with a Python error set if
// that fails. Its calls are calls of `relu` during which the layer is marked (relu_capture.h), and
// on a thread without a log calls of `elsewhere`. It
// has the attribute watched_by_swapnas, which is True, and deepcopy returns it itself, as it does
// with functions.
PyObject* layer_relu(int64_t layer, PyObject* relu, PyObject* elsewhere);

}  // namespace swapnas
