// The type TensorBase: the attributes of a tensor that Python reads often.
#include "tape/tensor.h"

#include <structmember.h>

#include <cmath>
#include <cstring>

#include "elementwise/pending.h"
#include "elementwise/shapes.h"
#include "tape/engine.h"
#include "tape/node.h"
#include "tape/values.h"

namespace rushlight {

PyTypeObject* tensor_base_type = nullptr;
PyTypeObject* tensor_class = nullptr;

PyObject* wrap(Array array) {
    PyTypeObject* type = tensor_class ? tensor_class : tensor_base_type;
    PyObject* object = type->tp_alloc(type, 0);
    if (!object) throw PythonError();
    TensorObject* tensor = as_tensor(object);
    new (&tensor->array) Array(std::move(array));
    tensor->inference = modes.inference;
    return object;
}

Array without_data(const Dims& shape, DType dtype) {
    static const Array* behind[kDTypes] = {};  // one element of each dtype
    const Array*& one = behind[int(dtype)];
    if (!one) {
        const bool has_nan = is_floating(dtype) || is_complex(dtype);
        one = new Array(Array::full(Dims(), dtype, Scalar(has_nan ? std::nan("") : 0.0)));
    }
    return Array(one->body()->storage, one->offset(), shape, Dims(shape.size()), dtype);
}

PyObject* detach_item(const TensorObject* tensor) {
    PyObject* object = Py_TYPE(tensor)->tp_alloc(Py_TYPE(tensor), 0);
    if (!object) throw PythonError();
    TensorObject* copy = as_tensor(object);
    new (&copy->array) Array(tensor->array);
    copy->level = tensor->level;
    copy->batched = tensor->batched;
    copy->inner = Py_XNewRef(tensor->inner);
    copy->layout = tensor->layout;
    copy->parts = Py_XNewRef(tensor->parts);
    return object;
}

void note_refusal() noexcept { modes.refused = true; }

static const char* name_of(TensorLayout layout) {
    static const char* names[] = {"torch.strided", "torch.sparse_coo", "torch.sparse_csr",
                                  "torch.sparse_csc"};
    return names[int(layout)];
}

void check_strided(const char* what, const TensorObject* tensor) {
    if (is_strided(tensor)) return;
    fail(ErrorKind::Runtime, what, ": a tensor of layout ", name_of(tensor->layout), ", shape ",
         tensor->array.shape(), ", has no elements in memory of its own; use to_dense(), or its "
         "values()");
}

namespace {

// TensorBase(other=None): the same array as another tensor without its history, or an empty one.
// PyTorch's old constructor takes sizes or values too.
PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject*) {
    return guarded([&]() -> PyObject* {
        PyObject* other = nullptr;
        PyRef built;
        if (PyTuple_GET_SIZE(args) > 0) other = PyTuple_GET_ITEM(args, 0);
        if (other && !is_tensor(other)) {
            built = PyRef::check(PyObject_CallOneArg(callbacks().construct.get(), args));
            other = built.get();
        }
        check(!other || !as_tensor(other)->level,
              "new(): an item of a batch (inside vmap) cannot be made an instance of another class");
        PyRef made = PyRef::check(type->tp_alloc(type, 0));
        new (&as_tensor(made.get())->array)
            Array(other ? as_tensor(other)->array : Array::empty(Dims{0}, default_dtype()));
        if (other) {
            as_tensor(made.get())->layout = as_tensor(other)->layout;
            as_tensor(made.get())->parts = Py_XNewRef(as_tensor(other)->parts);
        }
        return made.release();
    });
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
    TensorObject* tensor = as_tensor(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(tensor->grad);
    Py_VISIT(as_object(tensor->node));
    Py_VISIT(tensor->base);
    Py_VISIT(tensor->leaf_hooks);
    Py_VISIT(tensor->post_accumulate_hooks);
    Py_VISIT(tensor->dict);
    Py_VISIT(tensor->inner);
    Py_VISIT(tensor->parts);
    return 0;
}

int tensor_clear(PyObject* self) {
    TensorObject* tensor = as_tensor(self);
    Py_CLEAR(tensor->grad);
    Py_CLEAR(tensor->node);
    Py_CLEAR(tensor->base);
    Py_CLEAR(tensor->leaf_hooks);
    Py_CLEAR(tensor->post_accumulate_hooks);
    Py_CLEAR(tensor->dict);
    Py_CLEAR(tensor->inner);
    Py_CLEAR(tensor->parts);
    return 0;
}

void tensor_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (as_tensor(self)->weakrefs) PyObject_ClearWeakRefs(self);
    tensor_clear(self);
    as_tensor(self)->array.~Array();
    type->tp_free(self);
    Py_DECREF(type);
}

template <class F>
PyObject* with_array(const char* what, PyObject* self, F&& f) {
    return guarded([&]() -> PyObject* {
        check_strided(what, as_tensor(self));
        return f(as_tensor(self)->array);
    });
}

// ---- geometry

PyObject* get_shape(PyObject* self, void*) { return dims_to_python(as_tensor(self)->array.shape()); }
PyObject* get_dtype(PyObject* self, void*) {
    return dtype_to_python(as_tensor(self)->array.dtype());
}
PyObject* get_ndim(PyObject* self, void*) {
    return PyLong_FromLong(as_tensor(self)->array.ndim());
}
PyObject* get_itemsize(PyObject* self, void*) {
    return PyLong_FromSize_t(as_tensor(self)->array.itemsize());
}
PyObject* get_nbytes(PyObject* self, void*) {
    const Array& array = as_tensor(self)->array;
    return PyLong_FromLongLong(array.numel() * Index(array.itemsize()));
}
PyObject* method_dim(PyObject* self, PyObject*) { return get_ndim(self, nullptr); }
PyObject* method_numel(PyObject* self, PyObject*) {
    return PyLong_FromLongLong(as_tensor(self)->array.numel());
}

PyObject* axis_of(const char* what, PyObject* self, PyObject* const* args, Py_ssize_t n,
                  PyObject* keywords, const Dims& values) {
    PyObject* axis = n > 0 ? args[0] : nullptr;
    if (keywords && PyTuple_GET_SIZE(keywords)) axis = args[n];
    if (!axis || axis == Py_None) return nullptr;
    const Py_ssize_t at = PyNumber_AsSsize_t(axis, PyExc_IndexError);
    if (at == -1 && PyErr_Occurred()) throw PythonError();
    return PyLong_FromLongLong(values[normalize_axis(what, at, as_tensor(self)->array.ndim())]);
}

PyObject* method_size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    return guarded([&] {
        const Dims& shape = as_tensor(self)->array.shape();
        PyObject* one = axis_of("size", self, args, n, keywords, shape);
        return one ? one : dims_to_python(shape);
    });
}

PyObject* method_stride(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    return guarded([&]() -> PyObject* {
        const Dims& strides = as_tensor(self)->array.strides();
        if (PyObject* one = axis_of("stride", self, args, n, keywords, strides)) return one;
        PyRef all = PyRef::check(PyTuple_New(strides.size()));
        for (int d = 0; d < strides.size(); ++d)
            PyTuple_SET_ITEM(all.get(), d, PyLong_FromLongLong(strides[d]));
        return all.release();
    });
}

PyObject* method_storage_offset(PyObject* self, PyObject*) {
    return PyLong_FromLongLong(as_tensor(self)->array.offset());
}
PyObject* method_data_ptr(PyObject* self, PyObject*) {
    return with_array("data_ptr", self, [](const Array& array) -> PyObject* {
        if (array.numel() == 0 || array.is_meta()) return PyLong_FromLong(0);
        array.storage().mark_exported();
        return PyLong_FromVoidPtr(array.bytes());
    });
}
PyObject* method_element_size(PyObject* self, PyObject*) { return get_itemsize(self, nullptr); }
PyObject* method_is_contiguous_now(PyObject* self, PyObject*) {
    return PyBool_FromLong(is_strided(as_tensor(self)) && as_tensor(self)->array.is_contiguous());
}
PyObject* get_is_sparse(PyObject* self, void*) {
    return PyBool_FromLong(as_tensor(self)->layout == TensorLayout::SparseCoo);
}
PyObject* get_is_meta(PyObject* self, void*) {
    return PyBool_FromLong(innermost(as_tensor(self))->array.is_meta());
}
PyObject* get_is_sparse_csr(PyObject* self, void*) {
    return PyBool_FromLong(as_tensor(self)->layout == TensorLayout::SparseCsr);
}

PyObject* method_item(PyObject* self, PyObject*) {
    if (!is_strided(as_tensor(self))) [[unlikely]] {
        PyObject* dense = PyObject_CallMethod(self, "to_dense", nullptr);
        PyObject* number = dense ? PyObject_CallMethod(dense, "item", nullptr) : nullptr;
        Py_XDECREF(dense);
        return number;
    }
    return with_array("item", self, [](const Array& array) {
        check(!array.is_meta(), "Tensor.item() cannot be called on meta tensors: one of shape ",
              array.shape(), " has no values. What a program decides by a value needs a tensor on "
              "the CPU");
        check(array.numel() == 1, "a Tensor with ", array.numel(),
              " elements cannot be converted to Scalar; .item() needs exactly one (shape ",
              array.shape(), ")");
        return item_to_python(array);
    });
}

PyObject* list_of(const Array& array, int axis, const std::byte* at) {
    if (axis == array.ndim())
        return dispatch(array.dtype(), [&]<class T>() -> PyObject* {
            // Booleans that nobody has written may be more than 0 and 1.
            using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
            const Stored element = *reinterpret_cast<const Stored*>(at);
            if constexpr (std::is_same_v<T, bool>) return PyBool_FromLong(element != 0);
            else if constexpr (std::is_same_v<T, std::uint64_t>)
                return PyLong_FromUnsignedLongLong(element);
            else if constexpr (std::is_integral_v<T>) return PyLong_FromLongLong(element);
            else if constexpr (dtype_of<T> >= DType::C64)
                return PyComplex_FromDoubles(double(element.real()), double(element.imag()));
            else return PyFloat_FromDouble(convert<double>(element));
        });
    PyRef list = PyRef::check(PyList_New(array.size(axis)));
    for (Index i = 0; i < array.size(axis); ++i)
        PyList_SET_ITEM(list.get(), i,
                        PyRef::check(list_of(array, axis + 1,
                                             at + i * array.stride(axis) * Index(array.itemsize())))
                            .release());
    return list.release();
}

PyObject* method_tolist(PyObject* self, PyObject*) {
    return with_array("tolist", self, [](const Array& array) { return list_of(array, 0, array.bytes()); });
}

// ---- autograd

PyObject* get_requires_grad(PyObject* self, void*) {
    return guarded([&] {
        TensorObject* tensor = as_tensor(self);
        if (tensor->base) refresh_view(tensor);
        return PyBool_FromLong(requires_grad(tensor));
    });
}

int set_requires_grad(PyObject* self, PyObject* value, void*) {
    return guarded([&] {
        TensorObject* tensor = as_tensor(self);
        const int on = value ? PyObject_IsTrue(value) : -1;
        if (on < 0) throw PythonError();
        if (tensor->node) {
            check(on != 0, "you can only change requires_grad flags of leaf variables. If you want "
                  "to use a computed variable in a subgraph that doesn't require differentiation "
                  "use var_no_grad = var.detach().");
            return 0;
        }
        const DType dtype = tensor->array.dtype();
        check(!on || is_floating(dtype) || is_complex(dtype),
              "only Tensors of floating point and complex dtype can require gradients, got ",
              name_of(dtype));
        check(!on || !tensor->inference || modes.inference,
              "Setting requires_grad=True on inference tensor outside InferenceMode is not "
              "allowed; clone() it first.");
        tensor->requires_grad = on != 0;
        return 0;
    });
}

PyObject* get_own_grad(PyObject* self, void*) {
    PyObject* grad = as_tensor(self)->grad;
    return Py_NewRef(grad ? grad : Py_None);
}

PyObject* get_grad(PyObject* self, void*) {
    const TensorObject* tensor = as_tensor(self);
    if (!tensor->grad && tensor->node && !tensor->retains_grad &&
        PyErr_WarnEx(PyExc_UserWarning,
                     "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. "
                     "backward() does not fill it: call retain_grad() on the tensor before, or "
                     "look at the leaf that it was computed from",
                     1) < 0)
        return nullptr;
    return get_own_grad(self, nullptr);
}

int set_grad(PyObject* self, PyObject* value, void*) {
    return guarded([&] {
        TensorObject* tensor = as_tensor(self);
        if (!value || value == Py_None) {
            Py_CLEAR(tensor->grad);
            return 0;
        }
        check_as(ErrorKind::Type, is_tensor(value), "assigned grad expected to be a Tensor or None "
                 "but got ", Py_TYPE(value)->tp_name);
        const Array& grad = as_tensor(value)->array;
        check(value != self, "can't assign Variable as its own grad");
        check(grad.dtype() == tensor->array.dtype(), "attempting to assign a gradient with dtype '",
              name_of(grad.dtype()), "' to a tensor with dtype '", name_of(tensor->array.dtype()),
              "'. Please ensure that the gradient and the tensor have the same dtype");
        check(grad.shape() == tensor->array.shape(), "assigned grad has data of a different size: ",
              grad.shape(), " for a tensor of shape ", tensor->array.shape());
        PyObject* old = std::exchange(tensor->grad, Py_NewRef(value));
        Py_XDECREF(old);
        return 0;
    });
}

PyObject* get_grad_fn(PyObject* self, void*) {
    return guarded([&]() -> PyObject* {
        TensorObject* tensor = as_tensor(self);
        if (tensor->base) refresh_view(tensor);
        return tensor->node ? show_node(tensor->node) : Py_NewRef(Py_None);
    });
}

int set_grad_fn(PyObject* self, PyObject* value, void*) {
    return guarded([&] {  // (node, output_nr), or None: for autograd.Function and detach_
        TensorObject* tensor = as_tensor(self);
        PyObject* old = as_object(std::exchange(tensor->node, nullptr));
        Py_XDECREF(old);
        tensor->output_nr = 0;
        if (!value || value == Py_None) return 0;
        PyObject* node = nullptr;
        unsigned output_nr = 0;
        if (!PyArg_ParseTuple(value, "O!I", node_type, &node, &output_nr)) throw PythonError();
        tensor->node = as_node(Py_NewRef(node));
        tensor->output_nr = output_nr;
        return 0;
    });
}

PyObject* get_is_leaf(PyObject* self, void*) {
    return guarded([&] {
        TensorObject* tensor = as_tensor(self);
        if (tensor->base) refresh_view(tensor);
        return PyBool_FromLong(tensor->node == nullptr);
    });
}
PyObject* get_output_nr(PyObject* self, void*) {
    return PyLong_FromUnsignedLong(as_tensor(self)->output_nr);
}
PyObject* get_version(PyObject* self, void*) {
    return guarded([&] { return PyLong_FromUnsignedLong(version_of(as_tensor(self))); });
}
PyObject* get_base(PyObject* self, void*) {
    PyObject* base = as_tensor(self)->base;
    return Py_NewRef(base ? base : Py_None);
}
PyObject* method_is_inference(PyObject* self, PyObject*) {
    return PyBool_FromLong(as_tensor(self)->inference);
}

// A result of this kind is an instance of Tensor whatever the class of the tensor is.
PyObject* detach_sparse(const TensorObject* tensor) {
    PyRef made = PyRef::check(wrap(tensor->array));
    as_tensor(made.get())->layout = tensor->layout;
    as_tensor(made.get())->parts = Py_XNewRef(tensor->parts);
    return made.release();
}

PyObject* method_detach(PyObject* self, PyObject*) {
    return guarded([&] {
        if (!is_strided(as_tensor(self))) return detach_sparse(as_tensor(self));
        return wrap(as_tensor(self)->array);
    });
}

PyObject* method_data(PyObject* self, PyObject*) {
    return guarded([&] {
        if (!is_strided(as_tensor(self))) return detach_sparse(as_tensor(self));
        return wrap(as_tensor(self)->array.unversioned());
    });
}

// Takes over the array of another tensor: `x.data = y`, resize_ and the like.
PyObject* method_set_array(PyObject* self, PyObject* other) {
    return guarded([&]() -> PyObject* {
        check_as(ErrorKind::Type, is_tensor(other), "expected a Tensor, got ",
                 Py_TYPE(other)->tp_name);
        check(!as_tensor(self)->level && !as_tensor(other)->level,
              "an item of a batch (inside vmap) has no memory of its own to give or take");
        as_tensor(self)->array = as_tensor(other)->array;
        as_tensor(self)->layout = as_tensor(other)->layout;
        Py_XSETREF(as_tensor(self)->parts, Py_XNewRef(as_tensor(other)->parts));
        Py_RETURN_NONE;
    });
}

// _set_parts(parts, layout, shape, dtype): self becomes a tensor that is not strided.
PyObject* method_set_parts(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    return guarded([&]() -> PyObject* {
        Dims shape;
        const auto dtype = count == 4 ? dtype_from_python(args[3]) : std::nullopt;
        const long layout = count == 4 && PyLong_Check(args[1]) ? PyLong_AsLong(args[1]) : 0;
        check_as(ErrorKind::Type, dtype && layout > 0 && layout <= long(TensorLayout::SparseCsc) &&
                                      dims_from_python(args[2], shape) && !as_tensor(self)->level,
                 "_set_parts(parts, layout, shape, dtype)");
        // Memory of its own, which counts the writes.
        const Array& before = as_tensor(self)->array;
        const bool again = !is_strided(as_tensor(self)) && before.dtype() == *dtype;
        const Array behind = again ? before : Array::empty(Dims(), *dtype);
        if (again) prepare_write(behind);
        const Dims strides(shape.size());
        as_tensor(self)->array =
            Array(behind.body()->storage, behind.offset(), std::move(shape), strides, *dtype);
        as_tensor(self)->layout = TensorLayout(layout);
        Py_XSETREF(as_tensor(self)->parts, Py_NewRef(args[0]));
        any_special = true;
        Py_RETURN_NONE;
    });
}

// The tensor was written in place by `node`, which has no edge for it yet.
PyObject* method_bump_version(PyObject* self, PyObject*) {
    return guarded([&]() -> PyObject* {
        prepare_write(as_tensor(self)->array);
        Py_RETURN_NONE;
    });
}

PyObject* method_forget_writes(PyObject* self, PyObject*) {
    forget_writes(innermost(as_tensor(self))->array);
    Py_RETURN_NONE;
}

PyObject* method_detach_item(PyObject* self, PyObject*) {
    return guarded([&] { return detach_item(as_tensor(self)); });
}

// _set_item(inner, level, batched): self becomes an item of a batch.
PyObject* method_set_item(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    return guarded([&]() -> PyObject* {
        check_as(ErrorKind::Type, count == 3 && is_tensor(args[0]) && PyLong_Check(args[1]),
                 "_set_item(inner, level, batched)");
        const bool batched = args[2] == Py_True;
        int overflow = 0;
        const long deep = PyLong_AsLongAndOverflow(args[1], &overflow);
        check(overflow == 0 && deep >= 0 && deep <= 255, "_set_item: a batch within ", deep,
              " others is too deep");
        const auto level = std::uint8_t(deep);
        const Array& whole = as_tensor(args[0])->array;
        check(!batched || whole.ndim() > 0, "a batch has at least one dimension");
        Dims shape(whole.ndim() - int(batched));
        for (int d = 0; d < shape.size(); ++d) shape[d] = whole.size(d + int(batched));
        TensorObject* item = as_tensor(self);
        item->array = without_data(shape, whole.dtype());
        item->level = level;
        item->batched = batched;
        PyObject* old = std::exchange(item->inner, Py_NewRef(args[0]));
        Py_XDECREF(old);
        Py_RETURN_NONE;
    });
}

PyObject* method_rebase_history(PyObject* self, PyObject* node) {
    return guarded([&]() -> PyObject* {
        check_as(ErrorKind::Type, is_node(node), "expected a Node");
        rebase_history(as_tensor(self), PyRef::borrow(node));
        Py_RETURN_NONE;
    });
}

PyMethodDef tensor_methods[] = {
    {"dim", method_dim, METH_NOARGS, "The number of dimensions."},
    {"ndimension", method_dim, METH_NOARGS, "The number of dimensions."},
    {"numel", method_numel, METH_NOARGS, "The number of elements."},
    {"nelement", method_numel, METH_NOARGS, "The number of elements."},
    {"size", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method_size)),
     METH_FASTCALL | METH_KEYWORDS,
     "The shape, or the size of one dimension; IndexError for one that is not there."},
    {"stride", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method_stride)),
     METH_FASTCALL | METH_KEYWORDS,
     "Elements between neighbours, by dimension (a tuple), or of one."},
    {"storage_offset", method_storage_offset, METH_NOARGS, "Elements before the first one."},
    {"data_ptr", method_data_ptr, METH_NOARGS, "The address of the first element, in bytes."},
    {"element_size", method_element_size, METH_NOARGS, "Bytes of one element."},
    {"_is_contiguous", method_is_contiguous_now, METH_NOARGS, "Whether rows follow each other."},
    {"item", method_item, METH_NOARGS,
     "The only element as a Python number; RuntimeError for more or none."},
    {"tolist", method_tolist, METH_NOARGS, "The elements as nested lists, or a number."},
    {"is_inference", method_is_inference, METH_NOARGS, "Whether made in inference mode."},
    {"detach", method_detach, METH_NOARGS,
     "The same data without history: gradients do not pass, writes to one show in the other."},
    {"_data", method_data, METH_NOARGS, "The same data; writes to it are not counted."},
    {"_set_array", method_set_array, METH_O, "Takes over another tensor's data."},
    {"_set_parts", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method_set_parts)),
     METH_FASTCALL, "Makes it a tensor that is not strided: (parts, layout, shape, dtype)."},
    {"_bump_version", method_bump_version, METH_NOARGS, "Says that the data was written."},
    {"_forget_writes", method_forget_writes, METH_NOARGS, "Says that it has just been made."},
    {"_detach_item", method_detach_item, METH_NOARGS, "The same item of a batch, no history."},
    {"_set_item", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method_set_item)),
     METH_FASTCALL, "Makes it an item: (inner, level, batched)."},
    {"_rebase_history", method_rebase_history, METH_O, "The tensor comes from the node now."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef tensor_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weakrefs), READONLY, nullptr},
    {"retains_grad", T_BOOL, offsetof(TensorObject, retains_grad), READONLY,
     "Whether backward fills `grad` of this tensor, which is no leaf."},
    {"_settled", T_BOOL, offsetof(TensorObject, settled), 0, nullptr},
    {"_level", T_UBYTE, offsetof(TensorObject, level), READONLY, nullptr},
    {"_batched", T_BOOL, offsetof(TensorObject, batched), READONLY, nullptr},
    {"_inner", T_OBJECT, offsetof(TensorObject, inner), READONLY, nullptr},
    {"_layout", T_UBYTE, offsetof(TensorObject, layout), READONLY, nullptr},
    {"_parts", T_OBJECT, offsetof(TensorObject, parts), READONLY, nullptr},
    {"_retains_grad", T_BOOL, offsetof(TensorObject, retains_grad), 0, nullptr},
    {"_leaf_hooks", T_OBJECT, offsetof(TensorObject, leaf_hooks), 0, nullptr},
    {"_post_accumulate_hooks", T_OBJECT, offsetof(TensorObject, post_accumulate_hooks), 0,
     nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyGetSetDef tensor_getset[] = {
    {"shape", get_shape, nullptr, "The sizes, as torch.Size.", nullptr},
    {"dtype", get_dtype, nullptr, "The element type.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"is_sparse", get_is_sparse, nullptr, "Whether its layout is torch.sparse_coo.", nullptr},
    {"is_meta", get_is_meta, nullptr, "Whether it has no memory: torch.device('meta').", nullptr},
    {"is_sparse_csr", get_is_sparse_csr, nullptr, "Whether its layout is torch.sparse_csr.",
     nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad,
     "Whether operations on it are recorded; on a leaf it can be set.",
     nullptr},
    {"grad", get_grad, set_grad,
     "The gradient that backward() accumulated, of the same shape and dtype, or None.", nullptr},
    {"_grad", get_own_grad, set_grad, "`grad`, without a warning where it stays None.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node that made it, or None.", nullptr},
    {"_grad_fn", get_grad_fn, set_grad_fn, "The node that made it; assignable.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether no recorded operation made it.", nullptr},
    {"output_nr", get_output_nr, nullptr, "Which output of grad_fn it is.", nullptr},
    {"_version", get_version, nullptr, "Counts writes in place.", nullptr},
    {"_base", get_base, nullptr, "The tensor that it is a view of, or None.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot tensor_slots[] = {{Py_tp_new, reinterpret_cast<void*>(tensor_new)},
                              {Py_tp_traverse, reinterpret_cast<void*>(tensor_traverse)},
                              {Py_tp_clear, reinterpret_cast<void*>(tensor_clear)},
                              {Py_tp_dealloc, reinterpret_cast<void*>(tensor_dealloc)},
                              {Py_tp_methods, tensor_methods},
                              {Py_tp_members, tensor_members},
                              {Py_tp_getset, tensor_getset},
                              {0, nullptr}};

PyType_Spec tensor_spec = {"rushlight._core.TensorBase", sizeof(TensorObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                           tensor_slots};

}  // namespace

void add_tensor_type(PyObject* module) {
    PyRef type = PyRef::check(PyType_FromSpec(&tensor_spec));
    tensor_base_type = reinterpret_cast<PyTypeObject*>(type.get());
    check_status(PyModule_AddObjectRef(module, "TensorBase", type.get()));
    type.release();
}

}  // namespace rushlight
