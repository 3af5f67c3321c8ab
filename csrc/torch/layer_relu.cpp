#include "torch/layer_relu.h"

#include <structmember.h>

#include <cstddef>

#include "torch/relu_capture.h"

namespace swapnas {
namespace {

struct LayerRelu {
    PyObject_HEAD vectorcallfunc vectorcall;
    int64_t layer;
    PyObject* relu;
    PyObject* elsewhere;
};

PyObject* call(PyObject* self, PyObject* const* arguments, size_t count, PyObject* names) {
    const auto* own = reinterpret_cast<LayerRelu*>(self);
    if (!relus::has_log()) return PyObject_Vectorcall(own->elsewhere, arguments, count, names);
    const int64_t before = relus::exchange_layer(own->layer);
    PyObject* result = PyObject_Vectorcall(own->relu, arguments, count, names);
    relus::exchange_layer(before);
    return result;
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    Py_XDECREF(reinterpret_cast<LayerRelu*>(self)->relu);
    Py_XDECREF(reinterpret_cast<LayerRelu*>(self)->elsewhere);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* itself(PyObject* self, PyObject*) { return Py_NewRef(self); }

PyObject* is_watched(PyObject*, void*) { return Py_NewRef(Py_True); }

PyMethodDef methods[] = {{"__deepcopy__", itself, METH_O, nullptr},
                         {"__copy__", itself, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyGetSetDef attributes[] = {{"watched_by_swapnas", is_watched, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(LayerRelu, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, attributes},
                       {Py_tp_members, members},
                       {0, nullptr}};
PyType_Spec spec = {
    "swapnas_ext._C.LayerRelu", sizeof(LayerRelu), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL, slots};

}  // namespace

PyObject* layer_relu(int64_t layer, PyObject* relu, PyObject* elsewhere) {
    static PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) return nullptr;
    auto* made = PyObject_New(LayerRelu, reinterpret_cast<PyTypeObject*>(type));
    if (made == nullptr) return nullptr;
    made->vectorcall = call;
    made->layer = layer;
    made->relu = Py_NewRef(relu);
    made->elsewhere = Py_NewRef(elsewhere);
    return reinterpret_cast<PyObject*>(made);
}

}  // namespace swapnas
